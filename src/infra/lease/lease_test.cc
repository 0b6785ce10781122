#include "infra/lease/lease.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "infra/bus/bus.h"
#include "infra/db/testing/databases.h"

namespace myelin::lease {
namespace {
using db::testing::Kind;

TEST(DirectoryLock, SpineRuleB12OneProcessHoldsADirectory) {
  db::testing::TemporaryDirectory directory;
  {
    auto first = DirectoryLock::take(directory.path());
    ASSERT_TRUE(first);
    auto second = DirectoryLock::take(directory.path());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::kUnavailable);
    EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos) << "it names who";
    auto child = ::fork();
    if (child == 0) ::_exit(DirectoryLock::take(directory.path()) ? 1 : 0);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0) << "another process does not get it either";
  }
  EXPECT_TRUE(DirectoryLock::take(directory.path()));
}

class LeaseTest : public ::testing::TestWithParam<Kind> {
 protected:
  using Taken = Result<std::unique_ptr<Owner>>;
  LeaseTest() : files_(db::testing::temporary_database(GetParam())) { open(); }
  ~LeaseTest() override { db_->stop(); }
  void open() { db_ = files_->open(io_.get_executor(), clock_); }
  Taken take(std::string who) { return db::testing::run(io_, Owner::take_all(*db_, clock_, kTopic, std::move(who))); }
  static Task<Result<void>> send(db::Database& db, db::Fence fence) {
    co_return co_await db.write({.lane = fence.partition, .fence = fence},
                                [p = fence.partition](db::Tx& tx) { tx.publish(kTopic, p, "x"); });
  }
  Result<void> write_under(const Owner& owner, uint32_t partition = 5) {
    return db::testing::run(io_, send(*db_, owner.fence(partition).value()));
  }
  int64_t number(db::Sql sql) {
    return db::testing::run(io_, db_->read([sql](db::ReadTx& tx) {
             return tx.one(sql, [](const db::Row& row) { return row.i64(0); }).value_or(-1);
           }))
        .value();
  }

  static constexpr std::string_view kTopic = "room.out";
  boost::asio::io_context io_;
  ManualClock clock_;
  std::unique_ptr<db::testing::TemporaryDatabase> files_;
  std::unique_ptr<db::Database> db_;
};

TEST_P(LeaseTest, SpineRuleA2AFormerOwnerWritesNothing) {
  auto first = take("first");
  ASSERT_TRUE(first);
  for (uint32_t p = 0; p < bus::kPartitions; ++p) EXPECT_TRUE(write_under(**first, p));
  auto second = take("second");
  ASSERT_TRUE(second);
  for (uint32_t p = 0; p < bus::kPartitions; ++p) {
    auto fenced = write_under(**first, p);
    ASSERT_FALSE(fenced) << p;
    EXPECT_EQ(fenced.error().code, Code::kFenced);
  }
  EXPECT_TRUE(write_under(**second));
  EXPECT_EQ(number("SELECT count(*) FROM outbox"), bus::kPartitions + 1);
  EXPECT_EQ(number("SELECT max(seq) FROM outbox"), 2) << "the successor goes on with the next number";
  EXPECT_FALSE((*second)->fence(bus::kPartitions)) << "there is no such partition";
}

TEST_P(LeaseTest, TheTableNamesTheOwnerAndItsEpoch) {
  ASSERT_TRUE(take("first"));
  clock_.advance(1'000);
  auto second = take("second");
  ASSERT_TRUE(second);
  EXPECT_EQ(number("SELECT count(*) FROM lease l JOIN outbox_head h ON h.topic = l.name AND h.partition = l.part AND "
                   "h.epoch = l.epoch WHERE l.name = 'room.out' AND l.holder = 'second'"),
            bus::kPartitions);
  EXPECT_EQ(number("SELECT min(taken_at) FROM lease"), clock_.now());
  EXPECT_EQ(number("SELECT epoch FROM lease WHERE part = 9"), (*second)->fence(9)->epoch);
}

// Many take over from each other while all of them write. Whoever is last owns everything; numbers have no hole.
TEST_P(LeaseTest, SpineRuleA2TakeoversUnderLoadLeaveOneOwner) {
  int under_way = 0, written = 0, fenced = 0;
  std::vector<std::unique_ptr<Owner>> owners;
  for (int i = 0; i < 8; ++i) {
    auto owner = take("owner" + std::to_string(i));
    ASSERT_TRUE(owner);
    owners.push_back(std::move(*owner));
    for (const auto& each : owners)
      for (uint32_t p = 0; p < 8; ++p) {
        ++under_way;
        boost::asio::co_spawn(io_, send(*db_, each->fence(p).value()), [&](std::exception_ptr, Result<void> result) {
          --under_way;
          if (result)
            ++written;
          else if (result.error().code == Code::kFenced)
            ++fenced;
        });
      }
  }
  io_.restart();
  while (under_way > 0) io_.run_one();
  EXPECT_EQ(written + fenced, 8 * 8 * 9 / 2);
  EXPECT_GE(written, 8 * 8 / 8);
  EXPECT_EQ(number("SELECT count(*) FROM outbox"), written);
  EXPECT_EQ(number("SELECT sum(next_seq - 1) FROM outbox_head"), written);
  for (size_t i = 0; i + 1 < owners.size(); ++i) EXPECT_FALSE(write_under(*owners[i])) << i;
  EXPECT_TRUE(write_under(*owners.back()));
}

TEST_P(LeaseTest, KilledWhileTakingOverItIsTakenAgain) {
  ASSERT_TRUE(take("first"));
  for (const char* point : {"lease.before_bump", "lane.commit_sent", "lease.bumped_before_load"}) {
    SCOPED_TRACE(point);
    auto epoch = number("SELECT max(epoch) FROM outbox_head");
    db_->stop();
    auto child = ::fork();
    if (child == 0) {
      open();
      ::setenv("MYELIN_CRASH_AT", point, 1);
      fault::arm_from_environment();
      (void)take("killed");
      ::_exit(3);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "the point was not reached";
    open();
    auto next = take("next");
    ASSERT_TRUE(next);
    EXPECT_GT((*next)->fence(0)->epoch, epoch);
    EXPECT_EQ(number("SELECT count(DISTINCT epoch) FROM outbox_head"), 1) << "all partitions or none";
    EXPECT_TRUE(write_under(**next));
  }
}

INSTANTIATE_TEST_SUITE_P(Databases, LeaseTest, ::testing::Values(Kind::kSqlite, Kind::kPostgres),
                         [](const auto& info) { return info.param == Kind::kSqlite ? "Sqlite" : "Postgres"; });

}  // namespace
}  // namespace myelin::lease
