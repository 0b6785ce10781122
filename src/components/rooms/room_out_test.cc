#include "components/rooms/room_out.h"

#include <gtest/gtest.h>

#include "components/rooms/graph/auth_rows.h"
#include "components/rooms/graph/room_head.h"

namespace myelin::rooms {
namespace {

RoomOut event_message() {
  EventAdded added;
  added.ref = {7, 4'000'000'000};
  added.order = -12;
  added.depth = (int64_t{1} << 53) - 1;
  added.before = {1, 2, {3, 4}};
  added.after = {5, 6, {7, 8, 9}};
  added.sender = UserId::trusted("@alice:here");
  added.type = "m.room.member";
  added.is_state = true;
  added.soft_failed = true;
  added.on_fork = true;
  added.transaction = Transaction{added.sender, DeviceId::trusted("DEVICE"), "/rooms/x/send/y", "txn \n 1"};
  added.memberships = {{UserId::trusted("@bob:there"), std::nullopt, Membership::kInvite, {7, 9}},
                       {UserId::trusted("@eve:there"), Membership::kJoin, Membership::kBan, {7, 10}}};
  added.redacts = EventRef{7, 4};
  return {7, RoomId::trusted("!room:here"), std::move(added)};
}

TEST(RoomOut, EventsComeBackAsTheyWere) {
  auto sent = event_message();
  auto got = decode_room_out(encode(sent)).value();
  EXPECT_EQ(got.room_no, 7u);
  EXPECT_EQ(got.room, sent.room);
  const auto& a = std::get<EventAdded>(sent.what);
  const auto& b = std::get<EventAdded>(got.what);
  EXPECT_EQ(a.ref, b.ref);
  EXPECT_EQ(a.order, b.order);
  EXPECT_EQ(a.depth, b.depth);
  EXPECT_EQ(a.before, b.before);
  EXPECT_EQ(a.after, b.after);
  EXPECT_EQ(a.sender, b.sender);
  EXPECT_EQ(a.type, b.type);
  EXPECT_TRUE(b.is_state);
  EXPECT_TRUE(b.soft_failed);
  EXPECT_TRUE(b.on_fork);
  ASSERT_TRUE(b.transaction);
  EXPECT_EQ(b.transaction->user, a.sender);
  EXPECT_EQ(b.transaction->device, a.transaction->device);
  EXPECT_EQ(b.transaction->path, a.transaction->path);
  EXPECT_EQ(b.transaction->id, a.transaction->id);
  ASSERT_EQ(b.memberships.size(), 2u);
  EXPECT_EQ(b.memberships[0].before, std::nullopt);
  EXPECT_EQ(b.memberships[1].before, Membership::kJoin);
  EXPECT_EQ(b.memberships[1].after, Membership::kBan);
  EXPECT_EQ(b.memberships[1].ref, (EventRef{7, 10}));
  EXPECT_EQ(b.redacts, (EventRef{7, 4}));
}

TEST(RoomOut, ReceiptsComeBackAsTheyWere) {
  ReceiptAdded sent{UserId::trusted("@a:x"), "m.read", "$thread", EventId::trusted("$e"), {3, 4}, 5, 1'700'000'000'000};
  auto got = decode_room_out(encode({3, RoomId::trusted("!r"), sent})).value();
  const auto& receipt = std::get<ReceiptAdded>(got.what);
  EXPECT_EQ(receipt.user, sent.user);
  EXPECT_EQ(receipt.type, sent.type);
  EXPECT_EQ(receipt.thread, sent.thread);
  EXPECT_EQ(receipt.event_id, sent.event_id);
  EXPECT_EQ(receipt.ref, sent.ref);
  EXPECT_EQ(receipt.order, sent.order);
  EXPECT_EQ(receipt.ts, sent.ts);
}

TEST(RoomOut, EveryCutIsNoticed) {
  auto bytes = encode(event_message());
  for (size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(decode_room_out(std::string_view(bytes).substr(0, length))) << length;
  bytes[0] = 9;  // no such kind
  EXPECT_FALSE(decode_room_out(bytes));
}

TEST(RoomHead, ComesBackAsItWas) {
  RoomHead head{70'000,
                300,
                9,
                65'000,
                66'000,
                {8, 3, {1, 2, 3}},
                {{69'999, 66'000, EventId::trusted("$a")}, {69'998, 65'999, EventId::trusted("$b")}},
                StateRoot{9, 4, {5, 6}}};
  auto bytes = encode(head);
  EXPECT_EQ(decode_room_head(bytes).value(), head);
  for (size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(decode_room_head(std::string_view(bytes).substr(0, length))) << length;
}

TEST(AuthRows, ParentsComeBackAsTheyWere) {
  std::vector<uint32_t> parents{1, 300, 4'000'000'000};
  EXPECT_EQ(decode_parents(encode_parents(parents)).value(), parents);
  EXPECT_FALSE(decode_parents("\x80"));
}

TEST(PageToken, IsReadBackAndRefusesTheRest) {
  PageToken token{12, -3, 40};
  auto read = PageToken::parse(token.str());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->depth, 12);
  EXPECT_EQ(read->order, -3);
  EXPECT_EQ(read->arrived_before, 40);
  for (auto bad : {"", "t", "t1", "t1_2", "t1_2_", "t1_2_3x", "1_2_3", "t1_2_99999999999999999999", "s12"})
    EXPECT_FALSE(PageToken::parse(bad)) << bad;
}

}  // namespace
}  // namespace myelin::rooms
