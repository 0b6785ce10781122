// simulator FIRST COUNT: runs so many seeds; the first that fails is shown, and how to repeat it.
// --trace SEED: one, with all its trace. --twice FIRST COUNT: each twice, with the same hash. --survey FIRST COUNT: how
// many fail.
#include <fmt/ranges.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "tests/simulate/run.h"

namespace {

using namespace myelin;
using namespace myelin::simulate;

void show(uint64_t seed, const Outcome& outcome) {
  fmt::print("{}\n", fmt::join(outcome.trace, "\n"));
  fmt::print("seed {}: {}\nrepeat it with: build/release/myelin_simulator --trace {}\n", seed, *outcome.violation,
             seed);
}

int run_all(SharedDatabase& database, const Template& from, const SigningKey& key, uint64_t first, uint64_t count,
            bool twice) {
  auto start = std::chrono::steady_clock::now();
  uint64_t events = 0, steps = 0;
  double seconds = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    auto outcome = run(seed, database, from, key, false);
    events += outcome.events;
    steps += outcome.steps;
    seconds += outcome.seconds;
    if (outcome.violation) {
      show(seed, outcome);
      return 1;
    }
    if (!twice) continue;
    auto again = run(seed, database, from, key, false);
    if (again.hash != outcome.hash) {
      fmt::print("seed {}: another trace the second time\n", seed);
      return 1;
    }
  }
  auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  fmt::print(
      "seeds {} to {}: {} events acknowledged, {:.0f} simulated seconds, {} steps, in {:.1f} s: {:.1f} seeds/s\n",
      first, first + count - 1, events, seconds, steps, took, static_cast<double>(count) / took);
  return 0;
}

// How many fail, of which each is run to its end.
int survey(SharedDatabase& database, const Template& from, const SigningKey& key, uint64_t first, uint64_t count) {
  uint64_t failed = 0, first_failed = 0;
  std::string why;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    auto outcome = run(seed, database, from, key, false);
    if (!outcome.violation || failed++ > 0) continue;
    first_failed = seed;
    why = *outcome.violation;
  }
  if (failed == 0)
    fmt::print("0 of {} seeds fail\n", count);
  else
    fmt::print("{} of {} seeds fail; the first is {}: {}\n", failed, count, first_failed, why);
  return 0;
}

uint64_t number_of(const std::string& text) {
  uint64_t out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  auto mode = !words.empty() && words[0].starts_with("--") ? words[0] : "";
  if (!mode.empty()) words.erase(words.begin());
  bool trace = mode == "--trace";
  if (words.size() != (trace ? 1u : 2u)) {
    fmt::print(stderr, "simulator [--twice | --survey] FIRST COUNT, or --trace SEED\n");
    return 2;
  }
  SeededRandom random(1);
  auto key = SigningKey::generate(random, "a");
  SharedDatabase database;
  auto from = make_template(database, key);
  auto first = number_of(words[0]);
  if (mode == "--survey") return survey(database, from, key, first, number_of(words[1]));
  if (!trace) return run_all(database, from, key, first, number_of(words[1]), mode == "--twice");
  auto outcome = run(first, database, from, key, true);
  if (outcome.violation) {
    show(first, outcome);
    return 1;
  }
  fmt::print("{}\nseed {}: nothing wrong; hash {:016x}\n", fmt::join(outcome.trace, "\n"), first, outcome.hash);
  return 0;
}
