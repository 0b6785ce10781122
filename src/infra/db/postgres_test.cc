// PostgreSQL with trouble: lost connections, commits in doubt, deadlocks, servers that may not be used.
#include "infra/db/postgres.h"

#include <thread>

#include "infra/db/fatal.h"
#include "infra/db/testing/contract.h"
#include "infra/db/testing/cutting_proxy.h"

namespace myelin::db {
namespace {

using testing::code_of;

class Postgres : public testing::DatabaseTest {
 protected:
  std::unique_ptr<testing::TemporaryDatabase> make_files() override {
    auto files = std::make_unique<testing::TemporaryPostgres>();
    server_ = files.get();
    return files;
  }
  std::string kill_connections() {
    return server_->sql(
        "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()");
  }
  Result<std::unique_ptr<Database>> open_again() { return Database::open(options_, loop_.get_executor(), clock_); }

  testing::TemporaryPostgres* server_ = nullptr;
};

TEST_F(Postgres, LostConnectionsAreMadeAnew) {
  for (int64_t id = 1; id <= 6; id += 2) {
    EXPECT_EQ(write(insert(id, id), {0}), id);
    EXPECT_NE(kill_connections(), "0");
    EXPECT_EQ(ids().size(), static_cast<size_t>(id));
    EXPECT_EQ(write(insert(id + 1, id + 1), {0}), id + 1);
  }
}

TEST_F(Postgres, SpineRuleB1LanesReadWhatIsCommitted) {
  server_->sql(fmt::format("ALTER DATABASE {} SET default_transaction_isolation = 'serializable'",
                           server_->sql("SELECT current_database()")));
  EXPECT_NE(kill_connections(), "0");
  std::string level;
  auto result = write([&](Tx& tx) -> Result<int64_t> {
    level = *tx.one("SELECT current_setting('transaction_isolation')", [](const Row& row) { return row.str(0); });
    // What another session commits in between is seen.
    server_->sql("INSERT INTO item (id, version_no) VALUES (7, 0)");
    return *tx.one("SELECT COUNT(*) FROM item", [](const Row& row) { return row.i64(0); });
  });
  EXPECT_EQ(level, "read committed");
  EXPECT_EQ(result, 1);
}

// A plan is kept: one that was made while a table was small must do for what it grows to.
TEST_F(Postgres, WhatHasAnIndexIsNeverReadWhole) {
  EXPECT_EQ(write(insert(1, 1), {0}), 1);
  server_->sql("ANALYZE item");
  std::string plan;
  EXPECT_EQ(write([&](Tx& tx) -> Result<int64_t> {
              tx.query("EXPLAIN SELECT version_no FROM item WHERE id = 1", [&](const Row& row) { plan += row.str(0); });
              return 1;
            }),
            1);
  EXPECT_NE(plan.find("Index Scan"), std::string::npos) << plan;
}

TEST_F(Postgres, AConnectionLostInsideAClosureRunsTheBatchAgain) {
  int runs = 0;
  auto result = write([&](Tx& tx) -> Result<int64_t> {
    tx.exec("INSERT INTO item (id, version_no) VALUES (1, 0)");
    auto pid = tx.one("SELECT pg_backend_pid()", [](const Row& row) { return row.i64(0); });
    if (++runs == 1) server_->sql(fmt::format("SELECT pg_terminate_backend({})", *pid));
    int64_t rows = tx.exec("UPDATE item SET version_no = 1 WHERE id = 1");
    return rows;
  });
  EXPECT_EQ(result, 1);
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(number("SELECT version_no FROM item"), 1);
}

// The commit landed and its answer is lost: not acknowledged, not published, and the next one looks.
TEST_F(Postgres, SpineRuleA12AnUnknownCommitThatLanded) {
  testing::CuttingProxy proxy(*server_);
  options_.url = proxy.url();
  options_.lanes = 1;
  reopen();
  auto publish = [](int64_t id) -> Closure {
    return [id](Tx& tx) -> Result<int64_t> {
      tx.exec("INSERT INTO item (id, version_no) VALUES ($1, 0)", id);
      tx.publish("t", 0, std::to_string(id));
      return id;
    };
  };
  EXPECT_EQ(write(publish(1)), 1);
  auto meanwhile = [](Tx&) -> Result<int64_t> {  // the others come, and so are one batch
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return 0;
  };
  auto results = write_together({{meanwhile},
                                 {[&](Tx& tx) -> Result<int64_t> {
                                   proxy.cut_next_commit();
                                   return publish(2)(tx);
                                 }},
                                 {insert(3, fail(Code::kForbidden))}});
  EXPECT_TRUE(proxy.has_cut());
  EXPECT_EQ(code_of(results[1]), Code::kCommitUnknown);
  EXPECT_EQ(code_of(results[2]), Code::kCommitUnknown) << "a refusal may rest on what is not known to be committed";
  EXPECT_EQ(ids(), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(write(publish(4)), 4);
  std::lock_guard lock(mutex_);
  ASSERT_EQ(delivered_.size(), 2u);
  EXPECT_EQ(delivered_[0].body, "1");
  EXPECT_EQ(delivered_[1].body, "4");
  EXPECT_EQ(delivered_[1].seq, 3u);
}

TEST_F(Postgres, SpineRuleA12AnUnknownCommitThatVanished) {
  // The server process ends in the middle of COMMIT.
  server_->sql(
      "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
      "PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$");
  server_->sql(
      "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON item INITIALLY DEFERRED FOR EACH ROW "
      "WHEN (NEW.version_no = 0) EXECUTE FUNCTION die()");
  EXPECT_EQ(code_of(write([](Tx& tx) -> Result<int64_t> {
              tx.exec("INSERT INTO item (id, version_no) VALUES (1, 0)");
              tx.publish("t", 0, "never");
              return 1;
            })),
            Code::kCommitUnknown);
  EXPECT_TRUE(ids().empty());
  EXPECT_TRUE(delivered_.empty());
  auto again = write([](Tx& tx) -> Result<int64_t> {
    tx.exec("INSERT INTO item (id, version_no) VALUES (1, 1)");
    tx.publish("t", 0, "now");
    return 1;
  });
  EXPECT_EQ(again, 1);
  ASSERT_EQ(delivered_.size(), 1u);
  EXPECT_EQ(delivered_[0].seq, 1u);
}

// A process is cut off from a server that stands still; what it sent is received when another has written since.
TEST_F(Postgres, SpineRuleA12WhatIsReceivedLateUndoesNothingNewer) {
  testing::CuttingProxy proxy(*server_);
  options_.url = proxy.url();
  options_.lanes = 1;
  reopen();
  EXPECT_EQ(write(insert(1, 1)), 1);
  proxy.keep_back();
  auto result = write([](Tx& tx) -> Result<int64_t> {
    tx.exec("DELETE FROM item WHERE id = 1");
    return 1;
  });
  EXPECT_EQ(result, 1) << "done again, on another connection";
  server_->sql("INSERT INTO item (id, version_no) VALUES (1, 2) ON CONFLICT (id) DO UPDATE SET version_no = 2");
  EXPECT_TRUE(proxy.has_kept());
  proxy.let_through();
  EXPECT_EQ(ids(), (std::vector<int64_t>{1}));
}

TEST_F(Postgres, ACommitThatIsRefusedHasNotHappened) {
  server_->sql("ALTER TABLE item ADD CONSTRAINT once UNIQUE (version_no) DEFERRABLE INITIALLY DEFERRED");
  ASSERT_TRUE(write(insert(1)));
  auto results = write_together({{insert(2, 2)}, {[](Tx& tx) -> Result<int64_t> {
                                   return tx.exec("INSERT INTO item (id, version_no) VALUES (3, 33)");
                                 }}});
  EXPECT_EQ(code_of(results[0]), Code::kInternal);  // breaks its own commit only
  EXPECT_EQ(results[1], 1);
  EXPECT_EQ(ids(), (std::vector<int64_t>{1, 3}));
}

TEST_F(Postgres, ClosuresThatDeadlockAreRunAgain) {
  options_.write_patience = std::chrono::seconds(20);  // PostgreSQL looks for deadlocks after one
  reopen();
  ASSERT_TRUE(write(insert(1)));
  ASSERT_TRUE(write(insert(2)));
  std::promise<void> locked[2];
  std::shared_future<void> other[2] = {locked[1].get_future().share(), locked[0].get_future().share()};
  std::atomic<int> runs = 0;
  int left = 2;
  for (int i = 0; i < 2; ++i) {
    boost::asio::co_spawn(
        loop_,
        db_->write({static_cast<uint32_t>(i)},
                   [&, i, first = true](Tx& tx) mutable {
                     ++runs;
                     int64_t one = tx.exec("UPDATE item SET version_no = version_no + 1 WHERE id = $1", 1 + i);
                     if (std::exchange(first, false)) {
                       locked[i].set_value();
                       other[i].wait();
                     }
                     int64_t two = tx.exec("UPDATE item SET version_no = version_no + 1 WHERE id = $1", 2 - i);
                     return one + two;
                   }),
        [&](std::exception_ptr, Result<int64_t> result) {
          EXPECT_EQ(result, 2);
          --left;
        });
  }
  loop_.restart();
  while (left > 0) loop_.run_one();
  EXPECT_GT(runs, 2);
  EXPECT_EQ(number("SELECT SUM(version_no) FROM item"), 4);
}

// Two processes, each with a batch of two closures, which came in opposite orders.
TEST_F(Postgres, SpineRuleA2BatchesOfTwoProcessesLockRowsInOneOrder) {
  options_.lanes = 1;
  options_.batch_time = std::chrono::seconds(1);
  reopen();
  ASSERT_TRUE(write(insert(1)));
  ASSERT_TRUE(write(insert(2)));
  auto other = files_->open(options_, loop_.get_executor(), clock_);
  std::promise<void> go;
  auto gate = go.get_future().share();
  std::atomic<int> runs = 0, waiting = 0;
  int left = 0;
  auto begin = [&](Database& db, uint32_t lane, Closure closure) {
    ++left;
    boost::asio::co_spawn(loop_, db.write({.lane = lane}, std::move(closure)), [&](std::exception_ptr, auto result) {
      EXPECT_TRUE(result);
      --left;
    });
    loop_.restart();
    loop_.poll();
  };
  Database* all[] = {db_.get(), other.get()};
  for (auto* db : all)
    begin(*db, 0, [&waiting, gate](Tx&) {
      ++waiting;
      gate.wait();
      return 0;
    });
  while (waiting < 2) std::this_thread::yield();  // so that those to come are one batch for each
  for (int64_t first : {1, 2})
    for (int64_t id : {first, 3 - first})
      begin(*all[first - 1], static_cast<uint32_t>(id), [&runs, id](Tx& tx) {
        ++runs;
        int64_t rows = tx.exec("UPDATE item SET version_no = version_no + 1 WHERE id = $1", id);
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        return rows;
      });
  go.set_value();
  loop_.restart();
  while (left > 0) loop_.run_one();
  EXPECT_EQ(runs, 4) << "a deadlock, after which a batch ran again";
  EXPECT_EQ(number("SELECT SUM(version_no) FROM item"), 4);
  other->stop();
}

TEST_F(Postgres, SpineRuleA3WritersHaveTheTimeOuts) {
  auto expected = std::to_string(Options().session_timeout.count());
  ASSERT_TRUE(write([&](Tx& tx) -> Result<int64_t> {
    auto settings =
        tx.all("SELECT setting FROM pg_settings WHERE name IN ('idle_in_transaction_session_timeout', 'lock_timeout')",
               [](const Row& row) { return row.str(0); });
    EXPECT_EQ(settings, (std::vector{expected, expected}));
    return 0;
  }));
}

// An owner's machine that vanished in mid-transaction does not hold its successor up.
TEST_F(Postgres, SpineRuleA3AVanishedTransactionIsNotWaitedForLong) {
  options_.session_timeout = std::chrono::milliseconds(300);
  reopen();
  ASSERT_TRUE(write(insert(1)));
  PgConnection vanished(PQconnectdb(server_->url().c_str()));
  PgResult(PQexec(vanished.get(), "BEGIN; UPDATE item SET version_no = 1 WHERE id = 1"));
  auto touch = [](Tx& tx) -> Result<int64_t> { return tx.exec("UPDATE item SET version_no = 5 WHERE id = 1"); };
  auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(code_of(write(touch)), Code::kUnavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  // One of ours that stands still is ended by the server.
  PgResult(PQexec(vanished.get(), "SET idle_in_transaction_session_timeout = 100"));
  EXPECT_EQ(write(touch), 1);
}

TEST_F(Postgres, AStartWaitsForThePositionOfThoseAtWork) {
  options_.session_timeout = std::chrono::milliseconds(100);
  clock_.advance(60'000);  // the start moves the position
  PgConnection busy(PQconnectdb(server_->url().c_str()));
  PgResult(PQexec(busy.get(), "BEGIN; UPDATE sync_head SET pos = pos + 1"));
  std::thread commits([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(600));
    PgResult(PQexec(busy.get(), "COMMIT"));
  });
  auto db = open_again();
  commits.join();
  ASSERT_TRUE(db) << db.error().message;
  (*db)->stop();
}

// Who asked may have been told by another process that it is done, and have gone on from there.
TEST_F(Postgres, SpineRuleA17WhatWaitsForTooLongIsNotWritten) {
  options_.write_patience = std::chrono::milliseconds(100);
  reopen();
  auto results = write_together({{[](Tx&) -> Result<int64_t> {
                                   std::this_thread::sleep_for(std::chrono::milliseconds(300));
                                   return 1;
                                 }},
                                 {insert(2)}});
  EXPECT_EQ(results[0], 1);
  EXPECT_EQ(code_of(results[1]), Code::kUnavailable);
  EXPECT_TRUE(ids().empty());
  EXPECT_TRUE(write(insert(3)));
}

// The database cannot be reached, say: each attempt at that takes long.
TEST_F(Postgres, SpineRuleA17WhatFailsForTooLongIsGivenUp) {
  options_.write_patience = std::chrono::milliseconds(100);
  reopen();
  int runs = 0;
  auto result = write([&](Tx& tx) -> Result<int64_t> {
    ++runs;
    std::this_thread::sleep_for(std::chrono::milliseconds(150));
    auto pid = tx.one("SELECT pg_backend_pid()", [](const Row& row) { return row.i64(0); });
    server_->sql(fmt::format("SELECT pg_terminate_backend({})", *pid));
    return tx.exec("INSERT INTO item (id, version_no) VALUES (1, 0)");
  });
  EXPECT_EQ(code_of(result), Code::kUnavailable);
  EXPECT_EQ(runs, 1);
  EXPECT_TRUE(write(insert(3)));
}

TEST_F(Postgres, SpineRuleA3ServersThatLoseWhatIsAcknowledgedAreRefused) {
  db_->stop();
  server_->sql(
      "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET synchronous_commit = off'; END $$");
  auto db = open_again();
  ASSERT_FALSE(db);
  EXPECT_NE(db.error().message.find("synchronous_commit is off"), std::string::npos) << db.error().message;
  db_.reset();
}

TEST_F(Postgres, AnotherEncodingIsRefused) {
  auto name = "ascii" + std::to_string(::getpid());
  server_->sql("CREATE DATABASE " + name + " ENCODING 'SQL_ASCII' TEMPLATE template0");
  auto slash = options_.url.find("///") + 3;
  options_.url.replace(slash, options_.url.find('?') - slash, name);
  auto db = open_again();
  ASSERT_FALSE(db);
  EXPECT_NE(db.error().message.find("not UTF8"), std::string::npos) << db.error().message;
}

TEST_F(Postgres, OneThatTakesNoWritesNowMayTakeThemLater) {
  db_->stop();
  options_.lanes = 2;
  server_->sql(
      "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET default_transaction_read_only = on'; END "
      "$$");
  auto db = open_again();
  ASSERT_FALSE(db);
  EXPECT_EQ(db.error().code, Code::kUnavailable);
  EXPECT_TRUE(db.error().message.contains("is it a standby, or its default_transaction_read_only on?"))
      << db.error().message;
  db_.reset();
}

TEST_F(Postgres, WhatOnlyAPersonCanMendIsToldApart) {
  auto slash = options_.url.find("///") + 3;
  options_.url.replace(slash, options_.url.find('?') - slash, "nowhere");
  auto db = open_again();
  ASSERT_FALSE(db);
  EXPECT_EQ(db.error().code, Code::kConflict);
  EXPECT_TRUE(db.error().message.contains("\"nowhere\" does not exist")) << db.error().message;
  EXPECT_FALSE(db.error().message.contains('\n'));
}

TEST_F(Postgres, AServerThatIsNotThereIsAnError) {
  options_.url = "postgresql:///x?host=/nowhere";
  auto db = open_again();
  ASSERT_FALSE(db);
  EXPECT_EQ(db.error().code, Code::kUnavailable);
  options_.url = "mysql://localhost";
  EXPECT_EQ(open_again().error().code, Code::kInvalidParam);
}

TEST(PostgresWords, StandInOneLine) {
  EXPECT_EQ(in_one_line(nullptr), "");
  EXPECT_EQ(in_one_line("no such table\n"), "no such table");
  EXPECT_EQ(in_one_line("server closed the connection unexpectedly\n\tThis probably means the server terminated\n"),
            "server closed the connection unexpectedly This probably means the server terminated");
  EXPECT_EQ(in_one_line("first host: refused\nsecond host: refused\n"), "first host: refused; second host: refused");
}

}  // namespace
}  // namespace myelin::db
