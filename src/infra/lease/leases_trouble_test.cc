// Leases in trouble: processes that are killed, paused, cut off, doubled, or tell the time wrongly.
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "base/fault.h"
#include "infra/db/fatal.h"
#include "infra/lease/testing/nodes.h"

namespace myelin::lease {
namespace {

using db::testing::Kind;
using testing::kShort;
using testing::kTopic;
using testing::Node;
using testing::NodeOptions;

class Trouble : public testing::NodesTest {
 protected:
  Trouble() : NodesTest(Kind::kPostgres) {}
  ~Trouble() override { let_in(); }
  bool holds(const Node& node, size_t count) { return node.parts.size() == count && node.fences() == count; }
  bool shared(const Node& a, const Node& b) {
    return until([&] { return holds(a, 32) && holds(b, 32); });
  }
  std::string sql(const std::string& statement) {
    return dynamic_cast<db::testing::TemporaryPostgres&>(*files_).sql(statement);
  }
  // A way to the database that can be shut.
  std::string own_way() {
    sql("DO $$ BEGIN CREATE ROLE visitor SUPERUSER LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$");
    auto url = files_->options().url;
    constexpr std::string_view kUser = "user=postgres";
    return url.replace(url.find(kUser), kUser.size(), "user=visitor");
  }
  void shut_out() {
    sql("ALTER ROLE visitor NOLOGIN");
    sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'visitor'");
    is_shut_ = true;
  }
  void let_in() {
    if (std::exchange(is_shut_, false)) sql("ALTER ROLE visitor LOGIN");
  }
  bool is_shut_ = false;
};

TEST(LeaseOptions, SpineRuleA3ATransactionEndsBeforeHalfALease) {
  EXPECT_LT(2 * db::Options().session_timeout, Options().length);
}

TEST_F(Trouble, SpineRuleA2AKilledOneIsReplacedAfterItsTime) {
  auto& a = start("a", {.leases = kShort});
  auto& b = start("b");
  keep_writing(a);
  keep_writing(b);
  ASSERT_TRUE(shared(a, b));
  auto killed_at = std::chrono::steady_clock::now();
  a.is_frozen = true;
  EXPECT_TRUE(until([&] { return holds(b, 64); }));
  EXPECT_GT(std::chrono::steady_clock::now() - killed_at, kShort.length / 2);
  EXPECT_EQ(a.fences(), 0u) << "by its own clock its time was over before";
  auto far = written_ + 100;
  EXPECT_TRUE(until([&] { return written_ > far; }));
  kill(a);
  auto all = run(b, Leases::status(*b.db, b.clock)).value();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_FALSE(all[0].alive);
  EXPECT_TRUE(all[0].holds.empty());
  EXPECT_TRUE(all[1].alive);
  EXPECT_EQ(all[1].holds.at(std::string(kTopic)).size(), 64u);
}

TEST_F(Trouble, SpineRuleA2APausedOneIsFencedNoticesAndGetsAShareAgain) {
  auto& a = start("a", {.leases = kShort});
  auto& b = start("b");
  keep_writing(a);
  keep_writing(b);
  ASSERT_TRUE(shared(a, b));
  std::vector<db::Fence> former;
  for (auto part : std::set(a.parts)) former.push_back(fence_of(a, part));
  auto lost = a.lost;
  a.is_frozen = true;
  ASSERT_TRUE(until([&] { return holds(b, 64); }));
  EXPECT_EQ(a.lost, lost) << "it knows nothing of it";
  EXPECT_EQ(a.parts.size(), 32u);
  a.is_frozen = false;
  for (auto fence : former) {
    auto fenced = run(a, send(*a.db, fence, "0 a"));
    ASSERT_FALSE(fenced);
    EXPECT_EQ(fenced.error().code, Code::kFenced);
  }
  EXPECT_TRUE(shared(a, b));
  EXPECT_GE(a.lost, lost + 32);
  stop_writing();
  expect_one_writer_an_epoch(a);
}

// A transaction of the former owner's that still holds a head is not waited for: the other partitions are taken, the
// renewals go on, and the last one is taken when the server has ended that transaction.
TEST_F(Trouble, SpineRuleA3AVanishedTransactionHoldsOnlyItsOwnPartitionUp) {
  auto& a = start("a", {.leases = kShort, .session_timeout = std::chrono::seconds(6)});
  auto& b = start("b");
  ASSERT_TRUE(shared(a, b));
  auto part = *a.parts.begin();
  auto fence = fence_of(a, part);
  std::atomic<bool> is_open = false;
  std::promise<void> go;
  bool is_over = false;
  boost::asio::co_spawn(a.loop,
                        a.db->write({.lane = part, .fence = fence},
                                    [&, gate = go.get_future().share()](db::Tx& tx) {
                                      is_open = true;
                                      gate.wait();
                                      tx.publish(kTopic, fence.partition, "0 a");
                                    }),
                        [&](std::exception_ptr, Result<void> result) {
                          EXPECT_FALSE(result) << "it is fenced out, and too late anyway";
                          is_over = true;
                        });
  ASSERT_TRUE(until([&] { return is_open.load(); }));
  auto lost = b.lost;
  a.is_frozen = true;
  EXPECT_TRUE(until([&] { return b.parts.size() >= 63; }));
  EXPECT_FALSE(b.parts.contains(part));
  EXPECT_TRUE(until([&] { return holds(b, 64); }));
  EXPECT_EQ(b.lost, lost);
  go.set_value();
  a.is_frozen = false;
  EXPECT_TRUE(until([&] { return is_over; }));
  EXPECT_TRUE(shared(a, b));
}

// The renewal of one whose time is over was sent in time, and is being committed: nobody takes what it holds.
TEST_F(Trouble, ARenewalUnderWayIsWaitedFor) {
  auto& a = start("a", {.leases = kShort, .session_timeout = std::chrono::minutes(1)});
  auto& b = start("b");
  ASSERT_TRUE(shared(a, b));
  std::atomic<bool> is_open = false;
  std::promise<void> go;
  a.is_frozen = true;
  boost::asio::co_spawn(a.loop,
                        a.db->write({.urgent = true},
                                    [&, gate = go.get_future().share()](db::Tx& tx) {
                                      tx.exec("UPDATE process SET alive_until = alive_until + 120000 WHERE id = 'a'");
                                      (void)tx.one("SELECT 1", [](const db::Row& row) { return row.i64(0); });
                                      is_open = true;
                                      gate.wait();
                                    }),
                        [](std::exception_ptr, Result<void> result) { EXPECT_TRUE(result); });
  a.loop.poll();
  ASSERT_TRUE(until([&] { return is_open.load(); }));
  auto seen_alive = [&] { return run(b, Leases::status(*b.db, b.clock)).value().at(0).alive; };
  ASSERT_TRUE(until([&] { return !seen_alive(); }));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(run(b, b.leases->look()));
  EXPECT_EQ(b.parts.size(), 32u);
  auto lost = a.lost;
  go.set_value();
  ASSERT_TRUE(until(seen_alive));
  EXPECT_TRUE(run(b, b.leases->look()));
  EXPECT_EQ(b.parts.size(), 32u);
  a.is_frozen = false;
  EXPECT_TRUE(shared(a, b));
  EXPECT_EQ(a.lost, lost);
}

TEST_F(Trouble, TwoLivesUnderOneInstanceTheEarlierEndsWithAClearMessage) {
  std::string message;
  db::set_fatal_handler([&](const std::string& text) { message = text; });
  auto& first = start("a");
  auto fence = first.leases->fence(kTopic, 5).value();
  first.is_killed = true;  // not really: but for a moment it does not know
  auto& second = start("a");
  EXPECT_TRUE(until([&] { return !message.empty(); }));
  EXPECT_NE(message.find("another process is alive as instance 'a'"), std::string::npos) << message;
  EXPECT_TRUE(first.parts.empty());
  EXPECT_EQ(first.fences(), 0u);
  EXPECT_TRUE(until([&] { return holds(second, 64); }));
  EXPECT_EQ(run(second, send(*second.db, fence, "0 a")).error().code, Code::kFenced);
  EXPECT_FALSE(run(first, first.leases->look()));
  run(first, first.leases->stop());
  EXPECT_TRUE(run(second, second.leases->look()));
  EXPECT_TRUE(holds(second, 64)) << "the end of the first takes nothing from the second";
  db::set_fatal_handler({});
}

TEST_F(Trouble, CutOffForAMomentNothingIsLost) {
  auto& a = start("a", {.url = own_way()});
  auto& b = start("b");
  ASSERT_TRUE(shared(a, b));
  auto part = *a.parts.begin();
  auto epoch = a.epoch(part);
  auto lost = a.lost;
  shut_out();
  EXPECT_TRUE(until([&] { return !run(a, a.leases->look()); })) << "it is told";
  let_in();
  EXPECT_TRUE(until([&] { return run(a, a.leases->look()).has_value(); }));
  EXPECT_TRUE(holds(a, 32));
  EXPECT_EQ(a.epoch(part), epoch);
  EXPECT_EQ(a.lost, lost);
}

TEST_F(Trouble, SpineRuleA2CutOffForLongerItIsReplacedAndComesBack) {
  auto& b = start("b");
  auto& a = start("a", {.leases = kShort, .url = own_way()});
  keep_writing(a);
  keep_writing(b);
  ASSERT_TRUE(shared(a, b));
  auto lost = a.lost;
  shut_out();
  EXPECT_TRUE(until([&] { return a.fences() == 0; })) << "it stops by its own clock";
  EXPECT_TRUE(until([&] { return holds(b, 64); }));
  EXPECT_EQ(a.fences(), 0u);
  let_in();
  EXPECT_TRUE(shared(a, b));
  EXPECT_GE(a.lost, lost + 32);
  stop_writing();
}

// Answers of renewals are lost, so it does not know that it still has its leases, and does not use them. Nobody else
// gets them; when answers come again it goes on where it was.
TEST_F(Trouble, RenewalsWhoseAnswersAreLostAreNotBelieved) {
  auto& a = start("a", {.leases = {.length = std::chrono::seconds(4), .look = std::chrono::milliseconds(100)}});
  auto epoch = a.epoch(9);
  ::setenv("MYELIN_FAIL_AT", "lease.renew_lost", 1);
  fault::arm_from_environment();
  EXPECT_TRUE(until([&] { return a.fences() == 0; }));
  EXPECT_FALSE(a.leases->holds(kTopic, 9));
  EXPECT_EQ(a.parts.size(), 64u) << "they may be its own";
  ::setenv("MYELIN_FAIL_AT", "nothing", 1);
  fault::arm_from_environment();
  ::unsetenv("MYELIN_FAIL_AT");
  EXPECT_TRUE(until([&] { return a.fences() == 64; }));
  EXPECT_EQ(a.epoch(9), epoch);
  EXPECT_EQ(a.lost, 0);
}

TEST_F(Trouble, ClocksMinutesApartDoNotMatter) {
  constexpr Milliseconds kMinutes = 10 * 60'000;
  auto& a = start("a");
  auto& early = start("early", {.leases = kShort, .clock_shift = -kMinutes});
  auto& late = start("late", {.leases = kShort, .clock_shift = kMinutes});
  for (auto* node : {&a, &early, &late}) keep_writing(*node);
  auto fair = [&] { return a.fences() >= 20 && early.fences() >= 20 && late.fences() >= 20; };
  EXPECT_TRUE(until(fair));
  auto far = written_ + 300;
  EXPECT_TRUE(until([&] { return written_ > far; }));
  late.is_frozen = true;
  EXPECT_TRUE(until([&] { return holds(a, 32) && holds(early, 32); }));
  late.is_frozen = false;
  EXPECT_TRUE(until(fair));
  early.is_frozen = true;
  EXPECT_TRUE(until([&] { return holds(a, 32) && holds(late, 32); }));
  stop_writing();
  expect_one_writer_an_epoch(a);
}

TEST_F(Trouble, SpineRuleA2TheyComeAndGoUnderLoad) {
  for (std::string name : {"a", "b", "c"}) keep_writing(start(name, {.leases = kShort}));
  SeededRandom random(11);
  for (int round = 0; round < 8; ++round) {
    auto& node = *nodes_[random.next() % 3];
    node.is_frozen = true;
    auto others = [&] {
      size_t sum = 0;
      for (const auto& each : nodes_)
        if (each.get() != &node) sum += each->fences();
      return sum;
    };
    bool until_replaced = round % 2 == 0;
    auto goal = written_ + 20;
    EXPECT_TRUE(until([&] { return until_replaced ? others() == 64 : written_ > goal; }));
    node.is_frozen = false;
  }
  EXPECT_TRUE(until([&] {
    size_t sum = 0;
    for (const auto& each : nodes_) sum += each->fences();
    return sum == 64;
  }));
  stop_writing();
  expect_one_writer_an_epoch(*nodes_[0]);
}

}  // namespace
}  // namespace myelin::lease
