// Commands: answered by one owner, or refused at once, or late and dropped.
#include "infra/bus/testing/world.h"

namespace myelin::bus {
namespace {
using db::testing::Kind;
using std::chrono::milliseconds;
using testing::Carrier;
using testing::Node;

class BusCommands : public ::testing::TestWithParam<testing::Setting> {
 protected:
  static bool has_faults() { return std::get<0>(GetParam()) == Carrier::kUnreliable; }
  static Result<std::string> ask(testing::World& world, Node& node, std::string subject, std::string payload,
                                 milliseconds deadline) {
    return world.run_at(node, node.bus->request(std::move(subject), std::move(payload), deadline));
  }
  // Repeats what was lost on purpose, as its id makes safe (rule B2).
  static Result<std::string> ask(testing::World& world, Node& node, const std::string& subject,
                                 const std::string& payload) {
    Result<std::string> answer = fail(Code::kTimeout);
    for (int i = 0; i < 50; ++i) {
      answer = ask(world, node, subject, payload, has_faults() ? milliseconds(100) : milliseconds(30'000));
      bool is_lost = !answer && (answer.error().code == Code::kTimeout || answer.error().code == Code::kUnavailable);
      if (!is_lost || !has_faults()) break;
    }
    return answer;
  }
};
INSTANTIATE_TEST_SUITE_P(Everywhere, BusCommands,
                         ::testing::Combine(::testing::Values(Carrier::kMemory, Carrier::kUnreliable,
                                                              Carrier::kEmbedded, Carrier::kExternal),
                                            ::testing::Values(Kind::kSqlite, Kind::kPostgres)),
                         testing::name_of);

class CommandsOfSeveral : public BusCommands {};  // processes
INSTANTIATE_TEST_SUITE_P(Everywhere, CommandsOfSeveral,
                         ::testing::Combine(::testing::Values(Carrier::kMemory, Carrier::kExternal),
                                            ::testing::Values(Kind::kPostgres)),
                         testing::name_of);

TEST_P(BusCommands, AreAnsweredByOneOfTheirOwners) {
  int served = 0;
  std::vector<Result<std::string>> all;
  testing::World world(GetParam());
  auto& node = world.make_node();
  node.bus->serve("rooms.7", [&](std::string payload) -> Task<std::string> {
    ++served;
    co_await sleep_for(milliseconds(1));
    co_return "done " + payload;
  });
  node.bus->serve("silent", [&](std::string) -> Task<std::string> {
    co_await sleep_for(std::chrono::hours(1));
    co_return "";
  });
  world.start(node);
  auto answer = ask(world, node, "rooms.7", "a");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(*answer, "done a");
  if (!has_faults()) EXPECT_EQ(served, 1);

  for (int i = 0; i < 300; ++i)
    boost::asio::co_spawn(world.loop, node.bus->request("silent", "x", milliseconds(200)),
                          [&](std::exception_ptr, Result<std::string> one) { all.push_back(std::move(one)); });
  world.loop.restart();
  world.loop.poll();
  EXPECT_GE(all.size(), 44u) << "only so many are under way at once";
  EXPECT_TRUE(world.until([&] { return all.size() == 300; }));
  EXPECT_TRUE(ask(world, node, "rooms.7", "b")) << "their places are free again";
}

TEST_P(BusCommands, AreGivenUpWhenTheyMakeNoSenseAnyMore) {
  testing::World world(GetParam());
  auto& node = world.make_node();
  node.bus->serve("silent", [](std::string) -> Task<std::string> {
    co_await sleep_for(std::chrono::hours(1));
    co_return "";
  });
  world.start(node);
  int asked = 0;
  auto answer = world.run_at(
      node, node.bus->request("silent", "x", std::chrono::hours(1), [&] { return ++asked == (has_faults() ? 1 : 3); }));
  ASSERT_FALSE(answer);
  if (!has_faults()) EXPECT_EQ(answer.error().code, Code::kTimeout);
}

// Not one of a queue group: a process that has left a nats-server that is cut off is among its listeners there until
// the others notice, and what they send it there is gone.
TEST_P(CommandsOfSeveral, ReachEveryoneWhoServesThem) {
  std::atomic<int> served = 0;
  auto serve = [&](const std::string&) -> Task<std::string> { co_return std::to_string(++served); };
  testing::World world(GetParam());
  auto& first = world.make_node();
  auto& second = world.make_process();
  for (auto* node : {&first, &second}) {
    node->bus->serve("both", serve);
    world.start(*node);
  }
  EXPECT_TRUE(ask(world, first, "both", "x"));
  EXPECT_TRUE(world.until([&] { return served >= 2; }));
}

TEST_P(BusCommands, ThatNobodyServesAreRefusedAtOnce) {
  testing::World world(GetParam());
  auto& node = world.start_with({});
  auto started = std::chrono::steady_clock::now();
  auto answer = ask(world, node, "nobody", "x", milliseconds(30'000));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(5));
}

TEST_P(BusCommands, WhoseHandlerThrowsAreAnsweredWithThat) {
  testing::World world(GetParam());
  auto& node = world.make_node();
  node.bus->serve("throws", [](std::string payload) -> Task<std::string> {
    co_await sleep_for(milliseconds(1));
    if (payload == "bad") throw std::runtime_error("a bug");
    co_return payload;
  });
  world.start(node);
  ::testing::internal::CaptureStderr();
  auto answer = ask(world, node, "throws", "bad");
  auto log = ::testing::internal::GetCapturedStderr();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kInternal);
  EXPECT_EQ(answer.error().message, "a bug");
  EXPECT_NE(log.find("command throws threw: a bug"), std::string::npos) << log;
  answer = ask(world, node, "throws", "");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(*answer, "");
}

TEST_P(BusCommands, OfOneMebibytePass) {
  testing::World world(GetParam());
  auto& node = world.make_node();
  node.bus->serve("echo", [](std::string payload) -> Task<std::string> { co_return payload; });
  world.start(node);
  std::string large(1 << 20, 'x');
  large.back() = '\0';
  auto answer = ask(world, node, "echo", large);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_TRUE(*answer == large) << answer->size();
}

TEST_P(BusCommands, ThatAreAnsweredTooLateTimeOutAndTheAnswerIsDropped) {
  int served = 0;
  testing::World world(GetParam());
  auto& node = world.make_node();
  node.bus->serve("slow", [&](std::string payload) -> Task<std::string> {
    co_await sleep_for(milliseconds(150));
    ++served;
    co_return "late " + payload;
  });
  node.bus->serve("quick", [](std::string payload) -> Task<std::string> { co_return payload; });
  world.start(node);
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 3; ++i) {
    auto answer = ask(world, node, "slow", "x", milliseconds(50));
    ASSERT_FALSE(answer);
    if (!has_faults()) EXPECT_EQ(answer.error().code, Code::kTimeout);
  }
  if (!has_faults()) EXPECT_TRUE(world.until([&] { return served == 3; }));
  for (int i = 0; i < 20; ++i) {
    auto answer = ask(world, node, "quick", std::to_string(i));
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(*answer, std::to_string(i));
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST_P(BusCommands, GoToTheProcessThatServesThem) {
  if (std::get<0>(GetParam()) == Carrier::kEmbedded || std::get<1>(GetParam()) == Kind::kSqlite) return;  // only one
  testing::World world(GetParam());
  auto& first = world.make_node();
  auto& second = world.make_process();
  for (auto* node : {&first, &second}) {
    std::string name = node == &first ? "first" : "second";
    node->bus->serve("rooms." + name, [name](std::string) -> Task<std::string> { co_return name; });
    node->bus->serve("rooms.any", [name](std::string) -> Task<std::string> { co_return name; });
    world.start(*node);
  }
  for (auto* node : {&first, &second}) {
    EXPECT_EQ(ask(world, *node, "rooms.first", "").value_or(""), "first");
    EXPECT_EQ(ask(world, *node, "rooms.second", "").value_or(""), "second");
  }
  world.stop(second);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(ask(world, first, "rooms.any", "").value_or(""), "first");
  auto answer = ask(world, first, "rooms.second", "", milliseconds(30'000));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kUnavailable) << "it has left";
}

}  // namespace
}  // namespace myelin::bus
