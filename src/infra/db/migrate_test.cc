#include "infra/db/migrate.h"

#include <set>

#include "infra/db/fatal.h"
#include "infra/db/testing/contract.h"

namespace myelin::db {
namespace {

using testing::Kind;

class Migrations : public testing::DatabaseTest {
 protected:
  Result<void> open(std::vector<Migration> migrations) {
    if (db_) db_->stop();
    auto options = options_;
    options.migrations = migrations;
    auto db = Database::open(options, loop_.get_executor(), clock_);
    if (!db) return std::unexpected(db.error());
    db_ = std::move(*db);
    return {};
  }
  std::vector<Migration> with(std::vector<Migration> more) {
    auto out = migrations_;
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
};
INSTANTIATE_TEST_SUITE_P(Engines, Migrations, ::testing::Values(Kind::kSqlite, Kind::kPostgres),
                         [](const auto& info) { return info.param == Kind::kSqlite ? "Sqlite" : "Postgres"; });

constexpr Migration kSecond{"test", 2, "0002_more.sql",
                            "ALTER TABLE item ADD COLUMN more TEXT; INSERT INTO item (id, "
                            "version_no, more) VALUES (1, 1, 'by migration');"};
constexpr Migration kBroken{"test", 3, "0003_broken.sql",
                            "CREATE TABLE half (a BIGINT); INSERT INTO nowhere VALUES (1);"};

TEST_P(Migrations, EachIsAppliedOnce) {
  ASSERT_TRUE(open(with({kSecond})));
  ASSERT_TRUE(open(with({kSecond})));
  EXPECT_EQ(number("SELECT COUNT(*) FROM item WHERE more = 'by migration'"), 1);
  EXPECT_EQ(number("SELECT MAX(version) FROM schema_version WHERE component = 'test'"), 2);
  EXPECT_EQ(number("SELECT applied_at FROM schema_version WHERE component = 'test' AND version = 2"), clock_.now());
}

// Several processes of a homeserver start at the same time over a new database.
class MigrationsByMany : public Migrations {};
INSTANTIATE_TEST_SUITE_P(Engines, MigrationsByMany,
                         ::testing::Values(Kind::kPostgres),  // SQLite's file is one process's
                         [](const auto&) { return "Postgres"; });
TEST_P(MigrationsByMany, ApplyThemOnce) {
  testing::TemporaryPostgres fresh;
  auto options = fresh.options();
  options.migrations = migrations_;
  std::vector<std::string> errors(8);
  {
    std::vector<std::jthread> starters;
    for (auto& error : errors)
      starters.emplace_back([&] {
        boost::asio::io_context loop;
        auto db = Database::open(options, loop.get_executor(), clock_);
        if (db) (*db)->stop();
        error = db ? "" : db.error().message;
      });
  }
  EXPECT_EQ(std::ranges::count(errors, ""), 8) << *std::ranges::max_element(errors);
}

TEST_P(MigrationsByMany, WaitForOneThatTakesLong) {
  testing::TemporaryPostgres fresh;
  auto options = fresh.options();
  options.migrations = migrations_;
  options.session_timeout = std::chrono::milliseconds(200);
  std::jthread another([&] { fresh.sql("SELECT pg_advisory_xact_lock(5270465), pg_sleep(1)"); });
  while (fresh.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1") != "1")
    std::this_thread::yield();
  auto db = Database::open(options, loop_.get_executor(), clock_);
  ASSERT_TRUE(db) << db.error().message;
  (*db)->stop();
}

// Tables do not change under a program that does not know what becomes of them: who would do that waits for its end.
TEST_P(MigrationsByMany, LeaveTheTablesOfAnOlderProgramAlone) {
  constexpr Migration kExtending{"test", 2, "0002_more.sql", "-- runs with: 1\nALTER TABLE item ADD COLUMN more TEXT;"};
  constexpr Migration kNarrowing{"test", 3, "0003_less.sql", "-- runs with: 2\nALTER TABLE item DROP COLUMN name;"};
  constexpr Migration kNewPart{"other", 1, "0001_other.sql", "CREATE TABLE other (a BIGINT);"};
  auto another = [&](std::vector<Migration> more) {
    auto options = options_;
    auto migrations = with(std::move(more));
    options.migrations = migrations;
    return Database::open(options, loop_.get_executor(), clock_);
  };
  for (const auto& more : {std::vector{kExtending, kNarrowing}, std::vector{kNewPart}}) {
    auto refused = another(more);
    ASSERT_FALSE(refused) << "one is at work that knows the first only";
    EXPECT_EQ(refused.error().code, Code::kUnavailable);
    EXPECT_TRUE(refused.error().message.contains("programs are at work on this database")) << refused.error().message;
    EXPECT_TRUE(write(insert(static_cast<int64_t>(more.size()))));
  }
  EXPECT_EQ(number("SELECT MAX(version) FROM schema_version WHERE component = 'test'"), 2) << "it runs with that one";
  EXPECT_EQ(number("SELECT COUNT(*) FROM item WHERE name IS NULL"), 2);
  db_->stop();
  auto newest = another({kExtending, kNarrowing, kNewPart});
  ASSERT_TRUE(newest) << newest.error().message;
  (*newest)->stop();
}

// A program that was cut off while another one took the tables further, and comes back.
TEST_P(MigrationsByMany, EndWhoDoesNotKnowThem) {
  std::mutex mutex;
  std::set<std::string> why;
  set_fatal_handler([&](const std::string& message) {
    std::lock_guard lock(mutex);
    why.insert(message);
  });
  auto& server = dynamic_cast<testing::TemporaryPostgres&>(*files_);
  server.sql("INSERT INTO schema_version (component, version, applied_at) VALUES ('test', 2, 0)");
  server.sql("INSERT INTO schema_step (component, version, runs_with) VALUES ('test', 2, 1)");
  constexpr auto kCutOff =
      "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
      "pg_backend_pid()";
  server.sql(kCutOff);
  EXPECT_TRUE(write(insert(1))) << "it runs with that one";
  server.sql("UPDATE schema_step SET runs_with = 2 WHERE component = 'test'");
  server.sql(kCutOff);
  EXPECT_FALSE(write(insert(2)));
  db_->stop();
  set_fatal_handler({});
  ASSERT_EQ(why.size(), 1u);
  EXPECT_TRUE(why.begin()->contains("written by a newer program: its schema of 'test' is version 2"));
}

// An administrator's command of a newer program, before its server has been started.
TEST_P(Migrations, WhoWorksBesideAServerChangesNothing) {
  auto beside = [&](std::vector<Migration> migrations) {
    auto options = options_;
    options.migrations = migrations;
    options.beside_a_server = options.keeps_schema = true;
    auto db = Database::open(options, loop_.get_executor(), clock_);
    if (db) (*db)->stop();
    return db ? "" : db.error().message;
  };
  EXPECT_EQ(beside(migrations_), "");
  EXPECT_TRUE(beside(with({kSecond}))
                  .contains("an older program's: its schema of 'test' is version 1, this program "
                            "knows version 2"));
  EXPECT_EQ(number("SELECT MAX(version) FROM schema_version WHERE component = 'test'"), 1);
  ASSERT_TRUE(open(with({kSecond})));
  EXPECT_TRUE(beside(migrations_).contains("written by a newer program"));
}

TEST_P(Migrations, ANewerSchemaStopsTheStart) {
  ASSERT_TRUE(open(with({kSecond})));
  auto older = open(migrations_);
  ASSERT_FALSE(older);
  EXPECT_EQ(older.error().code, Code::kConflict);
  EXPECT_NE(
      older.error().message.find("newer program: its schema of 'test' is version 2, this program knows version 1"),
      std::string::npos)
      << older.error().message;
  EXPECT_FALSE(open(migrations_of({})));  // nor may a component be missing
}

// Of two releases that run beside each other the older one finds tables that the newer one has extended.
TEST_P(Migrations, ANewerSchemaThatTheProgramRunsWithIsNoObstacle) {
  constexpr Migration kExtending{"test", 2, "0002_more.sql",
                                 "-- Adds only.\n-- runs with: 1\nALTER TABLE item ADD COLUMN more TEXT;"};
  constexpr Migration kNewPart{"other", 1, "0001_other.sql", "-- runs with: 0\nCREATE TABLE other (a BIGINT);"};
  ASSERT_TRUE(open(with({kExtending, kNewPart})));
  EXPECT_TRUE(open(migrations_));
  constexpr Migration kNarrowing{"test", 3, "0003_less.sql",
                                 "-- runs with: 2\nALTER TABLE item DROP COLUMN version_no;"};
  ASSERT_TRUE(open(with({kExtending, kNarrowing, kNewPart})));
  EXPECT_TRUE(open(with({kExtending})));
  auto oldest = open(migrations_);
  ASSERT_FALSE(oldest) << "two releases back";
  EXPECT_EQ(oldest.error().code, Code::kConflict);
}

TEST_P(Migrations, AFailedOneLeavesNothingAndStopsTheStart) {
  auto broken = open(with({kSecond, kBroken}));
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().message.find("test/0003_broken.sql"), std::string::npos) << broken.error().message;
  constexpr Migration kMended{"test", 3, "0003_mended.sql", "CREATE TABLE half (a BIGINT);"};
  EXPECT_TRUE(open(with({kSecond, kMended})));
}

TEST_P(Migrations, NumbersHaveNoHoles) { EXPECT_FALSE(open(with({kBroken}))); }

TEST_P(Migrations, EveryMigrationOfTheProgramApplies) {
  files_ = testing::temporary_database(GetParam());
  options_ = files_->options();
  auto all = all_migrations();
  auto result = open({all.begin(), all.end()});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(all.front().component, "db");
  EXPECT_EQ(number("SELECT COUNT(*) FROM schema_version"), static_cast<int64_t>(all.size()));
}

}  // namespace
}  // namespace myelin::db
