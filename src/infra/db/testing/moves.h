// A database with rows in every table, and moves from it to a database of the other engine. Thread: the test's.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "infra/db/move.h"
#include "infra/db/session.h"
#include "infra/db/testing/databases.h"

namespace myelin::db::testing {

inline constexpr int kPageRows = 40;

// What a move copies, by table; sorted by key.
using Dump = std::map<std::string, std::vector<Cells>>;
Dump dump(const Options&);
const std::set<std::string>& tables_that_stay();  // which are of one database

// Those of the infrastructure, and three of every kind of column: `list` is long, `pair` has two columns as its key,
// `key_history` is what the component keys has.
std::span<const Migration> few_tables();

// Extremes, NULLs and texts of every kind into every table; several pages into some.
void fill(const Options&);

struct Opened {
  explicit Opened(Options options);
  ~Opened();
  void write(const std::function<void()>& work);
  void script(const std::string& text);
  std::string text(Sql);  // the first column of the last row
  std::unique_ptr<Engine> engine;
  std::unique_ptr<Session> session;
};

// The parameter is the source's engine; MYELIN_MOVES_FROM names the engines that a fixture's moves begin at.
class MoveTest : public ::testing::TestWithParam<Kind> {
 protected:
  static Kind other(Kind kind) { return kind == Kind::kSqlite ? Kind::kPostgres : Kind::kSqlite; }

  explicit MoveTest(std::span<const Migration> migrations = few_tables());
  void renew();  // both databases; the source's is open to be filled
  Options of(const TemporaryDatabase&);
  Options from() { return of(*from_); }
  Options to() { return of(*to_); }
  Result<void> open(const Options&);  // as a server does, whose history is then history_
  Move move_from(const Options& from, const Options& to);
  Move a_move() { return move_from(from(), to()); }
  Result<Moved> run(const Move& move) { return move_database(move, clock_); }
  static std::string error_of(const Result<Moved>& moved) { return moved ? "no error" : moved.error().message; }
  Result<void> write_to(Database&);                    // a row of table pair whose key is "late"
  void run_until_killed_at(const std::string& point);  // in a process of its own

  std::span<const Migration> migrations_;
  boost::asio::io_context loop_;
  ManualClock clock_;
  std::unique_ptr<TemporaryDatabase> from_, to_;
  std::string history_;
};

}  // namespace myelin::db::testing

#define MYELIN_MOVES_FROM(fixture, ...)                                   \
  INSTANTIATE_TEST_SUITE_P(From, fixture, ::testing::Values(__VA_ARGS__), \
                           [](const auto& info) { return info.param == Kind::kSqlite ? "Sqlite" : "Postgres"; })
