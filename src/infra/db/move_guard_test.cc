// Nobody's data are overwritten by a move, and what anybody writes meanwhile is not lost by one.
#include "infra/db/fatal.h"
#include "infra/db/testing/moves.h"

namespace myelin::db {
namespace {

using testing::dump;
using testing::fill;
using testing::Kind;
using testing::Opened;

class MoveGuards : public testing::MoveTest {};
MYELIN_MOVES_FROM(MoveGuards, Kind::kSqlite, Kind::kPostgres);

// An SQLite's directory is locked: nobody else is connected to it.
class MoveToPostgresGuards : public MoveGuards {};
MYELIN_MOVES_FROM(MoveToPostgresGuards, Kind::kSqlite);
class MoveFromPostgresGuards : public MoveGuards {};
MYELIN_MOVES_FROM(MoveFromPostgresGuards, Kind::kPostgres);

TEST_P(MoveGuards, TheSourceThatIsStartedMeanwhileStays) {
  auto move = a_move();
  move.before_switch = [&] { return open(from()); };
  auto moved = run(move);
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().code, Code::kStale) << moved.error().message;
  EXPECT_TRUE(open(from()));
  EXPECT_FALSE(open(to()));
  EXPECT_TRUE(run(a_move()));
}

TEST_P(MoveGuards, TheSourceInUseIsRefused) {
  bool is_idle = false;
  auto move = a_move();
  move.check_idle = [&](ReadTx& tx) -> Result<void> {
    EXPECT_TRUE(tx.one("SELECT pos FROM sync_head", [](const Row& row) { return row.i64(0); }));
    return is_idle ? Result<void>{} : fail(Code::kConflict, "somebody is there");
  };
  auto user = Database::open(from(), loop_.get_executor(), clock_);
  ASSERT_TRUE(user) << user.error().message;
  EXPECT_EQ(error_of(run(move)), "somebody is there");
  EXPECT_TRUE(write_to(**user));  // nobody cut it off
  (*user)->stop();
  is_idle = true;
  EXPECT_TRUE(run(move));
}

TEST_P(MoveGuards, NobodyElsesTablesAreTouched) {
  ASSERT_TRUE(open(to()));
  auto theirs = dump(to());
  for (bool replaces : {false, true}) {
    auto move = a_move();
    move.replaces = replaces;
    EXPECT_TRUE(error_of(run(move)).contains("the new place is not empty")) << error_of(run(move));
  }
  EXPECT_TRUE(dump(to()) == theirs);
  auto foreign = testing::temporary_database(other(GetParam()));
  Opened(of(*foreign)).script("CREATE TABLE users (name VARCHAR(9))");
  EXPECT_TRUE(error_of(run(move_from(from(), of(*foreign)))).contains("is not empty"));
  EXPECT_TRUE(open(from()));
}

TEST_P(MoveGuards, AServerThatIsStartedOnTheTargetKeepsIt) {
  auto move = a_move();
  move.check_idle = [&](ReadTx&) { return open(to()); };
  EXPECT_TRUE(error_of(run(move)).contains("was taken by somebody else")) << error_of(run(move));
  EXPECT_TRUE(open(to()));
}

TEST_P(MoveToPostgresGuards, WhoWasConnectedToTheTargetHasToConnectAgain) {
  Opened early(to());
  constexpr Sql kSession = "SELECT CAST(pg_backend_pid() AS TEXT)";
  auto before = early.text(kSession);
  ASSERT_TRUE(run(a_move()));
  EXPECT_NE(early.text(kSession), before);
}

TEST_P(MoveGuards, AnotherServersUnfinishedMoveIsOverwrittenWhenThatIsSaid) {
  run_until_killed_at("move.page_committed");
  auto second = testing::temporary_database(GetParam());
  ASSERT_TRUE(open(of(*second)));
  fill(of(*second));
  auto move = move_from(of(*second), to());
  EXPECT_TRUE(error_of(run(move)).contains("an unfinished move from the old place")) << error_of(run(move));
  move.replaces = true;
  auto moved = run(move);
  ASSERT_TRUE(moved) << error_of(moved);
  EXPECT_TRUE(dump(to()) == dump(of(*second)));
}

// From which a move had begun that nobody finished.
TEST_P(MoveGuards, ALivingServersDataAreNeverOverwritten) {
  run_until_killed_at("move.begun");
  auto second = testing::temporary_database(other(GetParam()));
  ASSERT_TRUE(open(of(*second)));
  auto move = move_from(of(*second), from());
  move.replaces = true;
  EXPECT_TRUE(error_of(run(move)).contains("is not empty: it holds a server's data")) << error_of(run(move));
  EXPECT_TRUE(open(from()));
}

// It is the only one where the source was switched off and is gone since.
TEST_P(MoveGuards, WhatAnotherServerHasMovedToIsNeverOverwritten) {
  run_until_killed_at("move.switched");
  auto second = testing::temporary_database(GetParam());
  ASSERT_TRUE(open(of(*second)));
  auto move = move_from(of(*second), to());
  move.replaces = true;
  EXPECT_TRUE(error_of(run(move)).contains("may be the only one to")) << error_of(run(move));
  auto moved = run(a_move());
  EXPECT_TRUE(moved && moved->finished_an_earlier) << error_of(moved);
}

TEST_P(MoveGuards, TheLaterOfTwoMovesToOnePlaceGoesOn) {
  fill(from());
  auto second = testing::temporary_database(GetParam());
  ASSERT_TRUE(open(of(*second)));
  auto later = move_from(of(*second), to());
  later.replaces = true;
  auto move = a_move();
  bool is_overtaken = false;
  move.progress = [&](const MoveProgress& progress) {
    if (progress.step == MoveProgress::Step::kReading || std::exchange(is_overtaken, true)) return;
    auto moved = run(later);
    EXPECT_TRUE(moved) << error_of(moved);
  };
  EXPECT_EQ(error_of(run(move)), "another move to there has begun");
  EXPECT_TRUE(is_overtaken);
  EXPECT_TRUE(dump(to()) == dump(of(*second)));
  EXPECT_TRUE(open(from()));
}

TEST_P(MoveGuards, WhatWasLeftIsOverwrittenWhenThatIsSaid) {
  fill(from());
  ASSERT_TRUE(run(a_move()));
  Opened(to()).script("DELETE FROM list WHERE id > 50");
  auto now = dump(to());
  auto back = move_from(to(), from());
  EXPECT_TRUE(error_of(run(back)).contains("before it moved to the new place")) << error_of(run(back));
  back.replaces = true;
  auto moved = run(back);
  ASSERT_TRUE(moved) << error_of(moved);
  EXPECT_TRUE(dump(from()) == now);
  EXPECT_TRUE(open(from()));
  EXPECT_FALSE(open(to()));
}

TEST_P(MoveGuards, ASourceThatIsGoneIsAnEarlierStateWhenItIsTakenBack) {
  EXPECT_FALSE(*take_back(from()));
  ASSERT_TRUE(open(from()));
  auto before = history_;
  ASSERT_TRUE(run(a_move()));
  for (bool beside : {false, true}) {
    auto options = from();
    options.beside_a_server = beside;
    auto opened = open(options);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Code::kConflict);
    EXPECT_TRUE(opened.error().message.contains("moved from here to the new place on 2023-11-14"))
        << opened.error().message;
  }
  EXPECT_TRUE(*take_back(from()));
  EXPECT_FALSE(*take_back(from()));
  EXPECT_TRUE(open(from()));
  EXPECT_NE(history_, before);
}

TEST_P(MoveGuards, AnotherVersionsTablesAreRefused) {
  Opened(from()).script("DELETE FROM schema_version WHERE component = 'shop'");
  EXPECT_TRUE(error_of(run(a_move())).contains("another version's than this program's")) << error_of(run(a_move()));
  auto empty = testing::temporary_database(GetParam());
  EXPECT_TRUE(error_of(run(move_from(of(*empty), to()))).contains("no server's data"));
}

// Taken for dead while it was suspended or cut off, it must not go on with what is there no more.
TEST_P(MoveFromPostgresGuards, AProcessThatComesBackFindsThatTheDatabaseMoved) {
  auto db = Database::open(from(), loop_.get_executor(), clock_);
  ASSERT_TRUE(db) << db.error().message;
  ASSERT_TRUE(run(a_move()));
  std::string last_words;
  set_fatal_handler([&](const std::string& message) { last_words = message; });
  EXPECT_FALSE(write_to(**db));
  (*db)->stop();
  set_fatal_handler({});
  EXPECT_TRUE(last_words.contains("moved away from this database")) << last_words;
}

// What it then writes counts, and the move does not.
TEST_P(MoveFromPostgresGuards, AProcessThatComesBackMeanwhileEndsTheMove) {
  auto db = Database::open(from(), loop_.get_executor(), clock_);
  ASSERT_TRUE(db) << db.error().message;
  auto move = a_move();
  move.before_switch = [&] { return write_to(**db); };
  auto moved = run(move);
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().code, Code::kStale) << moved.error().message;
  (*db)->stop();
  EXPECT_EQ(Opened(from()).text("SELECT name FROM pair"), "late");
  EXPECT_TRUE(run(a_move()));
  EXPECT_EQ(Opened(to()).text("SELECT name FROM pair"), "late");
}

// What an administrator's command says is done is in the copy, or was not done.
TEST_P(MoveGuards, ACommandBesideIsRefusedMeanwhile) {
  auto beside = from();
  beside.beside_a_server = true;
  auto early = Database::open(beside, loop_.get_executor(), clock_);
  ASSERT_TRUE(early) << early.error().message;
  ASSERT_TRUE(write_to(**early));
  auto move = a_move();
  move.before_switch = [&]() -> Result<void> {
    auto late = open(beside);
    EXPECT_TRUE(!late && late.error().message.contains("is being moved from here")) << "opened";
    if (GetParam() == Kind::kSqlite) EXPECT_EQ(write_to(**early).error().code, Code::kConflict);
    return {};
  };
  auto moved = run(move);
  ASSERT_TRUE(moved) << error_of(moved);
  if (GetParam() == Kind::kSqlite) EXPECT_EQ(write_to(**early).error().code, Code::kConflict);
  (*early)->stop();
  EXPECT_EQ(Opened(to()).text("SELECT name FROM pair"), "late");
}

}  // namespace
}  // namespace myelin::db
