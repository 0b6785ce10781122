// Rooms in several processes: each has its own database connections, bus and leases, over one PostgreSQL and one
// stream.
#include <boost/asio/detached.hpp>

#include "components/rooms/remote/command_wire.h"
#include "components/rooms/remote/routed_commands.h"
#include "components/rooms/testing/remote_server.h"
#include "components/rooms/testing/world.h"
#include "infra/bus/testing/memory_streams.h"
#include "infra/bus/topic_bus.h"

namespace myelin::rooms {
namespace {
using namespace testing;
using std::chrono::milliseconds;

constexpr lease::Options kShortLeases{.length = milliseconds(600), .look = milliseconds(100)};

// Within 20 s.
bool comes_true(Loop& loop, const std::function<bool()>& goal) {
  SystemClock clock;
  auto deadline = clock.steady() + std::chrono::seconds(20);
  while (!goal()) {
    if (clock.steady() > deadline) return false;
    loop.run(sleep_for(milliseconds(10)));
  }
  return true;
}

struct Life {
  Life(std::string name, const db::testing::TemporaryDatabase& files, bus::testing::MemoryStreams& streams, Loop& loop,
       const Clock& clock, Random& random, const SigningKey& key, bool owns_rooms)
      : loop_(loop), db(std::make_unique<WatchedDatabase>(files.open(loop.executor(), clock))) {
    bus = bus::make_bus(streams.connect(), *db, loop.executor(), clock, {.head_poll = milliseconds(50)});
    leases = lease::Leases::make(*db, *bus, loop.executor(), clock, random, name, {}, kShortLeases);
    rooms = Rooms::make({ServerName::trusted("here"), 8u << 20, owns_rooms, name}, *db, *bus, *leases, loop.executor(),
                        clock, random, key);
    check(loop.run(rooms->start()));
    check(loop.run(bus->start(bus::Consumers::kAtRest)));
    check(loop.run(leases->start()));
  }
  ~Life() {  // without a word to anybody, unless it stopped
    db->stop();
    if (!is_stopped_) stop();
    bus.reset();
    rooms.reset();
    leases.reset();
  }
  void stop() {
    is_stopped_ = true;
    loop_.run(leases->stop());
    loop_.run(rooms->stop());
    loop_.run(bus->stop());
  }
  size_t owned() const {
    size_t count = 0;
    for (uint32_t p = 0; p < bus::kPartitions; ++p) count += leases->holds(kRoomOut.name, p) ? 1 : 0;
    return count;
  }

 private:
  Loop& loop_;
  bool is_stopped_ = false;

 public:
  std::unique_ptr<WatchedDatabase> db;
  std::unique_ptr<bus::Bus> bus;
  std::unique_ptr<lease::Leases> leases;
  std::unique_ptr<Rooms> rooms;
};

class SeveralProcesses : public ::testing::Test {
 protected:
  std::unique_ptr<Life> begin(const std::string& name, bool owns_rooms = true) {
    return std::make_unique<Life>(name, files, streams, loop, clock, random, key, owns_rooms);
  }
  bool until(const std::function<bool()>& goal) { return comes_true(loop, goal); }
  RoomId create(Life& life, std::string version = "12") {
    CreateRoom request;
    request.creator = alice;
    request.version = std::move(version);
    request.preset = "public_chat";
    return value(loop.run(life.rooms->commands().create(std::move(request))));
  }
  static SendEvent message(const RoomId& room, const UserId& sender, const std::string& body,
                           std::optional<std::string> txn = {}) {
    SendEvent out{room, sender, "m.room.message", {}, text(body)};
    if (txn) out.transaction = Transaction{sender, DeviceId::trusted("DEVICE"), room.str() + "/send", *txn};
    return out;
  }
  Result<EventId> send(Life& life, SendEvent request) {
    return loop.run(life.rooms->commands().send(std::move(request)));
  }
  // Every message of the room, oldest first, as this process reads them.
  std::vector<std::string> bodies(Life& life, const RoomId& room) {
    auto page = value(loop.run(
        life.rooms->queries().messages(room, PageToken{0, INT64_MIN, 0}, {}, Direction::kForward, 1'000, {alice})));
    std::vector<std::string> out;
    for (const auto& placed : page.events)
      if (auto body = json::string_at(placed->event->content(), "body")) out.emplace_back(*body);
    return out;
  }
  // Each event stands on those before it: nobody built on a state that another had moved on from.
  void expect_one_line(Life& life, const RoomId& room) {
    auto info = value(loop.run(life.rooms->queries().room(room)));
    auto orders = value(loop.run(life.db->read([no = info.room_no](db::ReadTx& tx) {
      return tx.all(
          "SELECT order_no FROM event WHERE room_no = $1 ORDER BY order_no",
          [](const db::Row& row) { return row.i64(0); }, no);
    })));
    for (size_t i = 0; i < orders.size(); ++i) EXPECT_EQ(orders[i], static_cast<int64_t>(i) + 1);
    EXPECT_EQ(rooms::testing::head_of(loop, *life.db, room).extremities.size(), 1u);
  }

  db::testing::TemporaryPostgres files;
  Loop loop;
  SystemClock clock;
  SeededRandom random{5};
  const SigningKey key = SigningKey::generate(random, "test");
  bus::testing::MemoryStreams streams{loop.executor()};
  const UserId alice = user("alice"), bob = user("bob");
};

TEST_F(SeveralProcesses, SpineRuleB2ACommandReachesTheOwnerWhereverItIs) {
  auto one = begin("one"), two = begin("two");
  ASSERT_TRUE(until([&] { return one->owned() == 32 && two->owned() == 32; }));
  std::vector<RoomId> rooms;
  for (int i = 0; i < 6; ++i) rooms.push_back(create(i % 2 ? *one : *two));
  std::vector<std::string> expected;
  for (int i = 0; i < 10; ++i) {
    expected.push_back(std::to_string(i));
    for (const auto& room : rooms) value(send(i % 2 ? *one : *two, message(room, alice, expected.back())));
  }
  for (const auto& room : rooms) {
    EXPECT_EQ(bodies(*one, room), expected);
    EXPECT_EQ(bodies(*two, room), expected);
    expect_one_line(*one, room);
  }
  // Answers are the owner's, refusals too, and membership goes the same way.
  for (auto* life : {one.get(), two.get()}) {
    EXPECT_EQ(error_of(send(*life, message(rooms[0], bob, "not here"))), Code::kForbidden);
    value(loop.run(life->rooms->commands().join({rooms[0], bob, {}})));
    value(loop.run(life->rooms->commands().change_membership({rooms[0], bob, bob, MembershipAction::kLeave})));
  }
}

// So it is written under the creator's own fence, and two that make rooms do not wait for each other's.
TEST_F(SeveralProcesses, SpineRuleA2WhoOwnsRoomsMakesThemItsOwn) {
  auto one = begin("one"), two = begin("two");
  ASSERT_TRUE(until([&] { return one->owned() == 32 && two->owned() == 32; }));
  for (const auto* version : {"11", "12"})
    for (int i = 0; i < 10; ++i)
      for (auto* life : {one.get(), two.get()})
        EXPECT_TRUE(life->leases->holds(kRoomOut.name, bus::partition_of(create(*life, version).str())));
}

TEST_F(SeveralProcesses, AProcessWithoutRoomsSendsEverythingToTheirOwner) {
  auto owner = begin("owner");
  auto client = begin("client", false);
  EXPECT_EQ(client->owned(), 0u);
  auto room = create(*client);
  value(send(*client, message(room, alice, "one", "t1")));
  auto again = value(send(*owner, message(room, alice, "one", "t1")));
  EXPECT_EQ(value(send(*client, message(room, alice, "one", "t1"))), again) << "a transaction is one everywhere";
  EXPECT_EQ(bodies(*client, room), std::vector<std::string>{"one"});
}

TEST_F(SeveralProcesses, WhoStopsHandsOverAndNobodyNotices) {
  auto one = begin("one"), two = begin("two");
  ASSERT_TRUE(until([&] { return one->owned() == 32 && two->owned() == 32; }));
  auto client = begin("client", false);
  std::vector<RoomId> rooms;
  for (int i = 0; i < 8; ++i) rooms.push_back(create(*client));
  bool sending = true;
  std::map<std::string, std::vector<std::string>> sent;
  int failed = 0, under_way = 0;
  auto keep_sending = [&](RoomId room) -> Task<> {
    int number = 0;
    while (true) {
      if (!sending) break;
      auto body = std::to_string(++number);
      auto result = co_await client->rooms->commands().send(message(room, alice, body, body));
      if (result) sent[room.str()].push_back(body);
      if (!result) ++failed;
    }
    --under_way;
  };
  for (const auto& room : rooms) {
    ++under_way;
    boost::asio::co_spawn(loop.executor(), keep_sending(room), boost::asio::detached);
  }
  loop.run(sleep_for(milliseconds(300)));
  one->stop();
  ASSERT_TRUE(until([&] { return two->owned() == 64; }));
  one = begin("one");
  ASSERT_TRUE(until([&] { return one->owned() == 32 && two->owned() == 32; }));
  loop.run(sleep_for(milliseconds(300)));
  sending = false;
  ASSERT_TRUE(until([&] { return under_way == 0; }));
  EXPECT_EQ(failed, 0);
  for (const auto& room : rooms) {
    EXPECT_EQ(bodies(*client, room), sent[room.str()]);
    EXPECT_GT(sent[room.str()].size(), 5u);
    expect_one_line(*client, room);
  }
}

TEST_F(SeveralProcesses, WhoVanishesIsReplacedWithinACommandsDeadline) {
  auto one = begin("one"), two = begin("two");
  ASSERT_TRUE(until([&] { return one->owned() == 32 && two->owned() == 32; }));
  std::vector<RoomId> rooms;
  for (int i = 0; i < 8; ++i) rooms.push_back(create(i % 2 ? *one : *two));
  for (const auto& room : rooms) value(send(*two, message(room, alice, "before")));
  one.reset();  // no word to anybody
  for (const auto& room : rooms) {
    value(send(*two, message(room, alice, "after", "t")));
    EXPECT_EQ(bodies(*two, room), (std::vector<std::string>{"before", "after"}));
    expect_one_line(*two, room);
  }
  EXPECT_EQ(two->owned(), 64u);
}

// A message without a name is given up when two seconds are over, which are the patience with one owner too.
TEST_F(SeveralProcesses, WhoWaitsForAnOwnerThatSaysNothingLearnsOfTheNextOne) {
  auto first = begin("a");
  std::vector<RoomId> rooms;
  for (int i = 0; i < 8; ++i) rooms.push_back(create(*first));
  auto second = begin("b");
  ASSERT_TRUE(until([&] { return second->owned() == bus::kPartitions / 2; }));
  auto room = std::ranges::find_if(
      rooms, [&](const auto& each) { return first->leases->holds(kRoomOut.name, bus::partition_of(each.str())); });
  ASSERT_NE(room, rooms.end());
  int asked = 0;
  auto deaf = streams.connect();
  check(deaf->open());
  check(deaf->listen("cmd.rooms.a", [&](std::string_view, std::string_view) { ++asked; }));
  first.reset();
  EXPECT_TRUE(send(*second, message(*room, alice, "after it")));
  EXPECT_EQ(asked, 1);
}

TEST_F(SeveralProcesses, SpineRuleB2ACommandWhoseAnswerIsLostIsDoneOnce) {
  auto owner = begin("owner");
  auto client = begin("client", false);
  auto room = create(*client);
  // The commit is done, and the owner does not know it: it answers so, and is asked again under the same id.
  owner->db->lose_answer(Code::kCommitUnknown);
  value(send(*client, message(room, alice, "once")));
  EXPECT_EQ(bodies(*client, room), std::vector<std::string>{"once"});
  owner->db->lose_answer(Code::kCommitUnknown);
  value(loop.run(client->rooms->commands().join({room, bob, {}})));
  owner->db->lose_answer(Code::kCommitUnknown);
  value(send(*owner, message(room, bob, "twice")));
  EXPECT_EQ(bodies(*client, room), (std::vector<std::string>{"once", "twice"}));
  expect_one_line(*client, room);
}

// What it refuses rests on a write that hangs, and may be out of date once the room is another's.
TEST(FormerOwner, SaysThatTheRoomHasMovedAndRefusesNothing) {
  World world;
  const UserId alice = user("alice"), bob = user("bob");
  auto room = world.create(world.room_of(alice));
  std::optional<Result<EventId>> of_alice, of_bob;
  auto send = [&](const UserId& sender, std::optional<Result<EventId>>& answer) {
    SendEvent request{room, sender, "m.room.message", {}, text("hello")};
    boost::asio::co_spawn(world.loop.executor(), world.owner().send(std::move(request)),
                          [&](std::exception_ptr, Result<EventId> result) { answer = std::move(result); });
  };
  world.db->hold_answer();
  send(alice, of_alice);
  ASSERT_TRUE(comes_true(world.loop, [&] { return world.db->has_answer(); }));
  send(bob, of_bob);  // who is not in the room
  world.loop.run(sleep_for(milliseconds(100)));
  ASSERT_FALSE(of_bob);
  boost::asio::co_spawn(world.loop.executor(), world.owner().let_go(bus::partition_of(room.str())),
                        boost::asio::detached);
  world.loop.run(sleep_for(milliseconds(20)));
  world.db->release_answer();
  ASSERT_TRUE(comes_true(world.loop, [&] { return of_alice && of_bob; }));
  EXPECT_TRUE(*of_alice) << "it was stored while the room was its own";
  EXPECT_EQ(error_of(*of_bob), Code::kFenced);
}

// Done late, it would undo what its client has asked for since: a second attempt is another command.
TEST_F(SeveralProcesses, SpineRuleA17WhatHasNoNameIsGivenUpSoon) {
  auto owner = begin("owner");
  auto client = begin("client", false);
  auto room = create(*client);
  owner.reset();
  auto start = clock.steady();
  EXPECT_EQ(error_of(loop.run(client->rooms->commands().join({room, bob, {}}))), Code::kUnavailable);
  EXPECT_LT(clock.steady() - start, std::chrono::seconds(4));
}

TEST_F(SeveralProcesses, WhatOneRedactsNobodyServes) {
  auto one = begin("one"), two = begin("two");
  auto room = create(*one);
  auto event = value(send(*one, message(room, alice, "secret")));
  EXPECT_EQ(bodies(*one, room), std::vector<std::string>{"secret"});
  EXPECT_EQ(bodies(*two, room), std::vector<std::string>{"secret"});  // now both remember it
  SendEvent redaction{room, alice, "m.room.redaction", {}, {}};
  redaction.redacts = event;
  value(send(*two, std::move(redaction)));
  for (auto* life : {one.get(), two.get()}) EXPECT_TRUE(until([&] { return bodies(*life, room).empty(); }));
}

// Who is told late that its event is stored, after the room was another's.
TEST_F(SeveralProcesses, WhatWasRedactedBeforeItsSenderKnowsIsNotKept) {
  auto one = begin("one"), two = begin("two");
  ASSERT_TRUE(until([&] { return one->owned() == 32 && two->owned() == 32; }));
  auto room = create(*one);
  one->db->hold_answer();
  std::optional<Result<EventId>> sent;
  boost::asio::co_spawn(loop.executor(), one->rooms->commands().send(message(room, alice, "secret")),
                        [&](std::exception_ptr, Result<EventId> result) { sent = std::move(result); });
  ASSERT_TRUE(until([&] { return one->db->has_answer(); }));
  auto fence = [&] { return one->leases->fence(kRoomOut.name, bus::partition_of(room.str())); };
  auto before = fence();
  ASSERT_TRUE(before);
  files.sql("UPDATE process SET alive_until = 0 WHERE id = 'one'");
  ASSERT_TRUE(until([&] {
    auto now = fence();
    return !now || now->epoch != before->epoch;
  }));
  auto page = value(loop.run(two->rooms->queries().messages(room, {}, {}, Direction::kBackward, 1, {alice})));
  SendEvent redaction{room, alice, "m.room.redaction", {}, {}};
  redaction.redacts = page.events.front()->event->event_id();
  value(send(*two, std::move(redaction)));
  one->db->release_answer();
  ASSERT_TRUE(until([&] { return sent.has_value(); }));
  EXPECT_TRUE(*sent);
  EXPECT_TRUE(bodies(*one, room).empty());
}

TEST(CommandWire, WhatIsWrittenIsRead) {
  auto room = RoomId::trusted("!r:here");
  auto alice = user("alice");
  SendEvent send{room, alice, "org.example", "key", {{"deep", json::Array{1, "x", nullptr}}}};
  send.redacts = EventId::trusted("$x");
  send.transaction = Transaction{alice, DeviceId::trusted("D"), "path", "txn"};
  send.command = "id1";
  JoinRoom join{room, alice, {"name", std::nullopt}, "why", {{"signed", true}}, {{"more", 1}}, "id2"};
  ChangeMembership change{room, alice, user("bob"), MembershipAction::kBan, {std::nullopt, "mxc://x/y"}, "spam", true};
  for (const Command& command : {Command(send), Command(join), Command(change)}) {
    auto text = encode(command);
    auto read = value(decode_command(text));
    EXPECT_EQ(encode(read), text);
    // Another version's further fields harm nothing; what is missing does.
    auto object = value(json::parse_object(text));
    object["new"] = "field";
    EXPECT_TRUE(decode_command(json::serialize(object)));
    object.erase("room");
    EXPECT_EQ(error_of(decode_command(json::serialize(object))), Code::kCorrupt);
  }
  Error error{Code::kForbidden, "no", std::make_shared<const json::Object>(json::Object{{"a", 1}})};
  for (const Answer& answer : {Answer(Moved{}), Answer(Result<EventId>(EventId::trusted("$e"))),
                               Answer(Result<EventId>(std::unexpected(error)))}) {
    auto text = encode(answer);
    EXPECT_EQ(encode(value(decode_answer(text))), text);
  }
  // Another version's error is one here too.
  auto unknown = value(decode_answer(R"({"code":200,"message":"of the next release"})"));
  auto& refused = std::get<Result<EventId>>(unknown);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnknown);
  EXPECT_EQ(refused.error().message, "of the next release");
  EXPECT_FALSE(decode_command("{"));
  EXPECT_FALSE(decode_answer("[]"));
}

}  // namespace
}  // namespace myelin::rooms
