#include "infra/work/work.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "infra/bus/testing/hint_bus.h"
#include "infra/db/testing/databases.h"

namespace myelin::work {
namespace {
using db::testing::Kind;

class WorkTest : public ::testing::TestWithParam<Kind> {
 protected:
  WorkTest() : files_(db::testing::temporary_database(GetParam())), db_(files_->open(io_.get_executor(), clock_)) {
    make();
  }
  ~WorkTest() override {
    stop();
    db_->stop();
  }
  void make() { queues_ = Queues::make(*db_, hints_, io_.get_executor(), clock_, random_); }
  void stop() {
    if (queues_) db::testing::run(io_, queues_->stop());
    queues_.reset();
  }

  void declare(std::function<Task<Outcome>(Item)> attempt, int parallel = 16) {
    queues_->declare({.name = "q", .parallel = parallel, .attempt = [this, attempt](Item item) {
                        attempts_.push_back(item.key + item.body);
                        return attempt(std::move(item));
                      }});
    queues_->start();
  }
  void add(const std::string& key, const std::string& body, Milliseconds in = 0) {
    auto now = clock_.now();
    write([=](db::Tx& tx) { enqueue(tx, "q", key, body, now, in); });
    queues_->wake("q");
  }
  // PostgreSQL goes by its own clock: there it is the rows that move.
  void pass(Milliseconds time) {
    clock_.advance(time);
    if (GetParam() == Kind::kPostgres)
      write([time](db::Tx& tx) { tx.exec("UPDATE work SET due = due - $1, lease_until = lease_until - $1", time); });
  }
  void write(std::function<void(db::Tx&)> closure) {
    auto status = db::testing::run(io_, db_->write({}, [closure](db::Tx& tx) { closure(tx); }));
    ASSERT_TRUE(status) << status.error().message;
  }
  int64_t count() { return number("SELECT COUNT(*) FROM work"); }
  int64_t number(db::Sql sql) {
    return db::testing::run(io_, db_->read([sql](db::ReadTx& tx) {
             return tx.one(sql, [](const db::Row& row) { return row.i64(0); }).value_or(-1);
           }))
        .value();
  }
  static Task<bool> reaches(std::function<bool()> goal) {
    for (auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60); !goal();) {
      if (std::chrono::steady_clock::now() > end) co_return false;
      co_await sleep_for(std::chrono::milliseconds(2));
    }
    co_return true;
  }
  bool until(std::function<bool()> goal) { return db::testing::run(io_, reaches(std::move(goal))); }
  bool until_empty() {
    return until([this] { return count() == 0; });
  }

  boost::asio::io_context io_;
  bus::testing::HintBus hints_{std::make_shared<bus::testing::HintBus::Ears>(), io_.get_executor()};
  ManualClock clock_;
  SeededRandom random_{3};
  std::unique_ptr<db::testing::TemporaryDatabase> files_;
  std::unique_ptr<db::Database> db_;
  std::unique_ptr<Queues> queues_;
  std::vector<std::string> attempts_;
};

Task<Outcome> done(Item) { co_return Outcome{}; }

TEST_P(WorkTest, AKeyIsWorkedOnInOrder) {
  for (const char* body : {"1", "2", "3"}) {
    add("a", body);
    add("b", body);
  }
  declare(done);
  EXPECT_TRUE(until([&] { return attempts_.size() == 6; }));
  std::vector<std::string> of_a, of_b;
  for (const auto& attempt : attempts_) (attempt[0] == 'a' ? of_a : of_b).push_back(attempt);
  EXPECT_EQ(of_a, (std::vector<std::string>{"a1", "a2", "a3"}));
  EXPECT_EQ(of_b, (std::vector<std::string>{"b1", "b2", "b3"}));
  EXPECT_TRUE(until_empty());
}

TEST_P(WorkTest, ASlowKeyDelaysOnlyItself) {
  Doorbell bell(io_.get_executor());
  declare([&](Item item) -> Task<Outcome> {
    if (item.key == "slow") co_await bell.wait(0, std::chrono::steady_clock::now() + std::chrono::seconds(20));
    co_return Outcome{};
  });
  add("slow", "1");
  add("slow", "2");
  for (const char* key : {"a", "b", "c"}) add(key, "1");
  EXPECT_TRUE(until([&] { return attempts_.size() == 4; }));
  EXPECT_EQ(std::ranges::count(attempts_, "slow2"), 0);
  bell.ring();
  EXPECT_TRUE(until([&] { return attempts_.size() == 5; }));
}

TEST_P(WorkTest, TheResultIsWrittenWithTheRowThatGoes) {
  bool refuse = true;
  declare([&](Item) -> Task<Outcome> {
    Outcome out;
    out.write = [refuse](db::Tx& tx) -> Result<void> {
      enqueue(tx, "result", "r", "x", 0);
      if (refuse) return fail(Code::kUnavailable, "not now");
      return {};
    };
    co_return out;
  });
  add("a", "1");
  EXPECT_TRUE(until([&] { return number("SELECT attempts FROM work WHERE queue = 'q'") == 1; }));
  EXPECT_EQ(number("SELECT COUNT(*) FROM work WHERE queue = 'result'"), 0) << "all or nothing";
  refuse = false;
  pass(10'000);
  queues_->wake("q");
  EXPECT_TRUE(until([&] { return number("SELECT COUNT(*) FROM work WHERE queue = 'q'") == 0; }));
  EXPECT_EQ(number("SELECT COUNT(*) FROM work WHERE queue = 'result'"), 1);
}

TEST_P(WorkTest, FailuresBackOffAndHeedTheOtherSide) {
  Outcome answer{.kind = Outcome::Kind::kRetry, .reason = "busy"};
  declare([&](Item) -> Task<Outcome> { co_return answer; });
  add("a", "1");
  auto wait_after = [&](int attempts) {
    EXPECT_TRUE(until([&] { return number("SELECT attempts FROM work") == attempts; }));
    return db::testing::run(io_, db_->read([now = clock_.now()](db::ReadTx& tx) {
             return tx.one(
                          "SELECT due - {clock $1} FROM work", [](const db::Row& row) { return row.i64(0); }, now)
                 .value_or(-1);
           }))
        .value();
  };
  auto first = wait_after(1);
  EXPECT_GE(first, 900);  // PostgreSQL's clock goes on
  EXPECT_LE(first, 1'250);
  pass(first);
  queues_->wake("q");
  EXPECT_GE(wait_after(2), 1'900);
  answer.retry_after = std::chrono::hours(2);
  queues_->retry_now("q", "a");
  EXPECT_GE(wait_after(3), 7'199'000);
  answer = {};
  queues_->retry_now("q", "a");
  EXPECT_TRUE(until_empty());
}

TEST_P(WorkTest, WhatIsNotDueWaits) {
  declare(done);
  add("later", "1", 60'000);
  add("now", "1");
  EXPECT_TRUE(until([&] { return attempts_.size() == 1; }));
  EXPECT_EQ(attempts_.front(), "now1");
  pass(60'000);
  queues_->wake("q");
  EXPECT_TRUE(until([&] { return attempts_.size() == 2; }));
}

TEST_P(WorkTest, WhatIsGivenUpAtAStopIsDoneAfterTheNextStart) {
  declare([](Item) -> Task<Outcome> {
    co_await sleep_for(std::chrono::hours(1));
    co_return Outcome{};
  });
  add("a", "1");
  add("a", "2");
  EXPECT_TRUE(until([&] { return attempts_.size() == 1; }));
  stop();
  EXPECT_EQ(count(), 2);
  make();
  attempts_.clear();
  declare(done);
  EXPECT_TRUE(until_empty());
  EXPECT_EQ(attempts_, (std::vector<std::string>{"a1", "a2"}));
}

TEST_P(WorkTest, AFailedAttemptHoldsUpTheLaterItemsOfItsKeyOnly) {
  bool away = true;
  declare([&](Item item) -> Task<Outcome> {
    if (away && item.key == "a") co_return Outcome{.kind = Outcome::Kind::kRetry, .reason = "away"};
    co_return Outcome{};
  });
  for (const char* body : {"1", "2"})
    for (const char* key : {"a", "b"}) add(key, body);
  EXPECT_TRUE(until([&] { return number("SELECT count(*) FROM work WHERE key = 'b'") == 0; }));
  EXPECT_EQ(number("SELECT count(*) FROM work WHERE key = 'a'"), 2);
  EXPECT_EQ(std::ranges::count(attempts_, "a2"), 0) << "order within the key";
  away = false;
  queues_->retry_now("q", "a");
  EXPECT_TRUE(until_empty());
  EXPECT_EQ(attempts_.back(), "a2");
}

TEST_P(WorkTest, OnlySoManyKeysAreWorkedOnAtOnceAndAllGetTheirTurn) {
  int now = 0, most = 0;
  declare(
      [&](Item) -> Task<Outcome> {
        most = std::max(most, ++now);
        co_await sleep_for(std::chrono::milliseconds(1));
        --now;
        co_return Outcome{};
      },
      3);
  write([&](db::Tx& tx) {
    for (int i = 0; i < 200; ++i) enqueue(tx, "q", "k" + std::to_string(i), "x", 0);
  });
  queues_->wake("q");
  EXPECT_TRUE(until([&] { return attempts_.size() == 200; }));
  EXPECT_EQ(most, 3);
  EXPECT_TRUE(until_empty());
}

TEST_P(WorkTest, AnAttemptThatThrowsIsAFailedOne) {
  declare([&](Item item) -> Task<Outcome> {
    if (item.attempts == 0) throw std::runtime_error("a bug");
    co_return Outcome{};
  });
  add("a", "1");
  EXPECT_TRUE(until([&] { return number("SELECT count(*) FROM work WHERE reason = 'a bug'") == 1; }));
  pass(10'000);
  queues_->wake("q");
  EXPECT_TRUE(until_empty());
}

// Killed between the attempt and the transaction of its result: the attempt is made again, the result is there once.
TEST_P(WorkTest, KilledBetweenTheStepsItIsDoneAgain) {
  add("a", "1");
  auto options = files_->options();
  db_->stop();
  auto child = ::fork();
  if (child == 0) {
    ::setenv("MYELIN_CRASH_AT", "work.between_steps", 1);
    fault::arm_from_environment();
    ::alarm(60);
    db_ = files_->open(io_.get_executor(), clock_);
    make();
    declare(done);
    (void)until([] { return false; });
    ::_exit(3);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  db_ = files_->open(io_.get_executor(), clock_);
  make();
  EXPECT_EQ(count(), 1);
  declare([&](Item) -> Task<Outcome> {
    Outcome out;
    out.write = [](db::Tx& tx) -> Result<void> {
      enqueue(tx, "result", "r", "x", 0);
      return {};
    };
    co_return out;
  });
  pass(kLease.count() + 1);  // on PostgreSQL it is leased to the one that was killed
  queues_->wake("q");
  EXPECT_TRUE(until([&] { return number("SELECT count(*) FROM work WHERE queue = 'q'") == 0; }));
  EXPECT_EQ(number("SELECT count(*) FROM work WHERE queue = 'result'"), 1);
}

class WorkLeases : public WorkTest {
 protected:
  // Another process on the same database.
  void start_other() {
    other_ = Queues::make(*db_, hints_, io_.get_executor(), clock_, random_);
    other_->declare({.name = "q", .attempt = [this](Item item) -> Task<Outcome> {
                       attempts_.push_back("other " + item.key + item.body);
                       co_return Outcome{};
                     }});
    other_->start();
  }
  ~WorkLeases() override {
    if (other_) db::testing::run(io_, other_->stop());
  }
  std::unique_ptr<Queues> other_;
};

// Who enqueues need not be who works: one process wakes the other.
TEST_P(WorkLeases, AWakeReachesTheProcessesThatWork) {
  start_other();
  db::testing::run(io_, sleep_for(std::chrono::milliseconds(20)));  // it has looked, and waits
  write([now = clock_.now()](db::Tx& tx) { enqueue(tx, "q", "a", "1", now); });
  queues_->declare({.name = "q", .attempt = done});  // never started
  queues_->wake("q");
  EXPECT_TRUE(until([&] { return attempts_ == std::vector<std::string>{"other a1"}; }));
  EXPECT_TRUE(until_empty());
}

TEST_P(WorkLeases, WhatOneProcessIsAtNoOtherTakes) {
  bool go_on = false;
  declare([&](Item item) -> Task<Outcome> {
    while (!go_on && item.key == "a") co_await sleep_for(std::chrono::milliseconds(1));
    co_return Outcome{};
  });
  add("a", "1");
  add("a", "2");
  EXPECT_TRUE(until([&] { return attempts_.size() == 1; }));
  start_other();
  add("b", "1");
  other_->wake("q");
  EXPECT_TRUE(until([&] { return number("SELECT count(*) FROM work WHERE key = 'b'") == 0; }));
  EXPECT_EQ(std::ranges::count(attempts_, "other a1"), 0);
  EXPECT_EQ(std::ranges::count(attempts_, "other a2"), 0) << "the key's order is kept over processes";
  go_on = true;
  EXPECT_TRUE(until_empty());
}

// One process stands still for longer than its lease; another does the work; the result of the first is dropped.
TEST_P(WorkLeases, WhoLosesItsLeaseLosesItsResult) {
  bool go_on = false, ended = false;
  declare([&](Item) -> Task<Outcome> {
    while (!go_on) co_await sleep_for(std::chrono::milliseconds(1));
    ended = true;
    Outcome out;
    out.write = [](db::Tx& tx) -> Result<void> {
      enqueue(tx, "result", "late", "x", 0);
      return {};
    };
    co_return out;
  });
  add("a", "1");
  EXPECT_TRUE(until([&] { return attempts_.size() == 1; }));
  pass(kLease.count() + 1);
  start_other();
  EXPECT_TRUE(until([&] { return number("SELECT count(*) FROM work WHERE queue = 'q'") == 0; }));
  EXPECT_EQ(attempts_.back(), "other a1");
  go_on = true;
  EXPECT_TRUE(until([&] { return ended; }));
  stop();
  EXPECT_EQ(count(), 0) << "the late result";
}

// What was found some time ago may have been done by another, and its number given to the next item of the key.
TEST_P(WorkLeases, WhatAnotherHasDoneIsNotTakenForWhatCameAfterIt) {
  bool go_on = false;
  add("slow", "1");
  add("a", "1", 1);
  pass(2);
  declare(
      [&](Item item) -> Task<Outcome> {
        while (!go_on && item.key == "slow") co_await sleep_for(std::chrono::milliseconds(1));
        co_return Outcome{};
      },
      1);
  ASSERT_TRUE(until([&] { return attempts_.size() == 1; }));
  ASSERT_EQ(attempts_[0], "slow1");  // the other one waits for it, in memory
  write([now = clock_.now()](db::Tx& tx) {
    tx.exec("DELETE FROM work WHERE key = 'a'");
    enqueue(tx, "q", "a", "2", now);
  });
  go_on = true;
  EXPECT_TRUE(until_empty());
  EXPECT_EQ(attempts_, (std::vector<std::string>{"slow1", "a2"}));
}

TEST_P(WorkLeases, AStopGivesLeasesUp) {
  declare([](Item) -> Task<Outcome> {
    co_await sleep_for(std::chrono::hours(1));
    co_return Outcome{};
  });
  add("a", "1");
  EXPECT_TRUE(until([&] { return attempts_.size() == 1; }));
  stop();
  start_other();
  EXPECT_TRUE(until_empty()) << "at once, not after the lease";
}
INSTANTIATE_TEST_SUITE_P(Postgres, WorkLeases, ::testing::Values(Kind::kPostgres));

INSTANTIATE_TEST_SUITE_P(Databases, WorkTest, ::testing::Values(Kind::kSqlite, Kind::kPostgres),
                         [](const auto& info) { return info.param == Kind::kSqlite ? "Sqlite" : "Postgres"; });

}  // namespace
}  // namespace myelin::work
