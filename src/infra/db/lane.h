// A lane: one thread, one writing connection, group commit. It takes every queued closure, runs each in a savepoint of
// one transaction, takes positions and outbox numbers for all, commits once, then completes them.
//
// A closure that finds the lane idle is committed at once if recent batches had one closure. If they had more, their
// senders are likely on their way with the next: the lane waits for most of them, at most a quarter of a commit's time.
//
// Order in the transaction (docs/spine.md, rule A2): fences, closures, the sync position, heads of the outbox.
// Whatever a closure answers leaves only when the commit is known (rule A16): refusals too, as they may rest on what an
// earlier closure of the batch wrote.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/metrics.h"
#include "infra/db/committed.h"
#include "infra/db/session.h"
#include "infra/db/witness.h"

namespace myelin::db {

struct Job {  // Database::Write, outside of Database
  WriteOptions options;
  std::function<Result<void>(Tx&)> run;
  std::function<void(Result<void>)> done;
  std::chrono::steady_clock::time_point submitted{};  // set by the lane
};

struct LaneLimits {
  int batch_closures = 128;
  std::chrono::milliseconds batch_time{10};
  std::chrono::milliseconds patience{0};  // a closure that has not begun by then is refused; 0: none is
};

class Lane {
 public:
  Lane(std::unique_ptr<Session>, LaneLimits, Committed&, Witness*);  // nobody remembers: a null witness
  ~Lane();                                                           // stop()
  void submit(Job);
  void stop();  // finishes what is queued

 private:
  struct Entry;
  class LaneTx;
  enum class End {
    kCommitted,
    kUnknown,  // see error_
    kAgain,    // run it again: something was settled about one closure, or savepoints must be watched more closely
    kBroken,   // the transaction as a whole failed, see error_
  };

  void loop();
  std::vector<Entry> take();
  void give_back(std::vector<Entry>& entries, size_t from);
  void commit(std::vector<Entry> entries);
  End attempt(std::vector<Entry>& entries, bool careful);
  End settle_commit(std::vector<Entry>& entries);
  void refuse_late(std::vector<Entry>& entries);
  void check_fences(std::vector<Entry>& entries);
  std::optional<End> run_closures(std::vector<Entry>& entries, bool careful);
  std::optional<End> run_one(Entry&, bool alone, bool careful);
  std::optional<End> take_positions(std::vector<Entry>& entries);
  void number_rows(std::vector<Entry>& entries);
  std::vector<uint64_t> take_numbers(const std::map<OutboxKey, std::vector<OutboxRow>>&);
  void complete(std::vector<Entry>& entries, const std::optional<Error>& all);

  std::unique_ptr<Session> session_;
  LaneLimits limits_;
  Committed& committed_;
  Witness* witness_;

  // Of the attempt that runs; the lane's thread.
  Error error_;
  std::vector<OutboxRow> rows_;
  std::vector<std::pair<OutboxKey, uint64_t>> reserved_;

  prometheus::Counter& commits_;
  prometheus::Counter& failed_commits_;
  prometheus::Histogram& batch_sizes_;
  prometheus::Histogram& commit_seconds_;
  prometheus::Gauge& queue_depth_;

  // What recent batches were like; the lane's thread.
  size_t usual_size_ = 1;
  std::chrono::nanoseconds usual_commit_{0};

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> queue_;
  size_t wake_at_ = 1;  // the lane wants to be woken when so many are queued
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace myelin::db
