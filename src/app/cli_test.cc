// Commands that need no server, run as they are typed.
#include "app/cli.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>

#include "app/components.h"
#include "app/run_to_end.h"
#include "app/server.h"
#include "base/log.h"
#include "components/accounts/identity.h"
#include "infra/db/sqlite.h"
#include "infra/db/testing/databases.h"

namespace myelin::app {
namespace {

struct Outcome {
  int status = 0;
  std::string out, err;
};

Outcome run(std::vector<std::string> words) {
  words.insert(words.begin(), "myelin");
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Outcome outcome;
  outcome.status = run_command_line(static_cast<int>(argv.size()), argv.data());
  outcome.out = ::testing::internal::GetCapturedStdout();
  outcome.err = ::testing::internal::GetCapturedStderr();
  return outcome;
}

std::string read(const char* path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(CommandLine, RoomExplainSaysWhyARoomIsAsItIs) {
  auto outcome = run({"room", "explain", "src/matrix/examples/room.jsonl"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  auto expected = read("src/matrix/examples/room.txt");
  ASSERT_FALSE(expected.empty());
  EXPECT_EQ(outcome.out, expected);
}

TEST(CommandLine, RoomExplainRefusesWhatIsNoRoom) {
  auto outcome = run({"room", "explain", "README.md"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(outcome.err, "myelin: there is no m.room.create event\n");
  EXPECT_NE(run({"room", "explain", "no/such/file"}).status, 0);
  EXPECT_NE(run({"room"}).status, 0);
}

// A directory on which a server of this name has run.
struct Data {
  explicit Data(const std::string& server_name) {
    config = *load({{}, {}, {{"data_dir", directory.path() + "/data"}, {"server_name", server_name}}});
    EXPECT_TRUE(make_data_directory(config));
    boost::asio::io_context io;
    SystemClock clock;
    auto db = db::Database::open(database_options(config), io.get_executor(), clock);
    EXPECT_TRUE(db);
    auto name = accounts::settle_server_name(**db, ServerName::trusted(server_name), accounts::Wish::kDemanded);
    EXPECT_TRUE(run_to_end(io, std::move(name)));
    (*db)->stop();
  }
  Outcome user(std::vector<std::string> words, const std::string& input = "") {
    words.insert(words.begin(), "user");
    words.insert(words.end(), {"--data", config.data_dir, "--set", "argon2_memory_kib=8"});
    std::istringstream typed(input);
    auto* before = std::cin.rdbuf(typed.rdbuf());
    auto outcome = run(words);
    std::cin.rdbuf(before);
    return outcome;
  }
  db::testing::TemporaryDirectory directory;
  Config config;
};

TEST(CommandLine, AccountsBearTheNameOfTheServerWhoseDataItIs) {
  Data data("first.test");
  auto made = data.user({"add", "zed"}, "a password\n");
  EXPECT_EQ(made.out, "made @zed:first.test\n") << made.err;
  EXPECT_EQ(data.user({"add", "ann", "--admin"}, "a password\n").status, 0);
  EXPECT_EQ(data.user({"list"}).out, "@ann:first.test (administrator)\n@zed:first.test\n");
  EXPECT_EQ(data.user({"password", "zed"}, "another password\n").status, 0);
  auto other = data.user({"add", "eve", "--server-name", "second.test"}, "a password\n");
  EXPECT_EQ(other.status, 2);
  EXPECT_NE(other.err.find("the server first.test, not of second.test"), std::string::npos) << other.err;
}

// A backup of the release before was put back. What is said of that comes before the server's start, which brings the
// tables up to date; no other command does.
TEST(CommandLine, ABackupOfAnOlderReleaseIsTakenBack) {
  Data data("first.test");
  auto file = db::open_sqlite_handle(data.config.data_dir + "/myelin.db", "", 0);
  ASSERT_TRUE(file);
  constexpr auto kOlder =
      "ALTER TABLE sync_head DROP COLUMN history; ALTER TABLE sync_head DROP COLUMN ahead; "
      "DELETE FROM schema_version WHERE component = 'db' AND version = 2; "
      "DELETE FROM schema_step WHERE component = 'db' AND version = 2";
  ASSERT_EQ(sqlite3_exec(file->get(), kOlder, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(file->get());
  file->reset();
  std::vector<std::string> status{"status", "--data", data.config.data_dir};
  auto refused = run(status);
  EXPECT_EQ(refused.status, 2);
  EXPECT_TRUE(refused.err.contains("an older program's: its schema of 'db' is version 1")) << refused.err;
  auto said = run({"restored", "--data", data.config.data_dir});
  EXPECT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(run(status).status, 0);
}

TEST(CommandLine, WithoutDataNothingIsMade) {
  db::testing::TemporaryDirectory directory;
  auto missing = directory.path() + "/not/there";
  for (auto words : std::vector<std::vector<std::string>>{{"user", "list"},
                                                          {"user", "add", "a"},
                                                          {"user", "password", "a"},
                                                          {"token", "new"},
                                                          {"restored"},
                                                          {"move", "--to", "postgres:///nowhere"}}) {
    words.insert(words.end(), {"--data", missing});
    auto outcome = run(words);
    EXPECT_EQ(outcome.status, 2) << words.front();
    EXPECT_TRUE(outcome.err.starts_with("myelin: there is no server's data in " + missing)) << outcome.err;
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(CommandLine, ATokenIsGoodForOneOrMoreAccounts) {
  auto outcome = run({"token", "new", "--uses", "0"});
  EXPECT_NE(outcome.status, 0);
  EXPECT_NE(outcome.err.find("1 to 1000000"), std::string::npos) << outcome.err;
}

TEST(CommandLine, AWrongWordIsAnsweredWithTheNearestRightOne) {
  struct Case {
    std::vector<std::string> words;
    std::string complaint;
  };
  for (const auto& [words, complaint] : std::vector<Case>{
           {{"serve", "--databse", "sqlite"}, "--databse has no meaning here; did you mean --database?"},
           {{"serve", "--databse=sqlite"}, "--databse has no meaning here; did you mean --database?"},
           {{"serve", "--cache-mb", "5"}, "--cache-mb has no meaning here; did you mean --set cache_mb=…?"},
           {{"serve", "--drain-second=5"}, "--drain-second has no meaning here; did you mean --set drain_seconds=…?"},
           {{"srve"}, "srve has no meaning here; did you mean serve?"},
           {{"user", "lst"}, "lst has no meaning here; did you mean list?"},
           {{"user", "add", "zed", "--amdin"}, "--amdin has no meaning here; did you mean --admin?"},
           {{"token", "new", "--use", "3"}, "--use has no meaning here; did you mean --uses?"},
           {{"--database", "sqlite", "serve"}, "--database must stand after serve"},
           {{"room", "explian", "x"}, "explian has no meaning here; did you mean explain?"}}) {
    auto outcome = run(words);
    EXPECT_EQ(outcome.status, 2) << complaint;
    EXPECT_EQ(outcome.err, fmt::format("myelin: {}\n", complaint));
  }
  EXPECT_EQ(run({"serve", "--help"}).status, 0);
  EXPECT_NE(run({"user", "add"}).err.find("name"), std::string::npos) << "what is missing is said as before";
}

TEST(CommandLine, DataIsNobodyElsesToRead) {
  auto before = ::umask(022);
  run({"version"});
  Data data("here");
  for (const auto& entry : std::filesystem::recursive_directory_iterator(data.directory.path())) {
    struct stat status{};
    ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 077, 0u) << entry.path();
  }
  ::umask(before);
}

TEST(CommandLine, OptionsThatTheEmbeddedEngineHasNoUseForStopTheStart) {
  db::testing::TemporaryDirectory directory;
  auto data = directory.path() + "/data";
  auto outcome = run({"serve", "--data", data, "--set", "nats_tls_ca=/nope"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_TRUE(outcome.err.contains("command line: nats_tls_ca is for an external NATS")) << outcome.err;
  outcome = run({"serve", "--data", data, "--nats", "nats://127.0.0.1:1", "--set", "nats_credentials=/nope"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_TRUE(outcome.err.contains("command line: nats_credentials: /nope cannot be read")) << outcome.err;
  EXPECT_FALSE(std::filesystem::exists(data));
}

TEST(CommandLineDeathTest, ASignalEndsAStartThatWaits) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  db::testing::TemporaryDirectory directory;
  auto config = load({{}, {}, {{"data_dir", directory.path()}, {"nats", "nats://127.0.0.1:1"}}});
  ASSERT_TRUE(config);
  auto serve_and_stop = [&] {
    std::thread([] {
      std::this_thread::sleep_for(std::chrono::milliseconds(1'500));
      ::kill(::getpid(), SIGTERM);
    }).detach();
    std::_Exit(serve_until_signalled(*config));
  };
  EXPECT_EXIT(serve_and_stop(), ::testing::ExitedWithCode(0), "waiting: NATS: nats://127.0.0.1:1: no servers");
}

}  // namespace
}  // namespace myelin::app
