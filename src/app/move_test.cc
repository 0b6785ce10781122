// The command `move` as it is typed, on the data of a server that has run.
#include "app/move.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "app/admin.h"
#include "app/components.h"
#include "app/progress.h"
#include "app/run_to_end.h"
#include "components/accounts/identity.h"
#include "infra/db/testing/databases.h"
#include "infra/lease/lease.h"

namespace myelin::app {
namespace {

class MoveServer : public ::testing::Test {
 protected:
  MoveServer() {
    EXPECT_TRUE(make_data_directory(old));
    open_and_name(old);
    auto made = add_user(old, "zed", "a password", false);
    EXPECT_TRUE(made) << made.error().message;
  }
  Config config(const std::string& folder, const std::string& database) {
    auto out = load({{},
                     {},
                     {{"data_dir", directory.path() + "/" + folder},
                      {"database", database},
                      {"server_name", "here.test"},
                      {"argon2_memory_kib", "8"},
                      {"argon2_passes", "1"}}});
    EXPECT_TRUE(out) << out.error().message;
    return *out;
  }
  void open_and_name(const Config& at) {
    auto db = db::Database::open(database_options(at), io.get_executor(), clock);
    ASSERT_TRUE(db) << db.error().message;
    auto name = accounts::settle_server_name(**db, ServerName::trusted("here.test"), accounts::Wish::kDemanded);
    EXPECT_TRUE(run_to_end(io, std::move(name)));
    (*db)->stop();
  }
  std::string error_of(const Result<std::string>& result) { return result ? "no error" : result.error().message; }
  static std::string read(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  db::testing::TemporaryDirectory directory;
  db::testing::TemporaryPostgres postgres;
  boost::asio::io_context io{1};
  SystemClock clock;
  Config old = config("old", "sqlite"), there = config("old", postgres.url()), back = config("new", "sqlite");
};

TEST_F(MoveServer, GoesToPostgresAndIntoAnotherDirectoryWithItsKey) {
  auto moved = move_server(old, {postgres.url()});
  ASSERT_TRUE(moved) << error_of(moved);
  EXPECT_TRUE(moved->contains("  database = \"postgresql:///")) << *moved;
  EXPECT_EQ(error_of(list_users(there)), "no error");
  EXPECT_EQ(*list_users(there), "@zed:here.test");
  EXPECT_TRUE(error_of(list_users(old)).contains("the server's data moved from here to postgresql:///"));

  moved = move_server(there, {"sqlite", back.data_dir});
  ASSERT_TRUE(moved) << error_of(moved);
  EXPECT_TRUE(moved->contains("  data_dir = \"" + back.data_dir)) << *moved;
  EXPECT_EQ(*list_users(back), "@zed:here.test");
  auto key = read(signing_key_path(old));
  EXPECT_FALSE(key.empty());
  EXPECT_EQ(read(signing_key_path(back)), key);
}

TEST_F(MoveServer, WhatMovedAwayGoesOnWhenThatIsSaid) {
  ASSERT_TRUE(move_server(old, {postgres.url()}));
  auto said = restored(old);
  ASSERT_TRUE(said) << error_of(said);
  EXPECT_TRUE(said->contains("goes on from what is here")) << *said;
  EXPECT_EQ(*list_users(old), "@zed:here.test");
}

TEST_F(MoveServer, DoesNotLeaveTheSigningKeyBehind) {
  std::filesystem::remove(signing_key_path(old));
  EXPECT_TRUE(error_of(move_server(old, {"sqlite", back.data_dir})).contains("signing key has to go along"));
  EXPECT_TRUE(move_server(old, {postgres.url()}));  // it stays where it is looked for
}

TEST_F(MoveServer, IsRefusedWhileTheServerRuns) {
  auto lock = lease::DirectoryLock::take(old.data_dir);
  ASSERT_TRUE(lock);
  EXPECT_TRUE(error_of(move_server(old, {postgres.url()})).contains("old is in use by another process"));
}

TEST_F(MoveServer, IsRefusedWhileAServerRunsOnTheOtherDirectory) {
  EXPECT_TRUE(make_data_directory(back));
  auto lock = lease::DirectoryLock::take(back.data_dir);
  ASSERT_TRUE(lock);
  EXPECT_TRUE(error_of(move_server(old, {"sqlite", back.data_dir})).contains("new is in use by another process"));
}

TEST_F(MoveServer, IsRefusedWhileAProcessElsewhereIsAlive) {
  ASSERT_TRUE(move_server(old, {postgres.url()}));
  postgres.sql(
      "INSERT INTO process (id, life, host, roles, version, wants, started_at, alive_until) VALUES ('far', 'x', "
      "'host9', "
      "'sync', '1', '', 1, 9999999999999)");
  EXPECT_TRUE(
      error_of(move_server(there, {"sqlite", back.data_dir})).contains("process far on host9 uses the database"));
  postgres.sql("UPDATE process SET alive_until = 1");
  EXPECT_TRUE(move_server(there, {"sqlite", back.data_dir}));
}

TEST_F(MoveServer, RefusesWhatMakesNoSense) {
  EXPECT_TRUE(error_of(move_server(old, {"sqlite"})).contains("is in " + old.data_dir + "/myelin.db already"));
  EXPECT_TRUE(error_of(move_server(old, {"mysql://x"})).contains("--to wants sqlite or a postgres:// URL"));
  EXPECT_TRUE(error_of(move_server(config("nowhere", "sqlite"), {postgres.url()})).contains("no server's data"));
  std::filesystem::create_directories(back.data_dir);
  std::ofstream(signing_key_path(back)) << "ed25519 a_other AAAA\n";
  EXPECT_TRUE(error_of(move_server(old, {"sqlite", back.data_dir})).contains("another server's signing key"));
  EXPECT_EQ(*list_users(old), "@zed:here.test");
}

// What only SQLite takes: a NUL, and bytes that are no UTF-8.
TEST_F(MoveServer, TellsWhatPostgresCannotHold) {
  auto store = [&](auto closure) {
    auto db = db::Database::open(database_options(old), io.get_executor(), clock);
    ASSERT_TRUE(db);
    EXPECT_TRUE(run_to_end(io, (*db)->write({}, std::move(closure))));
    (*db)->stop();
  };
  auto expect_refused = [&] {
    auto moved = move_server(old, {postgres.url()});
    EXPECT_TRUE(error_of(moved).contains("there are some: client_filter.content. Nothing was changed"))
        << error_of(moved);
    EXPECT_EQ(postgres.sql("SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'"), "0");
  };
  store([](db::Tx& tx) { tx.exec("INSERT INTO client_filter VALUES ('u', '1', 'a' || char(0))"); });
  expect_refused();
  store([](db::Tx& tx) { tx.exec("UPDATE client_filter SET content = CAST(x'61ff' AS TEXT)"); });
  expect_refused();
  store([](db::Tx& tx) { tx.exec("UPDATE client_filter SET content = '\u00e4'"); });
  EXPECT_TRUE(move_server(old, {postgres.url()}));
}

TEST(MoveProgress, SaysHowFarAndHowLong) {
  db::MoveProgress progress{db::MoveProgress::Step::kCopying, "event", 600, 1'000, 0};
  EXPECT_EQ(progress_text(progress, 0), "copying   [##################------------]  60 %  600 of 1000 rows (event)");
  EXPECT_TRUE(progress_text(progress, 6).ends_with(" 600 of 1000 rows, 100/s, 4 s left (event)"));
  progress.found_rows = 500;  // by an earlier attempt, which says nothing of the speed
  EXPECT_TRUE(progress_text(progress, 10).ends_with(", 10/s, 40 s left (event)"));
  progress = {db::MoveProgress::Step::kReading, "x", 0, 0, 0};
  EXPECT_TRUE(progress_text(progress, 1).ends_with("  0 %  0 of 1 rows (x)")) << progress_text(progress, 1);
}

TEST(MoveProgress, IsALineNowAndThenOrABar) {
  for (bool is_terminal : {false, true}) {
    ManualClock clock;
    auto* out = std::tmpfile();
    {
      ProgressLine line(out, is_terminal, clock);
      for (int64_t rows = 1; rows <= 13; ++rows) {  // the last ones are of empty tables
        line.show({db::MoveProgress::Step::kCopying, "event", std::min<int64_t>(rows, 10), 10, 0});
        clock.advance(rows < 10 ? 2'000 : 1);
      }
    }
    std::rewind(out);
    std::string text(10'000, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), out));
    std::fclose(out);
    EXPECT_EQ(std::ranges::count(text, '\r'), is_terminal ? 10 : 0);
    EXPECT_EQ(std::ranges::count(text, '\n'), is_terminal ? 1 : 4) << text;
    EXPECT_TRUE(text.contains("100 %  10 of 10 rows")) << text;
  }
}

}  // namespace
}  // namespace myelin::app
