#include "app/status.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace myelin::app {
namespace {

using Rows = std::vector<std::vector<std::string>>;

// Columns as wide as they must be; the first row is the heading.
std::string table(const Rows& rows) {
  std::vector<size_t> widths(rows.front().size());
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

std::string duration(Milliseconds ms) {
  auto seconds = std::max<Milliseconds>(ms, 0) / 1'000;
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 7'200) return fmt::format("{} min", seconds / 60);
  if (seconds < 172'800) return fmt::format("{} h", seconds / 3'600);
  return fmt::format("{} days", seconds / 86'400);
}

std::string holdings(const lease::Status& process) {
  std::vector<std::string> out;
  for (const auto& [name, parts] : process.holds)
    out.push_back(name.starts_with("consumer ") ? name : fmt::format("{} ({})", name, parts.size()));
  return out.empty() ? "-" : fmt::format("{}", fmt::join(out, ", "));
}

}  // namespace

Task<Result<Status>> read_status(db::Database& db, const Clock& clock) {
  Status out;
  out.now = clock.now();
  MYELIN_CO_TRY(out.processes, co_await lease::Leases::status(db, clock));
  MYELIN_CO_TRY(out.consumers, co_await bus::read_backlogs(db));
  MYELIN_CO_TRY(out.queues, co_await work::read_waiting(db));
  MYELIN_CO_TRY(out.position, co_await db.read([](db::ReadTx& tx) {
    return tx.one("SELECT pos FROM sync_head WHERE id = 1", [](const db::Row& row) { return row.i64(0); }).value_or(0);
  }));
  co_return out;
}

json::Object to_json(const Status& status) {
  json::Array processes, consumers, queues;
  for (const auto& each : status.processes) {
    json::Object holds;
    for (const auto& [name, parts] : each.holds) holds[name] = json::Array(parts.begin(), parts.end());
    processes.emplace_back(json::Object{{"instance", each.instance},
                                        {"host", each.about.host},
                                        {"nats", each.about.nats},
                                        {"roles", each.about.roles},
                                        {"version", each.about.version},
                                        {"started_at", each.started_at},
                                        {"alive", each.alive},
                                        {"holds", std::move(holds)}});
  }
  for (const auto& each : status.consumers)
    consumers.emplace_back(json::Object{
        {"consumer", each.consumer}, {"topic", each.topic}, {"lag", each.lag}, {"parked_keys", each.parked_keys}});
  for (const auto& each : status.queues)
    queues.emplace_back(json::Object{{"queue", each.queue}, {"rows", each.rows}, {"first_due", each.first_due}});
  return {{"position", status.position},
          {"processes", std::move(processes)},
          {"consumers", std::move(consumers)},
          {"queues", std::move(queues)}};
}

std::string to_table(const Status& status) {
  Rows processes{{"process", "host", "nats", "roles", "version", "state", "holds"}};
  for (const auto& each : status.processes)
    processes.push_back({each.instance, each.about.host, each.about.nats, each.about.roles, each.about.version,
                         each.alive ? "up " + duration(status.now - each.started_at) : "over", holdings(each)});
  Rows consumers{{"consumer", "topic", "lag", "parked keys"}};
  for (const auto& each : status.consumers)
    consumers.push_back({each.consumer, each.topic, std::to_string(each.lag), std::to_string(each.parked_keys)});
  Rows queues{{"queue", "waiting", "first due"}};
  for (const auto& each : status.queues)
    queues.push_back({each.queue, std::to_string(each.rows),
                      each.first_due <= status.now ? "now" : "in " + duration(each.first_due - status.now)});
  auto out = fmt::format("position {}\n\n{}\n{}", status.position, table(processes), table(consumers));
  if (queues.size() > 1) out += "\n" + table(queues);
  out.pop_back();
  return out;
}

}  // namespace myelin::app
