// The contract of lanes and readers.
#include <gtest/gtest.h>

#include "infra/db/testing/databases.h"

namespace myelin::db {
namespace {

TEST(Db, WritesAndReads) {
  boost::asio::io_context loop;
  ManualClock clock;
  testing::TemporarySqlite files;
  auto options = files.options();
  auto spine = migrations_of({});
  options.migrations = spine;
  auto db = testing::TemporarySqlite::open(options, loop.get_executor(), clock);
  bool done = false;
  boost::asio::co_spawn(
      loop,
      [&]() -> Task<> {
        auto written = co_await db->write({}, [](Tx& tx) {
          tx.publish("t", 3, "hello");
          int64_t n =
              tx.exec("INSERT INTO cursor (consumer, topic, partition, seq) VALUES ($1, $2, $3, $4)", "c", "t", 1, 5);
          return n;
        });
        EXPECT_TRUE(written) << written.error().message;
        EXPECT_EQ(*written, 1);
        auto read = co_await db->read([](ReadTx& tx) {
          return tx.one(
              "SELECT body FROM outbox WHERE topic = $1 AND partition IN {ints $2}",
              [](const Row& row) { return row.bytes(0); }, "t", "[1,3]");
        });
        EXPECT_TRUE(read) << read.error().message;
        EXPECT_EQ(**read, "hello");
        done = true;
      },
      [](std::exception_ptr e) {
        if (e) std::rethrow_exception(e);
      });
  loop.run();
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace myelin::db
