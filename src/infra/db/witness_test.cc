// A database that went back in time is found out, and nothing else is (docs/spine.md, rules A13 to A15).
#include "infra/db/witness.h"

#include <filesystem>
#include <fstream>

#include "infra/db/testing/contract.h"

namespace myelin::db {
namespace {

namespace fs = std::filesystem;
using testing::Kind;

class History : public testing::DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    db_->stop();
    files_ = make_files();  // one that was never opened without a witness
    options_ = files_->options();
    options_.migrations = migrations_;
    options_.witness = directory_.path() + "/witness";
    reopen();
  }
  void publish(int messages) {
    for (int i = 0; i < messages; ++i) {
      ASSERT_TRUE(write([](Tx& tx) -> Result<int64_t> {
        tx.publish("t", 3, "x");
        return 0;
      }));
    }
  }
  std::string history_after_reopening() {
    reopen();
    return db_->history();
  }
  testing::TemporaryDirectory directory_;
};
INSTANTIATE_TEST_SUITE_P(Engines, History, ::testing::Values(Kind::kSqlite, Kind::kPostgres),
                         [](const auto& info) { return info.param == Kind::kSqlite ? "Sqlite" : "Postgres"; });

TEST_P(History, GoesOnOverRestarts) {
  auto history = db_->history();
  EXPECT_FALSE(history.empty());
  EXPECT_EQ(history_after_reopening(), history);
  publish(20);
  EXPECT_EQ(history_after_reopening(), history);
  publish(1);
  EXPECT_EQ(history_after_reopening(), history);
}

TEST_P(History, SpineRuleA15OneMessageLessIsFoundOut) {
  publish(5);
  auto history = db_->history();
  ASSERT_TRUE(write([](Tx& tx) -> Result<int64_t> {
    tx.exec("UPDATE outbox_head SET next_seq = next_seq - 1 WHERE topic = 't' AND partition = 3");
    tx.exec("DELETE FROM outbox WHERE topic = 't' AND partition = 3 AND seq = 5");
    return 0;
  }));
  auto later = history_after_reopening();
  EXPECT_NE(later, history);
  EXPECT_EQ(history_after_reopening(), later);
  publish(2);
  EXPECT_EQ(history_after_reopening(), later);
}

// The process died after the COMMIT and before the witness heard of it.
TEST_P(History, ADatabaseThatKnowsMoreHasNotGoneBack) {
  publish(5);
  auto history = db_->history();
  fs::copy_file(options_.witness, options_.witness + ".before");
  publish(5);
  db_->stop();
  fs::rename(options_.witness + ".before", options_.witness);
  EXPECT_EQ(history_after_reopening(), history);
}

TEST_P(History, AnAdministratorsWordCounts) {
  publish(1);
  auto history = db_->history();
  ASSERT_TRUE(testing::run(loop_, renew_history(*db_)));
  auto later = history_after_reopening();
  EXPECT_NE(later, history);
  EXPECT_EQ(history_after_reopening(), later);
}

// `myelin user add` beside a running server: what it commits the server's witness does not know, and must not miss.
TEST_P(History, AnotherProgramBesideTheServerChangesNothing) {
  publish(3);
  auto history = db_->history();
  auto beside = options_;
  beside.beside_a_server = true;
  auto other = files_->open(beside, loop_.get_executor(), clock_);
  EXPECT_EQ(other->history(), history);
  ASSERT_TRUE(testing::run(loop_, other->write({}, [](Tx& tx) { tx.publish("t", 3, "x"); })));
  other->stop();
  publish(3);
  EXPECT_EQ(history_after_reopening(), history);
}

// On this machine nobody knows the database. A SQLite file was brought here; a PostgreSQL has other machines.
TEST_P(History, WithoutAWitnessAFileIsACopy) {
  publish(3);
  auto history = db_->history();
  for (bool unreadable : {false, true}) {
    db_->stop();
    fs::remove(options_.witness);
    if (unreadable) std::ofstream(options_.witness) << "nonsense";
    auto later = history_after_reopening();
    EXPECT_EQ(later == history, GetParam() == Kind::kPostgres);
    history = later;
  }
}

class CopiedFile : public History {
 protected:
  void copy(const std::string& from, const std::string& to) {
    db_->stop();
    for (const char* part : {"", "-wal"}) {
      fs::remove(to + part);
      if (fs::exists(from + part)) fs::copy_file(from + part, to + part);
    }
    fs::remove(to + "-shm");
  }
  void keep(const std::string& name) { copy(path(), directory_.path() + "/" + name); }
  void put_back(const std::string& name) { copy(directory_.path() + "/" + name, path()); }
  std::string path() { return static_cast<testing::TemporarySqlite&>(*files_).path(); }
};
INSTANTIATE_TEST_SUITE_P(Sqlite, CopiedFile, ::testing::Values(Kind::kSqlite));

TEST_P(CopiedFile, AnOlderCopyIsFoundOutAndSoIsTheOriginalAfterwards) {
  publish(5);
  auto history = db_->history();
  keep("older");
  EXPECT_EQ(history_after_reopening(), history) << "nothing left the server since the copy was made";
  publish(7);
  keep("newer");

  put_back("older");
  auto second = history_after_reopening();
  EXPECT_NE(second, history);
  publish(3);
  EXPECT_EQ(history_after_reopening(), second);

  put_back("newer");  // knows more messages than the copy, but not those
  auto third = history_after_reopening();
  EXPECT_NE(third, history);
  EXPECT_NE(third, second);
}

TEST(Witness, CannotBeWrittenIsAnError) {
  Witness witness("/no/such/directory/witness");
  EXPECT_FALSE(witness.memory());
  auto result = witness.remember({"a", 1});
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("/no/such/directory/witness"), std::string::npos);
}

}  // namespace
}  // namespace myelin::db
