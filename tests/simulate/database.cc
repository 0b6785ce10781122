#include "tests/simulate/database.h"

#include <algorithm>

#include "infra/db/position.h"

namespace myelin::simulate {
namespace {

constexpr size_t kLanes = 2;
constexpr milliseconds kSilence{1'400};  // of a connection, until it is believed lost (rule A3)

// As the program's on PostgreSQL, with smaller batches.
db::LaneLimits limits() { return {.batch_closures = 8, .patience = db::Options{}.write_patience}; }

Error lost() { return {Code::kUnavailable, "the connection to the database is lost"}; }

}  // namespace

// The shared session, whose transactions end as fate has it.
class ProcessDatabase::FaultySession final : public db::Session {
 public:
  FaultySession(SharedDatabase& shared, World& world, const Fate& fate) : shared_(shared), world_(world), fate_(fate) {}

  db::Dialect dialect() const override { return db::Dialect::kSqlite; }
  void begin_write() override {
    if (fate_ == Fate::kRefused) throw db::Failure(lost());
    real().begin_write();
  }
  void begin_read() override { real().begin_read(); }
  void run(db::Sql sql, std::span<const db::Value> values, const std::function<void(const db::Row&)>& each) override {
    real().run(sql, values, each);
  }
  std::vector<std::optional<int64_t>> numbers(db::Sql sql, std::span<const std::vector<db::Value>> calls) override {
    return real().numbers(sql, calls);
  }
  uint64_t post(db::Sql sql, std::span<const db::Value> values) override { return real().post(sql, values); }
  int64_t changed(uint64_t ticket) override { return real().changed(ticket); }
  void settle() override {}
  void savepoint() override { real().savepoint(); }
  void release() override { real().release(); }
  void rollback_to_savepoint() override { real().rollback_to_savepoint(); }
  void script(const std::string& statements) override { real().script(statements); }
  void insert_rows(const db::Table& table, std::span<const db::Cells> rows) override {
    real().insert_rows(table, rows);
  }
  db::CommitOutcome commit() override {
    using enum db::CommitResult;
    if (fate_ == Fate::kFailed || fate_ == Fate::kUnknownNotDone || fate_ == Fate::kUnknownLate) {
      rollback();
      return {fate_ == Fate::kFailed ? kFailed : kUnknown, lost()};
    }
    for (auto& what : shared_.broken()) world_.violation(std::move(what));
    auto outcome = real().commit();
    if (fate_ == Fate::kUnknownDone) return {kUnknown, lost()};
    return outcome;
  }
  void rollback() noexcept override {
    real().rollback();
    (void)shared_.broken();
  }
  bool in_transaction() const override { return shared_.session().in_transaction(); }
  bool whole_transaction_failed() const override { return false; }

 private:
  db::SqliteSession& real() { return shared_.session(); }
  SharedDatabase& shared_;
  World& world_;
  const Fate& fate_;
};

ProcessDatabase::Lane::Lane(ProcessDatabase& db)
    : group(std::make_unique<FaultySession>(db.shared_, db.world_, fate), limits(), committed, nullptr) {
  committed.set_receiver([this](std::vector<db::OutboxRow> some) {
    rows.insert(rows.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
  });
}

ProcessDatabase::ProcessDatabase(World& world, SharedDatabase& shared, const DatabaseFaults& faults,
                                 std::string process, const Clock& clock, std::function<void()> ends)
    : world_(world),
      shared_(shared),
      faults_(faults),
      process_(std::move(process)),
      generation_(shared.generation),
      ends_(std::move(ends)) {
  for (size_t i = 0; i < kLanes + 1; ++i) lanes_.push_back(std::make_unique<Lane>(*this));
  auto moved = db::move_position(shared_.session(), generation_, clock.now() - shared_.clock_is_behind);
  if (!moved) world_.violation("the position cannot be moved: " + moved.error().message);
}
ProcessDatabase::~ProcessDatabase() { abandon(); }

void ProcessDatabase::abandon() {
  *alive_ = false;
  stopped_ = true;
  when_thawed_.clear();
  for (auto& lane : lanes_) {
    auto queue = std::exchange(lane->queue, {});
    auto told = std::exchange(lane->told, {});
  }
  auto reads = std::exchange(reads_, {});
}

void ProcessDatabase::later(microseconds pause, std::function<void()> work) {
  world_.after(pause, [this, alive = alive_, work = std::move(work)]() mutable {
    if (!*alive) return;
    if (is_frozen_)
      when_thawed_.push_back(std::move(work));
    else
      work();
  });
}

void ProcessDatabase::freeze(bool frozen) {
  is_frozen_ = frozen;
  if (frozen) return;
  for (auto& work : std::exchange(when_thawed_, {})) later(microseconds(world_.below(500)), std::move(work));
}

microseconds ProcessDatabase::latency() {
  if (world_.chance(faults_.slow)) return world_.between(milliseconds(20), milliseconds(1'500));
  return world_.between(microseconds(100), microseconds(1'500));
}

// ---- writing

void ProcessDatabase::submit(Write write) {
  if (stopped_) return write.done(fail(Code::kUnavailable, "the database is closed"));
  bool is_owners = write.options.fence.has_value();
  auto lane = write.options.urgent ? kLanes : write.options.lane % kLanes;
  lanes_[lane]->queue.push_back({write.options, std::move(write.run), std::move(write.done), world_.now()});
  if (!lanes_[lane]->is_busy) begin(lane);
  if (is_owners && at_owners_write_) std::exchange(at_owners_write_, nullptr)();
}

void ProcessDatabase::begin(size_t lane) {
  lanes_[lane]->is_busy = true;
  later(latency(), [this, lane] { transact(lane); });
}

ProcessDatabase::Fate ProcessDatabase::draw_fate(size_t lane) {
  if (is_cut_ || (is_urgent_cut_ && lane == kLanes) || world_.chance(faults_.refused)) return Fate::kRefused;
  if (world_.chance(faults_.failed)) return Fate::kFailed;
  bool is_owners =
      std::ranges::any_of(lanes_[lane]->queue, [](const db::Job& job) { return job.options.fence.has_value(); });
  if (is_owners && std::exchange(doubts_, false)) return draw_doubt();
  return world_.chance(faults_.unknown) ? draw_doubt() : Fate::kFine;
}

ProcessDatabase::Fate ProcessDatabase::draw_doubt() {
  constexpr Fate kUnknown[] = {Fate::kUnknownDone, Fate::kUnknownDone, Fate::kUnknownNotDone, Fate::kUnknownLate};
  return kUnknown[world_.below(4)];
}

std::vector<db::Job> ProcessDatabase::take(Lane& lane) {
  std::vector<db::Job> jobs;
  for (; !lane.queue.empty() && jobs.size() < static_cast<size_t>(limits().batch_closures); lane.queue.pop_front()) {
    auto& job = lane.queue.front();
    job.done = [&lane, done = std::move(job.done)](Result<void> status) {
      lane.told.push_back({done, std::move(status)});
    };
    jobs.push_back(std::move(job));
  }
  return jobs;
}

// A connection to another server, or another timeline: the process ends, as the program does.
bool ProcessDatabase::is_of_a_former_time() {
  if (generation_ == shared_.generation) return false;
  stopped_ = true;
  ends_();
  return true;
}

// Of unknown result until later: it is done then, or given up, and not refused as late, as it was begun in time.
// Meanwhile it holds its locks.
void ProcessDatabase::land_late(std::vector<db::Job> jobs) {
  auto pause = world_.between(milliseconds(1), kSilence);
  shared_.in_doubt_until = world_.now() + pause;
  world_.after(pause, [&world = world_, &shared = shared_, generation = generation_, jobs = std::move(jobs)]() mutable {
    if (world.chance(0.4) || generation != shared.generation) return world.note("a COMMIT in doubt is given up");
    world.note("a COMMIT in doubt is done");
    db::Committed committed;
    auto fate = Fate::kFine;
    db::GroupCommit group(std::make_unique<FaultySession>(shared, world, fate), {}, committed, nullptr);
    (void)group.commit(std::move(jobs));
  });
}

void ProcessDatabase::transact(size_t number) {
  auto& lane = *lanes_[number];
  if (is_of_a_former_time()) return;
  if (world_.now() < shared_.in_doubt_until) {
    auto left = std::chrono::duration_cast<microseconds>(shared_.in_doubt_until - world_.now());
    return later(left + microseconds(1 + world_.below(100)), [this, number] { transact(number); });
  }
  lane.fate = draw_fate(number);
  auto jobs = take(lane);
  std::vector<db::Job> again;
  if (lane.fate == Fate::kUnknownLate)
    for (const auto& job : jobs) again.push_back({job.options, job.run, [](const Result<void>&) {}});
  std::vector<std::optional<db::Fence>> fences;
  for (const auto& job : jobs) fences.push_back(job.options.fence);
  auto rest = lane.group.commit(std::move(jobs));
  lane.queue.insert(lane.queue.begin(), std::make_move_iterator(rest.begin()), std::make_move_iterator(rest.end()));
  if (!again.empty()) land_late(std::move(again));
  check_fences(fences, lane);
  std::string words;
  for (const auto& told : lane.told) words += told.status ? " ok;" : fmt::format(" {};", told.status.error().message);
  world_.note("{} transaction, lane {}, fate {}:{} {} messages", process_, number, static_cast<int>(lane.fate), words,
              lane.rows.size());
  const db::OutboxRow* last = nullptr;
  for (const auto& row : lane.rows) {
    bool goes_on = last != nullptr && last->topic == row.topic && last->partition == row.partition;
    if (!goes_on) committed_.reserve({row.topic, row.partition}, row.seq);
    last = &row;
  }
  later(lane.fate == Fate::kRefused ? world_.between(microseconds(200), kSilence) : latency(),
        [this, number] { answer(number); });
}

// Nobody but the owner of a partition has written to it: the epoch that was checked is the head's, and nobody else has
// its lease.
void ProcessDatabase::check_fences(const std::vector<std::optional<db::Fence>>& fences, const Lane& lane) {
  for (size_t i = 0; i < fences.size() && i < lane.told.size(); ++i) {
    if (!fences[i] || !lane.told[i].status) continue;
    db::Value values[] = {fences[i]->topic, db::to_value(fences[i]->partition)};
    shared_.session().run(
        "SELECT h.epoch, l.holder FROM outbox_head h JOIN lease l ON l.name = h.topic AND l.part = h.partition WHERE "
        "h.topic = $1 AND h.partition = $2",
        values, [&](const db::Row& row) {
          auto holder = row.str(1);
          if (row.i64(0) == fences[i]->epoch && (holder.empty() || process_.starts_with(holder + "."))) return;
          world_.violation(fmt::format("A2: {} writes to {}/{} with epoch {}, which has {} and belongs to {}", process_,
                                       fences[i]->topic, fences[i]->partition, fences[i]->epoch, row.i64(0), holder));
        });
  }
}

// What was cut off meanwhile does not learn what became of its COMMIT.
void ProcessDatabase::answer(size_t number) {
  auto& lane = *lanes_[number];
  auto told = std::exchange(lane.told, {});
  auto rows = std::exchange(lane.rows, {});
  if (is_cut_ && lane.fate == Fate::kFine) {
    std::vector<std::pair<db::OutboxKey, uint64_t>> keys;
    for (const auto& row : rows) keys.push_back({{row.topic, row.partition}, row.seq});
    committed_.drop(keys);
    for (auto& each : told) each.status = fail(Code::kCommitUnknown, "the connection was lost at COMMIT");
  } else {
    committed_.deliver(std::move(rows));
  }
  for (auto& each : told) each.done(std::move(each.status));
  lane.is_busy = false;
  if (!lane.queue.empty()) begin(number);
}

// ---- reading

void ProcessDatabase::submit(Read read) {
  if (stopped_) return read.done(fail(Code::kUnavailable, "the database is closed"));
  auto number = ++last_read_;
  reads_.emplace(number, Reading{{std::move(read.run), std::move(read.done)}, {}});
  later(latency(), [this, number] { run_read(number); });
}

void ProcessDatabase::run_read(uint64_t number) {
  if (is_of_a_former_time()) return;
  auto& reading = reads_.at(number);
  if (is_cut_ || world_.chance(faults_.refused)) {
    reading.status = std::unexpected(lost());
    return later(world_.between(microseconds(200), kSilence), [this, number] { answer_read(number); });
  }
  reading.status = db::run_read(shared_.session(), reading.job);
  later(latency(), [this, number] { answer_read(number); });
}

void ProcessDatabase::answer_read(uint64_t number) {
  auto reading = reads_.extract(number);
  reading.mapped().job.done(std::move(reading.mapped().status));
}

}  // namespace myelin::simulate
