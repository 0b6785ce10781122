// A database with rows in every table is moved to the other engine and back: everything arrives, and whatever is
// interrupted goes on.
#include "infra/db/move.h"

#include <regex>
#include <set>

#include "infra/db/catalogue.h"
#include "infra/db/move_mark.h"
#include "infra/db/testing/cutting_proxy.h"
#include "infra/db/testing/moves.h"
#include "infra/db/testing/power_cut_vfs.h"
#include "infra/db/witness.h"

namespace myelin::db {
namespace {

using testing::dump;
using testing::fill;
using testing::Kind;
using testing::Opened;

class Moves : public testing::MoveTest {};
MYELIN_MOVES_FROM(Moves, Kind::kSqlite, Kind::kPostgres);

// Of the program's whole schema.
class WholeMoves : public testing::MoveTest {
 protected:
  WholeMoves() : MoveTest(all_migrations()) {}
};
MYELIN_MOVES_FROM(WholeMoves, Kind::kSqlite, Kind::kPostgres);

TEST_P(WholeMoves, EveryValueArrivesAndComesBack) {
  fill(from());
  auto before = dump(from());
  auto moved = run(a_move());
  ASSERT_TRUE(moved) << error_of(moved);
  EXPECT_EQ(moved->tables, before.size());
  EXPECT_TRUE(dump(to()) == before);
  EXPECT_EQ(Opened(from()).text("SELECT holder FROM lease WHERE holder = 'B'"), "B");
  EXPECT_EQ(Opened(to()).text("SELECT holder FROM lease"), "");
  auto back = testing::temporary_database(GetParam());
  moved = run(move_from(to(), of(*back)));
  ASSERT_TRUE(moved) << error_of(moved);
  EXPECT_TRUE(dump(of(*back)) == before);
  EXPECT_TRUE(open(of(*back)));
}

TEST_P(Moves, ToAnotherDatabaseOfTheSameEngine) {
  ASSERT_TRUE(open(from()));
  auto history = history_;
  fill(from());
  auto before = dump(from());
  auto same = testing::temporary_database(GetParam());
  auto moved = run(move_from(from(), of(*same)));
  ASSERT_TRUE(moved) << error_of(moved);
  EXPECT_TRUE(dump(of(*same)) == before);
  ASSERT_TRUE(open(of(*same)));
  EXPECT_NE(history_, history);
}

TEST_P(Moves, LargeValuesAreMoved) {
  {
    Opened db(from());
    db.write([&] {
      std::vector<Cells> rows;
      for (int64_t n = 0; n < 7; ++n) rows.push_back({n, "", std::string(4 << 20, static_cast<char>(n)), {}});
      db.session->insert_rows(read_table(*db.session, "list"), rows);
    });
  }
  auto moved = run(a_move());
  ASSERT_TRUE(moved) << error_of(moved);
  EXPECT_TRUE(dump(to()) == dump(from()));
}

TEST_P(WholeMoves, EveryTableOfEveryMigrationIsMoved) {
  std::set<std::string> made, moved;
  std::regex create("CREATE TABLE (\\w+)");
  for (const auto& migration : all_migrations()) {
    std::string text(migration.text);
    for (std::sregex_iterator it(text.begin(), text.end(), create), end; it != end; ++it) made.insert((*it)[1]);
  }
  EXPECT_GT(made.size(), 40u);
  for (const auto& name : testing::tables_that_stay()) made.erase(name);
  auto move = a_move();
  move.progress = [&](const MoveProgress& progress) {
    if (progress.step == MoveProgress::Step::kCopying) moved.emplace(progress.table);
  };
  ASSERT_TRUE(run(move));
  EXPECT_EQ(moved, made);
}

TEST_P(Moves, WhatIsInterruptedGoesOn) {
  fill(from());
  auto before = dump(from());
  for (const std::string point :
       {"move.begun", "move.before_schema", "migrate.between:3", "move.page_written", "move.page_written:4",
        "move.page_committed", "move.page_committed:4", "move.copied", "move.before_switch", "move.switched"}) {
    run_until_killed_at(point);
    EXPECT_TRUE(dump(from()) == before) << point;
    if (point == "move.begun") continue;
    auto opened = open(to());
    EXPECT_TRUE(!opened && opened.error().message.contains("is not finished")) << point;
  }
  EXPECT_FALSE(open(from()));
  auto moved = run(a_move());
  ASSERT_TRUE(moved) << error_of(moved);
  EXPECT_TRUE(moved->finished_an_earlier);
  EXPECT_TRUE(dump(to()) == before);
  EXPECT_TRUE(open(to()));
}

TEST_P(Moves, WhatWasCopiedIsNotCopiedAgain) {
  fill(from());
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
  fill(from());
  for (const std::string point : {"move.begun", "move.page_committed:7", "move.before_switch"}) {
    run_until_killed_at(point);
    EXPECT_TRUE(open(from())) << point;
    Opened(from()).script("DELETE FROM list WHERE id > 80; UPDATE sync_head SET pos = pos + 1 WHERE id = 1");
  }
  auto before = dump(from());
  auto moved = run(a_move());
  ASSERT_TRUE(moved) << error_of(moved);
  EXPECT_FALSE(moved->finished_an_earlier);
  EXPECT_TRUE(dump(to()) == before);
}

TEST_P(Moves, WhatIsLeftOfAnEarlierMoveIsNotGoneOnWith) {
  fill(from());
  run_until_killed_at("move.page_committed:7");
  EXPECT_TRUE(open(from()));
  Opened(from()).script("DELETE FROM list WHERE id < 80");
  auto second = testing::temporary_database(GetParam());
  auto elsewhere = move_from(from(), of(*second));
  elsewhere.before_switch = [] { return Result<void>(fail(Code::kUnavailable, "not now")); };
  EXPECT_EQ(error_of(run(elsewhere)), "not now");
  auto before = dump(from());
  auto moved = run(a_move());
  ASSERT_TRUE(moved) << error_of(moved);
  EXPECT_TRUE(dump(to()) == before);
}

// Of the target in the middle of the copy, and of the source at the switch: where SQLite is.
TEST_P(Moves, AFullDiskEndsItAndItGoesOn) {
  fill(from());
  auto before = dump(from());
  testing::PowerCutVfs disk("full", 1);
  auto move = a_move();
  (GetParam() == Kind::kSqlite ? move.from : move.to).sqlite_vfs = disk.name();
  auto fill_up = [&] { disk.fail_from(testing::PowerCutVfs::Fault::kDiskFull, 1); };
  if (GetParam() == Kind::kSqlite)
    move.before_switch = [&]() -> Result<void> {
      fill_up();
      return {};
    };
  else
    move.progress = [&](const MoveProgress& progress) {
      if (progress.table == "list" && progress.step == MoveProgress::Step::kCopying) fill_up();
    };
  auto moved = run(move);
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().code, Code::kDiskFull) << moved.error().message;
  disk.heal();
  move.before_switch = nullptr;
  move.progress = nullptr;
  moved = run(move);
  ASSERT_TRUE(moved) << error_of(moved);
  EXPECT_EQ(moved->finished_an_earlier, GetParam() == Kind::kSqlite);
  disk.cut();
  move.to.sqlite_vfs = GetParam() == Kind::kSqlite ? "" : disk.name();
  EXPECT_TRUE(dump(move.to) == before);
  EXPECT_TRUE(open(move.to));
  EXPECT_FALSE(open(move.from));
}

// PostgreSQL's connection is cut at a place of a whole move, then at the next place of another, until there is none
// left: `least` places or more.
class CutMoves : public Moves {
 protected:
  void go_on_after(const std::function<void(testing::CuttingProxy&, int)>& cut, const std::function<int(int)>& next,
                   int least) {
    for (int number = 1, cuts = 0;; number = next(number), ++cuts) {
      SCOPED_TRACE(number);
      renew();
      fill(from());
      auto before = dump(from());
      testing::CuttingProxy proxy(dynamic_cast<testing::TemporaryPostgres&>(is_from_postgres() ? *from_ : *to_));
      auto move = a_move();
      (is_from_postgres() ? move.from : move.to).url = proxy.url();
      cut(proxy, number);
      auto moved = run(move);
      if (!proxy.has_cut()) {
        EXPECT_TRUE(moved) << error_of(moved);
        EXPECT_GE(cuts, least) << "cut too seldom to show anything";
        return;
      }
      EXPECT_TRUE(dump(from()) == before);
      if (!moved) {
        auto again = run(a_move());
        EXPECT_TRUE(again || error_of(again).contains("moved from here to the new place")) << error_of(again);
      }
      EXPECT_TRUE(dump(to()) == before);
      EXPECT_TRUE(open(to()));
      EXPECT_FALSE(open(from()));
    }
  }
  bool is_from_postgres() const { return GetParam() == Kind::kPostgres; }
};
MYELIN_MOVES_FROM(CutMoves, Kind::kSqlite, Kind::kPostgres);

TEST_P(CutMoves, ACommitWhoseAnswerIsLostEndsItAndItGoesOn) {
  go_on_after([](auto& proxy, int number) { proxy.cut_commit(number); }, [](int number) { return number + 1; },
              is_from_postgres() ? 2 : 10);
}

TEST_P(CutMoves, ALostConnectionEndsItAndItGoesOn) {
  go_on_after([](auto& proxy, int number) { proxy.cut_answer(number); },
              [](int number) { return number + 1 + number / 4; }, 10);
}

TEST_P(Moves, AKilledProcessAtTheEndHasMoved) {
  run_until_killed_at("move.finished");
  EXPECT_TRUE(open(to()));
  auto again = run(a_move());
  EXPECT_TRUE(error_of(again).contains("moved from here to the new place")) << error_of(again);
}

TEST_P(Moves, TextsThatTheTargetCannotHoldAreToldBeforeAnythingIsTouched) {
  {
    Opened db(from());
    db.write([&] {
      std::vector<Cells> rows{{1, "good", "\x01", {}}, {2, "good", "", "ba\x01\x02"}};
      db.session->insert_rows(read_table(*db.session, "list"), rows);
    });
  }
  auto move = a_move();
  move.is_text = [](std::string_view text) { return !text.contains('\x01'); };
  auto moved = run(move);
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().code, Code::kInvalidParam);
  EXPECT_TRUE(moved.error().message.contains("there are some: list.note.")) << moved.error().message;
  Opened target(to()), source(from());
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
  fill(from());
  auto before = dump(from());
  auto move = a_move();
  bool is_done = false;
  move.progress = [&](const MoveProgress& progress) {
    if (std::exchange(is_done, is_done || progress.step == MoveProgress::Step::kComparing)) return;
    if (is_done) Opened(to()).script("UPDATE pair SET body = NULL WHERE number = -1");
  };
  auto moved = run(move);
  EXPECT_TRUE(error_of(moved).contains("table pair differs: 5 rows there, 5 here")) << error_of(moved);
  EXPECT_TRUE(dump(from()) == before);
  EXPECT_FALSE(open(to()));
  moved = run(a_move());
  ASSERT_TRUE(moved) << error_of(moved);
  EXPECT_TRUE(dump(to()) == before);
}

// What the copy's history is called is what the table of the keys says, unless the source was put back.
TEST_P(Moves, SpineRuleA15ACopyHasItsOwnHistoryAndKeepsTheKeys) {
  testing::TemporaryDirectory directory;
  auto from = this->from(), to = this->to();
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
  ASSERT_TRUE(run(move_from(from, of(*later))));
  ASSERT_TRUE(open(of(*later)));
  EXPECT_NE(known_to(of(*later)), history_);
}

}  // namespace
}  // namespace myelin::db
