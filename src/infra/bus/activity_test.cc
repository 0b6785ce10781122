// Consumers that are active in one process and at rest in another: over everything that carries messages, and with two
// processes on one PostgreSQL.
#include "infra/bus/testing/world.h"
#include "infra/bus/wire.h"

namespace myelin::bus {
namespace {
using db::testing::Kind;
using testing::Carrier;
using testing::Gate;
using testing::kTopic;
using testing::Node;
using Bodies = std::vector<std::string>;

class BusActivity : public ::testing::TestWithParam<testing::Setting> {};
INSTANTIATE_TEST_SUITE_P(Everywhere, BusActivity,
                         ::testing::Combine(::testing::Values(Carrier::kMemory, Carrier::kUnreliable,
                                                              Carrier::kEmbedded, Carrier::kExternal),
                                            ::testing::Values(Kind::kSqlite, Kind::kPostgres)),
                         testing::name_of);

TEST_P(BusActivity, AtRestNothingIsAppliedAndNothingIsLost) {
  size_t calls = 0;
  testing::World world(GetParam());
  auto count = [&](const std::vector<Message>&) -> Task<Result<void>> {
    ++calls;
    co_return Result<void>{};
  };
  auto& node = world.make_node();
  node.bus->declare(world.recorder("a", count));
  node.bus->declare(world.recorder("b"));
  world.start(node, Consumers::kAtRest);
  node.bus->activate("b", kTopic);
  for (int round = 0; round < 2; ++round) {
    auto before = calls;
    world.send_all({"x", "y", "x"});
    EXPECT_TRUE(world.settles(node)) << "what is at rest is not waited for";
    world.expect_all_applied("b");
    world.pass(std::chrono::milliseconds(100));
    EXPECT_EQ(calls, before);
    node.bus->activate("a", kTopic);
    node.bus->activate("a", kTopic);
    EXPECT_TRUE(world.settles(node));
    world.expect_all_applied("a");
    world.rest(node, "a");
    world.rest(node, "a");
  }
  node.bus->activate("none", kTopic);
  world.rest(node, "none");
}

TEST_P(BusActivity, WhoAppliesATopicTrimsItAndNobodyElse) {
  testing::World world(GetParam());
  auto& node = world.make_node();
  node.bus->declare(world.recorder("a"));
  world.start(node, Consumers::kAtRest);
  world.send_all({"x", "y", "x"});
  // As another process would, which applies them.
  ASSERT_TRUE(world.write([](db::Tx& tx) {
    tx.exec(
        "UPDATE cursor SET seq = (SELECT next_seq - 1 FROM outbox_head h WHERE h.topic = cursor.topic AND h.partition "
        "= "
        "cursor.partition)");
  }));
  world.pass(testing::World::kQuick.trim * 4);
  EXPECT_EQ(world.number("SELECT count(*) FROM outbox"), 3);
  node.bus->activate("a", kTopic);
  EXPECT_TRUE(world.until([&] { return world.number("SELECT count(*) FROM outbox") == 0; }));
}

TEST_P(BusActivity, RestWaitsForWhatIsUnderWayAndIsTheEndOfIt) {
  Gate gate;
  size_t calls = 0;
  bool rests = false;
  testing::World world(GetParam());
  auto wait = [&](const std::vector<Message>&) -> Task<Result<void>> {
    ++calls;
    co_await gate.pass();
    co_return Result<void>{};
  };
  auto& node = world.start_with({world.recorder("a", wait)});
  world.send_all({"x"});
  ASSERT_TRUE(world.until([&] { return gate.waiting > 0; }));
  world.send_all({"x", "y"});
  boost::asio::co_spawn(world.loop, node.bus->rest("a", kTopic), [&](std::exception_ptr) { rests = true; });
  world.pass(std::chrono::milliseconds(100));
  EXPECT_FALSE(rests);
  EXPECT_TRUE(world.applied("a").empty());
  gate.open = true;
  ASSERT_TRUE(world.until([&] { return rests; }));
  EXPECT_EQ(world.bodies("a", "x"), (Bodies{"x/1"})) << "it was not cut off halfway";
  world.pass(std::chrono::milliseconds(100));
  EXPECT_EQ(calls, 1u);
  node.bus->activate("a", kTopic);
  EXPECT_TRUE(world.settles(node));
  world.expect_all_applied("a");
}

// A batch that is taken apart because one of its messages is bad ends at rest after the message that it is at.
TEST_P(BusActivity, RestComesBetweenMessagesThatAreTriedOneByOne) {
  Gate gate;
  Bodies tried;
  bool rests = false;
  testing::World world(GetParam());
  auto refuse = [&](const std::vector<Message>& batch) -> Task<Result<void>> {
    if (batch.size() > 1) co_return fail(Code::kCorrupt, "one of them is bad");
    tried.push_back(batch.front().body);
    co_await gate.pass();
    co_return Result<void>{};
  };
  world.stop(world.start_with({world.recorder("a")}));
  world.send_unpublished({"x", "x", "x", "x"});
  auto& node = world.start_with({world.recorder("a", refuse)});
  ASSERT_TRUE(world.until([&] { return gate.waiting > 0; }));
  boost::asio::co_spawn(world.loop, node.bus->rest("a", kTopic), [&](std::exception_ptr) { rests = true; });
  world.pass(std::chrono::milliseconds(20));
  gate.open = true;
  ASSERT_TRUE(world.until([&] { return rests; }));
  EXPECT_EQ(tried, (Bodies{"x/1"}));
  EXPECT_EQ(world.bodies("a", "x"), (Bodies{"x/1"}));
  node.bus->activate("a", kTopic);
  EXPECT_TRUE(world.settles(node));
  world.expect_all_applied("a");
}

TEST_P(BusActivity, RestsAndBecomesActiveAgainUnderLoad) {
  bool stop = false, stopped = false;
  testing::World world(GetParam());
  auto& node = world.start_with({world.recorder("a")});
  boost::asio::co_spawn(world.loop, world.keep_sending("x", stop), [&](std::exception_ptr) { stopped = true; });
  for (int i = 0; i < 10; ++i) {
    auto before = world.number("SELECT count(*) FROM effect");
    EXPECT_TRUE(world.until([&] { return world.number("SELECT count(*) FROM effect") > before + 5; }));
    world.rest(node, "a");
    auto at_rest = world.number("SELECT count(*) FROM effect");
    world.pass(std::chrono::milliseconds(10));
    EXPECT_EQ(world.number("SELECT count(*) FROM effect"), at_rest);
    node.bus->activate("a", kTopic);
  }
  stop = true;
  EXPECT_TRUE(world.until([&] { return stopped; }));
  EXPECT_TRUE(world.settles(node));
  world.expect_all_applied("a");
  world.expect_dense("a");
}

// ---- two processes

class TwoProcesses : public ::testing::TestWithParam<testing::Setting> {
 protected:
  // Two processes with a consumer "a" at rest, and a sender in each whose messages share a partition.
  struct Flow {
    explicit Flow(testing::World::Check on_second = {}) : world(GetParam()) {
      first = &world.make_node();
      second = &world.make_process();
      first->bus->declare(world.recorder("a", counting(calls[0], {})));
      second->bus->declare(world.recorder("a", counting(calls[1], std::move(on_second))));
      for (auto* each : {first, second}) world.start(*each, Consumers::kAtRest);
      while (partition_of(second_key) != partition_of("x")) second_key += "y";
    }
    ~Flow() { finish(); }
    static testing::World::Check counting(size_t& count, testing::World::Check then) {
      return [&count, then](const std::vector<Message>& batch) -> Task<Result<void>> {
        ++count;
        if (then) co_return co_await then(batch);
        co_return Result<void>{};
      };
    }
    void keep_sending() {
      senders = 2;
      boost::asio::co_spawn(world.loop, world.keep_sending("x", stop), [&](std::exception_ptr) { --senders; });
      boost::asio::co_spawn(second->process->loop, world.keep_sending_by(*second->process->db, second_key, stop),
                            [&](std::exception_ptr) { --senders; });
    }
    void finish() {
      stop = true;
      EXPECT_TRUE(world.until([&] { return senders == 0; }));
    }
    void goes_on(int64_t by = 20) {
      auto before = effects();
      EXPECT_TRUE(world.until([&] { return effects() > before + by; }));
    }
    int64_t effects() { return world.number("SELECT count(*) FROM effect"); }
    void expect_everything(Node& active) {
      finish();
      EXPECT_TRUE(world.settles(active));
      world.expect_all_applied("a");
      world.expect_dense("a");
    }

    size_t calls[2] = {0, 0};  // of apply, in each
    bool stop = false;
    int senders = 0;
    std::string second_key = "y";
    Node *first = nullptr, *second = nullptr;
    testing::World world;
  };
};
INSTANTIATE_TEST_SUITE_P(OnOneDatabase, TwoProcesses,
                         ::testing::Combine(::testing::Values(Carrier::kMemory, Carrier::kUnreliable,
                                                              Carrier::kExternal),
                                            ::testing::Values(Kind::kPostgres)),
                         testing::name_of);

TEST_P(TwoProcesses, HandTheConsumerOverUnderLoadAndNothingIsLostDoubledOrReordered) {
  Flow flow;
  flow.keep_sending();
  Node* active = flow.first;
  active->bus->activate("a", kTopic);
  for (int i = 0; i < 10; ++i) {
    flow.goes_on();
    flow.world.rest(*active, "a");
    auto index = active == flow.first ? 0 : 1;
    auto calls = flow.calls[index];
    auto effects = flow.effects();
    flow.world.pass(std::chrono::milliseconds(5));
    EXPECT_EQ(flow.effects(), effects) << "nothing was under way any more";
    active = active == flow.first ? flow.second : flow.first;
    active->bus->activate("a", kTopic);
    flow.goes_on();
    EXPECT_EQ(flow.calls[index], calls);
  }
  EXPECT_GT(flow.calls[0], 10u);
  EXPECT_GT(flow.calls[1], 10u);
  flow.expect_everything(*active);
}

// A process stands still with messages in its hands for longer than its lease, wakes, and is told last of all that it
// has a successor.
TEST_P(TwoProcesses, SpineRuleA4WhoWakesAfterTheHandOverDoesNoHarm) {
  Gate gate;
  Flow flow([&](const std::vector<Message>&) -> Task<Result<void>> {
    co_await gate.pass();
    co_return Result<void>{};
  });
  auto& world = flow.world;
  flow.second->bus->activate("a", kTopic);
  flow.keep_sending();
  ASSERT_TRUE(world.until([&] { return gate.waiting > 0; }));
  world.pass(std::chrono::milliseconds(50));
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 5; ++i) {
    flow.second->process->is_paused = true;
    if (i == 0) EXPECT_EQ(flow.effects(), 0) << "the first time, what it stands still with is not applied";
    flow.first->bus->activate("a", kTopic);
    flow.goes_on(50);
    gate.open = true;
    auto calls = flow.calls[1];
    flow.second->process->is_paused = false;
    flow.goes_on(50);  // both are active
    EXPECT_TRUE(world.until([&] { return flow.calls[1] > calls; })) << "it does try";
    world.rest(*flow.second, "a");
    flow.goes_on();
    world.rest(*flow.first, "a");
    flow.second->bus->activate("a", kTopic);
    flow.goes_on();
  }
  auto log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(log.find("cannot be applied"), std::string::npos) << log;
  flow.expect_everything(*flow.second);
}

TEST_P(TwoProcesses, AKeyThatOneParkedStaysParkedInTheOther) {
  bool bad = true;
  Flow flow([&](const std::vector<Message>& batch) -> Task<Result<void>> {
    for (const auto& message : batch)
      if (bad && message.body == "x/2") co_return fail(Code::kCorrupt, "cannot read it");
    co_return Result<void>{};
  });
  auto& world = flow.world;
  flow.first->bus->activate("a", kTopic);
  world.send_all({"x"});
  EXPECT_TRUE(world.settles(*flow.first));
  world.rest(*flow.first, "a");
  flow.second->bus->activate("a", kTopic);
  world.send_all({"x", "x", "z"});
  EXPECT_TRUE(world.settles(*flow.second));
  world.rest(*flow.second, "a");
  flow.first->bus->activate("a", kTopic);
  world.send_all({"x", "z"});
  EXPECT_TRUE(world.settles(*flow.first));
  EXPECT_EQ(world.bodies("a", "x"), (Bodies{"x/1"})) << "what comes later waits behind it";
  EXPECT_EQ(world.bodies("a", "z"), world.sent("z"));
  bad = false;
  EXPECT_TRUE(world.run_at(*flow.second, flow.second->bus->unpark("a", "x"))) << "at rest too";
  world.send_all({"x"});
  EXPECT_TRUE(world.settles(*flow.first));
  EXPECT_EQ(world.bodies("a", "x"), world.sent("x"));
}

// Nobody polls the heads: what was on its way to the one that went to rest comes to the other through the stream.
TEST_P(TwoProcesses, MessagesOnTheirWayAreDeliveredToTheNextOne) {
  std::vector<std::string> taken, delivered;
  testing::World world(GetParam());
  auto& first = world.make_node();
  auto& second = world.make_process();
  for (auto* node : {&first, &second}) {
    node->bus->declare(world.recorder("a"));
    world.start(*node, Consumers::kAtRest);
  }
  first.wire->subscribe(kTopic, "a", [&](std::string_view reply, std::string_view) { taken.emplace_back(reply); });
  constexpr size_t kMessages = 200;
  for (size_t i = 0; i < kMessages; ++i) world.publish_raw(first, "any", 1, i + 1, std::to_string(i));
  ASSERT_TRUE(world.until([&] { return taken.size() == kMessages; }));
  first.wire->unsubscribe(kTopic, "a");
  first.wire->refuse(taken);
  auto started = std::chrono::steady_clock::now();
  second.wire->subscribe(kTopic, "a",
                         [&](std::string_view, std::string_view payload) { delivered.emplace_back(payload); });
  EXPECT_TRUE(world.until([&] { return delivered.size() == kMessages; }));
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(15)) << "sooner than it is redelivered";
  EXPECT_EQ(taken.size(), kMessages);
}

// The same for what its consumer holds behind a batch that is under way.
TEST_P(TwoProcesses, MessagesThatWaitInOneAreDeliveredToTheNextOne) {
  if (std::get<0>(GetParam()) == Carrier::kUnreliable) return;  // it loses them
  constexpr Options kNoPolls{.head_poll = std::chrono::hours(1)};
  Gate gate;
  bool rests = false;
  Bodies delivered;
  testing::World world(GetParam());
  auto wait = [&](const std::vector<Message>&) -> Task<Result<void>> {
    co_await gate.pass();
    co_return Result<void>{};
  };
  auto& first = world.make_node(kNoPolls);
  auto& second = world.make_process(kNoPolls);
  for (auto* node : {&first, &second}) {
    node->bus->declare(world.recorder("a", wait));
    world.start(*node, Consumers::kAtRest);
  }
  second.bus->activate("a", kTopic);
  world.send_all({"x"});
  ASSERT_TRUE(world.until([&] { return gate.waiting > 0; }));
  world.send_all(Bodies(20, "x"));
  world.pass(std::chrono::milliseconds(100));
  boost::asio::co_spawn(second.process->loop, second.bus->rest("a", kTopic), [&](std::exception_ptr) { rests = true; });
  world.pass(std::chrono::milliseconds(20));
  gate.open = true;
  ASSERT_TRUE(world.until([&] { return rests; }));
  auto applied = world.bodies("a", "x").size();
  EXPECT_GE(applied, 1u);
  EXPECT_LT(applied, 21u);
  auto started = std::chrono::steady_clock::now();
  first.wire->subscribe(kTopic, "a", [&](std::string_view, std::string_view payload) {
    if (auto wire = decode_wire(payload))
      for (auto& message : wire->messages) delivered.push_back(message.body);
  });
  EXPECT_TRUE(world.until([&] { return delivered.size() >= 21 - applied; })) << delivered.size();
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(15)) << "sooner than it is redelivered";
}

}  // namespace
}  // namespace myelin::bus
