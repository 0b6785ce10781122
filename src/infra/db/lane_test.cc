// The contract of lanes and readers, on both engines.
#include <gtest/gtest.h>

#include "infra/db/testing/databases.h"

namespace myelin::db {
namespace {

using testing::Kind;

class Contract : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    spine_ = migrations_of({});
    files_ = testing::temporary_database(GetParam());
    options_ = files_->options();
    options_.migrations = spine_;
    db_ = files_->open(options_, loop_.get_executor(), clock_);
  }
  template <class F>
  auto write(F fn, WriteOptions options = {}) {
    return testing::run(loop_, db_->write(options, std::move(fn)));
  }
  template <class F>
  auto read(F fn) {
    return testing::run(loop_, db_->read(std::move(fn)));
  }

  boost::asio::io_context loop_;
  ManualClock clock_;
  std::vector<Migration> spine_;
  std::unique_ptr<testing::TemporaryDatabase> files_;
  Options options_;
  std::unique_ptr<Database> db_;
};
INSTANTIATE_TEST_SUITE_P(Engines, Contract, ::testing::Values(Kind::kSqlite, Kind::kPostgres),
                         [](const auto& info) { return info.param == Kind::kSqlite ? "Sqlite" : "Postgres"; });

TEST_P(Contract, WritesAndReads) {
  auto written = write([](Tx& tx) {
    tx.publish("t", 3, "hello");
    int64_t n = tx.exec("INSERT INTO cursor (consumer, topic, partition, seq) VALUES ($1, $2, $3, $4)", "c", "t", 1, 5);
    return n;
  });
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(*written, 1);
  auto body = read([](ReadTx& tx) {
    return tx.one(
        "SELECT body FROM outbox WHERE topic = $1 AND partition IN {ints $2}",
        [](const Row& row) { return row.bytes(0); }, "t", "[1,3]");
  });
  ASSERT_TRUE(body) << body.error().message;
  EXPECT_EQ(**body, "hello");
}

}  // namespace
}  // namespace myelin::db
