#include "infra/work/work.h"

#include <gtest/gtest.h>

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
  void make() { queues_ = Queues::make(*db_, io_.get_executor(), clock_, random_); }
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
    auto due = clock_.now() + in;
    write([=](db::Tx& tx) { enqueue(tx, "q", key, body, due); });
    queues_->wake("q");
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
  Task<bool> reaches(std::function<bool()> goal) {
    for (int i = 0; i < 2'000 && !goal(); ++i) co_await sleep_for(std::chrono::milliseconds(2));
    co_return goal();
  }
  bool until(std::function<bool()> goal) { return db::testing::run(io_, reaches(std::move(goal))); }
  bool until_empty() {
    for (int i = 0; i < 500 && count() > 0; ++i) until([] { return true; });
    return count() == 0;
  }

  boost::asio::io_context io_;
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
  clock_.advance(10'000);
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
    return number("SELECT due FROM work") - clock_.now();
  };
  auto first = wait_after(1);
  EXPECT_GE(first, 1'000);
  EXPECT_LE(first, 1'250);
  clock_.advance(first);
  queues_->wake("q");
  EXPECT_GE(wait_after(2), 2'000);
  answer.retry_after = std::chrono::hours(2);
  queues_->retry_now("q", "a");
  EXPECT_GE(wait_after(3), 7'200'000);
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
  clock_.advance(60'000);
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

INSTANTIATE_TEST_SUITE_P(Databases, WorkTest, ::testing::Values(Kind::kSqlite, Kind::kPostgres),
                         [](const auto& info) { return info.param == Kind::kSqlite ? "Sqlite" : "Postgres"; });

}  // namespace
}  // namespace myelin::work
