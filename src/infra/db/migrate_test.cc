#include "infra/db/migrate.h"

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
  while (fresh.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") != "1") std::this_thread::yield();
  auto db = Database::open(options, loop_.get_executor(), clock_);
  ASSERT_TRUE(db) << db.error().message;
  (*db)->stop();
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
