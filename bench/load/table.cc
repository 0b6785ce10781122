#include "bench/load/table.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <fstream>
#include <numeric>
#include <set>

namespace myelin::bench {
namespace {

double sum(const std::map<std::string, double>& parts) {
  return std::accumulate(parts.begin(), parts.end(), 0.0,
                         [](double so_far, auto& part) { return so_far + part.second; });
}

// Where more than one kind of program is at work: what each of them takes.
void print_cpu(const std::vector<Row>& rows) {
  std::set<std::string> kinds;
  for (const auto& row : rows)
    for (const auto& [kind, us] : row.cpu) kinds.insert(kind);
  if (kinds.size() < 2) return;
  fmt::print("\n{:<46}", "CPU us per operation, by program");
  for (const auto& kind : kinds) fmt::print(" {:>10}", kind);
  fmt::print("\n");
  for (const auto& row : rows) {
    if (row.cpu.empty()) continue;
    fmt::print("{:<46}", row.work);
    for (const auto& kind : kinds) fmt::print(" {:>10.0f}", row.cpu.contains(kind) ? row.cpu.at(kind) : 0.0);
    fmt::print("\n");
  }
}

}  // namespace

void print(const std::vector<Row>& rows) {
  fmt::print("{:<46} {:>10} {:>9} {:>9} {:>9}  {}\n", "work", "per s", "p50 ms", "p99 ms", "CPU us", "bar");
  for (const auto& row : rows) {
    if (row.figure.empty())
      fmt::print("{:<46} {:>10} {:>9.2f} {:>9.2f} {:>9.0f}  {}\n", row.work,
                 row.rate > 0 ? fmt::format("{:.0f}", row.rate) : "", row.p50, row.p99, sum(row.cpu), row.bar);
    else
      fmt::print("{:<46} {:>40}  {}\n", row.work, row.figure, row.bar);
  }
  print_cpu(rows);
}

void write_json(const std::vector<Row>& rows, const std::string& file) {
  boost::json::array out;
  for (const auto& row : rows) {
    boost::json::object cpu;
    for (const auto& [kind, us] : row.cpu) cpu[kind] = us;
    out.push_back({{"work", row.work},
                   {"bar", row.bar},
                   {"per_second", row.rate},
                   {"p50_ms", row.p50},
                   {"p99_ms", row.p99},
                   {"figure", row.figure},
                   {"server_cpu_us", sum(row.cpu)},
                   {"cpu_us", std::move(cpu)}});
  }
  std::ofstream(file) << boost::json::serialize(out) << '\n';
}

double percentile(const std::vector<double>& sorted, double p) {
  if (sorted.empty()) return 0;
  return sorted[std::min(sorted.size() - 1, static_cast<size_t>(p * static_cast<double>(sorted.size())))];
}

}  // namespace myelin::bench
