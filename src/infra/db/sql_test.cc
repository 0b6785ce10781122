#include "infra/db/sql.h"

#include <gtest/gtest.h>

#include "infra/db/db.h"

namespace myelin::db {
namespace {

std::string sqlite(std::string_view text) { return translate_statement(text, Dialect::kSqlite); }
std::string postgres(std::string_view text) { return translate_statement(text, Dialect::kPostgres); }

TEST(Sql, Parameters) {
  EXPECT_EQ(sqlite("SELECT a FROM t WHERE b = $2 AND c = $1"), "SELECT a FROM t WHERE b = ?2 AND c = ?1");
  EXPECT_EQ(postgres("SELECT a FROM t WHERE b = $2"), "SELECT a FROM t WHERE b = $2");
  EXPECT_EQ(sqlite("SELECT '{$1}', \"$2\""), "SELECT '{$1}', \"$2\"");
}

TEST(Sql, Sets) {
  EXPECT_EQ(sqlite("x IN {ints $1}"), "x IN (SELECT value FROM json_each(?1))");
  EXPECT_EQ(postgres("x IN {ints $1} AND"),
            "x = ANY(ARRAY(SELECT value::bigint AS value FROM json_array_elements_text($1::json))) AND");
  EXPECT_EQ(postgres("x NOT IN {texts $12}"),
            "x <> ALL(ARRAY(SELECT value AS value FROM json_array_elements_text($12::json)))");
  EXPECT_EQ(postgres("FROM {texts $1} AS v"),
            "FROM (SELECT value AS value FROM json_array_elements_text($1::json)) AS v");
  EXPECT_EQ(int_set(std::vector<int64_t>{}), "[]");
  EXPECT_EQ(int_set(std::vector<int64_t>{-1, 2}), "[-1,2]");
  EXPECT_EQ(text_set(std::vector<std::string>{"a", "b\"\\\n"}), R"(["a","b\"\\\u000a"])");
  EXPECT_EQ(text_set(std::vector<std::string>{std::string(1, '\0'), "a"}), R"(["a"])");
}

TEST(Sql, Locks) {
  EXPECT_EQ(sqlite("SELECT 1 {for_update}"), "SELECT 1 ");
  EXPECT_EQ(postgres("SELECT 1 {for_update}"), "SELECT 1 FOR UPDATE");
  EXPECT_EQ(postgres("SELECT 1 {skip_locked}"), "SELECT 1 FOR UPDATE SKIP LOCKED");
  EXPECT_EQ(postgres("SELECT 1 {for_update} {skip_locked}"), "SELECT 1  FOR UPDATE SKIP LOCKED");
}

TEST(Sql, TheClockIsTheServersWhereThereIsOne) {
  EXPECT_EQ(sqlite("SELECT {clock $2} + $1"), "SELECT ?2 + ?1");
  EXPECT_EQ(postgres("SELECT {clock $2} + $1"),
            "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) + $1");
}

TEST(Sql, UnknownTokensAreRefused) {
  EXPECT_THROW(sqlite("SELECT {now}"), Failure);
  EXPECT_THROW(postgres("SELECT {ints"), Failure);
}

TEST(Sql, Migrations) {
  constexpr std::string_view kText =
      "-- TEXT in a comment\nCREATE TABLE a (id BIGINT PRIMARY KEY, n TEXT NOT NULL, b BYTEA);\n"
      "CREATE TABLE c (x BIGINT, y TEXT, PRIMARY KEY (x, y)) WITHOUT ROWID;\nCREATE INDEX i ON c (y) WHERE y <> "
      "'TEXT';";
  EXPECT_EQ(translate_migration(kText, Dialect::kSqlite),
            "CREATE TABLE a (id INTEGER PRIMARY KEY, n TEXT NOT NULL, b BLOB) STRICT; "
            "CREATE TABLE c (x INTEGER, y TEXT, PRIMARY KEY (x, y)) WITHOUT ROWID, STRICT; "
            "CREATE INDEX i ON c (y) WHERE y <> 'TEXT';");
  EXPECT_EQ(translate_migration(kText, Dialect::kPostgres),
            "CREATE TABLE a (id BIGINT PRIMARY KEY, n TEXT COLLATE \"C\" NOT NULL, b BYTEA); "
            "CREATE TABLE c (x BIGINT, y TEXT COLLATE \"C\", PRIMARY KEY (x, y)); "
            "CREATE INDEX i ON c (y) WHERE y <> 'TEXT';");
}

}  // namespace
}  // namespace myelin::db
