// A database with rows in every table is moved to the other engine and back: everything arrives, nothing that is
// somebody else's is overwritten, and whatever is interrupted goes on.
#include "infra/db/move.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>

#include "base/fault.h"
#include "infra/db/copy.h"
#include "infra/db/fatal.h"
#include "infra/db/identity.h"
#include "infra/db/move_mark.h"
#include "infra/db/testing/databases.h"

namespace myelin::db {
namespace {

using testing::Kind;
using Dump = std::map<std::string, std::vector<Cells>>;  // of what a move copies, by table

const std::set<std::string> kNotMoved{"database_identity", "database_move", "lease", "process", "schema_version"};

struct Opened {
  explicit Opened(Options options) {
    options.session_timeout = std::chrono::minutes(1);
    engine = options.url.starts_with("sqlite:") ? *open_sqlite(options) : *open_postgres(options);
    session = *engine->connect_writer();
  }
  ~Opened() {
    session.reset();
    engine->stop();
  }
  void write(const std::function<void()>& work) {
    auto done = in_transaction(*session, work);
    ASSERT_TRUE(done) << done.error().message;
  }
  void script(const std::string& text) {
    write([&] { session->script(text); });
  }
  std::string text(Sql sql) {
    std::string out;
    auto done = in_snapshot(*session, [&] { session->run(sql, {}, [&](const Row& row) { out = row.str(0); }); });
    EXPECT_TRUE(done) << done.error().message;
    return out;
  }
  std::unique_ptr<Engine> engine;
  std::unique_ptr<Session> session;
};

std::set<std::string> columns_that_may_be_null(Session& session, const std::string& table) {
  std::set<std::string> out;
  Value name = table;
  session.run(session.dialect() == Dialect::kSqlite
                  ? Sql("SELECT name FROM pragma_table_info($1) WHERE \"notnull\" = 0 AND pk = 0")
                  : Sql("SELECT CAST(column_name AS TEXT) FROM information_schema.columns WHERE table_name = $1 AND "
                        "is_nullable = 'YES'"),
              {&name, 1}, [&](const Row& row) { out.insert(row.str(0)); });
  return out;
}

// Row `number` of a table: extremes first, then what is unlike any other row's.
Cell cell_of(const Table& table, ColumnType type, size_t number) {
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min(), kMost = std::numeric_limits<int64_t>::max();
  const std::vector<int64_t> numbers{kLeast, -1, 0, int64_t{1} << 32, kMost};
  const std::vector<std::string> texts{"", "a\n'\"\\", "\x7f\u00e4\u20ac\U0001F600", "B", "NULL"};
  const std::vector<std::string> blobs{"", std::string("\0\xff", 2), std::string(70'000, '\0'), "b", "\\x00"};
  if (number >= numbers.size()) {
    auto text = fmt::format("row {}", number);
    return type == ColumnType::kInteger ? Cell(static_cast<int64_t>(number)) : Cell(text);
  }
  bool is_summed = table.name == "outbox_head";
  if (type == ColumnType::kInteger) return is_summed ? static_cast<int64_t>(number) + 2 : numbers[number];
  return type == ColumnType::kText ? texts[number] : blobs[number];
}

std::vector<Cells> rows_for(const Table& table, const std::set<std::string>& may_be_null) {
  bool is_long = table.name == "event" || table.name == "relation" || table.name == "outbox";
  std::vector<Cells> rows(is_long ? 4'500 : 5);
  for (size_t i = 0; i < rows.size(); ++i)
    for (const auto& column : table.columns)
      rows[i].push_back(i == 2 && may_be_null.contains(column.name) ? Cell() : cell_of(table, column.type, i));
  return rows;
}

void fill(const Options& options) {
  Opened db(options);
  std::vector<std::pair<Table, std::set<std::string>>> tables;
  db.write([&] {
    for (const auto& name : table_names(*db.session))
      if (name != "database_identity" && name != "schema_version" && name != "database_move")
        tables.emplace_back(read_table(*db.session, name), columns_that_may_be_null(*db.session, name));
  });
  for (const auto& [table, may_be_null] : tables) {
    auto rows = rows_for(table, may_be_null);  // before the transaction, which must not stand idle
    db.write([&] { db.session->insert_rows(table, rows); });
  }
}

Dump dump(const Options& options) {
  Dump out;
  Opened db(options);
  auto done = in_snapshot(*db.session, [&] {
    db.engine->identify(read_identity(*db.session).token);
    for (const auto& name : table_names(*db.session)) {
      if (kNotMoved.contains(name)) continue;
      auto table = read_table(*db.session, name);
      auto& rows = out[name];
      db.session->run(lasting_sql(fmt::format("SELECT {} FROM {} ORDER BY {}", column_list(table), quoted_name(name),
                                              key_list(table))),
                      {}, [&](const Row& row) { rows.push_back(cells_of(table, row)); });
      for (auto& row : rows) rename_history(table, row, db.engine->history(), "this one");
    }
  });
  EXPECT_TRUE(done) << done.error().message;
  return out;
}

class Moves : public ::testing::TestWithParam<Kind> {
 protected:
  static Kind other(Kind kind) { return kind == Kind::kSqlite ? Kind::kPostgres : Kind::kSqlite; }

  Moves() : from_(testing::temporary_database(GetParam())), to_(testing::temporary_database(other(GetParam()))) {
    EXPECT_TRUE(open(from_->options()));
  }
  Result<void> open(const Options& options) {
    auto db = Database::open(options, loop_.get_executor(), clock_);
    if (!db) return std::unexpected(db.error());
    history_ = (*db)->history();
    (*db)->stop();
    return {};
  }
  Move move_from(const Options& from, const Options& to) {
    Move out{from, to, "the old place", "the new place"};
    out.left_out = {"lease", "process"};
    out.is_text = [](std::string_view text) { return text.find_first_of(std::string_view("\0\xff", 2)) == text.npos; };
    return out;
  }
  Move a_move() { return move_from(from_->options(), to_->options()); }
  Result<Moved> run(const Move& move) { return move_database(move, clock_); }
  std::string error_of(const Result<Moved>& moved) { return moved ? "no error" : moved.error().message; }

  // In a process of its own.
  void run_until_killed_at(const std::string& point) {
    auto child = ::fork();
    if (child == 0) {
      ::setenv("MYELIN_CRASH_AT", point.c_str(), 1);
      fault::arm_from_environment();
      ::_exit(run(a_move()) ? 3 : 4);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << point << ": the point was not reached";
  }

  boost::asio::io_context loop_;
  ManualClock clock_;
  std::unique_ptr<testing::TemporaryDatabase> from_, to_;
  std::string history_;
};
INSTANTIATE_TEST_SUITE_P(From, Moves, ::testing::Values(Kind::kSqlite, Kind::kPostgres),
                         [](const auto& info) { return info.param == Kind::kSqlite ? "Sqlite" : "Postgres"; });

TEST_P(Moves, EveryValueArrivesAndComesBack) {
  fill(from_->options());
  auto before = dump(from_->options());
  auto moved = run(a_move());
  ASSERT_TRUE(moved) << error_of(moved);
  EXPECT_EQ(moved->tables, before.size());
  EXPECT_TRUE(dump(to_->options()) == before);
  auto back = testing::temporary_database(GetParam());
  moved = run(move_from(to_->options(), back->options()));
  ASSERT_TRUE(moved) << error_of(moved);
  EXPECT_TRUE(dump(back->options()) == before);
  EXPECT_TRUE(open(back->options()));
}

TEST_P(Moves, LargeValuesAreMoved) {
  {
    Opened db(from_->options());
    db.write([&] {
      std::vector<Cells> rows;
      for (char c = 'a'; c < 'h'; ++c) rows.push_back({"user", "", std::string(1, c), std::string(4 << 20, c)});
      db.session->insert_rows(read_table(*db.session, "account_data"), rows);
    });
  }
  auto moved = run(a_move());
  ASSERT_TRUE(moved) << error_of(moved);
  EXPECT_TRUE(dump(to_->options()) == dump(from_->options()));
}

TEST_P(Moves, EveryTableOfEveryMigrationIsMoved) {
  std::set<std::string> made, moved;
  std::regex create("CREATE TABLE (\\w+)");
  for (const auto& migration : all_migrations()) {
    std::string text(migration.text);
    for (std::sregex_iterator it(text.begin(), text.end(), create), end; it != end; ++it) made.insert((*it)[1]);
  }
  EXPECT_GT(made.size(), 40u);
  for (const auto& name : kNotMoved) made.erase(name);
  auto move = a_move();
  move.progress = [&](const MoveProgress& progress) {
    if (progress.step == MoveProgress::Step::kCopying) moved.emplace(progress.table);
  };
  ASSERT_TRUE(run(move));
  EXPECT_EQ(moved, made);
}

TEST_P(Moves, WhatIsInterruptedGoesOn) {
  fill(from_->options());
  auto before = dump(from_->options());
  for (const std::string point :
       {"move.begun", "move.before_schema", "migrate.between:3", "move.page_written", "move.page_written:9",
        "move.page_committed", "move.page_committed:14", "move.copied", "move.before_switch", "move.switched"}) {
    run_until_killed_at(point);
    EXPECT_TRUE(dump(from_->options()) == before) << point;
    if (point == "move.begun") continue;
    auto opened = open(to_->options());
    EXPECT_TRUE(!opened && opened.error().message.contains("is not finished")) << point;
  }
  EXPECT_FALSE(open(from_->options()));
  auto moved = run(a_move());
  ASSERT_TRUE(moved) << error_of(moved);
  EXPECT_TRUE(moved->finished_an_earlier);
  EXPECT_TRUE(dump(to_->options()) == before);
  EXPECT_TRUE(open(to_->options()));
}

TEST_P(Moves, WhatWasCopiedIsNotCopiedAgain) {
  fill(from_->options());
  run_until_killed_at("move.copied");
  int64_t found = 0, rows = 0;
  auto move = a_move();
  move.progress = [&](const MoveProgress& progress) {
    if (progress.step == MoveProgress::Step::kCopying)
      std::tie(found, rows) = std::pair(progress.found_rows, progress.rows);
  };
  auto moved = run(move);
  ASSERT_TRUE(moved) << error_of(moved);
  EXPECT_EQ(found, rows);
  EXPECT_EQ(found, moved->rows);
}

TEST_P(Moves, UntilTheSwitchTheSourceCanBeUsedAndTheMoveBeginsAnew) {
  fill(from_->options());
  for (const std::string point : {"move.begun", "move.page_committed:14", "move.before_switch"}) {
    run_until_killed_at(point);
    EXPECT_TRUE(open(from_->options())) << point;
    Opened(from_->options())
        .script("DELETE FROM event WHERE ref > 4000; UPDATE sync_head SET pos = pos + 1 WHERE id = 1");
  }
  auto before = dump(from_->options());
  auto moved = run(a_move());
  ASSERT_TRUE(moved) << error_of(moved);
  EXPECT_FALSE(moved->finished_an_earlier);
  EXPECT_TRUE(dump(to_->options()) == before);
}

TEST_P(Moves, AKilledProcessAtTheEndHasMoved) {
  run_until_killed_at("move.finished");
  EXPECT_TRUE(open(to_->options()));
  auto again = run(a_move());
  EXPECT_TRUE(error_of(again).contains("moved from here to the new place")) << error_of(again);
}

TEST_P(Moves, TheSourceThatIsStartedMeanwhileStays) {
  auto move = a_move();
  move.before_switch = [&] { return open(from_->options()); };
  auto moved = run(move);
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().code, Code::kStale) << moved.error().message;
  EXPECT_TRUE(open(from_->options()));
  EXPECT_FALSE(open(to_->options()));
  EXPECT_TRUE(run(a_move()));
}

TEST_P(Moves, TheSourceInUseIsRefused) {
  int asked = 0;
  auto move = a_move();
  move.check_idle = [&](ReadTx& tx) -> Result<void> {
    EXPECT_TRUE(tx.one("SELECT pos FROM sync_head", [](const Row& row) { return row.i64(0); }));
    return ++asked == 2 ? fail(Code::kConflict, "somebody is there") : Result<void>{};
  };
  EXPECT_EQ(error_of(run(move)), "somebody is there");
  EXPECT_TRUE(open(from_->options()));
  asked = 10;
  EXPECT_TRUE(run(move));
}

TEST_P(Moves, NobodyElsesTablesAreTouched) {
  ASSERT_TRUE(open(to_->options()));
  auto theirs = dump(to_->options());
  for (bool replaces : {false, true}) {
    auto move = a_move();
    move.replaces = replaces;
    EXPECT_TRUE(error_of(run(move)).contains("the new place is not empty")) << error_of(run(move));
  }
  EXPECT_TRUE(dump(to_->options()) == theirs);
  auto foreign = testing::temporary_database(other(GetParam()));
  Opened(foreign->options()).script("CREATE TABLE users (name VARCHAR(9))");
  EXPECT_TRUE(error_of(run(move_from(from_->options(), foreign->options()))).contains("is not empty"));
  EXPECT_TRUE(open(from_->options()));
}

TEST_P(Moves, AnotherServersUnfinishedMoveIsOverwrittenWhenThatIsSaid) {
  run_until_killed_at("move.page_committed");
  auto second = testing::temporary_database(GetParam());
  ASSERT_TRUE(open(second->options()));
  fill(second->options());
  auto move = move_from(second->options(), to_->options());
  EXPECT_TRUE(error_of(run(move)).contains("an unfinished move from the old place")) << error_of(run(move));
  move.replaces = true;
  auto moved = run(move);
  ASSERT_TRUE(moved) << error_of(moved);
  EXPECT_TRUE(dump(to_->options()) == dump(second->options()));
}

TEST_P(Moves, WhatWasLeftIsOverwrittenWhenThatIsSaid) {
  fill(from_->options());
  ASSERT_TRUE(run(a_move()));
  Opened(to_->options()).script("DELETE FROM event WHERE ref > 100");
  auto now = dump(to_->options());
  auto back = move_from(to_->options(), from_->options());
  EXPECT_TRUE(error_of(run(back)).contains("before it moved to the new place")) << error_of(run(back));
  back.replaces = true;
  auto moved = run(back);
  ASSERT_TRUE(moved) << error_of(moved);
  EXPECT_TRUE(dump(from_->options()) == now);
  EXPECT_TRUE(open(from_->options()));
  EXPECT_FALSE(open(to_->options()));
}

TEST_P(Moves, ASourceThatIsGoneIsAnEarlierStateWhenItIsTakenBack) {
  EXPECT_FALSE(*take_back(from_->options()));
  ASSERT_TRUE(open(from_->options()));
  auto before = history_;
  ASSERT_TRUE(run(a_move()));
  for (bool beside : {false, true}) {
    auto options = from_->options();
    options.beside_a_server = beside;
    auto opened = open(options);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Code::kConflict);
    EXPECT_TRUE(opened.error().message.contains("moved from here to the new place on 2023-11-14"))
        << opened.error().message;
  }
  EXPECT_TRUE(*take_back(from_->options()));
  EXPECT_FALSE(*take_back(from_->options()));
  EXPECT_TRUE(open(from_->options()));
  EXPECT_NE(history_, before);
}

TEST_P(Moves, TextsThatTheTargetCannotHoldAreToldBeforeAnythingIsTouched) {
  {
    Opened db(from_->options());
    db.write([&] {
      auto profile = read_table(*db.session, "profile");
      std::vector<Cells> rows{{"u", "field", "good"}, {"u", "other", "ba\x01\x02"}};
      db.session->insert_rows(profile, rows);
    });
  }
  auto move = a_move();
  move.is_text = [](std::string_view text) { return !text.contains('\x01'); };
  auto moved = run(move);
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().code, Code::kInvalidParam);
  EXPECT_TRUE(moved.error().message.contains("there are some: profile.value.")) << moved.error().message;
  Opened target(to_->options()), source(from_->options());
  auto check = [](Session& session, bool has_tables) {
    EXPECT_TRUE(in_snapshot(session, [&] {
      EXPECT_EQ(!table_names(session).empty(), has_tables);
      EXPECT_FALSE(read_mark(session));
    }));
  };
  check(*target.session, false);
  check(*source.session, true);
}

TEST_P(Moves, ADifferenceIsFound) {
  fill(from_->options());
  auto before = dump(from_->options());
  auto move = a_move();
  bool is_done = false;
  move.progress = [&](const MoveProgress& progress) {
    if (std::exchange(is_done, is_done || progress.step == MoveProgress::Step::kComparing)) return;
    if (is_done) Opened(to_->options()).script("UPDATE txn SET at = at + 1 WHERE at = 0");
  };
  auto moved = run(move);
  EXPECT_TRUE(error_of(moved).contains("table txn differs: 5 rows there, 5 here")) << error_of(moved);
  EXPECT_TRUE(dump(from_->options()) == before);
  EXPECT_FALSE(open(to_->options()));
  moved = run(a_move());
  ASSERT_TRUE(moved) << error_of(moved);
  EXPECT_TRUE(dump(to_->options()) == before);
}

TEST_P(Moves, AnotherVersionsTablesAreRefused) {
  Opened(from_->options()).script("DELETE FROM schema_version WHERE component = 'push'");
  EXPECT_TRUE(error_of(run(a_move())).contains("another version's than this program's")) << error_of(run(a_move()));
  auto empty = testing::temporary_database(GetParam());
  EXPECT_TRUE(error_of(run(move_from(empty->options(), to_->options()))).contains("no server's data"));
}

// Taken for dead while it was suspended or cut off, it must not go on with what is there no more.
TEST_P(Moves, AProcessThatComesBackFindsThatTheDatabaseMoved) {
  if (GetParam() == Kind::kSqlite) GTEST_SKIP() << "its directory is locked";
  auto db = Database::open(from_->options(), loop_.get_executor(), clock_);
  ASSERT_TRUE(db) << db.error().message;
  auto write = [&] { return testing::run(loop_, (*db)->write({}, [](Tx& tx) { tx.exec("DELETE FROM work"); })); };
  EXPECT_TRUE(write());
  ASSERT_TRUE(run(a_move()));
  std::string last_words;
  set_fatal_handler([&](const std::string& message) { last_words = message; });
  EXPECT_FALSE(write());
  (*db)->stop();
  set_fatal_handler({});
  EXPECT_TRUE(last_words.contains("moved away from this database")) << last_words;
}

// What the copy's history is called is what the table of the keys says, unless the source was put back.
TEST_P(Moves, SpineRuleA15ACopyHasItsOwnHistoryAndKeepsTheKeys) {
  testing::TemporaryDirectory directory;
  auto from = from_->options(), to = to_->options();
  from.witness = directory.path() + "/source";
  to.witness = directory.path() + "/copy";
  ASSERT_TRUE(open(from));
  auto before = history_;
  Opened(from).script(fmt::format("INSERT INTO key_history (id, history) VALUES (1, '{}')", before));
  auto known_to = [](const Options& options) { return Opened(options).text("SELECT history FROM key_history"); };
  ASSERT_TRUE(run(move_from(from, to)));
  ASSERT_TRUE(open(to));
  EXPECT_NE(history_, before);
  EXPECT_EQ(known_to(to), history_);

  ASSERT_TRUE(*take_back(from));  // an earlier state by now
  ASSERT_TRUE(open(from));
  EXPECT_NE(known_to(from), history_);
  Opened(from).script(fmt::format("UPDATE key_history SET history = '{}'", history_));
  EXPECT_TRUE(Witness(from.witness).remember({history_, 1'000}));  // of which the database knows nothing
  auto later = testing::temporary_database(other(GetParam()));
  ASSERT_TRUE(run(move_from(from, later->options())));
  ASSERT_TRUE(open(later->options()));
  EXPECT_NE(known_to(later->options()), history_);
}

}  // namespace
}  // namespace myelin::db
