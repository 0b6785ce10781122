// History visibility is that of the state at the event, on every branch of a room, never that of now (client-server
// API, Room History Visibility).
#include "components/rooms/testing/remote_server.h"
#include "components/rooms/testing/world.h"

namespace myelin::rooms {
namespace {
using namespace myelin::rooms::testing;
using Action = MembershipAction;
using Bodies = std::set<std::string>;

class HistoryVisibilities : public OnBothDatabases {
 protected:
  World world{GetParam()};
  RemoteServer there{world.loop, world.rooms, world.clock};
  RoomId room = world.create(world.room_of(world.alice, "public_chat", "11"));

  std::vector<EventId> head() { return extremities_of(head_of(world.loop, *world.db, room)); }
  // Time goes on: state resolution prefers what is later.
  EventId change(const UserId& sender, Action action) {
    world.clock.advance(1000);
    return world.change(room, sender, world.bob, action);
  }
  EventId join() {
    world.clock.advance(1000);
    return world.join(room, world.bob);
  }
  void say(const std::string& name) { events_.emplace_back(name, world.say(room, world.alice, name)); }
  // A message on a branch that begins at `from`.
  void say_there(const std::string& name, const EventId& from) {
    events_.emplace_back(name, there.send(room, {.sender = "eve", .content = text(name), .prev = {from}}));
  }
  EventId set_visibility(const std::string& setting) {
    return world.set(room, world.alice, "m.room.history_visibility", {{"history_visibility", setting}});
  }

  // The life of a member. Messages are named by what bob was when they were said.
  void live() {
    there.join(room, "eve", head());
    auto start = head().front();
    say("before");
    auto invited = change(world.alice, Action::kInvite);
    say("invited");
    auto joined = join();
    say("joined");
    auto left = change(world.bob, Action::kLeave);
    say("left");
    change(world.alice, Action::kInvite);
    say("invited again");
    join();
    say("rejoined");
    say_there("fork before", start);
    say_there("fork invited", invited);
    say_there("fork joined", joined);
    say_there("fork left", left);
    change(world.alice, Action::kKick);
    say("kicked");
    change(world.alice, Action::kBan);
    say("banned");
  }

  // What the viewer sees of them: the same by every way.
  Bodies seen_by(const UserId& viewer) {
    Bodies by_event, backward, forward;
    std::vector<EventRef> refs;
    for (const auto& [name, id] : events_) refs.push_back(world.event(room, id)->ref);
    auto visible = value(world.loop.run(world.queries().visible(refs, {viewer})));
    for (size_t i = 0; i < refs.size(); ++i)
      if (visible[i]) by_event.insert(events_[i].first);
    for (auto [direction, out] :
         {std::pair(Direction::kBackward, &backward), std::pair(Direction::kForward, &forward)}) {
      std::optional<PageToken> from;
      do {
        auto page = world.messages(room, viewer, direction, 3, from);
        for (const auto& placed : page.events)
          if (auto body = json::string_at(placed->event->content(), "body")) out->emplace(*body);
        from = page.end;
      } while (from);
    }
    EXPECT_EQ(by_event, backward);
    EXPECT_EQ(by_event, forward);
    return by_event;
  }
  Bodies all() const {
    Bodies out;
    for (const auto& [name, id] : events_) out.insert(name);
    return out;
  }

  std::vector<std::pair<std::string, EventId>> events_;
};

const Bodies kUntilTheEnd{"before",   "invited",     "joined",       "left",        "invited again",
                          "rejoined", "fork before", "fork invited", "fork joined", "fork left"};

TEST_P(HistoryVisibilities, OfTheFourSettingsForEveryMembership) {
  struct Row {
    const char* setting;
    Bodies bob, stranger;
  };
  const Row rows[] = {
      {"shared", kUntilTheEnd, {}},
      {"invited", {"invited", "joined", "invited again", "rejoined", "fork invited", "fork joined"}, {}},
      {"joined", {"joined", "rejoined", "fork joined"}, {}},
      {"nonsense", kUntilTheEnd, {}},  // counts as shared
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.setting);
    room = world.create(world.room_of(world.alice, "public_chat", "11"));
    events_.clear();
    set_visibility(row.setting);
    live();
    EXPECT_EQ(seen_by(world.bob), row.bob);
    EXPECT_EQ(seen_by(world.carol), row.stranger);
    EXPECT_EQ(seen_by(world.alice), all());
    // What the room says now, is for what comes now.
    auto opened = set_visibility("world_readable");
    say("open");
    EXPECT_EQ(seen_by(world.bob), [&] {
      auto out = row.bob;
      out.insert("open");
      return out;
    }());
    EXPECT_EQ(seen_by(world.carol), (Bodies{"open"}));
    set_visibility("joined");
    say("closed");
    say_there("fork open", opened);
    EXPECT_EQ(seen_by(world.carol), (Bodies{"open", "fork open"}));
  }
}

TEST_P(HistoryVisibilities, WorldReadableIsForEverybody) {
  set_visibility("world_readable");
  live();
  EXPECT_EQ(seen_by(world.bob), all());
  EXPECT_EQ(seen_by(world.carol), all());
  EXPECT_EQ(seen_by(there.user("mallory")), all());
}

// A branch that does not know of the viewer's join is none of the time before it.
TEST_P(HistoryVisibilities, SharedHistoryReachesOverBranches) {
  there.join(room, "eve", head());
  auto base = head().front();
  for (const char* name : {"one", "two", "three"}) say(name);
  auto joined = join();
  say_there("at the same time", base);
  say_there("longer", events_.back().second);
  say_there("still longer", events_.back().second);
  EXPECT_EQ(seen_by(world.bob), all());
  auto left = change(world.bob, Action::kLeave);
  say_there("later", left);
  say_there("of when bob was there", joined);
  auto expected = all();
  expected.erase("later");
  EXPECT_EQ(seen_by(world.bob), expected);
}

TEST_P(HistoryVisibilities, OwnMembershipAndVisibilityChangesAreSeenBeforeOrAfter) {
  set_visibility("joined");
  auto visible = [&](const EventId& id) -> bool {
    return value(world.loop.run(world.queries().visible({world.event(room, id)->ref}, {world.bob}))).front();
  };
  auto invited = change(world.alice, Action::kInvite);
  auto joined = join();
  auto left = change(world.bob, Action::kLeave);
  auto banned = change(world.alice, Action::kBan);
  EXPECT_FALSE(visible(invited));
  EXPECT_TRUE(visible(joined));
  EXPECT_TRUE(visible(left));
  EXPECT_FALSE(visible(banned));
  auto opened = set_visibility("world_readable");
  auto closed = set_visibility("joined");
  EXPECT_TRUE(visible(opened));
  EXPECT_TRUE(visible(closed));
  auto again = set_visibility("invited");
  EXPECT_FALSE(visible(again));
}

TEST_P(HistoryVisibilities, PagesSayWhatTheViewerWas) {
  live();
  std::map<std::string, std::string> memberships;
  auto page = world.messages(room, world.bob, Direction::kForward);
  for (size_t i = 0; i < page.events.size(); ++i)
    if (auto body = json::string_at(page.events[i]->event->content(), "body"))
      memberships[std::string(*body)] = page.memberships[i];
  EXPECT_EQ(memberships, (std::map<std::string, std::string>{{"before", "leave"},
                                                             {"invited", "invite"},
                                                             {"joined", "join"},
                                                             {"left", "leave"},
                                                             {"invited again", "invite"},
                                                             {"rejoined", "join"},
                                                             {"fork before", "leave"},
                                                             {"fork invited", "invite"},
                                                             {"fork joined", "join"},
                                                             {"fork left", "leave"}}));
}

MYELIN_ON_BOTH_DATABASES(HistoryVisibilities);

}  // namespace
}  // namespace myelin::rooms
