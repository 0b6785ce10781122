#include "infra/bus/consumer.h"

#include <algorithm>

#include "base/fault.h"
#include "base/log.h"
#include "infra/bus/wire.h"

namespace myelin::bus {
namespace {
constexpr size_t kBatch = 256;        // messages in one transaction
constexpr size_t kMaxWaiting = 8192;  // held in memory; beyond, the outbox has them
bool is_deterministic(Code code) {
  return code == Code::kBadJson || code == Code::kCorrupt || code == Code::kInternal || code == Code::kNotJson;
}
}  // namespace

Consumer::Consumer(ConsumerSpec spec, db::Database& db, Executor loop, std::string generation, Acknowledge acknowledge)
    : spec_(std::move(spec)),
      db_(db),
      generation_(std::move(generation)),
      acknowledge_(std::move(acknowledge)),
      ring_(loop),
      lag_(metrics::gauge("myelin_bus_lag", "Messages committed but not yet applied",
                          {{"consumer", spec_.name}, {"topic", std::string(spec_.topic.name)}})),
      applied_(metrics::counter("myelin_bus_applied_total", "Messages applied",
                                {{"consumer", spec_.name}, {"topic", std::string(spec_.topic.name)}})) {}

Task<Result<void>> Consumer::register_cursors() {
  co_return co_await db_.write({}, [name = spec_.name, topic = spec_.topic.name](db::Tx& tx) {
    for (uint32_t p = 0; p < kPartitions; ++p) {
      tx.exec(
          "INSERT INTO outbox_head (topic, partition, epoch, next_seq) VALUES ($1, $2, 0, 1) ON CONFLICT (topic, "
          "partition) DO NOTHING",
          topic, p);
      auto next = tx.one(
          "SELECT next_seq FROM outbox_head WHERE topic = $1 AND partition = $2 {for_update}",
          [](const db::Row& row) { return row.i64(0); }, topic, p);
      crash_point("register.head_read");
      tx.exec(
          "INSERT INTO cursor (consumer, topic, partition, seq) VALUES ($1, $2, $3, $4) ON CONFLICT (consumer, topic, "
          "partition) DO NOTHING",
          name, topic, p, next.value() - 1);
    }
  });
}

Task<Result<void>> Consumer::load() {
  struct Loaded {
    std::array<uint64_t, kPartitions> cursors{};
    std::set<std::string> parked;
  };
  MYELIN_CO_TRY(auto loaded, co_await db_.read([name = spec_.name, topic = spec_.topic.name](db::ReadTx& tx) {
    Loaded out;
    tx.query(
        "SELECT partition, seq FROM cursor WHERE consumer = $1 AND topic = $2",
        [&](const db::Row& row) { out.cursors[static_cast<size_t>(row.i64(0))] = static_cast<uint64_t>(row.i64(1)); },
        name, topic);
    tx.query(
        "SELECT DISTINCT key FROM parked WHERE consumer = $1 AND topic = $2",
        [&](const db::Row& row) { out.parked.insert(row.str(0)); }, name, topic);
    return out;
  }));
  for (uint32_t p = 0; p < kPartitions; ++p) partitions_[p].cursor = loaded.cursors[p];
  parked_keys_ = std::move(loaded.parked);
  reload_ = false;
  co_return Result<void>{};
}

void Consumer::received(std::string_view reply, std::string_view payload) {
  crash_point("consume.fetched");
  auto wire = decode_wire(payload);
  if (!wire || wire->generation != generation_) return acknowledge_({std::string(reply)});  // of a former life
  auto& partition = partitions_[wire->message.partition];
  auto seq = wire->message.seq;
  if (!reload_ && seq <= partition.cursor) return acknowledge_({std::string(reply)});
  partition.head = std::max(partition.head, seq);
  if (waiting_ >= kMaxWaiting) return acknowledge_({std::string(reply)});
  auto [it, fresh] = partition.waiting.try_emplace(seq, std::move(wire->message), std::string(reply));
  if (fresh) ++waiting_;
  ring_.ring();
}

void Consumer::head_is(uint32_t p, uint64_t next_seq) {
  auto& partition = partitions_[p];
  partition.head = std::max(partition.head, next_seq - 1);
  if (partition.head > partition.cursor) ring_.ring();
}

uint64_t Consumer::lag() const {
  uint64_t sum = 0;
  for (const auto& partition : partitions_)
    sum += partition.head > partition.cursor ? partition.head - partition.cursor : 0;
  return sum;
}

Task<> Consumer::run() {
  reload_ = true;
  auto pause = std::chrono::milliseconds(20);
  while (true) {
    auto seen = ring_.generation();
    if (reload_) {
      if (auto loaded = co_await load(); !loaded) {
        co_await sleep_for(pause);
        continue;
      }
    }
    auto batch = co_await collect();
    lag_.Set(static_cast<double>(lag()));
    Result<void> status;
    if (!batch)
      status = std::unexpected(batch.error());
    else if (!batch->messages.empty())
      status = co_await apply(std::move(*batch));
    else {
      co_await ring_.wait(seen, std::chrono::steady_clock::now() + std::chrono::seconds(30));
      continue;
    }
    if (status) {
      pause = std::chrono::milliseconds(20);
      continue;
    }
    reload_ = true;
    if (status.error().code != Code::kStale) {
      log::warning("{}: {} cannot be applied now and is retried: {}", spec_.name, spec_.topic.name,
                   status.error().message);
      co_await sleep_for(pause);
      pause = std::min<std::chrono::milliseconds>(pause * 2, std::chrono::seconds(5));
    }
  }
}

// The next messages of every partition, each from its cursor on without a hole.
Task<Result<Consumer::Batch>> Consumer::collect() {
  Batch batch;
  for (uint32_t p = 0; p < kPartitions && batch.messages.size() < kBatch; ++p) {
    auto& partition = partitions_[p];
    auto& waiting = partition.waiting;
    while (!waiting.empty() && waiting.begin()->first <= partition.cursor) {  // came twice
      batch.replies.push_back(std::move(waiting.begin()->second.second));
      waiting.erase(waiting.begin());
      --waiting_;
    }
    bool hole =
        partition.head > partition.cursor && (waiting.empty() || waiting.begin()->first != partition.cursor + 1);
    if (hole) {
      MYELIN_CO_TRY(bool found, co_await read_outbox(p, kBatch));
      if (!found) continue;
    }
    auto to = partition.cursor;
    for (auto it = waiting.begin(); it != waiting.end() && it->first == to + 1 && batch.messages.size() < kBatch;
         ++it) {
      batch.messages.push_back(it->second.first);
      if (!it->second.second.empty()) batch.replies.push_back(it->second.second);
      ++to;
    }
    if (to != partition.cursor) batch.moves[p] = {partition.cursor, to};
  }
  if (batch.messages.empty() && !batch.replies.empty()) acknowledge_(std::move(batch.replies));
  co_return batch;
}

Task<Result<bool>> Consumer::read_outbox(uint32_t p, size_t limit) {
  auto from = partitions_[p].cursor;
  MYELIN_CO_TRY(auto rows, co_await db_.read([topic = spec_.topic.name, p, from, limit](db::ReadTx& tx) {
    return tx.all(
        "SELECT seq, body FROM outbox WHERE topic = $1 AND partition = $2 AND seq > $3 ORDER BY seq LIMIT $4",
        [p](const db::Row& row) { return Message{p, static_cast<uint64_t>(row.i64(0)), row.bytes(1)}; }, topic, p, from,
        limit);
  }));
  crash_point("consume.gap_read");
  if (rows.empty()) {
    // Known of but not there: rolled back with its transaction, or applied by another process since.
    reload_ = true;
    partitions_[p].head = from;
    co_return false;
  }
  if (rows.front().seq != from + 1) {
    log::error("{}: {}/{} has a hole after {}: nothing of it is applied until it is looked into", spec_.name,
               spec_.topic.name, p, from);
    co_return fail(Code::kUnavailable, "a hole in the outbox");
  }
  auto& partition = partitions_[p];
  for (auto& row : rows) {
    auto seq = row.seq;
    partition.head = std::max(partition.head, seq);
    if (partition.waiting.try_emplace(seq, std::move(row), std::string()).second) ++waiting_;
  }
  co_return true;
}

Task<Result<void>> Consumer::apply(Batch batch) {
  std::vector<Message> todo;
  std::vector<std::pair<Message, std::string>> park;
  for (const auto& message : batch.messages) {
    if (!parked_keys_.empty() && parked_keys_.contains(spec_.key(message)))
      park.emplace_back(message, "waits behind a parked message");
    else
      todo.push_back(message);
  }
  auto status = co_await apply_once(batch, std::move(todo), std::move(park));
  if (status || !is_deterministic(status.error().code)) co_return status;
  if (batch.messages.size() > 1) {  // which one is it? One at a time, in order.
    Batch rest = std::move(batch);
    std::map<uint32_t, uint64_t> at;
    for (auto& [p, move] : rest.moves) at[p] = move.first;
    acknowledge_(std::move(rest.replies));
    for (auto& message : rest.messages) {
      Batch one;
      auto p = message.partition;
      one.moves[p] = {at[p], message.seq};
      at[p] = message.seq;
      one.messages.push_back(std::move(message));
      MYELIN_CO_CHECK(co_await apply(std::move(one)));
    }
    co_return Result<void>{};
  }
  const auto& message = batch.messages.front();
  auto key = spec_.key(message);
  log::error("{}: message {}/{} of {} cannot be applied and is parked: {}", spec_.name, message.partition, message.seq,
             key, status.error().message);
  std::vector<std::pair<Message, std::string>> bad{{message, status.error().message}};
  MYELIN_CO_CHECK(co_await apply_once(batch, {}, std::move(bad)));
  parked_keys_.insert(key);
  co_return Result<void>{};
}

Task<Result<void>> Consumer::apply_once(const Batch& batch, std::vector<Message> todo,
                                        std::vector<std::pair<Message, std::string>> park) {
  Effects effects;
  if (!todo.empty()) {
    if (failure_point("consume.refused")) co_return fail(Code::kInternal, "a failure point");
    MYELIN_CO_TRY(effects, co_await spec_.apply(std::move(todo)));
  }
  struct ParkedRow {
    std::string key;
    Message message;
    std::string reason;
  };
  std::vector<ParkedRow> rows;
  for (auto& [message, reason] : park) {
    auto key = spec_.key(message);
    rows.push_back({std::move(key), std::move(message), std::move(reason)});
  }
  auto lane = static_cast<uint32_t>(std::hash<std::string>()(spec_.name));
  auto status = co_await db_.write(
      {lane, {}},
      [name = spec_.name, topic = spec_.topic.name, moves = batch.moves, rows,
       write = effects.write](db::Tx& tx) -> Result<void> {
        for (const auto& [p, move] : moves) {
          int64_t moved =
              tx.exec("UPDATE cursor SET seq = $1 WHERE consumer = $2 AND topic = $3 AND partition = $4 AND seq = $5",
                      move.second, name, topic, p, move.first);
          if (moved == 0) return fail(Code::kStale, "the cursor has moved");
        }
        crash_point("consume.cursor_moved");
        for (const auto& row : rows) {
          auto id = tx.one(
              "SELECT coalesce(max(id), 0) + 1 FROM parked WHERE consumer = $1 AND key = $2",
              [](const db::Row& r) { return r.i64(0); }, name, row.key);
          tx.exec(
              "INSERT INTO parked (consumer, key, id, topic, partition, seq, body, reason) VALUES ($1, $2, $3, $4, $5, "
              "$6, $7, $8)",
              name, row.key, id.value(), topic, row.message.partition, row.message.seq, db::Blob{row.message.body},
              row.reason);
        }
        if (!rows.empty()) crash_point("park.written");
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
  acknowledge_(batch.replies);
}

}  // namespace myelin::bus
