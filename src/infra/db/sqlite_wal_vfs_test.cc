// The log that a writer leaves with its frames collected: as little writing as that, and the same database.
#include "infra/db/sqlite_wal_vfs.h"

#include <gtest/gtest.h>

#include "infra/db/sqlite.h"
#include "infra/db/testing/databases.h"
#include "infra/db/testing/power_cut_vfs.h"

namespace myelin::db {
namespace {

class SqliteWal : public ::testing::Test {
 protected:
  SqliteWal() : writer_(open(vfs_.name())) { run("CREATE TABLE item (id INTEGER PRIMARY KEY, body BLOB NOT NULL)"); }

  SqliteHandle open(const std::string& vfs) {
    auto handle = open_sqlite_handle(files_.path(), vfs, 64);
    if (!handle) throw std::runtime_error(handle.error().message);
    return std::move(*handle);
  }
  int attempt(const std::string& sql) { return sqlite3_exec(writer_.get(), sql.c_str(), nullptr, nullptr, nullptr); }
  void run(const std::string& sql) { ASSERT_EQ(attempt(sql), SQLITE_OK) << sqlite3_errmsg(writer_.get()); }
  void insert(int from, int to) {
    run(
        fmt::format("WITH RECURSIVE n(i) AS (SELECT {} UNION ALL SELECT i + 1 FROM n WHERE i < {}) "
                    "INSERT INTO item SELECT i, zeroblob(3000 + i % 500) FROM n",
                    from, to));
  }
  static int64_t number(const SqliteHandle& handle, const char* sql) {
    int64_t out = -1;
    sqlite3_exec(
        handle.get(), sql,
        [](void* to, int, char** columns, char**) {
          *static_cast<int64_t*>(to) = std::atoll(columns[0]);
          return 0;
        },
        &out, nullptr);
    return out;
  }
  static int64_t items(const SqliteHandle& handle) { return number(handle, "SELECT COUNT(*) FROM item"); }

  testing::TemporarySqlite files_;
  testing::PowerCutVfs disk_{"disk", 1, 0};
  SqliteWalVfs vfs_{disk_.name()};
  SqliteHandle writer_;
};

TEST_F(SqliteWal, ACommitIsWrittenInOnePiece) {
  insert(1, 1);
  auto before = disk_.writes();
  insert(2, 21);  // more than twenty pages, two writes of SQLite's each
  EXPECT_EQ(disk_.writes() - before, 1);
  before = disk_.writes();
  insert(22, 101);  // over 320 KiB
  EXPECT_LE(disk_.writes() - before, 4);
}

TEST_F(SqliteWal, WhatIsAcknowledgedIsOnTheDisk) {
  insert(1, 50);
  disk_.cut();
  EXPECT_EQ(items(open(disk_.name())), 50);
  writer_.reset();
}

TEST_F(SqliteWal, OthersSeeACommitAtOnceAndNothingBefore) {
  auto reader = open(disk_.name());
  run("BEGIN");
  insert(1, 200);  // more than the cache holds: frames go to the log before the commit
  EXPECT_EQ(items(reader), 0);
  EXPECT_EQ(items(writer_), 200);
  EXPECT_EQ(number(writer_, "SELECT SUM(LENGTH(body)) FROM item"), 200 * 3000 + 200 * 201 / 2);
  run("COMMIT");
  EXPECT_EQ(items(reader), 200);
  run("BEGIN");
  insert(201, 400);
  run("ROLLBACK");
  insert(201, 201);
  EXPECT_EQ(items(reader), 201);
  EXPECT_EQ(number(reader, "SELECT COUNT(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
}

TEST_F(SqliteWal, WhatACollectedWriteWouldHaveFailedWithTheCommitFailsWith) {
  insert(1, 10);
  disk_.fail_from(testing::PowerCutVfs::Fault::kDiskFull, 1);
  EXPECT_EQ(attempt("DELETE FROM item"), SQLITE_FULL);
  disk_.heal();
  EXPECT_EQ(items(writer_), 10);
  insert(11, 12);
  EXPECT_EQ(items(open(disk_.name())), 12);
}

TEST_F(SqliteWal, ALowerVfsThatIsNotThereIsAnError) {
  SqliteWalVfs nowhere("no such layer");
  auto handle = open_sqlite_handle(files_.path(), nowhere.name(), 64);
  ASSERT_FALSE(handle);
  EXPECT_NE(handle.error().message.find("no such layer"), std::string::npos) << handle.error().message;
}

}  // namespace
}  // namespace myelin::db
