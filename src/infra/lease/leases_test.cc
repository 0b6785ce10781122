// Leases in peace: who holds what when processes come and go in order. On both databases where one process is enough.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/metrics.h"
#include "infra/lease/testing/nodes.h"

namespace myelin::lease {
namespace {

using db::testing::Kind;
using testing::kConsumer;
using testing::kTopic;
using testing::Node;

class Alone : public testing::NodesTest, public ::testing::WithParamInterface<Kind> {
 protected:
  Alone() : NodesTest(GetParam()) {}
};
INSTANTIATE_TEST_SUITE_P(Databases, Alone, ::testing::Values(Kind::kSqlite, Kind::kPostgres),
                         [](const auto& info) { return info.param == Kind::kSqlite ? "Sqlite" : "Postgres"; });

TEST_P(Alone, ItTakesAllAtItsStart) {
  auto& node = make("a");
  std::vector<uint32_t> consumer;
  node.leases->want({.name = std::string(kConsumer),
                     .taken = [&](uint32_t part) { consumer.push_back(part); },
                     .lost = [&](uint32_t part) { std::erase(consumer, part); }});
  EXPECT_FALSE(node.leases->fence(kTopic, 0));
  ASSERT_TRUE(run(node, node.leases->start()));
  EXPECT_EQ(node.parts.size(), bus::kPartitions);
  EXPECT_EQ(node.fences(), bus::kPartitions);
  EXPECT_EQ(consumer, std::vector<uint32_t>{0});
  EXPECT_TRUE(node.leases->holds(kConsumer, 0));
  EXPECT_FALSE(node.leases->holds(kConsumer, 1));
  EXPECT_FALSE(node.leases->fence(kConsumer, 0)) << "it is no topic";
  EXPECT_FALSE(node.leases->fence(kTopic, bus::kPartitions)) << "there is no such partition";
  EXPECT_EQ(node.leases->holder(kTopic, 3), "a");
  EXPECT_FALSE(node.leases->holder("unknown", 3));
  for (uint32_t p = 0; p < bus::kPartitions; ++p)
    EXPECT_TRUE(run(node, send(*node.db, node.leases->fence(kTopic, p).value(), "1 a")));
  EXPECT_EQ(number(node,
                   "SELECT count(*) FROM lease l JOIN outbox_head h ON h.topic = l.name AND h.partition = l.part "
                   "AND h.epoch = l.epoch AND h.epoch = 1 WHERE l.holder = 'a'"),
            bus::kPartitions);
  EXPECT_NE(metrics::expose().find("myelin_leases_held{name=\"test.out\"} 64"), std::string::npos);
  run(node, node.leases->stop());
  EXPECT_TRUE(consumer.empty() && node.parts.empty());
  EXPECT_EQ(node.fences(), 0u);
  EXPECT_EQ(number(node, "SELECT count(*) FROM lease WHERE holder <> ''"), 0);
}

TEST_P(Alone, SpineRuleA2ARestartedProcessTakesOverFromItsFormerLifeAtOnce) {
  auto& former = start("a");
  auto fence = former.leases->fence(kTopic, 5).value();
  kill(former);
  auto& node = start("a");
  EXPECT_TRUE(until([&] { return node.fences() == bus::kPartitions; })) << "long before the former life's time is over";
  EXPECT_GT(node.epoch(5), fence.epoch);
  auto fenced = run(node, send(*node.db, fence, "1 former"));
  ASSERT_FALSE(fenced);
  EXPECT_EQ(fenced.error().code, Code::kFenced);
  EXPECT_TRUE(run(node, send(*node.db, node.leases->fence(kTopic, 5).value(), "2 a")));
}

TEST_P(Alone, WhatAFormerLifeHeldAndThisOneDoesNotWantIsFree) {
  {
    auto& former = make("a");
    former.leases->want({.name = std::string(kConsumer)});
    ASSERT_TRUE(run(former, former.leases->start()));
    kill(former);
    nodes_.clear();
  }
  auto& node = start("a");
  EXPECT_EQ(number(node, "SELECT count(*) FROM lease WHERE holder = 'a'"), bus::kPartitions);
}

TEST_P(Alone, StopWaitsForWhatIsUnderWay) {
  bool is_done = false;
  std::vector<uint32_t> asked;
  auto& node = start("a", {.let_go = [&](uint32_t part) -> Task<> {
                       asked.push_back(part);
                       while (!is_done) co_await sleep_for(std::chrono::milliseconds(1));
                     }});
  bool is_stopped = false;
  boost::asio::co_spawn(node.loop, node.leases->stop(), [&](std::exception_ptr) { is_stopped = true; });
  ASSERT_TRUE(until([&] { return asked.size() == bus::kPartitions; }));
  EXPECT_TRUE(run(node, send(*node.db, node.leases->fence(kTopic, 5).value(), "1 a"))) << "it holds them until then";
  EXPECT_FALSE(is_stopped);
  EXPECT_EQ(node.parts.size(), bus::kPartitions);
  is_done = true;
  EXPECT_TRUE(until([&] { return is_stopped; }));
  EXPECT_TRUE(node.parts.empty());
}

TEST_P(Alone, WhatDoesNotEndIsLetGoAllTheSame) {
  testing::NodeOptions hasty{.let_go = [](uint32_t part) -> Task<> {
    if (part == 7) throw std::runtime_error("a bug");
    co_await sleep_for(std::chrono::hours(1));
  }};
  hasty.leases.patience = std::chrono::milliseconds(50);
  auto& node = start("a", hasty);
  run(node, node.leases->stop());
  EXPECT_TRUE(node.parts.empty());
  EXPECT_EQ(number(node, "SELECT count(*) FROM lease WHERE holder <> ''"), 0);
}

TEST_P(Alone, TheAdministratorSeesWhoHoldsWhat) {
  auto& node = start("a");
  auto all = run(node, Leases::status(*node.db, node.clock)).value();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].instance, "a");
  EXPECT_EQ(all[0].about.roles, "all");
  EXPECT_TRUE(all[0].alive);
  EXPECT_NEAR(static_cast<double>(all[0].started_at), static_cast<double>(node.clock.now()), 60'000);
  EXPECT_EQ(all[0].holds.at(std::string(kTopic)).size(), bus::kPartitions);
  run(node, node.leases->stop());
  all = run(node, Leases::status(*node.db, node.clock)).value();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_FALSE(all[0].alive);
  EXPECT_TRUE(all[0].holds.empty());
}

TEST_P(Alone, KilledWhileTakingOverItIsTakenAgain) {
  for (const char* point : {"lease.before_bump", "lane.commit_sent", "lease.bumped_before_load", "lease.loaded"}) {
    SCOPED_TRACE(point);
    auto child = ::fork();
    if (child == 0) {
      ::setenv("MYELIN_CRASH_AT", point, 1);
      auto& killed = make("a");
      fault::arm_from_environment();
      (void)run(killed, killed.leases->start());
      ::_exit(3);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "the point was not reached";
    auto& next = start("a");
    EXPECT_TRUE(until([&] { return next.fences() == bus::kPartitions; }));
    if (GetParam() == Kind::kSqlite)
      EXPECT_EQ(number(next, "SELECT count(DISTINCT epoch) FROM outbox_head"), 1) << "all partitions or none";
    EXPECT_TRUE(run(next, send(*next.db, next.leases->fence(kTopic, 0).value(), "1 a")));
    kill(next);
    nodes_.clear();
  }
}

// The start is all there is on SQLite: no commit later, no timer that waits, no hint.
class OnSqlite : public testing::NodesTest {
 protected:
  OnSqlite() : NodesTest(Kind::kSqlite) {}
};
TEST_F(OnSqlite, LeasesCostNothingAfterTheStart) {
  auto& commits = metrics::counter("myelin_db_commits_total", "Transactions of the lanes", {{"result", "done"}});
  auto& node = make("a");
  auto before = commits.Value();
  ASSERT_TRUE(run(node, node.leases->start()));
  EXPECT_EQ(commits.Value(), before + 1) << "all in one transaction";
  node.loop.restart();
  node.loop.poll();
  EXPECT_TRUE(node.loop.stopped()) << "nothing is left to wait for";
  EXPECT_TRUE(run(node, node.leases->look()));
  EXPECT_EQ(commits.Value(), before + 1);
  EXPECT_EQ(node.hints.sent, 0);
  EXPECT_TRUE(ears_->empty());
}

// ---- several processes

class Together : public testing::NodesTest {
 protected:
  Together() : NodesTest(Kind::kPostgres) {}
  bool holds(const Node& node, size_t count) { return node.parts.size() == count && node.fences() == count; }
};

TEST_F(Together, SpineRuleA2TheyShareEvenlyAndNothingIsHeldTwiceUnderLoad) {
  auto& a = start("a");
  keep_writing(a);
  EXPECT_TRUE(holds(a, 64));
  auto& b = start("b");
  keep_writing(b);
  EXPECT_TRUE(until([&] { return holds(a, 32) && holds(b, 32); })) << a.parts.size() << " " << b.parts.size();
  auto& c = start("c");
  keep_writing(c);
  EXPECT_TRUE(until([&] { return holds(a, 22) && holds(b, 22) && holds(c, 20); }))
      << a.parts.size() << " " << b.parts.size() << " " << c.parts.size();
  EXPECT_EQ(a.lost + b.lost, 32 + 20) << "no more moved than had to";
  auto far = written_ + 300;
  EXPECT_TRUE(until([&] { return written_ > far; }));
  run(a, a.leases->stop());
  EXPECT_TRUE(until([&] { return holds(b, 32) && holds(c, 32); }));
  stop_writing();
  expect_one_writer_an_epoch(b);
}

TEST_F(Together, ThoseWhoStartAtTheSameTimeTakeNothingTwice) {
  std::vector<Node*> all;
  int left = 4;
  for (std::string name : {"a", "b", "c", "d"}) all.push_back(&make(name));
  for (auto* node : all) {
    keep_writing(*node);
    boost::asio::co_spawn(node->loop, node->leases->start(), [&](std::exception_ptr, Result<void> started) {
      EXPECT_TRUE(started) << started.error().message;
      --left;
    });
  }
  EXPECT_TRUE(until([&] { return left == 0 && std::ranges::all_of(all, [&](Node* n) { return holds(*n, 16); }); }));
  stop_writing();
  expect_one_writer_an_epoch(*all[0]);
}

TEST_F(Together, ACleanStopHandsOverAtOnce) {
  testing::NodeOptions slow{.leases = {.length = std::chrono::minutes(5), .look = std::chrono::minutes(1)}};
  auto& a = start("a", slow);
  auto& b = start("b", slow);
  ASSERT_TRUE(until([&] { return holds(a, 32) && holds(b, 32); })) << "by hints alone";
  run(a, a.leases->stop());
  EXPECT_TRUE(until([&] { return holds(b, 64); })) << "not after its lease, nor at the next look";
  EXPECT_TRUE(a.parts.empty());
}

TEST_F(Together, WhoRestsHasNothingUntilItGoesOn) {
  auto& a = start("a");
  auto& b = start("b");
  ASSERT_TRUE(until([&] { return holds(a, 32) && holds(b, 32); }));
  a.leases->rest(true);
  EXPECT_TRUE(until([&] { return holds(b, 64); })) << "long before its lease is over";
  EXPECT_TRUE(a.parts.empty());
  ASSERT_TRUE(run(a, a.leases->look()));
  EXPECT_TRUE(a.parts.empty());
  a.leases->rest(false);
  EXPECT_TRUE(until([&] { return holds(a, 32) && holds(b, 32); }));
}

TEST_F(Together, WhatNobodyElseWantsIsKeptByWhoRests) {
  auto& a = start("a");
  a.leases->rest(true);
  ASSERT_TRUE(run(a, a.leases->look()));
  EXPECT_TRUE(holds(a, 64));
  auto& b = start("b");
  EXPECT_TRUE(until([&] { return holds(b, 64); })) << "there is somebody now";
  EXPECT_TRUE(a.parts.empty());
  b.leases->rest(true);
  ASSERT_TRUE(run(a, a.leases->look()));
  ASSERT_TRUE(run(b, b.leases->look()));
  EXPECT_TRUE(holds(b, 64));
  EXPECT_TRUE(a.parts.empty());
}

TEST_F(Together, NobodyGetsWhatIsStillUnderWay) {
  std::set<uint32_t> asked;
  bool is_done = false;
  auto& a = start("a", {.let_go = [&](uint32_t part) -> Task<> {
                    asked.insert(part);
                    while (!is_done) co_await sleep_for(std::chrono::milliseconds(1));
                  }});
  auto& b = start("b");
  ASSERT_TRUE(until([&] { return asked.size() == 32; }));
  auto looks = run(b, b.leases->look());
  ASSERT_TRUE(looks);
  EXPECT_EQ(b.fences(), 0u);
  EXPECT_EQ(a.fences(), 64u) << "what is under way is still written";
  for (auto part : asked) EXPECT_TRUE(run(a, send(*a.db, a.leases->fence(kTopic, part).value(), "1 a")));
  EXPECT_EQ(asked.size(), 32u);
  is_done = true;
  EXPECT_TRUE(until([&] { return holds(a, 32) && holds(b, 32); }));
  for (auto part : asked) EXPECT_TRUE(b.parts.contains(part));
}

TEST_F(Together, AConsumerGoesToOneOfThemAndToAnotherWhenThatStops) {
  auto want = [&](Node& node) { node.leases->want({.name = std::string(kConsumer)}); };
  auto& a = make("a");
  auto& b = make("b");
  want(a);
  want(b);
  ASSERT_TRUE(run(a, a.leases->start()));
  ASSERT_TRUE(run(b, b.leases->start()));
  ASSERT_TRUE(until([&] { return holds(b, 32); }));
  EXPECT_TRUE(a.leases->holds(kConsumer, 0));
  EXPECT_FALSE(b.leases->holds(kConsumer, 0));
  run(a, a.leases->stop());
  EXPECT_TRUE(until([&] { return b.leases->holds(kConsumer, 0); }));
}

TEST_F(Together, HolderIsRightAfterALook) {
  testing::NodeOptions slow{.leases = {.length = std::chrono::minutes(5), .look = std::chrono::minutes(1)}};
  auto& a = start("a", slow);
  auto& b = start("b", slow);
  ASSERT_TRUE(until([&] { return holds(a, 32) && holds(b, 32); }));
  ASSERT_TRUE(run(a, a.leases->look()));
  for (uint32_t p = 0; p < bus::kPartitions; ++p)
    EXPECT_EQ(a.leases->holder(kTopic, p), b.parts.contains(p) ? "b" : "a");
  // One that wants nothing of it, as a process that only routes commands.
  Node router(*files_, migrations_, ears_, "router", slow);
  auto leases = Leases::make(*router.db, router.hints, router.loop.get_executor(), router.clock, router.random,
                             "router", {}, slow.leases);
  ASSERT_TRUE(db::testing::run(router.loop, leases->start()));
  for (uint32_t p = 0; p < bus::kPartitions; ++p) EXPECT_EQ(leases->holder(kTopic, p), b.parts.contains(p) ? "b" : "a");
  EXPECT_EQ(a.lost, 32) << "it has no share";
  db::testing::run(router.loop, leases->stop());
}

}  // namespace
}  // namespace myelin::lease
