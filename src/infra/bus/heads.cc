#include "infra/bus/heads.h"

#include "base/fault.h"
#include "base/log.h"

namespace myelin::bus {
namespace {
constexpr int64_t kPiece = 2'000;     // rows deleted in one closure
constexpr uint64_t kAlarm = 200'000;  // rows that some consumer has not applied
}  // namespace

Task<Result<Heads>> read_heads(db::Database& db) {
  co_return co_await db.read([](db::ReadTx& tx) {
    Heads heads;
    tx.query("SELECT topic, partition, next_seq FROM outbox_head", [&](const db::Row& row) {
      auto p = static_cast<size_t>(row.i64(1));
      if (p < kPartitions) heads[row.str(0)][p] = static_cast<uint64_t>(row.i64(2));
    });
    return heads;
  });
}

Trimmer::Trimmer(db::Database& db)
    : db_(db),
      rows_(metrics::gauge("myelin_bus_outbox_rows", "Rows of the outbox that some consumer has not applied")) {}

// What can go, per topic.
Task<Result<Trimmer::Applied>> Trimmer::look() {
  uint64_t behind = 0;
  struct Row {
    std::string topic;
    Partition partition;
    uint64_t head;
  };
  MYELIN_CO_TRY(auto rows, co_await db_.read([](db::ReadTx& tx) {
    return tx.all(
        "SELECT h.topic, h.partition, h.next_seq - 1, min(c.seq) FROM outbox_head h JOIN cursor c ON c.topic = h.topic "
        "AND "
        "c.partition = h.partition GROUP BY h.topic, h.partition, h.next_seq ORDER BY h.topic, h.partition",
        [](const db::Row& row) {
          return Row{row.str(0),
                     {static_cast<uint32_t>(row.i64(1)), static_cast<uint64_t>(row.i64(3))},
                     static_cast<uint64_t>(row.i64(2))};
        });
  }));
  Applied out;
  for (const auto& row : rows) {
    auto [number, applied] = row.partition;
    if (row.head > applied) behind += row.head - applied;
    if (number < kPartitions && done_[row.topic][number] < applied) out[row.topic].push_back(row.partition);
  }
  rows_.Set(static_cast<double>(behind));
  if (behind > kAlarm && !alarmed_) log::warning("bus: {} messages wait in the outbox for their consumers", behind);
  alarmed_ = behind > kAlarm;
  co_return out;
}

Task<Result<void>> Trimmer::trim(std::set<std::string, std::less<>> topics) {
  MYELIN_CO_TRY(auto applied, co_await look());
  crash_point("trim.min_read");
  for (auto& [topic, partitions] : applied)
    if (topics.contains(topic)) MYELIN_CO_CHECK(co_await trim_topic(topic, partitions));
  co_return Result<void>{};
}

Task<Result<void>> Trimmer::trim_topic(std::string topic, std::vector<Partition> partitions) {
  while (true) {
    MYELIN_CO_TRY(bool all, co_await db_.write({}, [topic, partitions](db::Tx& tx) {
      auto left = kPiece;
      for (const auto& partition : partitions) {
        left -= tx.exec(
            "DELETE FROM outbox WHERE topic = $1 AND partition = $2 AND seq <= (SELECT min(seq) FROM cursor WHERE "
            "topic = $1 AND partition = $2) AND seq < $3 + (SELECT min(seq) FROM outbox WHERE topic = $1 AND "
            "partition = $2)",
            topic, partition.number, left);
        if (left <= 0) return false;
      }
      crash_point("trim.deleted");
      return true;
    }));
    if (all) break;
  }
  for (const auto& partition : partitions) done_[topic][partition.number] = partition.applied;
  co_return Result<void>{};
}

}  // namespace myelin::bus
