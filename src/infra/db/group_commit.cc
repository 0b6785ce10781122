#include "infra/db/group_commit.h"

#include <algorithm>
#include <map>

#include "base/fault.h"
#include "base/log.h"
#include "base/timer.h"

namespace myelin::db {

// A closure in its batch. What an attempt leaves here is forgotten when the batch is tried again, but for `settled`.
struct GroupCommit::Entry {
  struct Positions {
    int64_t count;
    std::function<void(Tx&, int64_t)> use;
  };
  Job job;
  bool settled = false;  // its error is final: not run again
  std::optional<Error> error{};
  std::vector<OutboxRow> rows{};
  std::optional<OutboxKey> foreign_head{};
  std::vector<Positions> positions{};

  void forget() {
    if (settled) return;
    error.reset();
    write_nothing();
  }
  void refuse(Error why) {
    error = std::move(why);
    write_nothing();
  }
  void write_nothing() {
    rows.clear();
    foreign_head.reset();
    positions.clear();
  }
  bool succeeded() const { return !error; }
};

class GroupCommit::LaneTx final : public Tx {
 public:
  LaneTx(Session& session, Entry& entry, bool at_end) : session_(session), entry_(entry), at_end_(at_end) {}

  void publish(std::string_view topic, uint32_t partition, std::string body) override {
    if (!entry_.job.options.is_batch && !is_home(topic, partition)) {
      if (!entry_.foreign_head) entry_.foreign_head.emplace(topic, partition);
      if (*entry_.foreign_head != OutboxKey(topic, partition)) {
        throw Failure(
            {Code::kInternal, fmt::format("a closure publishes to {}/{} besides {}/{} (docs/spine.md, B6)", topic,
                                          partition, entry_.foreign_head->first, entry_.foreign_head->second)});
      }
    }
    entry_.rows.push_back({topic, partition, 0, std::move(body)});
  }
  void at_position(int64_t count, std::function<void(Tx&, int64_t)> use) override {
    if (at_end_) throw Failure({Code::kInternal, "a position is asked for while positions are being used"});
    entry_.positions.push_back({count, std::move(use)});
  }

 private:
  void run(Sql sql, std::span<const Value> values, const std::function<void(const Row&)>& each) override {
    session_.run(sql, values, each);
  }
  uint64_t post(Sql sql, std::span<const Value> values) override { return session_.post(sql, values); }
  bool is_home(std::string_view topic, uint32_t partition) const {
    const auto& fence = entry_.job.options.fence;
    return fence && fence->topic == topic && fence->partition == partition;
  }
  int64_t changed(uint64_t ticket) override { return session_.changed(ticket); }

  Session& session_;
  Entry& entry_;
  bool at_end_;
};

namespace {

// Statements of the lane itself.
uint64_t post(Session& session, Sql sql, std::initializer_list<Value> values) {
  return session.post(sql, std::span(values.begin(), values.size()));
}
std::optional<int64_t> one_number(Session& session, Sql sql, std::initializer_list<Value> values) {
  std::optional<int64_t> number;
  session.run(sql, std::span(values.begin(), values.size()), [&](const Row& row) { number = row.i64(0); });
  return number;
}

}  // namespace

GroupCommit::GroupCommit(std::unique_ptr<Session> session, LaneLimits limits, Committed& committed, Witness* witness)
    : session_(std::move(session)),
      limits_(limits),
      committed_(committed),
      witness_(witness),
      commits_(metrics::counter("myelin_db_commits_total", "Transactions of the lanes", {{"result", "done"}})),
      failed_commits_(metrics::counter("myelin_db_commits_total", "Transactions of the lanes", {{"result", "failed"}})),
      batch_sizes_(
          metrics::histogram("myelin_db_commit_batch", "Closures per transaction", {}, {1, 2, 4, 8, 16, 32, 64, 128})),
      commit_seconds_(metrics::histogram("myelin_db_commit_seconds", "Time that COMMIT takes")) {}

GroupCommit::~GroupCommit() = default;

std::vector<Job> GroupCommit::commit(std::vector<Job> jobs) {
  bool has_rivals = session_->dialect() == Dialect::kPostgres;
  std::map<uint32_t, std::vector<Job>> by_lane;
  for (auto& job : jobs) by_lane[has_rivals ? job.options.lane : 0].push_back(std::move(job));
  std::vector<Entry> entries;
  entries.reserve(jobs.size());
  for (auto& [lane, some] : by_lane)
    for (auto& job : some) entries.push_back({std::move(job)});
  commit(std::move(entries));
  jobs.clear();
  for (auto& entry : std::exchange(not_begun_, {})) jobs.push_back(std::move(entry.job));
  return jobs;
}

bool GroupCommit::nobody_succeeds(const std::vector<Entry>& entries) {
  return std::ranges::none_of(entries, &Entry::succeeded);
}

void GroupCommit::commit(std::vector<Entry> entries) {
  constexpr int kTries = 3;
  bool careful = false;
  for (int broken = 0;;) {
    for (auto& entry : entries) entry.forget();
    error_ = {};
    rows_.clear();
    reserved_.clear();
    auto end = attempt(entries, careful);
    if (end == End::kCommitted) return complete(entries, std::nullopt);
    failed_commits_.Increment();
    committed_.drop(reserved_);
    if (end == End::kUnknown) return complete(entries, error_);
    if (end == End::kAgain) {
      careful = true;
      continue;
    }
    if (error_.code == Code::kDiskFull) return complete(entries, error_);
    refuse_late(entries);
    if (nobody_succeeds(entries)) return complete(entries, std::nullopt);
    if (++broken < kTries) {
      careful = true;
      continue;
    }
    if (entries.size() == 1) return complete(entries, error_);
    for (auto& entry : entries) {  // the one that breaks every batch shall break only its own
      std::vector<Entry> alone;
      alone.push_back(std::move(entry));
      commit(std::move(alone));
    }
    return;
  }
}

GroupCommit::End GroupCommit::attempt(std::vector<Entry>& entries, bool careful) {
  try {
    session_->begin_write();
    crash_point("lane.begin");
    refuse_late(entries);
    check_fences(entries);
    crash_point("lane.fence_taken");
    if (auto end = run_closures(entries, careful)) {
      session_->rollback();
      return *end;
    }
    if (nobody_succeeds(entries)) {
      session_->rollback();
      return End::kCommitted;
    }
    if (is_blind(entries)) session_->settle();
    crash_point("lane.before_position");
    if (auto end = take_positions(entries)) {
      session_->rollback();
      return *end;
    }
    crash_point("lane.before_heads");
    number_rows(entries);
  } catch (const Failure& failure) {
    error_ = failure.error;
    session_->rollback();
    return End::kBroken;
  }
  return settle_commit(entries);
}

GroupCommit::End GroupCommit::settle_commit(std::vector<Entry>& entries) {
  auto start = std::chrono::steady_clock::now();
  auto outcome = session_->commit();
  auto took = std::chrono::steady_clock::now() - start;
  commit_seconds_.Observe(std::chrono::duration<double>(took).count());
  usual_time_ = (usual_time_ * 7 + took) / 8;
  error_ = std::move(outcome.error);
  if (outcome.result == CommitResult::kFailed) return End::kBroken;
  if (outcome.result == CommitResult::kUnknown) {
    error_.code = Code::kCommitUnknown;
    return End::kUnknown;
  }
  crash_point("lane.commit_known");
  commits_.Increment();
  batch_sizes_.Observe(static_cast<double>(entries.size()));
  if (witness_ != nullptr) witness_->committed(rows_.size());
  committed_.deliver(std::move(rows_));
  return End::kCommitted;
}

// Who asked may have asked another process since, and have been told that it is done, and gone on from there.
void GroupCommit::refuse_late(std::vector<Entry>& entries) {
  if (limits_.patience.count() == 0) return;
  auto late = steady_now() - limits_.patience;
  for (auto& entry : entries) {
    if (entry.job.submitted >= late) continue;
    entry.refuse({Code::kUnavailable, "the database was busy or away for too long"});
    entry.settled = true;
  }
}

// A missed fence fails its partition's closures only.
void GroupCommit::check_fences(std::vector<Entry>& entries) {
  std::map<std::tuple<std::string_view, uint32_t, int64_t>, uint64_t> tickets;
  for (const auto& entry : entries) {
    if (auto& fence = entry.job.options.fence; fence && !entry.settled) {
      tickets[{fence->topic, fence->partition, fence->epoch}] = 0;
    }
  }
  if (tickets.empty()) return;
  for (auto& [fence, ticket] : tickets) {
    auto& [topic, partition, epoch] = fence;
    ticket =
        post(*session_, "SELECT 1 FROM outbox_head WHERE topic = $1 AND partition = $2 AND epoch = $3 {for_update}",
             {topic, to_value(partition), epoch});
  }
  std::map<std::tuple<std::string_view, uint32_t, int64_t>, bool> held;
  for (auto& [fence, ticket] : tickets) held[fence] = session_->changed(ticket) == 1;
  for (auto& entry : entries) {
    auto& fence = entry.job.options.fence;
    if (fence && !entry.settled && !held[{fence->topic, fence->partition, fence->epoch}]) {
      entry.refuse({Code::kFenced, fmt::format("{}/{} has another owner", fence->topic, fence->partition)});
    }
  }
}

std::optional<GroupCommit::End> GroupCommit::run_closures(std::vector<Entry>& entries, bool careful) {
  bool alone = entries.size() == 1;
  auto start = steady_now();
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i > 0 && steady_now() - start > limits_.batch_time) {
      auto rest = entries.begin() + static_cast<std::ptrdiff_t>(i);
      not_begun_.insert(not_begun_.begin(), std::make_move_iterator(rest), std::make_move_iterator(entries.end()));
      entries.erase(rest, entries.end());
      break;
    }
    if (!entries[i].succeeded()) continue;
    if (auto end = run_one(entries[i], alone, careful)) return end;
  }
  return std::nullopt;
}

// Perhaps nothing has been asked since a closure wrote, nor will be: its statements would travel with COMMIT, and lock
// their rows only when they arrive, which may be after COMMIT was given up (rule A12) and another process has written
// them. What has a fence holds its head's row.
bool GroupCommit::is_blind(const std::vector<Entry>& entries) {
  bool asks = std::ranges::any_of(entries, [](const Entry& e) { return !e.positions.empty() || !e.rows.empty(); });
  return !asks && std::ranges::any_of(entries, [](const Entry& e) { return e.succeeded() && !e.job.options.fence; });
}

std::optional<GroupCommit::End> GroupCommit::run_one(Entry& entry, bool alone, bool careful) {
  LaneTx tx(*session_, entry, false);
  std::optional<Error> error;
  if (!alone) session_->savepoint();
  try {
    if (auto result = entry.job.run(tx); !result) error = std::move(result).error();
    if (failure_point("lane.closure")) error = Error{Code::kUnavailable, "a failure point"};
    if (careful) session_->settle();
  } catch (const Failure& failure) {
    error = failure.error;
    if (!session_->in_transaction()) {
      error_ = failure.error;
      return End::kBroken;
    }
    if (session_->whole_transaction_failed()) {
      error_ = failure.error;
      return careful ? End::kBroken : End::kAgain;
    }
  } catch (const std::exception& e) {
    log::error("a closure threw: {}", e.what());
    error = Error{Code::kInternal, e.what()};
  }
  if (!error) {
    if (!alone) session_->release();
    crash_point("lane.closure_done");
    return std::nullopt;
  }
  if (!alone) session_->rollback_to_savepoint();
  entry.refuse(std::move(*error));
  crash_point("lane.closure_failed");
  return std::nullopt;
}

std::optional<GroupCommit::End> GroupCommit::take_positions(std::vector<Entry>& entries) {
  int64_t count = 0;
  for (const auto& entry : entries) {
    for (const auto& positions : entry.positions) count += positions.count;
  }
  if (count == 0) return std::nullopt;
  auto last = one_number(*session_, "UPDATE sync_head SET pos = pos + $1 WHERE id = 1 RETURNING pos", {count});
  if (!last) throw Failure({Code::kCorrupt, "sync_head has no row"});
  int64_t next = *last - count + 1;
  for (auto& entry : entries) {
    LaneTx tx(*session_, entry, true);
    try {
      for (auto& positions : entry.positions) {
        positions.use(tx, next);
        next += positions.count;
      }
      if (!entry.positions.empty() && entries.size() > 1) session_->settle();
    } catch (const Failure& failure) {
      if (!session_->in_transaction() || session_->whole_transaction_failed()) throw;
      entry.refuse(failure.error);
      entry.settled = true;
      return End::kAgain;
    } catch (const std::exception& e) {
      log::error("the use of a position threw: {}", e.what());
      entry.refuse({Code::kInternal, e.what()});
      entry.settled = true;
      return End::kAgain;
    }
  }
  return std::nullopt;
}

void GroupCommit::number_rows(std::vector<Entry>& entries) {
  std::map<OutboxKey, std::vector<OutboxRow>> heads;
  for (auto& entry : entries) {
    for (auto& row : entry.rows) heads[{row.topic, row.partition}].push_back(std::move(row));
    entry.rows.clear();
  }
  if (heads.empty()) return;
  auto numbers = take_numbers(heads);
  auto seq = numbers.begin();
  for (auto& [key, rows] : heads) {
    committed_.reserve(key, *seq);
    reserved_.emplace_back(key, *seq);
    for (auto& row : rows) {
      row.seq = (*seq)++;
      post(*session_, "INSERT INTO outbox (topic, partition, seq, body) VALUES ($1, $2, $3, $4)",
           {row.topic, to_value(row.partition), to_value(row.seq), Blob{row.body}});
      rows_.push_back(std::move(row));
    }
    ++seq;
  }
}

// The first number of each; a head that is not there is made.
std::vector<uint64_t> GroupCommit::take_numbers(const std::map<OutboxKey, std::vector<OutboxRow>>& heads) {
  constexpr Sql kTake =
      "UPDATE outbox_head SET next_seq = next_seq + $1 WHERE topic = $2 AND partition = $3 RETURNING next_seq";
  std::vector<std::vector<Value>> calls;
  for (const auto& [key, rows] : heads) calls.push_back({to_value(rows.size()), key.first, to_value(key.second)});
  auto next = session_->numbers(kTake, calls);
  std::vector<uint64_t> first;
  for (size_t i = 0; i < calls.size(); ++i) {
    if (!next[i]) {
      post(*session_,
           "INSERT INTO outbox_head (topic, partition, epoch, next_seq) VALUES ($1, $2, 0, 1) ON CONFLICT DO NOTHING",
           {calls[i][1], calls[i][2]});
      next[i] = session_->numbers(kTake, {&calls[i], 1}).at(0);
    }
    if (!next[i]) throw Failure({Code::kCorrupt, "a head of the outbox cannot be made"});
    first.push_back(static_cast<uint64_t>(*next[i] - std::get<int64_t>(calls[i][0])));
  }
  return first;
}

void GroupCommit::complete(std::vector<Entry>& entries, const std::optional<Error>& all) {
  for (auto& entry : entries) {
    if (all) {
      entry.job.done(std::unexpected(*all));
    } else if (entry.error) {
      entry.job.done(std::unexpected(std::move(*entry.error)));
    } else {
      entry.job.done({});
    }
  }
  crash_point("lane.completed");
}

}  // namespace myelin::db
