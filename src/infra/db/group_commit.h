// Group commit: many closures in one transaction of one session. Each runs in a savepoint; positions and outbox numbers
// are taken for all, COMMIT comes once, then all are answered. What fails as a whole is run again.
//
// Order in the transaction (docs/spine.md, rule A2): fences, closures, the sync position, heads of the outbox.
// Whatever a closure answers leaves only when the commit is known (rule A16): refusals too, as they may rest on what an
// earlier closure of the batch wrote. Thread: one, a lane's.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
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
  std::chrono::milliseconds batch_time{10};  // how long the closures of one transaction may run
  std::chrono::milliseconds patience{0};     // a closure that has not begun by then is refused; 0: none is
};

class GroupCommit {
 public:
  // Nobody remembers: a null witness.
  GroupCommit(std::unique_ptr<Session>, LaneLimits, Committed&, Witness*);
  ~GroupCommit();
  // Answers each, but for those that there was no time to begin: they come back.
  std::vector<Job> commit(std::vector<Job>);
  std::chrono::nanoseconds usual_time() const { return usual_time_; }  // that COMMIT takes
  Session& session() { return *session_; }

 private:
  struct Entry;
  class LaneTx;
  enum class End {
    kCommitted,
    kUnknown,  // see error_
    kAgain,    // run it again: something was settled about one closure, or savepoints must be watched more closely
    kBroken,   // the transaction as a whole failed, see error_
  };

  void commit(std::vector<Entry> entries);
  End attempt(std::vector<Entry>& entries, bool careful);
  End settle_commit(std::vector<Entry>& entries);
  static bool nobody_succeeds(const std::vector<Entry>& entries);
  static bool is_blind(const std::vector<Entry>& entries);
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

  // Of the attempt that runs.
  Error error_;
  std::vector<OutboxRow> rows_;
  std::vector<std::pair<OutboxKey, uint64_t>> reserved_;

  std::vector<Entry> not_begun_;
  std::chrono::nanoseconds usual_time_{0};
  prometheus::Counter& commits_;
  prometheus::Counter& failed_commits_;
  prometheus::Histogram& batch_sizes_;
  prometheus::Histogram& commit_seconds_;
};

}  // namespace myelin::db
