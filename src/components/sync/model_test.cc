// Any chain of incremental syncs tells a client what one initial sync tells: random rooms, users, devices and chains.
// MYELIN_SYNC_SEEDS=first..last plays others, or more.
#include <cstdlib>

#include "components/accounts/user_out.h"
#include "components/rooms/testing/remote_server.h"
#include "components/sync/testing/client.h"
#include "components/sync/testing/naive_counts.h"

namespace myelin::sync {
namespace {
using namespace myelin::sync::testing;
using rooms::Membership;
using rooms::MembershipAction;

// One play: everything in it follows from the seed.
class Play {
 public:
  Play(World& world, uint64_t seed, int steps) : world_(world), seed_(seed), random_(seed), naive_(world) {
    forks_ = chance(30);
    naive_.follow();
    for (const char* name : {"ann", "ben", "cat", "dan"}) {
      auto session = world_.register_user(fmt::format("{}{}", name, seed));
      users_.push_back(session.user);
      devices_.push_back(std::make_unique<Client>(world_, session, options()));
      if (chance(40))
        devices_.push_back(std::make_unique<Client>(world_, world_.log_in(session.user, "TWO"), options()));
    }
    for (int i = pick(1, 3); i > 0; --i) create();
    deliver();
    for (auto& device : devices_) {
      sync(*device, false);
      for (const auto& user : sharing(device->session().user)) keys_known_[device.get()][user] = 0;
    }
    for (int i = 0; i < steps; ++i) step();
    deliver();
  }

  void check() {
    for (auto& device : devices_) {
      SCOPED_TRACE(fmt::format("seed {}, {} on {}: {}", seed_, device->session().user.str(),
                               device->session().device.str(), device->options().filter()));
      sync(*device, false);
      compare_devices(*device);
      compare_to_device(*device);
      Client fresh(world_, device->session(), device->options());
      fresh.sync();
      compare(*device, fresh);
      for (auto& [id, room] : device->rooms)
        if (room.section == "join") compare_with_truth(*device, id, room);
      if (::testing::Test::HasFailure()) return;
    }
  }

 private:
  // ---- chance
  uint64_t pick(uint64_t from, uint64_t to) { return from + random_.next() % (to - from + 1); }
  bool chance(uint64_t percent) { return pick(1, 100) <= percent; }
  template <class T>
  T& any(std::vector<T>& of) {
    return of[pick(0, of.size() - 1)];
  }
  ClientOptions options() {
    ClientOptions out;
    out.limit = pick(1, 8);
    out.lazy = chance(40);
    out.redundant = chance(20);
    out.state_after = chance(35);
    out.by_thread = chance(50);
    out.thorough = forks_;
    if (chance(15)) out.hidden_types = {"m.reaction", "m.room.topic"};
    return out;
  }

  // ---- what happens
  void deliver() {
    world_.deliver();
    naive_.follow();
  }
  void step() {
    switch (pick(0, 19)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        say();
        break;
      case 5:
      case 6:
        set_state();
        break;
      case 7:
      case 8:
      case 9:
        change_membership();
        break;
      case 10:
        redact();
        break;
      case 11:
      case 12:
        read();
        break;
      case 13:
        change_account();
        break;
      case 14:
        change_rules();
        break;
      case 15:
        use_devices();
        break;
      case 16:
        if (forks_) fork();
        break;
      default:
        sync(*any(devices_), true);
    }
    if (chance(80)) deliver();
    world_.clock.advance(static_cast<int64_t>(pick(0, 3)));
  }
  template <class T>
  void allow(const Result<T>& result) {  // a refusal is as good as an event
    if (!result)
      EXPECT_FALSE(result.error().code == Code::kInternal || result.error().code == Code::kCorrupt)
          << result.error().message;
  }
  void remember(const RoomId& room, Result<EventId> sent) {
    allow(sent);
    if (sent) events_[room.str()].push_back(*sent);
  }
  void create() {
    static const std::vector<std::string> presets{"public_chat", "public_chat", "private_chat", "trusted_private_chat"};
    auto creator = any(users_);
    const auto& preset = presets[pick(0, 3)];
    auto room = world_.create(creator, preset, chance(50) ? "12" : "11");
    rooms_.push_back(room);
    if (!forks_) return;
    auto join_rule = [&](const char* rule) {
      if (preset != "public_chat") world_.set(room, creator, "m.room.join_rules", {{"join_rule", rule}});
    };
    join_rule("public");
    remote().join(room, "eve", extremities(room));
    join_rule("invite");
    allow(world_.try_send(room, creator, "m.room.power_levels", {{"state_default", 0}, {"invite", 0}}, ""));
  }
  uint32_t number(const RoomId& room) { return value(world_.loop.run(world_.queries().room(room))).room_no; }
  StateRoot current(const RoomId& room) { return value(world_.loop.run(world_.queries().current_root(number(room)))); }

  void say() {
    auto room = any(rooms_);
    auto sender = any(users_);
    auto& known = events_[room.str()];
    json::Object content = text(fmt::format("message {} cheese", pick(0, 99)));
    std::string type = "m.room.message";
    switch (pick(0, 9)) {
      case 0:
        content = mention("you", any(users_));
        break;
      case 1:
        content["m.mentions"] = json::Object{{"room", true}};
        break;
      case 2:
        content["msgtype"] = "m.notice";
        break;
      case 3:
        type = "m.room.encrypted";
        break;
      case 4:
      case 5:
        if (!known.empty())
          content = in_thread(std::move(content), known[pick(0, std::min<size_t>(known.size(), 4) - 1)]);
        break;
      case 6:
        if (known.empty()) break;
        type = "m.reaction";
        content = {
            {"m.relates_to", json::Object{{"rel_type", "m.annotation"}, {"event_id", any(known).str()}, {"key", "+"}}}};
        break;
      case 7:
        if (known.empty()) break;
        content["m.relates_to"] = json::Object{{"rel_type", "m.replace"}, {"event_id", any(known).str()}};
        content["m.new_content"] = text("edited");
        break;
      default:
        break;
    }
    remember(room, world_.try_send(room, sender, type, std::move(content)));
  }

  void set_state() {
    auto room = any(rooms_);
    auto sender = any(users_);
    static const std::vector<std::string> settings{"world_readable", "shared", "invited", "joined"};
    switch (pick(0, 5)) {
      case 0:
        return allow(world_.try_send(room, sender, "m.room.history_visibility",
                                     {{"history_visibility", settings[pick(0, 3)]}}, ""));
      case 1:
        return allow(
            world_.try_send(room, sender, "m.room.join_rules", {{"join_rule", chance(70) ? "public" : "invite"}}, ""));
      case 2:
        return allow(
            world_.try_send(room, sender, "org.example", {{"n", pick(0, 1000)}}, fmt::format("k{}", pick(0, 2))));
      default:
        return allow(world_.try_send(room, sender, "m.room.topic", {{"topic", fmt::format("t{}", pick(0, 1000))}}, ""));
    }
  }

  void change_membership() {
    auto room = any(rooms_);
    auto sender = any(users_), target = any(users_);
    using enum MembershipAction;
    switch (pick(0, 9)) {
      case 0:
      case 1:
      case 2:
        return allow(world_.try_join(room, sender));
      case 3:
      case 4:
        return allow(world_.try_change(room, sender, sender, kLeave));
      case 5:
        return allow(world_.try_change(room, sender, target, kInvite));
      case 6:
        return allow(world_.try_change(room, sender, target, chance(50) ? kKick : kBan));
      case 7:
        return allow(world_.try_change(room, sender, target, kUnban));
      case 8: {
        rooms::ChangeMembership request{room, sender, sender, kProfile, {fmt::format("name{}", pick(0, 99)), {}}};
        return allow(world_.loop.run(world_.rooms->commands().change_membership(std::move(request))));
      }
      default:
        if (chance(20)) return create();
        return allow(world_.loop.run(world_.rooms->commands().forget(room, sender)));
    }
  }

  void redact() {
    auto room = any(rooms_);
    auto& known = events_[room.str()];
    if (!known.empty()) allow(world_.try_redact(room, any(users_), any(known)));
  }

  void read() {
    auto room = any(rooms_);
    auto& known = events_[room.str()];
    if (known.empty()) return;
    auto event = known[pick(known.size() / 2, known.size() - 1)];
    auto reader = any(users_);
    std::string thread;
    if (chance(50)) {
      auto placed = value(world_.loop.run(world_.queries().event(room, event)));
      auto relation = relation_of(*placed->event);
      thread = relation && relation->type == "m.thread" ? relation->parent.str() : "main";
    }
    allow(world_.try_receipt(room, reader, event, chance(70) ? "m.read" : "m.read.private", thread));
    if (chance(30)) allow(world_.loop.run(world_.presence->fully_read(room, reader, event)));
  }

  void change_account() {
    auto user = any(users_);
    std::optional<RoomId> room;
    if (chance(50)) room = any(rooms_);
    world_.put_account_data(user, fmt::format("org.example.{}", pick(0, 2)), {{"n", pick(0, 1000)}}, room);
  }

  void change_rules() {
    deliver();  // rules are those of the moment when an event is judged
    auto user = any(users_);
    auto room = any(rooms_);
    auto remove = [&](PushRuleKind kind, const std::string& id) {
      allow(world_.loop.run(world_.accounts->edit_push_rules(
          user, [kind, id](json::Object& rules) { return delete_push_rule(rules, kind, id); })));
    };
    switch (pick(0, 6)) {
      case 0:
        world_.mute(user, room);
        break;
      case 1:
        world_.mentions_only(user, room);
        break;
      case 2:
        remove(PushRuleKind::kOverride, room.str());
        remove(PushRuleKind::kRoom, room.str());
        break;
      case 3:
        world_.put_rule(
            user, PushRuleKind::kContent, "cheese",
            {{"pattern", "cheese"}, {"actions", json::Array{"notify", json::Object{{"set_tweak", "highlight"}}}}});
        break;
      case 4:
        world_.edit_rules(user, [on = chance(50)](json::Object& rules) {
          return enable_push_rule(rules, PushRuleKind::kUnderride, ".m.rule.message", on);
        });
        break;
      case 5: {
        std::vector<UserId> ignored;
        if (chance(60)) ignored.push_back(any(users_));
        for (const auto& each : ignored) ever_ignored_[user.str()].insert(each.str());
        world_.ignore(user, ignored);
        break;
      }
      default:
        remove(PushRuleKind::kContent, "cheese");
    }
    deliver();
  }

  void use_devices() {
    auto& from = *any(devices_);
    auto& to = *any(devices_);
    if (chance(50)) {  // a key upload, as far as device lists see it
      auto user = from.session().user;
      value(world_.loop.run(world_.db->write({}, [user](db::Tx& tx) -> Result<int> {
        tx.publish(accounts::kUserOut.name, bus::partition_of(user.str()),
                   encode(accounts::UserOut{user, accounts::DeviceListChanged{}}));
        return 0;
      })));
      ++key_versions_[user.str()];
      return;
    }
    auto content = json::Object{{"n", ++sent_}};
    json::Object devices{{to.session().device.str(), std::move(content)}};
    json::Object messages{{to.session().user.str(), std::move(devices)}};
    testing::check(world_.loop.run(
        world_.keys->send_to_device(from.session(), "org.example", fmt::format("txn{}", sent_), std::move(messages))));
    to_device_[&to][from.session().user.str()].push_back(sent_);
  }

  // ---- another server
  rooms::testing::RemoteServer& remote() {
    if (!remote_) remote_ = std::make_unique<rooms::testing::RemoteServer>(world_.loop, world_.rooms, world_.clock);
    return *remote_;
  }
  std::vector<EventId> extremities(const RoomId& room) {
    return rooms::testing::extremities_of(rooms::testing::head_of(world_.loop, *world_.db, room));
  }
  void fork() {
    auto room = any(rooms_);
    auto& known = events_[room.str()];
    rooms::testing::RemoteEvent event{.sender = "eve"};
    if (chance(50) || known.empty())
      event.prev = extremities(room), event.at = current(room);
    else
      event.prev = {known[pick(known.size() > 6 ? known.size() - 6 : 0, known.size() - 1)]};
    if (chance(40)) {
      event.type = "m.room.topic";
      event.state_key = "";
      event.content = {{"topic", fmt::format("there {}", pick(0, 1000))}};
    } else {
      event.content = text("from there");
    }
    auto received = remote().try_send(room, std::move(event));
    allow(received);
    if (received && !received->rejected && !received->soft_failed) known.push_back(remote().last);
  }

  // ---- syncing
  void sync(Client& device, bool freely) {
    if (freely && chance(20)) (void)world_.sync_now(device.request(chance(20)));  // the answer is lost
    device.sync(freely && chance(10));
    // Whose keys have changed is asked for at once.
    for (const auto& user : device.changed_devices) keys_known_[&device][user] = key_versions_[user];
    for (const auto& user : device.left_devices) keys_known_[&device].erase(user);
    device.changed_devices.clear();
    device.left_devices.clear();
  }

  // ---- comparing
  template <class T>
  std::string list(const T& strings) {
    return fmt::format("{}", fmt::join(strings, "\n  "));
  }
  std::set<std::string> in_section(const Client& client, const std::string& section) {
    std::set<std::string> out;
    for (const auto& [id, room] : client.rooms)
      if (room.section == section && !(section == "invite" && hides_invite(client.session().user, id))) out.insert(id);
    return out;
  }
  // "Servers must not send room invites from ignored users to clients" (Ignoring Users): an answer of before the list
  // changed, and one of after it, tell different ones.
  bool hides_invite(const UserId& user, const std::string& room) {
    auto own = value(world_.loop.run(world_.queries().membership(RoomId::trusted(room), user)));
    if (!own) return false;
    auto event = value(world_.loop.run(world_.queries().events({own->ref}))).front()->event;
    return ever_ignored_[user.str()].contains(event->sender().str());
  }
  void compare(Client& device, Client& fresh) {
    EXPECT_EQ(device.account_data, fresh.account_data);
    for (const char* section : {"join", "invite", "knock"})
      EXPECT_EQ(list(in_section(device, section)), list(in_section(fresh, section))) << section;
    for (const auto& id : in_section(fresh, "leave")) EXPECT_EQ(device.rooms[id].section, "leave") << id;
    for (auto& [id, room] : fresh.rooms) {
      SCOPED_TRACE(id);
      auto& mine = device.rooms[id];
      if (room.section != "join" && room.section != "leave") continue;
      for (const auto& [key, event] : room.state)
        if (!device.options().lazy || key.first != "m.room.member")
          EXPECT_EQ(mine.state[key], event) << room.section << ": " << key.first << "|" << key.second;
      for (const auto& [key, event] : mine.state)
        if (auto it = room.state.find(key); it != room.state.end())
          EXPECT_EQ(it->second, event) << room.section << ": " << key.first << "|" << key.second;
        else
          EXPECT_TRUE(device.options().lazy && key.first == "m.room.member") << key.first << "|" << key.second;
      if (room.section != "join") continue;
      EXPECT_EQ(mine.account_data, room.account_data);
      EXPECT_EQ(telling(id, mine.receipts), telling(id, room.receipts));
      EXPECT_EQ(mine.heroes, room.heroes);
      EXPECT_EQ(mine.joined, room.joined);
      EXPECT_EQ(mine.invited, room.invited);
      EXPECT_EQ(mine.unread, room.unread) << show(mine.unread) << " instead of " << show(room.unread);
      EXPECT_EQ(mine.threads, room.threads);
    }
  }
  // Without the threaded receipts that the unthreaded one of the same type has passed.
  std::map<ReceiptKey, std::string> telling(const std::string& room, std::map<ReceiptKey, std::string> receipts) {
    auto order = [&](const std::string& event) {
      return value(world_.loop.run(world_.queries().event(RoomId::trusted(room), EventId::trusted(event))))->order;
    };
    std::erase_if(receipts, [&](const auto& entry) {
      const auto& [reader, type, thread] = entry.first;
      auto whole = receipts.find({reader, type, ""});
      return !thread.empty() && whole != receipts.end() && order(entry.second) <= order(whole->second);
    });
    return receipts;
  }
  static std::string show(const Count& count) { return fmt::format("{}/{}", count.notify, count.highlight); }

  void compare_with_truth(Client& device, const std::string& id, KnownRoom& room) {
    SCOPED_TRACE(id);
    auto room_id = RoomId::trusted(id);
    for (const auto& entry : value(world_.loop.run(world_.queries().state(number(room_id), current(room_id))))) {
      auto event = value(world_.loop.run(world_.queries().events({entry.ref}))).front()->event->event_id().str();
      auto it = room.state.find({entry.type, entry.key});
      if (it != room.state.end())
        EXPECT_EQ(it->second, event) << entry.type << "|" << entry.key;
      else
        EXPECT_TRUE(device.options().lazy && entry.type == "m.room.member") << entry.type << "|" << entry.key;
    }
    compare_counts(device, id, room);
    compare_timeline(device, room_id, room);
  }

  void compare_counts(Client& device, const std::string& id, KnownRoom& room) {
    SCOPED_TRACE(naive_.describe(id, device.session().user.str()));
    SCOPED_TRACE(std::getenv("MYELIN_SYNC_ROWS") ? rows_behind_counts(world_, id, device.session().user.str()) : "");
    auto expected = naive_.counts(id, device.session().user.str());
    Count all;
    for (const auto& [thread, count] : expected) {
      all.notify += count.notify;
      all.highlight += count.highlight;
    }
    if (!device.options().by_thread) {
      EXPECT_EQ(room.unread, all) << show(room.unread) << " instead of " << show(all);
      return;
    }
    EXPECT_EQ(room.unread, expected[""]) << show(room.unread) << " instead of " << show(expected[""]);
    expected.erase("");
    EXPECT_EQ(room.threads, expected);
  }

  // A client asks for everything anew when somebody is no longer ignored: this one does not, so they do not count.
  bool counts(Client& device, const Event& event) {
    const auto& hidden = device.options().hidden_types;
    if (std::ranges::find(hidden, event.type()) != hidden.end()) return false;
    return event.is_state() || !ever_ignored_[device.session().user.str()].contains(event.sender().str());
  }
  // All that the user may see and wants, in the room's order.
  std::vector<std::string> history(Client& device, const RoomId& room) {
    std::vector<std::string> out;
    std::optional<rooms::PageToken> from;
    do {
      auto page = value(world_.loop.run(world_.queries().messages(room, from, std::nullopt, rooms::Direction::kForward,
                                                                  50, {device.session().user})));
      for (const auto& placed : page.events)
        if (counts(device, *placed->event)) out.push_back(placed->event->event_id().str());
      from = page.end;
    } while (from);
    return out;
  }
  void compare_timeline(Client& device, const RoomId& id, KnownRoom& room) {
    auto expected = history(device, id);
    std::vector<std::string> mine;
    // "The rooms that the user has left or been banned from" are told, where history visibility hides that event too.
    auto stands_apart = [&](const std::string& event) {
      return std::ranges::find(expected, event) == expected.end() &&
             value(world_.loop.run(world_.queries().event(id, EventId::trusted(event))))
                 ->event->is_state("m.room.member", device.session().user.str());
    };
    for (const auto& event : room.timeline)
      if (!stands_apart(event) &&
          counts(device, *value(world_.loop.run(world_.queries().event(id, EventId::trusted(event))))->event))
        mine.push_back(event);
    if (forks_) {  // /sync is in the order of arrival
      std::ranges::sort(mine);
      std::ranges::sort(expected);
    }
    EXPECT_EQ(list(mine), list(expected));
  }

  // Everybody with whom the user shares a room has keys here, and they are the newest; nobody else has.
  std::set<std::string> sharing(const UserId& user) {
    std::set<std::string> out;
    for (const auto& other : value(world_.loop.run(world_.queries().users_sharing_a_room(user))))
      if (other.server() == world_.server.str()) out.insert(other.str());
    return out;
  }
  void compare_devices(Client& device) {
    std::map<std::string, int> expected;
    for (const auto& user : sharing(device.session().user)) expected[user] = key_versions_[user];
    auto known = keys_known_[&device];
    known.erase(device.session().user.str());
    std::erase_if(known, [this](const auto& entry) { return !entry.first.ends_with(":" + world_.server.str()); });
    EXPECT_EQ(known, expected);
  }
  // In order, for each sender: messages of different ones have none between them.
  void compare_to_device(Client& device) {
    std::map<std::string, std::vector<int>> got;
    for (const auto& text : device.to_device) {
      auto message = object(text);
      got[std::string(message.at("sender").as_string())].push_back(
          static_cast<int>(message.at("content").at("n").as_int64()));
    }
    EXPECT_EQ(got, to_device_[&device]);
  }

  World& world_;
  uint64_t seed_;
  SeededRandom random_;
  NaiveCounts naive_;
  bool forks_ = false;
  std::vector<UserId> users_;
  std::vector<std::unique_ptr<Client>> devices_;
  std::vector<RoomId> rooms_;
  std::map<std::string, std::vector<EventId>> events_;  // messages, by room
  std::unique_ptr<rooms::testing::RemoteServer> remote_;
  std::map<std::string, std::set<std::string>> ever_ignored_;
  std::map<std::string, int> key_versions_;
  std::map<Client*, std::map<std::string, int>> keys_known_;
  std::map<Client*, std::map<std::string, std::vector<int>>> to_device_;  // by sender
  int sent_ = 0;
};

struct Seeds {
  uint64_t first, last;
};
Seeds seeds(uint64_t count) {
  const char* wanted = std::getenv("MYELIN_SYNC_SEEDS");
  if (wanted == nullptr) return {1, count};
  Seeds out{};
  int read = std::sscanf(wanted, "%lu..%lu", &out.first, &out.last);
  if (read == 1) out.last = out.first;
  return out;
}

void play(db::testing::Kind kind, Seeds seeds) {
  constexpr uint64_t kPlaysInOneWorld = 20;
  std::unique_ptr<World> world;
  for (uint64_t seed = seeds.first; seed <= seeds.last; ++seed) {
    if (!world || seed % kPlaysInOneWorld == 0) {
      world.reset();
      world = std::make_unique<World>(kind);
    }
    Play(*world, seed, 120).check();
    if (::testing::Test::HasFailure()) {
      fmt::print("the first seed that fails: {}; again with MYELIN_SYNC_SEEDS={}\n", seed, seed);
      return;
    }
  }
  fmt::print("seeds {}..{}\n", seeds.first, seeds.last);
}

TEST(SyncModel, AnyChainTellsWhatOneInitialSyncTells) { play(db::testing::Kind::kSqlite, seeds(50)); }
TEST(SyncModel, TheSameOnPostgres) { play(db::testing::Kind::kPostgres, seeds(6)); }

}  // namespace
}  // namespace myelin::sync
