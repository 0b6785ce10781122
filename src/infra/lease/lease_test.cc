#include "infra/lease/lease.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "infra/bus/bus.h"
#include "infra/db/testing/databases.h"

namespace myelin::lease {
namespace {
using db::testing::Kind;

TEST(DirectoryLock, OneProcessHoldsADirectory) {
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

class LeaseTest : public ::testing::TestWithParam<Kind> {};

TEST_P(LeaseTest, AFormerOwnerWritesNothing) {
  boost::asio::io_context io;
  SystemClock clock;
  auto files = db::testing::temporary_database(GetParam());
  auto db = files->open(io.get_executor(), clock);
  auto take = [&](const char* who) { return db::testing::run(io, Owner::take_all(*db, clock, "room.out", who)); };
  auto write_under = [&](const Owner& owner) {
    return db::testing::run(
        io, db->write({.lane = 5, .fence = owner.fence(5)}, [](db::Tx& tx) { tx.publish("room.out", 5, "x"); }));
  };
  auto first = take("first");
  ASSERT_TRUE(first);
  EXPECT_TRUE(write_under(**first));
  auto second = take("second");
  ASSERT_TRUE(second);
  auto fenced = write_under(**first);
  ASSERT_FALSE(fenced);
  EXPECT_EQ(fenced.error().code, Code::kFenced);
  EXPECT_TRUE(write_under(**second));
  EXPECT_FALSE((*second)->fence(bus::kPartitions)) << "there is no such partition";
  db->stop();
}

INSTANTIATE_TEST_SUITE_P(Databases, LeaseTest, ::testing::Values(Kind::kSqlite, Kind::kPostgres),
                         [](const auto& info) { return info.param == Kind::kSqlite ? "Sqlite" : "Postgres"; });

}  // namespace
}  // namespace myelin::lease
