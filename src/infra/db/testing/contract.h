// What the tests of infra/db share: a database with a table of theirs, and many closures at once.
#pragma once
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "infra/db/testing/databases.h"

namespace myelin::db::testing {

inline constexpr Migration kItemTable{"test", 1, "0001_test.sql", R"(
-- version_no: what closures compare and swap.
CREATE TABLE item (
  id BIGINT PRIMARY KEY,
  version_no BIGINT NOT NULL,
  name TEXT,
  body BYTEA
);
)"};

class DatabaseTest : public ::testing::TestWithParam<Kind> {
 protected:
  using Closure = std::function<Result<int64_t>(Tx&)>;
  struct Wish {
    Closure closure;
    WriteOptions options{};
  };

  virtual std::unique_ptr<TemporaryDatabase> make_files() { return temporary_database(GetParam()); }
  void SetUp() override {
    migrations_ = migrations_of({});
    migrations_.push_back(kItemTable);
    files_ = make_files();
    options_ = files_->options();
    options_.migrations = migrations_;
    reopen();
  }
  void TearDown() override {
    if (db_) db_->stop();
  }
  void reopen() {
    if (db_) db_->stop();
    db_ = files_->open(options_, loop_.get_executor(), clock_);
    db_->on_committed([this](std::vector<OutboxRow> rows) {
      std::lock_guard lock(mutex_);
      ++deliveries_;
      for (auto& row : rows) delivered_.push_back(std::move(row));
    });
  }

  Result<int64_t> write(Closure closure, WriteOptions options = {}) {
    return run(loop_, db_->write(options, std::move(closure)));
  }
  template <class F>
  auto read(F closure) {
    return run(loop_, db_->read(std::move(closure)));
  }
  int64_t number(Sql sql) {
    auto out = read([sql](ReadTx& tx) { return tx.one(sql, [](const Row& row) { return row.i64(0); }); });
    EXPECT_TRUE(out) << out.error().message;
    return out && *out ? **out : -1;
  }
  // All of them are queued while the lane stands still, so they come in as few batches as there can be.
  std::vector<Result<int64_t>> write_together(std::vector<Wish> wishes) {
    std::promise<void> go;
    auto gate = go.get_future().share();
    std::vector<Result<int64_t>> results(wishes.size());
    size_t left = wishes.size() + 1;
    std::atomic<bool> is_before_it = false;  // the lane, so that it takes none of the others along
    boost::asio::co_spawn(loop_,
                          db_->write({},
                                     [gate, &is_before_it](Tx&) {
                                       is_before_it = true;
                                       is_before_it.notify_all();
                                       gate.wait();
                                     }),
                          [&](std::exception_ptr, auto) { --left; });
    loop_.restart();
    loop_.poll();
    is_before_it.wait(false);
    for (size_t i = 0; i < wishes.size(); ++i) {
      boost::asio::co_spawn(loop_, db_->write(wishes[i].options, std::move(wishes[i].closure)),
                            [&results, &left, i](std::exception_ptr, Result<int64_t> result) {
                              results[i] = std::move(result);
                              --left;
                            });
    }
    loop_.restart();
    loop_.poll();
    go.set_value();
    loop_.restart();
    while (left > 0) loop_.run_one();
    return results;
  }
  static Closure insert(int64_t id, Result<int64_t> answer = 0) {
    return [id, answer](Tx& tx) {
      tx.exec("INSERT INTO item (id, version_no) VALUES ($1, 0)", id);
      return answer;
    };
  }
  std::vector<int64_t> ids() {
    auto out = read([](ReadTx& tx) {
      return tx.all("SELECT id FROM item ORDER BY id", [](const Row& row) { return row.i64(0); });
    });
    EXPECT_TRUE(out) << out.error().message;
    return out ? *out : std::vector<int64_t>{};
  }

  boost::asio::io_context loop_;
  ManualClock clock_;
  std::vector<Migration> migrations_;
  std::unique_ptr<TemporaryDatabase> files_;
  Options options_;
  std::unique_ptr<Database> db_;
  std::mutex mutex_;
  std::vector<OutboxRow> delivered_;
  int deliveries_ = 0;
};

inline Code code_of(const Result<int64_t>& result) { return result ? Code{255} : result.error().code; }

}  // namespace myelin::db::testing
