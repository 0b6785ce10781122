// A database that counts what is asked of it, and fails what a test tells it to. Thread: the loop.
#pragma once
#include <future>
#include <memory>
#include <mutex>

#include "infra/db/db.h"

namespace myelin::testing {

class WatchedDatabase final : public db::Database {
 public:
  explicit WatchedDatabase(std::unique_ptr<db::Database> real) : real_(std::move(real)) {}

  size_t reads() const { return reads_; }
  size_t writes() const { return writes_; }
  // The write after `skipped` more runs its closure, and then fails with `error`: its savepoint is rolled back.
  void fail_write(Error error, size_t skipped = 0) {
    error_ = std::move(error);
    fails_at_ = writes_ + skipped + 1;
  }

  // Reads fail with it until they are told not to.
  void fail_reads(std::optional<Error> error) { read_error_ = std::move(error); }

  // The next write of an owner is done, and is said to be `code`: its answer was lost.
  void lose_answer(Code code) { lost_ = code; }

  // The next write of an owner is said to be of unknown result, and done when the test wants it.
  void delay_write() { delays_ = true; }
  Result<void> do_delayed_write() {
    std::promise<Result<void>> done;
    delayed_->done = [&done](Result<void> status) { done.set_value(std::move(status)); };
    Inside::hand(*real_, *std::exchange(delayed_, std::nullopt));
    return done.get_future().get();
  }

  // The next write of an owner is done, and not answered before release_answer().
  void hold_answer() { holds_ = true; }
  bool has_answer() const {
    std::lock_guard lock(mutex_);
    return held_ != nullptr;
  }
  void release_answer() {
    std::lock_guard lock(mutex_);
    std::exchange(held_, nullptr)();
  }

  void on_committed(std::function<void(std::vector<db::OutboxRow>)> receiver) override {
    real_->on_committed(std::move(receiver));
  }
  std::string generation() const override { return real_->generation(); }
  std::string history() const override { return real_->history(); }
  bool is_sqlite() const override { return real_->is_sqlite(); }
  void stop() override { real_->stop(); }

 private:
  // Reaches the real database's protected half.
  struct Inside : db::Database {
    template <class Job>
    static void hand(db::Database& to, Job job) {
      (to.*static_cast<void (db::Database::*)(Job)>(&Inside::submit))(std::move(job));
    }
  };
  void submit(Write write) override {
    if (++writes_ == fails_at_)
      write.run = [run = std::move(write.run), error = error_](db::Tx& tx) -> Result<void> {
        MYELIN_CHECK(run(tx));
        return std::unexpected(error);
      };
    if (write.options.fence && std::exchange(delays_, false)) {
      write.done(fail(Code::kCommitUnknown, "the connection was lost"));
      delayed_ = std::move(write);
      return;
    }
    if (lost_ && write.options.fence)
      write.done = [done = std::move(write.done), code = *std::exchange(lost_, std::nullopt)](Result<void> status) {
        done(status ? fail(code, "the answer was lost") : std::move(status));
      };
    if (write.options.fence && std::exchange(holds_, false))
      write.done = [this, done = std::move(write.done)](Result<void> status) {
        std::lock_guard lock(mutex_);  // a lane's thread
        held_ = [done, status = std::move(status)] { done(status); };
      };
    Inside::hand(*real_, std::move(write));
  }
  void submit(Read read) override {
    ++reads_;
    if (read_error_) return read.done(std::unexpected(*read_error_));
    Inside::hand(*real_, std::move(read));
  }

  std::unique_ptr<db::Database> real_;
  size_t reads_ = 0, writes_ = 0, fails_at_ = 0;
  Error error_{};
  std::optional<Error> read_error_;
  std::optional<Code> lost_;
  bool holds_ = false, delays_ = false;
  std::optional<Write> delayed_;
  mutable std::mutex mutex_;
  std::function<void()> held_;  // guarded by mutex_
};

}  // namespace myelin::testing
