#include "infra/bus/consumer.h"

#include <algorithm>

#include "base/fault.h"
#include "base/log.h"
#include "base/timer.h"
#include "infra/bus/wire.h"
#include "infra/db/fatal.h"

namespace myelin::bus {
namespace {
constexpr size_t kBatch = 256;        // messages in one transaction
constexpr size_t kMaxWaiting = 8192;  // held in memory; beyond, the outbox has them
constexpr auto kShortestPause = std::chrono::milliseconds(20);
constexpr auto kLongestPause = std::chrono::milliseconds(5'000);
constexpr auto kStalePause = std::chrono::milliseconds(160);  // the longest
constexpr int kStaleWithoutWord = 50;                         // in a row
constexpr auto kSilence = std::chrono::minutes(1);            // after a warning, about the same
constexpr auto kLongestRest = std::chrono::seconds(10);

// Would fail the same way again, whatever the world does.
bool is_deterministic(Code code) {
  return code == Code::kBadJson || code == Code::kNotJson || code == Code::kCorrupt || code == Code::kInternal;
}

// The consumer's fence (rule A4). A message that the database has not numbered does not pass either (rule A13).
Result<void> move_cursor(db::Tx& tx, const std::string& consumer, std::string_view topic, uint32_t partition,
                         std::pair<uint64_t, uint64_t> move) {
  int64_t moved = tx.exec(
      "UPDATE cursor SET seq = $1 WHERE consumer = $2 AND topic = $3 AND partition = $4 AND seq = $5 AND EXISTS "
      "(SELECT 1 "
      "FROM outbox_head h WHERE h.topic = $3 AND h.partition = $4 AND h.next_seq > $1)",
      move.second, consumer, topic, partition, move.first);
  if (moved == 0) return fail(Code::kStale, "the cursor has moved");
  return {};
}
}  // namespace

Consumer::Consumer(ConsumerSpec spec, db::Database& db, Executor loop, Calls calls)
    : spec_(std::move(spec)),
      db_(db),
      generation_(db.generation()),
      calls_(std::move(calls)),
      ring_(loop),
      changed_(loop),
      turn_(loop),
      applied_(metrics::counter("myelin_bus_applied_total", "Messages applied",
                                {{"consumer", spec_.name}, {"topic", std::string(spec_.topic.name)}})) {}

Task<Result<void>> Consumer::register_cursors() {
  MYELIN_CO_TRY(auto there, co_await db_.read([name = spec_.name, topic = spec_.topic.name](db::ReadTx& tx) {
    return tx.one(
        "SELECT count(*) FROM cursor WHERE consumer = $1 AND topic = $2", [](const db::Row& row) { return row.i64(0); },
        name, topic);
  }));
  if (there == kPartitions) co_return Result<void>{};
  co_return co_await db_.write({}, [name = spec_.name, topic = spec_.topic.name](db::Tx& tx) {
    for (uint32_t p = 0; p < kPartitions; ++p)
      tx.exec(
          "INSERT INTO outbox_head (topic, partition, epoch, next_seq) VALUES ($1, $2, 0, 1) ON CONFLICT (topic, "
          "partition) DO NOTHING",
          topic, p);
    auto heads = tx.all(
        "SELECT partition, next_seq FROM outbox_head WHERE topic = $1 ORDER BY partition {for_update}",
        [](const db::Row& row) { return std::pair(row.i64(0), row.i64(1)); }, topic);
    crash_point("register.head_read");
    for (auto [p, next_seq] : heads)
      tx.exec(
          "INSERT INTO cursor (consumer, topic, partition, seq) VALUES ($1, $2, $3, $4) ON CONFLICT (consumer, topic, "
          "partition) DO NOTHING",
          name, topic, p, next_seq - 1);
  });
}

// Cursors, heads and parked keys as the database has them, in one snapshot. Whatever was known to exist before it was
// taken must be in it.
Task<Result<void>> Consumer::load() {
  struct Loaded {
    struct Row {
      uint32_t partition;
      uint64_t seq, next_seq;
    };
    std::vector<Row> rows;
    std::set<std::string> parked;
  };
  std::array<uint64_t, kPartitions> known;
  for (uint32_t p = 0; p < kPartitions; ++p) known[p] = partitions_[p].head;
  MYELIN_CO_TRY(auto loaded, co_await db_.read([name = spec_.name, topic = spec_.topic.name](db::ReadTx& tx) {
    Loaded out;
    tx.query(
        "SELECT c.partition, c.seq, h.next_seq FROM cursor c JOIN outbox_head h ON h.topic = c.topic AND h.partition = "
        "c.partition WHERE c.consumer = $1 AND c.topic = $2",
        [&](const db::Row& row) {
          out.rows.push_back({static_cast<uint32_t>(row.i64(0)), static_cast<uint64_t>(row.i64(1)),
                              static_cast<uint64_t>(row.i64(2))});
        },
        name, topic);
    tx.query(
        "SELECT DISTINCT key FROM parked WHERE consumer = $1 AND topic = $2",
        [&](const db::Row& row) { out.parked.insert(row.str(0)); }, name, topic);
    return out;
  }));
  if (loaded.rows.size() != kPartitions) co_return fail(Code::kCorrupt, "its cursors are not in the database");
  for (const auto& row : loaded.rows) {
    auto& partition = partitions_[row.partition];
    auto seen = std::max(known[row.partition], row.seq);
    if (seen >= row.next_seq) co_return stop_for_good(row.partition, seen, row.next_seq);
    partition.cursor = row.seq;
    partition.head = std::max(partition.head, row.next_seq - 1);
  }
  parked_keys_ = std::move(loaded.parked);
  reload_ = false;
  co_return Result<void>{};
}

// A message that the database has not numbered yet was numbered in a future that is gone (rule A13).
Result<void> Consumer::stop_for_good(uint32_t p, uint64_t seen, uint64_t next_seq) {
  stopped_ = true;
  auto text = fmt::format(
      "{}: {}/{}: message {} was delivered, but the next one of the database is {}: the database went back in time. "
      "Nothing more is applied; run `myelin restored`, then start again",
      spec_.name, spec_.topic.name, p, seen, next_seq);
  db::fatal(text);
  return fail(Code::kCorrupt, std::move(text));
}

void Consumer::received(std::string_view reply, std::string_view payload) {
  if (!active_) return;
  crash_point("consume.fetched");
  auto wire = decode_wire(payload);
  if (!wire || wire->generation != generation_) {
    if (wire) calls_.foreign();
    return calls_.acknowledge({std::string(reply)});
  }
  auto delivery = std::make_shared<Delivery>(std::string(reply), wire->messages.size());
  std::vector<DeliveryPtr> known;
  for (auto& message : wire->messages)
    if (!take(std::move(message), delivery)) known.push_back(delivery);
  acknowledge(known);
  ring_.ring();
}

// False: it is not needed, or waits already.
bool Consumer::take(Message message, const DeliveryPtr& delivery) {
  auto& partition = partitions_[message.partition];
  auto seq = message.seq;
  if (!reload_ && seq <= partition.cursor) return false;
  partition.head = std::max(partition.head, seq);
  if (waiting_ >= kMaxWaiting) return false;
  bool is_fresh = partition.waiting.try_emplace(seq, std::move(message), delivery).second;
  waiting_ += is_fresh ? 1 : 0;
  return is_fresh;
}

void Consumer::acknowledge(const std::vector<DeliveryPtr>& deliveries) {
  std::vector<std::string> replies;
  for (const auto& delivery : deliveries)
    if (delivery && --delivery->left == 0) replies.push_back(delivery->reply);
  if (!replies.empty()) calls_.acknowledge(std::move(replies));
}

void Consumer::head_is(uint32_t p, uint64_t next_seq) {
  if (!active_) return;
  auto& partition = partitions_[p];
  if (next_seq > 0) partition.head = std::max(partition.head, next_seq - 1);
  if (partition.head > partition.cursor) ring_.ring();
}

void Consumer::activate() {
  if (std::exchange(active_, true)) return;
  reload_ = true;
  throws_ = 0;
  pause_ = {};
  ring_.ring();
  changed_.ring();
}

Task<> Consumer::rest() {
  active_ = false;
  ring_.ring();
  changed_.ring();
  auto end = steady_now() + kLongestRest;
  for (auto seen = changed_.generation(); under_way_ > 0; seen = changed_.generation())
    if (!co_await changed_.wait(seen, end)) break;
  if (under_way_ > 0) log::warning("{}: what it does with {} does not end", spec_.name, spec_.topic.name);
  if (active_) co_return;  // again
  std::set<std::string> unused;
  for (auto& partition : partitions_)
    for (auto& [seq, message] : std::exchange(partition.waiting, {}))
      if (message.second) unused.insert(message.second->reply);
  waiting_ = 0;
  calls_.refuse({unused.begin(), unused.end()});
}

Task<> Consumer::run() {
  reload_ = true;
  pause_ = {};
  while (true) {
    auto seen = ring_.generation();
    Result<bool> stepped = false;
    if (active_ && !stopped_) stepped = co_await step();
    if (stepped) {
      pause_ = {};
      stale_ = 0;
      told_.clear();
      if (!*stepped) co_await ring_.wait(seen, steady_now() + std::chrono::seconds(30));
      continue;
    }
    reload_ = true;
    if (active_) co_await pause_after(stepped.error());
  }
}

// That another process was faster, or that parked keys changed, is no trouble; that it never ends is.
Task<> Consumer::pause_after(const Error& error) {
  bool is_stale = error.code == Code::kStale;
  stale_ = is_stale ? stale_ + 1 : 0;
  bool is_news = told_ != error.message || steady_now() >= told_at_ + kSilence;
  auto level = !is_news || (is_stale && stale_ < kStaleWithoutWord) ? log::Level::kDebug
               : error.code == Code::kCorrupt                       ? log::Level::kError
                                                                    : log::Level::kWarning;
  if (level != log::Level::kDebug) told_ = error.message, told_at_ = steady_now();
  log::write(level, fmt::format("{}: {} cannot be applied now and is tried again: {}", spec_.name, spec_.topic.name,
                                error.message));
  auto seen = changed_.generation();
  auto longest = is_stale ? kStalePause : kLongestPause;
  auto pause = is_stale ? std::min(pause_, longest) : std::max(pause_, kShortestPause);
  pause_ = std::clamp(pause * 2, kShortestPause, longest);
  auto end = steady_now() + pause;
  while (active_ && pause_.count() > 0 && co_await changed_.wait(seen, end)) seen = changed_.generation();
}

Task<Result<bool>> Consumer::step() {
  auto turn = co_await turn_.lock();
  if (!active_) co_return false;
  UnderWay under_way(*this);
  if (reload_) MYELIN_CO_CHECK(co_await load());
  MYELIN_CO_TRY(auto batch, co_await collect());
  if (batch.messages.empty() || !active_) co_return false;
  MYELIN_CO_CHECK(co_await apply(std::move(batch)));
  co_return true;
}

// The next messages of every partition, each from its cursor on without a hole.
Task<Result<Consumer::Batch>> Consumer::collect() {
  Batch batch;
  for (uint32_t p = 0; p < kPartitions && batch.messages.size() < kBatch && active_; ++p) {
    auto& partition = partitions_[p];
    auto& waiting = partition.waiting;
    while (!waiting.empty() && waiting.begin()->first <= partition.cursor) {  // came twice
      batch.deliveries.push_back(std::move(waiting.begin()->second.second));
      waiting.erase(waiting.begin());
      --waiting_;
    }
    if (partition.head > partition.cursor && (waiting.empty() || waiting.begin()->first != partition.cursor + 1))
      MYELIN_CO_CHECK(co_await read_outbox(p));
    auto to = partition.cursor;
    for (auto it = waiting.begin(); it != waiting.end() && it->first == to + 1 && batch.messages.size() < kBatch;
         ++it) {
      batch.messages.push_back(it->second.first);
      batch.deliveries.push_back(it->second.second);
      ++to;
    }
    if (to != partition.cursor) batch.moves[p] = {partition.cursor, to};
  }
  if (batch.messages.empty()) acknowledge(batch.deliveries);
  co_return batch;
}

// What is known to exist and did not come.
Task<Result<void>> Consumer::read_outbox(uint32_t p) {
  auto from = partitions_[p].cursor;
  MYELIN_CO_TRY(auto rows, co_await db_.read([topic = spec_.topic.name, p, from](db::ReadTx& tx) {
    return tx.all(
        "SELECT seq, body FROM outbox WHERE topic = $1 AND partition = $2 AND seq > $3 ORDER BY seq LIMIT $4",
        [p](const db::Row& row) { return Message{p, static_cast<uint64_t>(row.i64(0)), row.bytes(1)}; }, topic, p, from,
        kBatch);
  }));
  crash_point("consume.gap_read");
  if (rows.empty() || rows.front().seq != from + 1) co_return co_await missing(p);
  auto& partition = partitions_[p];
  for (auto& row : rows) {
    auto seq = row.seq;
    partition.head = std::max(partition.head, seq);
    if (partition.waiting.try_emplace(seq, std::move(row), nullptr).second) ++waiting_;
  }
  co_return Result<void>{};
}

// A row that was known of is not in the outbox: another process has applied it since and it was trimmed, or the
// database went back, or it has a hole, of which nothing is passed over.
Task<Result<void>> Consumer::missing(uint32_t p) {
  auto from = partitions_[p].cursor;
  MYELIN_CO_CHECK(co_await load());
  if (partitions_[p].cursor != from) co_return fail(Code::kStale, "the cursor has moved");
  co_return fail(Code::kCorrupt, fmt::format("partition {} has a hole after {}", p, from));
}

// After the batch, or after the one of its messages that cannot be applied is parked.
Task<Result<void>> Consumer::apply(Batch batch) {
  std::vector<Message> todo;
  std::vector<ParkedMessage> park;
  for (const auto& message : batch.messages) {
    auto key = parked_keys_.empty() ? std::string() : key_of(message);
    if (parked_keys_.contains(key))
      park.push_back({std::move(key), message, "waits behind a parked message", true});
    else
      todo.push_back(message);
  }
  auto status = co_await apply_once(batch, std::move(todo), std::move(park));
  if (status || !is_deterministic(status.error().code)) co_return status;
  if (batch.messages.size() > 1) co_return co_await apply_one_by_one(std::move(batch));
  const auto& message = batch.messages.front();
  auto key = key_of(message);
  log::error("{}: message {}/{}/{} of {} cannot be applied and is parked: {}", spec_.name, spec_.topic.name,
             message.partition, message.seq, key, status.error().message);
  std::vector<ParkedMessage> bad{{key, message, status.error().message, false}};
  MYELIN_CO_CHECK(co_await apply_once(batch, {}, std::move(bad)));
  parked_keys_.insert(key);
  co_return Result<void>{};
}

Task<Result<void>> Consumer::apply_one_by_one(Batch batch) {
  acknowledge(batch.deliveries);
  std::map<uint32_t, uint64_t> at;
  for (auto& [p, move] : batch.moves) at[p] = move.first;
  for (auto& message : batch.messages) {
    if (!active_) co_return fail(Code::kStale, "it went to rest");
    Batch one;
    auto p = message.partition;
    one.moves[p] = {at[p], message.seq};
    at[p] = message.seq;
    one.messages.push_back(std::move(message));
    MYELIN_CO_CHECK(co_await apply(std::move(one)));
  }
  co_return Result<void>{};
}

// One transaction: cursors, parked messages, effects. Then acknowledgements, then whoever waits.
Task<Result<void>> Consumer::apply_once(const Batch& batch, std::vector<Message> todo,
                                        std::vector<ParkedMessage> park) {
  Effects effects;
  if (!todo.empty()) {
    if (failure_point("consume.refused")) co_return fail(Code::kInternal, "a failure point");
    if (failure_point("consume.stalled")) co_return fail(Code::kUnavailable, "a failure point");
    MYELIN_CO_TRY(effects, co_await effects_of(std::move(todo)));
  }
  auto lane = static_cast<uint32_t>(std::hash<std::string>()(spec_.name));
  auto status = co_await db_.write({.lane = lane, .is_batch = true},
                                   [name = spec_.name, topic = spec_.topic.name, moves = batch.moves,
                                    park = std::move(park), write = effects.write](db::Tx& tx) -> Result<void> {
                                     for (const auto& [p, move] : moves)
                                       MYELIN_CHECK(move_cursor(tx, name, topic, p, move));
                                     crash_point("consume.cursor_moved");
                                     for (const auto& row : park) MYELIN_CHECK(insert_parked(tx, name, topic, row));
                                     if (!park.empty()) crash_point("park.written");
                                     if (write) MYELIN_CHECK(write(tx));
                                     crash_point("consume.applied");
                                     return {};
                                   });
  if (!status) co_return status;
  crash_point("consume.committed_before_ack");
  done(batch);
  crash_point("consume.acked_before_wake");
  if (effects.committed) effects.committed();
  co_return Result<void>{};
}

void Consumer::done(const Batch& batch) {
  for (const auto& [p, move] : batch.moves) {
    auto& partition = partitions_[p];
    partition.cursor = move.second;
    while (!partition.waiting.empty() && partition.waiting.begin()->first <= move.second) {
      partition.waiting.erase(partition.waiting.begin());
      --waiting_;
    }
  }
  applied_.Increment(static_cast<double>(batch.messages.size()));
  acknowledge(batch.deliveries);
}

}  // namespace myelin::bus
