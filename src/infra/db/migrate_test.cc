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

TEST_P(Migrations, ANewerSchemaStopsTheStart) {
  ASSERT_TRUE(open(with({kSecond})));
  auto older = open(migrations_);
  ASSERT_FALSE(older);
  EXPECT_EQ(older.error().code, Code::kUnavailable);
  EXPECT_NE(
      older.error().message.find("newer program: its schema of 'test' is version 2, this program knows version 1"),
      std::string::npos)
      << older.error().message;
  EXPECT_FALSE(open(migrations_of({})));  // nor may a component be missing
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
