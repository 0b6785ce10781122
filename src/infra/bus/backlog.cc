#include "infra/bus/backlog.h"

#include <map>

#include "base/metrics.h"
#include "base/timer.h"

namespace myelin::bus {

Task<Result<std::vector<Backlog>>> read_backlogs(db::Database& db) {
  co_return co_await db.read([](db::ReadTx& tx) {
    std::map<std::pair<std::string, std::string>, Backlog> all;
    tx.query(
        "SELECT c.consumer, c.topic, CAST(SUM(CASE WHEN h.next_seq - 1 > c.seq THEN h.next_seq - 1 - c.seq ELSE 0 END) "
        "AS BIGINT) FROM cursor c JOIN outbox_head h ON h.topic = c.topic AND h.partition = c.partition GROUP BY "
        "c.consumer, c.topic",
        [&](const db::Row& row) {
          auto& each = all[{row.str(0), row.str(1)}];
          each = {row.str(0), row.str(1), static_cast<uint64_t>(row.i64(2)), 0};
        });
    tx.query("SELECT consumer, topic, count(DISTINCT key) FROM parked GROUP BY consumer, topic",
             [&](const db::Row& row) {
               auto& each = all[{row.str(0), row.str(1)}];
               each.consumer = row.str(0);
               each.topic = row.str(1);
               each.parked_keys = static_cast<uint64_t>(row.i64(2));
             });
    std::vector<Backlog> out;
    for (auto& [name, backlog] : all) out.push_back(std::move(backlog));
    return out;
  });
}

BacklogMeter::BacklogMeter(db::Database& db, Executor loop) : db_(db), looked_(loop), tasks_(loop) {}

Task<> BacklogMeter::measure() {
  constexpr std::chrono::seconds kPatience{1};
  auto seen = looked_.generation();
  if (!std::exchange(is_looking_, true)) tasks_.spawn("backlogs", look());
  (void)co_await looked_.wait(seen, steady_now() + kPatience);
}

Task<> BacklogMeter::look() {
  auto all = co_await read_backlogs(db_);
  for (const auto& each : all.value_or(std::vector<Backlog>())) {
    metrics::Labels labels{{"consumer", each.consumer}, {"topic", each.topic}};
    metrics::gauge("myelin_bus_lag", "Messages committed but not yet applied, in all processes", labels)
        .Set(static_cast<double>(each.lag));
    metrics::gauge("myelin_bus_parked_keys", "Keys with messages that cannot be applied, in all processes", labels)
        .Set(static_cast<double>(each.parked_keys));
  }
  is_looking_ = false;
  looked_.ring();
}

Task<> BacklogMeter::stop() {
  tasks_.cancel();
  co_await tasks_.join();
}

}  // namespace myelin::bus
