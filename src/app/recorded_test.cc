// Messages as earlier releases wrote them, byte for byte: what is in an outbox or parked must be read by every later
// program, and messages with further fields by the program before (docs/upgrades.md).
#include <gtest/gtest.h>

#include <functional>

#include "base/bytes.h"
#include "components/accounts/user_out.h"
#include "components/rooms/room_out.h"
#include "components/sync/notify_out.h"
#include "components/testing/loop.h"

namespace myelin::app {
namespace {
using namespace myelin::testing;

template <class Message>
using Decode = Result<Message> (*)(std::string_view);

std::string from_hex(std::string_view hex) {
  std::string out;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return out;
}

// Says the same as `same`, which this program would write so: in the form of now, or after a change of it in another.
template <class Message>
void expect_read(std::string_view recorded, const Message& same, Decode<Message> decode) {
  auto read = decode(from_hex(recorded));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(hex(encode(*read)), hex(encode(same)));
  auto extended = decode(from_hex(recorded) + from_hex("0a0b0c"));
  ASSERT_TRUE(extended) << "with further fields";
}

const UserId kAlice = UserId::trusted("@alice:here"), kBob = UserId::trusted("@bob:here");
const RoomId kRoom = RoomId::trusted("!room:here");

TEST(Recorded, RoomOutOf_0_1) {
  using namespace rooms;
  EventAdded added{.ref = {7, 9},
                   .order = 12,
                   .depth = 13,
                   .before = {1, 2, {3, 4}},
                   .after = {5, 6, {7, 8}},
                   .sender = kAlice,
                   .type = "m.room.member",
                   .is_state = true};
  added.transaction = Transaction{kAlice, DeviceId::trusted("D"), "/rooms/r/send/t", "txn"};
  added.memberships = {{kBob, std::nullopt, Membership::kInvite, {7, 9}}};
  added.redacts = EventRef{7, 4};
  expect_read<RoomOut>(
      "01070a21726f6f6d3a686572658980808070181a18010000000200000003040000000000000000000000000000180500"
      "000006000000070800000000000000000000000000000b40616c6963653a686572650d6d2e726f6f6d2e6d656d626572"
      "0501440f2f726f6f6d732f722f73656e642f740374786e010940626f623a68657265000189808080708480808070",
      {7, kRoom, added}, decode_room_out);
  ReceiptAdded receipt{kBob, "m.read", "", EventId::trusted("$e"), {7, 9}, 12, 1'700'000'000'000};
  expect_read<RoomOut>("02070a21726f6f6d3a686572650940626f623a68657265066d2e726561640002246589808080701880a0abfef962",
                       {7, kRoom, receipt}, decode_room_out);
}

TEST(Recorded, UserOutOf_0_1) {
  using namespace accounts;
  auto device = DeviceId::trusted("D");
  expect_read<UserOut>("0b40616c6963653a68657265010721723a68657265056d2e746167",
                       {kAlice, AccountDataChanged{"!r:here", "m.tag"}}, decode_user_out);
  expect_read<UserOut>("0b40616c6963653a6865726502", {kAlice, DeviceListChanged{}}, decode_user_out);
  expect_read<UserOut>("0b40616c6963653a68657265030144", {kAlice, DeviceDeleted{device}}, decode_user_out);
  expect_read<UserOut>("0b40616c6963653a68657265040144", {kAlice, KeyCountsChanged{device}}, decode_user_out);
  expect_read<UserOut>("0b40616c6963653a6865726505010940626f623a686572650144027b7d",
                       {kAlice, ToDeviceSent{{{kBob, device, "{}"}}}}, decode_user_out);
}

TEST(Recorded, NotifyOutOf_0_1) {
  expect_read<sync::NotifyOut>("0a21726f6f6d3a686572658980808070010940626f623a6865726501",
                               {kRoom, {7, 9}, {kBob}, true}, sync::decode_notify_out);
}

// It is not damaged: a newer process can read it.
TEST(Recorded, AFormOfANewerProgramIsLeftAlone) {
  EXPECT_EQ(error_of(rooms::decode_room_out(from_hex("6301020304"))), Code::kUnavailable);
  EXPECT_EQ(error_of(accounts::decode_user_out(from_hex("0440613a6263"))), Code::kUnavailable);
}

}  // namespace
}  // namespace myelin::app
