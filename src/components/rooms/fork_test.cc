// Rooms that fork: events of other servers on any branch, compared with state resolution as the specification words it.
#include "components/rooms/testing/remote_server.h"
#include "components/rooms/testing/world.h"
#include "matrix/testing/literal_resolver.h"

namespace myelin::rooms {
namespace {
using namespace myelin::rooms::testing;
using myelin::testing::LiteralRoom;
using myelin::testing::LiteralState;
using Action = MembershipAction;

// A room as the specification has it: every event's state by the literal resolver.
class Shadow {
 public:
  Shadow(World& world, RoomId room) : world_(world), room_(std::move(room)) {
    info_ = world_.info(room_);
    literal_.rules = info_.rules;
  }

  // Takes in what the room has got since the last time, and compares all that is stored of it.
  void follow() {
    struct Row {
      EventRef ref;
      std::string id;
      int64_t flags;
      bool has_order;
    };
    auto rows = value(world_.loop.run(world_.db->read([no = info_.room_no, after = last_](db::ReadTx& tx) {
      return tx.all(
          "SELECT ref, event_id, flags, order_no FROM event WHERE room_no = $1 AND ref > $2 ORDER BY ref",
          [](const db::Row& row) { return Row{EventRef::from_row(row.i64(0)), row.str(1), row.i64(2), !row.null(3)}; },
          no, after);
    })));
    for (const auto& row : rows) {
      last_ = row.ref.row();
      auto event = world_.event(room_, EventId::trusted(row.id))->event;
      bool rejected = (row.flags & 1) != 0, soft_failed = (row.flags & 2) != 0;
      EXPECT_EQ(row.has_order, !rejected);
      add(row.ref, event, rejected, soft_failed);
    }
    EXPECT_EQ(world_.state(room_), names(current()));
    auto head = head_of(world_.loop, *world_.db, room_);
    auto extremities = extremities_of(head);
    EXPECT_EQ(std::set<EventId>(extremities.begin(), extremities.end()), extremities_);
    compare_members();
  }
  const std::vector<EventId>& accepted() const { return accepted_; }
  const std::set<EventId>& rejected() const { return literal_.rejected; }
  const std::set<EventId>& soft_failed() const { return soft_failed_; }
  size_t resolved() const { return resolved_; }

 private:
  static std::map<std::string, EventId> names(const LiteralState& state) {
    std::map<std::string, EventId> out;
    for (const auto& [key, id] : state) out[key.type + "|" + key.state_key] = id;
    return out;
  }
  LiteralState resolve(const std::vector<LiteralState>& states) {
    if (states.empty()) return {};
    bool same = std::ranges::all_of(states, [&](const auto& state) { return state == states.front(); });
    if (same) return states.front();
    ++resolved_;
    return resolve_literally(literal_, states);
  }
  LiteralState current() {
    std::vector<LiteralState> states;
    for (const auto& id : extremities_) states.push_back(after_.at(id));
    return resolve(states);
  }
  void add(EventRef ref, const EventPtr& event, bool rejected, bool soft_failed) {
    const auto& id = event->event_id();
    std::vector<LiteralState> before;
    for (const auto& prev : event->prev_events()) before.push_back(after_.at(prev));
    auto state = resolve(before);
    literal_.events[id] = event;
    if (rejected) literal_.rejected.insert(id);
    EXPECT_EQ(world_.state_at(room_, value(world_.loop.run(world_.queries().root_before(ref)))), names(state))
        << id.str();
    if (event->is_state() && !rejected) state[{event->type(), *event->state_key()}] = id;
    EXPECT_EQ(world_.state_at(room_, value(world_.loop.run(world_.queries().root_after(ref)))), names(state))
        << id.str();
    after_[id] = std::move(state);
    if (soft_failed) soft_failed_.insert(id);
    if (rejected || soft_failed) return;
    accepted_.push_back(id);
    for (const auto& prev : event->prev_events()) extremities_.erase(prev);
    extremities_.insert(id);
  }
  // Table member says what the current state says.
  void compare_members() {
    std::map<std::string, std::string> expected, stored;
    for (const auto& [key, id] : current())
      if (key.type == "m.room.member")
        expected[key.state_key] = json::string_at(literal_.events.at(id)->content(), "membership").value_or("");
    for (auto membership : {Membership::kJoin, Membership::kInvite, Membership::kLeave, Membership::kBan})
      for (const auto& user : value(world_.loop.run(world_.queries().members(info_.room_no, membership))))
        stored[user.str()] = to_string(membership);
    // Who is no longer mentioned at all, is out.
    std::erase_if(stored,
                  [&](const auto& member) { return member.second == "leave" && !expected.contains(member.first); });
    EXPECT_EQ(stored, expected);
  }

  World& world_;
  RoomId room_;
  RoomInfo info_;
  LiteralRoom literal_;
  std::map<EventId, LiteralState> after_;
  std::set<EventId> extremities_, soft_failed_;
  std::vector<EventId> accepted_;
  int64_t last_ = 0;
  size_t resolved_ = 0;
};

class Forks : public OnBothDatabases {
 protected:
  explicit Forks(std::string version = "11") : room(world.create(world.room_of(world.alice, "public_chat", version))) {
    there.join(room, "eve", head());
    there.join(room, "mallory", head());
    json::Object users{{world.alice.str(), 100}, {there.user("eve").str(), 90}, {there.user("mallory").str(), 50}};
    if (version == "12") users.erase(world.alice.str());
    world.set(room, world.alice, "m.room.power_levels", {{"users", std::move(users)}});
  }
  std::vector<EventId> head() { return extremities_of(head_of(world.loop, *world.db, room)); }
  RemoteEvent topic(const std::string& sender, std::vector<EventId> prev, int64_t later = 0) {
    return {.sender = sender,
            .type = "m.room.topic",
            .content = {{"topic", sender}},
            .state_key = "",
            .prev = std::move(prev),
            .ts = world.clock.now() + later};
  }
  RemoteEvent ban(const std::string& target, std::vector<EventId> prev) {
    return {.sender = "eve",
            .type = "m.room.member",
            .content = {{"membership", "ban"}},
            .state_key = there.user(target).str(),
            .prev = std::move(prev)};
  }
  EventId current(const std::string& key) { return world.state(room)[key]; }

  World world{GetParam()};
  RoomId room;
  RemoteServer there{world.loop, world.rooms, world.clock};
};

TEST_P(Forks, TwoChildrenOfOneParentAreResolved) {
  auto parent = head();
  auto first = there.send(room, topic("eve", parent));
  auto second = there.send(room, topic("mallory", parent, 1000));
  auto heads = head();
  EXPECT_EQ(std::set<EventId>(heads.begin(), heads.end()), (std::set<EventId>{first, second}));
  EXPECT_EQ(current("m.room.topic|"), second) << "the later of two";
  // The next event of ours stands on both.
  auto merged = world.event(room, world.say(room, world.alice, "together again"))->event;
  EXPECT_EQ(std::set<EventId>(merged->prev_events().begin(), merged->prev_events().end()),
            (std::set<EventId>{first, second}));
  EXPECT_EQ(head(), (std::vector<EventId>{merged->event_id()}));
  Shadow(world, room).follow();
}

TEST_P(Forks, EveryArrivalIsAnnouncedWithTheRoomsState) {
  auto parent = head();
  auto theirs = there.send(room, topic("mallory", parent));
  there.send(room, ban("mallory", parent));  // takes the topic back, too
  world.say(room, world.alice, "hello");
  StateRoot root;
  int64_t order = 0;
  std::set<std::string> changed_by_ban;
  for (const auto& message : world.published()) {
    const auto& added = std::get<EventAdded>(message.what);
    EXPECT_EQ(added.before, root);
    EXPECT_EQ(added.order, ++order);
    root = added.after;
    auto event = value(world.loop.run(world.queries().events({added.ref}))).front()->event;
    EXPECT_EQ(added.on_fork, event->sender() == there.user("eve") && event->prev_events() == parent);
    if (!added.on_fork) continue;
    for (const auto& change : value(world.loop.run(world.queries().diff(message.room_no, added.before, added.after))))
      changed_by_ban.insert(change.type);
    ASSERT_EQ(added.memberships.size(), 1u);
    EXPECT_EQ(added.memberships[0].after, Membership::kBan);
  }
  EXPECT_EQ(changed_by_ban, (std::set<std::string>{"m.room.member", "m.room.topic"}));
  EXPECT_EQ(root, world.current(room));
  EXPECT_FALSE(world.state(room).contains("m.room.topic|"));
  EXPECT_TRUE(world.event(room, theirs));
  Shadow(world, room).follow();
}

TEST_P(Forks, WhatTheCurrentStateForbidsIsSoftFailed) {
  auto before_ban = head();
  there.send(room, ban("mallory", before_ban));
  auto received = value(there.try_send(room, {.sender = "mallory", .content = text("evading"), .prev = before_ban}));
  EXPECT_TRUE(received.soft_failed);
  EXPECT_FALSE(received.rejected);
  auto evading = there.last;
  EXPECT_EQ(std::ranges::count(head(), evading), 0);
  EXPECT_TRUE(world.bodies(room, world.alice).empty());
  // Again: the same answer, and nothing new.
  auto rows = world.rows();
  EXPECT_EQ(value(there.try_send(room, {.sender = "mallory", .content = text("evading"), .prev = before_ban})).ref,
            received.ref);
  EXPECT_EQ(world.rows(), rows);
  // What stands on it is accepted where it may be, and it counts as history then.
  there.send(
      room,
      {.sender = "eve", .content = text("after all"), .prev = {evading, head().front()}, .at = world.current(room)});
  Shadow(world, room).follow();
}

TEST_P(Forks, RejectedEventsNeverEnterTheState) {
  auto prev = head();
  auto refused = topic("nobody", prev);  // who is not in the room
  auto received = value(there.try_send(room, std::move(refused)));
  EXPECT_TRUE(received.rejected);
  auto rejected = there.last;
  EXPECT_EQ(head(), prev);
  EXPECT_FALSE(world.state(room).contains("m.room.topic|"));
  EXPECT_TRUE(world.messages(room, world.alice, Direction::kForward).events.back()->event->event_id() != rejected);
  // Nor does what names it among its auth events.
  RemoteEvent built_on{.sender = "eve", .content = text("x"), .prev = prev, .auth_instead = rejected};
  EXPECT_TRUE(value(there.try_send(room, std::move(built_on))).rejected);
  // What names it as its prev event has the state without it.
  auto child =
      there.send(room, {.sender = "eve", .content = text("child"), .prev = {rejected}, .at = world.current(room)});
  EXPECT_EQ(world.state_at(room, value(world.loop.run(world.queries().root_before(world.event(room, child)->ref)))),
            world.state(room));
  Shadow(world, room).follow();
}

TEST_P(Forks, EventsWhoseParentsAreNotHereWait) {
  auto unknown = EventId::trusted("$0000000000000000000000000000000000000000000");
  auto event = there.build(room, {.sender = "eve", .content = text("x"), .prev = head()});
  auto fields = event.event()->object();
  EventDraft draft;
  draft.room_id = room;
  draft.sender = there.user("eve");
  draft.type = "m.room.message";
  draft.prev_events = {unknown};
  draft.auth_events = event.event()->auth_events();
  draft.depth = 99;
  SeededRandom random(1);
  auto orphan = value(OwnEvent::build(std::move(draft), *world.info(room).rules, ServerName::trusted("there"),
                                      SigningKey::generate(random, "x")));
  auto rows = world.rows();
  auto answer = world.loop.run(world.owner().receive(room, orphan));
  EXPECT_EQ(error_of(answer), Code::kNotFound);
  EXPECT_NE(answer.error().message.find(unknown.str()), std::string::npos);
  EXPECT_EQ(world.rows(), rows);
}

TEST_P(Forks, LocalCommandsAndArrivalsShareTheRoom) {
  auto parent = head();
  std::vector<Task<Result<Received>>> arrivals;
  for (int i = 0; i < 15; ++i)
    arrivals.push_back(world.owner().receive(
        room, there.build(room, {.sender = "eve", .content = text(fmt::format("there {}", i)), .prev = parent})));
  std::vector<Result<EventId>> sent(30, fail(Code::kInternal));
  for (size_t i = 0; i < sent.size(); ++i)
    boost::asio::co_spawn(world.loop.executor(),
                          world.rooms->commands().send({room, world.alice, "m.room.message", {}, text("here")}),
                          [&sent, i](std::exception_ptr, Result<EventId> result) { sent[i] = std::move(result); });
  for (auto& received : world.loop.run_all(std::move(arrivals))) EXPECT_FALSE(value(std::move(received)).rejected);
  world.say(room, world.alice, "the last");
  for (auto& result : sent) value(std::move(result));
  EXPECT_EQ(world.bodies(room, world.alice).size(), 46u);
  Shadow(world, room).follow();
}

TEST_P(Forks, ManyBranchesLoseNothingOfTheState) {
  auto base = head();
  auto banned = there.send(room, ban("mallory", base));
  // More branches than one event can name, each with a state of its own and longer than the ban's.
  auto tip = base;
  for (int i = 0; i < 3; ++i) tip = {there.send(room, {.sender = "eve", .content = text("chain"), .prev = tip})};
  for (size_t i = 0; i < kMaxPrevEvents + 5; ++i)
    there.send(room, {.sender = "eve",
                      .type = "org.example",
                      .content = {{"n", i}},
                      .state_key = fmt::format("{}", i),
                      .prev = tip});
  EXPECT_EQ(world.membership(room, there.user("mallory")), "ban");
  EXPECT_EQ(current("m.room.member|" + there.user("mallory").str()), banned);
  for (size_t i = 0; i < kMaxPrevEvents + 5; ++i)
    EXPECT_TRUE(world.state(room).contains(fmt::format("org.example|{}", i))) << i;
  EXPECT_LE(head().size(), kMaxPrevEvents);
  auto merged = world.event(room, world.say(room, world.alice, "all of it"));
  EXPECT_LE(merged->event->prev_events().size(), kMaxPrevEvents);
  EXPECT_EQ(world.state_at(room, value(world.loop.run(world.queries().root_before(merged->ref)))), world.state(room));
  EXPECT_EQ(world.membership(room, there.user("mallory")), "ban");
}

TEST_P(Forks, RedactionsApplyWhicheverComesFirst) {
  auto said = world.say(room, world.alice, "oops");
  auto base = head();
  auto redaction = [&](const std::string& sender, const EventId& target, std::vector<EventId> prev) {
    return RemoteEvent{
        .sender = sender, .type = "m.room.redaction", .content = {{"redacts", target.str()}}, .prev = std::move(prev)};
  };
  there.join(room, "guest", base);
  auto guest_base = head();
  there.send(room, redaction("guest", said, guest_base));  // accepted as an event, without the level to redact
  EXPECT_FALSE(world.event(room, said)->redacted_by);
  auto first = there.send(room, redaction("mallory", said, guest_base));
  EXPECT_EQ(world.served(room, said, {world.alice}).redacted_because->event_id(), first);
  // Before its target.
  auto later = there.build(room, {.sender = "guest", .content = text("later redacted"), .prev = guest_base});
  auto early = there.send(room, redaction("eve", later.event()->event_id(), guest_base));
  value(world.loop.run(world.owner().receive(room, later)));
  EXPECT_EQ(world.served(room, later.event()->event_id(), {world.alice}).redacted_because->event_id(), early);
  EXPECT_EQ(world.bodies(room, world.alice), (std::vector<std::string>{}));
}

// Random branches of all kinds of events, ours between them.
class RandomForks {
 public:
  RandomForks(World& world, RemoteServer& there, RoomId room, uint64_t seed)
      : world_(world), there_(there), room_(std::move(room)), random_(seed), shadow_(world_, room_) {}
  size_t play(int steps) {
    shadow_.follow();
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
      step();
      shadow_.follow();
      world_.clock.advance(static_cast<int64_t>(pick(3)) - 1);
    }
    return shadow_.resolved();
  }
  const Shadow& shadow() const { return shadow_; }

 private:
  uint64_t pick(uint64_t below) { return random_.next() % below; }
  std::string person() { return std::vector<std::string>{"eve", "mallory", "trudy"}[pick(3)]; }
  void step() {
    if (pick(6) == 0) {
      auto sent = world_.try_send(room_, world_.alice, pick(2) ? "m.room.topic" : "m.room.name",
                                  {{"topic", pick(99)}, {"name", "x"}}, "");
      EXPECT_TRUE(sent || sent.error().code == Code::kForbidden);
      return;
    }
    const auto& known = shadow_.accepted();
    RemoteEvent event{.sender = person()};
    auto from = known.size() > 8 ? known.size() - 8 : 0;
    event.prev = {known[from + pick(known.size() - from)]};
    switch (pick(7)) {
      case 0:
        event.type = "m.room.topic";
        event.state_key = "";
        event.content = {{"topic", pick(99)}};
        break;
      case 1:
      case 2: {
        static const std::vector<std::string> kinds{"join", "leave", "ban", "invite"};
        event.type = "m.room.member";
        event.state_key = there_.user(pick(2) ? event.sender : person()).str();
        event.content = {{"membership", kinds[pick(4)]}};
        break;
      }
      case 3: {
        json::Object users{{world_.alice.str(), 100}, {there_.user("eve").str(), 90}};
        users[there_.user(person()).str()] = pick(2) ? 50 : 0;
        event.type = "m.room.power_levels";
        event.state_key = "";
        event.content = {{"users", std::move(users)}};
        break;
      }
      case 4:
        event.type = "m.room.join_rules";
        event.state_key = "";
        event.content = {{"join_rule", pick(2) ? "public" : "invite"}};
        break;
      default:
        event.content = text("hello");
    }
    event.ts = world_.clock.now() + static_cast<int64_t>(pick(5)) - 2;
    value(there_.try_send(room_, std::move(event)));
  }

  World& world_;
  RemoteServer& there_;
  RoomId room_;
  SeededRandom random_;
  Shadow shadow_;
};

TEST_P(Forks, RandomBranchesComeToWhatTheSpecificationSays) {
  size_t resolved = 0, rejected = 0, soft_failed = 0;
  uint64_t rooms = GetParam() == db::testing::Kind::kSqlite ? 12 : 2;
  for (uint64_t seed = 1; seed <= rooms && !HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    room = world.create(world.room_of(world.alice, "public_chat", "11"));
    there.join(room, "eve", head());
    world.set(room, world.alice, "m.room.power_levels",
              {{"users", json::Object{{world.alice.str(), 100}, {there.user("eve").str(), 90}}}});
    RandomForks forks(world, there, room, seed);
    resolved += forks.play(40);
    rejected += forks.shadow().rejected().size();
    soft_failed += forks.shadow().soft_failed().size();
    world.restart();
  }
  EXPECT_GT(resolved, rooms * 10);
  EXPECT_GT(rejected, rooms);
  EXPECT_GT(soft_failed, 0u);
}

MYELIN_ON_BOTH_DATABASES(Forks);

}  // namespace
}  // namespace myelin::rooms
