// load WORLD_FILE [--json FILE] [--seconds N] [--only CASE,...]: the speed and memory table of a homeserver, measured
// from outside on a fresh one, which bench/load/run starts and describes. Every case that writes checks afterwards that
// what was acknowledged is there. Figures only: never a verdict.
#include <fmt/format.h>

#include "bench/load/cases.h"

namespace myelin::bench {
namespace {

void run(Bench& bench, const std::string& only) {
  auto add = [&](std::string_view name, const std::function<Task<>()>& make) {
    if (!only.empty() && (',' + only + ',').find(fmt::format(",{},", name)) == std::string::npos) return;
    fmt::print(stderr, "  {} …\n", name);
    bench.run(make);
  };
  constexpr const char* kCluster = ">= 500/s, p50 < 15 ms";
  idle(bench);
  bench.run([&] { return bench.set_up(); });
  add("parked", [&] { return parked(bench, 2000); });  // before the others: freed memory would hide what polls take
  add("send1", [&] { return sends(bench, 1, 1, bench.bar("p50 < 3 ms, p99 < 15 ms")); });
  add("send10", [&] { return sends(bench, 10, 1, bench.bar(">= 2 000/s", kCluster)); });
  add("send10x10", [&] { return sends(bench, 10, 10, bench.bar(">= 3 000/s (aim 5 000)", kCluster)); });
  add("fanout", [&] { return fan_out(bench, 100); });
  add("sync", [&] { return empty_sync(bench); });
  add("messages", [&] { return messages(bench); });
  add("rooms", [&] { return rooms_and_joins(bench); });
  add("failover", [&] { return failover(bench, 4); });
}

}  // namespace
}  // namespace myelin::bench

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  std::string json, only;
  double seconds = 5;
  for (size_t i = 1; i + 1 < words.size(); i += 2) {
    if (words[i] == "--json") json = words[i + 1];
    if (words[i] == "--only") only = words[i + 1];
    if (words[i] == "--seconds") seconds = std::stod(words[i + 1]);
  }
  if (words.empty()) {
    fmt::print(stderr, "usage: load WORLD_FILE [--json FILE] [--seconds N] [--only CASE,...]\n");
    return 2;
  }
  int status = 0;
  try {
    myelin::bench::Bench bench(myelin::bench::World(words[0]), seconds);
    try {
      myelin::bench::run(bench, only);
    } catch (const std::exception& error) {
      fmt::print(stderr, "bench: {}\n", error.what());
      status = 1;
    }
    myelin::bench::print(bench.rows());
    if (!json.empty()) write_json(bench.rows(), json);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench: {}\n", error.what());
    status = 1;
  }
  return status;
}
