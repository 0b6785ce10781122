// What the simulated processes share: one time, one source of randomness, the events to come, a trace. The seed fixes
// all of it. Thread: the one there is.
#pragma once
#include <fmt/format.h>

#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "base/clock.h"
#include "tests/simulate/loop.h"

namespace myelin::simulate {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

class World {
 public:
  explicit World(uint64_t seed);
  ~World();
  static World& current();  // the one that lives
  static bool lives();

  TimePoint now() const { return now_; }
  void at(TimePoint, Work);
  void after(microseconds pause, Work work) { at(now_ + pause, std::move(work)); }

  uint64_t below(uint64_t bound) { return random_() % bound; }
  uint64_t number() { return random_(); }
  bool chance(double probability) { return static_cast<double>(random_() >> 11) * 0x1p-53 < probability; }
  microseconds between(microseconds least, microseconds most) {
    return least + microseconds(below(static_cast<uint64_t>((most - least).count()) + 1));
  }
  template <class T>
  T& any(std::vector<T>& from) {
    return from[below(from.size())];
  }

  // A line of the trace, which the hash covers.
  template <class... A>
  void note(fmt::format_string<A...> format, A&&... args) {
    write(fmt::format(format, std::forward<A>(args)...));
  }
  void log(std::string_view level, std::string_view text);
  uint64_t hash() const { return hash_; }
  const std::deque<std::string>& trace() const { return trace_; }  // the last lines
  void trace_all() { keep_ = SIZE_MAX; }

  // The first one counts, and ends the run.
  void violation(std::string what);
  const std::optional<std::string>& violated() const { return violation_; }

  // Lets one piece of what is ready run, of any loop that may run; or moves time to the next event.
  void step();
  void add(Loop& loop) { loops_.push_back({&loop, false}); }
  void remove(const Loop& loop);
  void freeze(const Loop& loop, bool frozen);
  uint64_t steps() const { return steps_; }

 private:
  struct Event {
    TimePoint time;
    uint64_t number;
    mutable Work work;
    bool operator<(const Event& other) const { return std::tie(other.time, other.number) < std::tie(time, number); }
  };
  struct Running {
    Loop* loop;
    bool is_frozen;
  };
  void write(std::string line);

  TimePoint now_{std::chrono::hours(1)};
  std::mt19937_64 random_;
  std::priority_queue<Event> events_;
  std::vector<Running> loops_;
  const Loop* running_ = nullptr;
  uint64_t numbers_ = 0, steps_ = 0, hash_ = 14695981039346656037u;
  size_t keep_ = 80;
  std::deque<std::string> trace_;
  std::optional<std::string> violation_;
};

class WorldClock final : public Clock {
 public:
  explicit WorldClock(World& world, Milliseconds start) : world_(world), start_(start) {}
  Milliseconds now() const override {
    return start_ + std::chrono::duration_cast<milliseconds>(world_.now().time_since_epoch()).count();
  }
  TimePoint steady() const override { return world_.now(); }

 private:
  World& world_;
  Milliseconds start_;
};

}  // namespace myelin::simulate
