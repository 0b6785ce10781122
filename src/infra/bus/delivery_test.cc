// Messages that travel together: when what the stream delivered is acknowledged.
#include <gtest/gtest.h>

#include "infra/bus/testing/world.h"
#include "infra/bus/wire.h"

namespace myelin::bus {
namespace {

using testing::Carrier;
using testing::kTopic;

class Deliveries : public ::testing::Test {
 protected:
  static constexpr Options kNoPolls{.head_poll = std::chrono::hours(1)};

  // Before each batch; as many pass as are let in.
  Task<Result<void>> pass_gate() {
    ++waiting_;
    while (let_in_ == 0) co_await sleep_for(std::chrono::milliseconds(1));
    --let_in_, --waiting_;
    co_return Result<void>{};
  }
  testing::Node& start() {
    auto& node = world_.make_node(kNoPolls);
    node.bus->declare(world_.recorder("r", [this](const std::vector<Message>&) { return pass_gate(); }));
    world_.start(node);
    return node;
  }
  // Messages `from` to `to` of key x, as one.
  void deliver(testing::Node& node, uint64_t from, uint64_t to) {
    std::vector<db::OutboxRow> rows;
    for (auto seq = from; seq <= to; ++seq)
      rows.push_back({kTopic.name, partition_of("x"), seq, "x/" + std::to_string(seq)});
    node.wire->publish(
        {{fmt::format("{}.{}", kTopic.name, partition_of("x")), encode_wire(world_.db->generation(), rows)}},
        [](const Result<void>& stored) { EXPECT_TRUE(stored); });
    world_.pass(std::chrono::milliseconds(20));
  }
  size_t unacknowledged() { return world_.memory->copy().at(std::string(kTopic.name)).at("r").size(); }
  void let_one_batch_pass() {
    ++let_in_;
    ASSERT_TRUE(world_.until([&] { return let_in_ == 0 && waiting_ == 1; }));
  }

  int waiting_ = 0, let_in_ = 0;
  testing::World world_{{Carrier::kMemory, db::testing::Kind::kSqlite}};
};

TEST_F(Deliveries, AreAcknowledgedWhenTheLastOfTheirMessagesIsApplied) {
  auto& node = start();
  world_.send_unpublished(std::vector<std::string>(258, "x"));
  deliver(node, 1, 1);
  ASSERT_TRUE(world_.until([&] { return waiting_ == 1; }));
  deliver(node, 2, 256);
  deliver(node, 257, 258);
  EXPECT_EQ(unacknowledged(), 3u);
  let_one_batch_pass();  // 1
  EXPECT_EQ(unacknowledged(), 2u);
  let_one_batch_pass();  // 2 to 257: what one transaction takes at most
  EXPECT_EQ(world_.applied("r").size(), 257u);
  EXPECT_EQ(unacknowledged(), 1u);
  let_in_ = 100;
  EXPECT_TRUE(world_.settles(node));
  EXPECT_TRUE(world_.until([&] { return unacknowledged() == 0; }));
  world_.expect_all_applied("r");
}

TEST_F(Deliveries, WithSomethingKnownAndSomethingNewAreTakenForTheNew) {
  auto& node = start();
  let_in_ = 100;
  world_.send_unpublished({"x", "x", "x"});
  deliver(node, 1, 2);
  ASSERT_TRUE(world_.until([&] { return world_.applied("r").size() == 2; }));
  deliver(node, 1, 3);
  deliver(node, 2, 3);
  EXPECT_TRUE(world_.settles(node));
  world_.expect_all_applied("r");
  EXPECT_TRUE(world_.until([&] { return unacknowledged() == 0; }));
}

}  // namespace
}  // namespace myelin::bus
