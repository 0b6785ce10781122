// Typing and receipts through the public interface, on a real database.
#include "components/presence/presence.h"

#include "components/rooms/room_out.h"
#include "components/testing/databases.h"
#include "components/testing/fake_accounts.h"
#include "components/testing/fake_bus.h"
#include "components/testing/fake_rooms.h"
#include "components/testing/loop.h"

namespace myelin::presence {
namespace {
using namespace myelin::testing;
using std::chrono::milliseconds;

class PresenceTest : public OnBothDatabases {
 protected:
  PresenceTest() {
    room_no = rooms.add_room(room);
    rooms.join(room_no, alice);
    rooms.join(room_no, bob);
    open();
    presence->on_typing_changed([this](RoomId id) { changes.push_back(id); });
  }
  ~PresenceTest() override { close(); }
  void open() {
    db = database->open(loop.executor(), clock);
    bus = std::make_unique<FakeBus>(*db);
    presence = make_presence(*db, *bus, accounts, rooms, loop.executor(), clock, random);
    check(loop.run(presence->start()));
  }
  void close() {
    loop.run(presence->stop());
    presence.reset();
    bus.reset();
    db->stop();
  }

  rooms::PlacedPtr message(const std::string& id, json::Object content = {{"body", "hello"}}) {
    return rooms.add(room_no, id, alice, "m.room.message", std::move(content));
  }
  rooms::PlacedPtr reply_in(const std::string& id, const std::string& root, const std::string& type = "m.thread") {
    return message(id, {{"m.relates_to", json::Object{{"rel_type", type}, {"event_id", root}}}});
  }
  Result<void> typing(const UserId& user, bool is_typing, int timeout = 30'000) {
    return loop.run(presence->set_typing(room, user, is_typing, milliseconds(timeout)));
  }
  Result<void> receipt(const std::string& event, const std::string& thread = "", const std::string& type = "m.read") {
    return loop.run(presence->receipt(room, bob, type, EventId::trusted(event), thread));
  }
  std::vector<rooms::ReceiptAdded> receipts() {
    std::vector<rooms::ReceiptAdded> out;
    for (const auto& each : value(loop.run(bus->messages(rooms::kRoomOut)))) {
      EXPECT_EQ(each.partition, bus::partition_of(room.str()));
      auto decoded = value(rooms::decode_room_out(each.body));
      EXPECT_EQ(decoded.room, room);
      out.push_back(std::get<rooms::ReceiptAdded>(decoded.what));
    }
    return out;
  }

  std::unique_ptr<db::testing::TemporaryDatabase> database = db::testing::temporary_database(GetParam());
  Loop loop;
  ManualClock clock;
  SeededRandom random{3};
  FakeAccounts accounts;
  FakeRooms rooms;
  std::unique_ptr<db::Database> db;
  std::unique_ptr<FakeBus> bus;
  std::unique_ptr<Presence> presence;
  std::vector<RoomId> changes;
  RoomId room = RoomId::trusted("!room:here");
  uint32_t room_no = 0;
  UserId alice = UserId::trusted("@alice:here"), bob = UserId::trusted("@bob:here"), eve = UserId::trusted("@eve:here");
};

TEST_P(PresenceTest, WhoIsOutOfTheRoomTypesNoLonger) {
  check(typing(alice, true));
  check(typing(bob, true));
  changes.clear();
  presence->left(room, bob);
  EXPECT_EQ(presence->typing_now(room), std::vector{alice});
  EXPECT_EQ(changes, std::vector{room});
  EXPECT_EQ(bus->hints.size(), 3u) << "other processes are told";
  presence->left(room, bob);
  EXPECT_EQ(bus->hints.size(), 3u);
}

TEST_P(PresenceTest, TypingIsSeenAndStops) {
  check(typing(alice, true));
  EXPECT_EQ(presence->typing_now(room), std::vector{alice});
  check(typing(alice, false));
  EXPECT_TRUE(presence->typing_now(room).empty());
  EXPECT_EQ(changes.size(), 2u);
  check(typing(alice, false));
  EXPECT_EQ(changes.size(), 2u) << "no change, no notice";
}

TEST_P(PresenceTest, OnlyMembersType) {
  EXPECT_EQ(error_of(typing(eve, true)), Code::kForbidden);
  EXPECT_TRUE(presence->typing_now(room).empty());
}

TEST_P(PresenceTest, TimeOutsAreBroughtIntoBounds) {
  check(typing(alice, true, 0));
  check(typing(bob, true, 86'400'000));
  EXPECT_EQ(presence->typing_now(room).size(), 2u);
  clock.advance(1'000);
  EXPECT_EQ(presence->typing_now(room), std::vector{bob});
  clock.advance(118'999);
  EXPECT_EQ(presence->typing_now(room), std::vector{bob});
  clock.advance(1);
  EXPECT_TRUE(presence->typing_now(room).empty());
}

TEST_P(PresenceTest, WhoStopsByTheClockIsAnnounced) {
  check(typing(alice, true, 5'000));
  loop.poll();
  clock.advance(5'000);
  changes.clear();
  check(typing(bob, true));  // wakes the expiry
  loop.poll();
  EXPECT_EQ(changes.size(), 2u) << "bob began, alice stopped";
  EXPECT_EQ(presence->typing_now(room), std::vector{bob});
}

TEST_P(PresenceTest, RepeatedNoticesAreCoalesced) {
  for (int i = 0; i < 10; ++i) check(typing(alice, true));
  EXPECT_EQ(bus->hints.size(), 1u);
  EXPECT_EQ(changes.size(), 1u);
  clock.advance(20'000);
  check(typing(alice, true));
  EXPECT_EQ(bus->hints.size(), 2u) << "other processes must not let it expire";
  EXPECT_EQ(changes.size(), 1u);
}

TEST_P(PresenceTest, AnotherProcessHearsOfTyping) {
  auto there = make_presence(*db, *bus, accounts, rooms, loop.executor(), clock, random);
  check(typing(alice, true, 5'000));
  EXPECT_EQ(there->typing_now(room), std::vector{alice});
  check(typing(alice, false));
  EXPECT_TRUE(there->typing_now(room).empty());
  EXPECT_EQ(changes.size(), 2u) << "one's own notices are not heard twice";
  bus->hint("typing", "garbage");
  EXPECT_TRUE(there->typing_now(room).empty());
  check(typing(alice, true, 5'000));
  clock.advance(5'000);
  EXPECT_TRUE(there->typing_now(room).empty()) << "that she stopped was lost: it ends by itself";
}

TEST_P(PresenceTest, AReceiptTravelsOnTheRoomsPartition) {
  auto placed = message("$1");
  check(receipt("$1"));
  auto sent = receipts();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].user, bob);
  EXPECT_EQ(sent[0].type, "m.read");
  EXPECT_EQ(sent[0].thread, "");
  EXPECT_EQ(sent[0].event_id.str(), "$1");
  EXPECT_EQ(sent[0].ref, placed->ref);
  EXPECT_EQ(sent[0].order, placed->order);
  EXPECT_EQ(sent[0].ts, clock.now());
}

TEST_P(PresenceTest, ReceiptsNeverGoBackwards) {
  message("$1");
  message("$2");
  message("$3");
  check(receipt("$2"));
  check(receipt("$1"));
  check(receipt("$2"));
  EXPECT_EQ(receipts().size(), 1u);
  close();
  open();
  check(receipt("$1"));
  EXPECT_EQ(receipts().size(), 1u) << "also over a restart";
  check(receipt("$3"));
  EXPECT_EQ(receipts().size(), 2u);
  check(receipt("$1", "", "m.read.private"));
  check(receipt("$1", "main"));
  EXPECT_EQ(receipts().size(), 4u) << "each type and thread goes its own way";
}

TEST_P(PresenceTest, ReceiptsAreRefused) {
  message("$1");
  EXPECT_EQ(error_of(receipt("$nothing")), Code::kNotFound);
  EXPECT_EQ(error_of(receipt("$1", "", "m.other")), Code::kInvalidParam);
  auto by_eve = loop.run(presence->receipt(room, eve, "m.read", EventId::trusted("$1"), ""));
  EXPECT_EQ(error_of(by_eve), Code::kForbidden);
  auto nowhere = loop.run(presence->receipt(RoomId::trusted("!no:here"), bob, "m.read", EventId::trusted("$1"), ""));
  EXPECT_EQ(error_of(nowhere), Code::kForbidden);
  EXPECT_TRUE(receipts().empty());
}

TEST_P(PresenceTest, ThreadedReceiptsMustFitTheThread) {
  message("$root");
  message("$plain");
  reply_in("$reply", "$root");
  reply_in("$reaction", "$reply", "m.annotation");
  reply_in("$root_reaction", "$root", "m.annotation");
  EXPECT_EQ(error_of(receipt("$plain", "$root")), Code::kInvalidParam);
  EXPECT_EQ(error_of(receipt("$reply", "main")), Code::kInvalidParam);
  EXPECT_EQ(error_of(receipt("$reply", "$plain")), Code::kInvalidParam);
  EXPECT_EQ(error_of(receipt("$reaction", "main")), Code::kInvalidParam);
  EXPECT_TRUE(receipts().empty());
  check(receipt("$root", "$root"));
  check(receipt("$reply", "$root"));
  check(receipt("$reaction", "$root"));
  check(receipt("$root", "main"));
  check(receipt("$root_reaction", "main"));
  EXPECT_EQ(receipts().size(), 5u);
}

TEST_P(PresenceTest, FullyReadIsAccountDataThatMovesForward) {
  message("$1");
  message("$2");
  auto mark = [&](const UserId& user, const std::string& event) {
    return loop.run(presence->fully_read(room, user, EventId::trusted(event)));
  };
  auto stored = [&] { return accounts.data[{bob, room.str() + "m.fully_read"}]; };
  check(mark(bob, "$1"));
  EXPECT_EQ(stored(), R"({"event_id":"$1"})");
  check(mark(bob, "$2"));
  check(mark(bob, "$1"));
  EXPECT_EQ(stored(), R"({"event_id":"$2"})");
  EXPECT_EQ(error_of(mark(bob, "$nothing")), Code::kNotFound);
  EXPECT_EQ(error_of(mark(eve, "$1")), Code::kForbidden);
  EXPECT_TRUE(receipts().empty());
}

MYELIN_ON_BOTH_DATABASES(PresenceTest);

}  // namespace
}  // namespace myelin::presence
