#include "components/keys/testing/world.h"

namespace myelin::keys {
namespace {
using namespace testing;

class ToDeviceTest : public OnBothDatabases {
 protected:
  ToDeviceTest() {
    world.accounts.add(world.alice, "PHONE");
    world.accounts.add(world.bob, "LAPTOP");
    world.accounts.add(world.bob, "TABLET");
  }
  Result<void> send(const std::string& txn, json::Object messages, const std::string& type = "m.test",
                    const std::string& device = "PHONE") {
    return world.loop.run(
        world.keys->send_to_device(world.session(world.alice, device), type, txn, std::move(messages)));
  }
  std::vector<accounts::ToDeviceMessage> sent() {
    std::vector<accounts::ToDeviceMessage> out;
    for (auto& message : world.published()) {
      EXPECT_EQ(message.user, world.alice) << "keyed by the sender";
      for (auto& each : std::get<accounts::ToDeviceSent>(message.what).messages) out.push_back(std::move(each));
    }
    return out;
  }
  World world{GetParam()};
};

TEST_P(ToDeviceTest, AMessageGoesToOneDeviceOrToAll) {
  check(send("1", object(R"({"@bob:here":{"LAPTOP":{"a":1}}})")));
  ASSERT_EQ(sent().size(), 1u);
  EXPECT_EQ(sent()[0].to, world.bob);
  EXPECT_EQ(sent()[0].device.str(), "LAPTOP");
  EXPECT_EQ(sent()[0].body, R"({"sender":"@alice:here","type":"m.test","content":{"a":1}})");
  check(send("2", object(R"({"@bob:here":{"*":{}}})")));
  EXPECT_EQ(sent().size(), 3u);
}

TEST_P(ToDeviceTest, ARepeatedTransactionIsSentOnceOverARestart) {
  auto messages = object(R"({"@bob:here":{"LAPTOP":{}}})");
  check(send("1", messages));
  check(send("1", messages));
  world.restart();
  check(send("1", messages));
  EXPECT_EQ(sent().size(), 1u);
  check(send("1", messages, "m.other"));
  check(send("2", messages));
  check(send("1", messages, "m.test", "TABLET"));
  EXPECT_EQ(sent().size(), 4u) << "the scope is device and path";
}

TEST_P(ToDeviceTest, UnknownDevicesAndUsersGetNothingAndAreNoError) {
  check(send("1", object(R"({"@bob:here":{"TOASTER":{}},"@nobody:here":{"*":{}},"@eve:elsewhere":{"X":{}}})")));
  EXPECT_TRUE(sent().empty());
}

TEST_P(ToDeviceTest, WrongShapesAreRefusedAndLeaveTheTransactionFree) {
  for (const char* wrong : {R"({"bob":{}})", R"({"@bob:here":[]})", R"({"@bob:here":{"LAPTOP":"text"}})"})
    EXPECT_EQ(error_of(send("1", object(wrong))), Code::kBadJson) << wrong;
  EXPECT_EQ(error_of(send(std::string("a\0b", 3), {})), Code::kInvalidParam);
  EXPECT_EQ(error_of(send("1", {}, "\xff")), Code::kInvalidParam);
  check(send("1", object(R"({"@bob:here":{"LAPTOP":{}}})")));
  EXPECT_EQ(sent().size(), 1u);
}

TEST_P(ToDeviceTest, MuchToSendIsCutIntoSeveralMessages) {
  for (int i = 0; i < 6; ++i) world.accounts.add(world.bob, "D" + std::to_string(i));
  json::Object content{{"text", std::string(60'000, 'x')}};
  check(send("1", {{"@bob:here", json::Object{{"*", content}}}}));
  EXPECT_EQ(sent().size(), 8u);
  EXPECT_EQ(world.published().size(), 2u);
  content["text"] = std::string(66'000, 'x');
  EXPECT_EQ(error_of(send("2", {{"@bob:here", json::Object{{"*", content}}}})), Code::kTooLarge);
}

TEST_P(ToDeviceTest, TransactionsGoWithTheirDevice) {
  auto messages = object(R"({"@bob:here":{"LAPTOP":{}}})");
  check(send("1", messages));
  world.delete_device(world.alice, "PHONE");
  check(world.loop.run(world.bus->deliver()));
  world.accounts.add(world.alice, "PHONE");
  check(send("1", messages));
  size_t messages_sent = world.count_published<accounts::ToDeviceSent>(world.alice);
  EXPECT_EQ(messages_sent, 2u);
}

MYELIN_ON_BOTH_DATABASES(ToDeviceTest);

}  // namespace
}  // namespace myelin::keys
