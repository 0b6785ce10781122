#include "tests/simulate/world.h"

#include <algorithm>
#include <cassert>
#include <tuple>

namespace myelin::simulate {
namespace {
World* the_world = nullptr;
}

World::World(uint64_t seed) : random_(seed) { the_world = this; }
World::~World() { the_world = nullptr; }
World& World::current() {
  assert(the_world != nullptr);
  return *the_world;
}

bool World::lives() { return the_world != nullptr; }

void World::log(std::string_view level, std::string_view text) {
  note("{} logs {}: {}", running_ == nullptr ? "-" : running_->name(), level, text);
}

void World::at(TimePoint time, Work work) { events_.push({std::max(time, now_), ++numbers_, std::move(work)}); }

void World::write(std::string line) {
  for (unsigned char c : line) hash_ = (hash_ ^ c) * 1099511628211u;
  auto time = std::chrono::duration_cast<microseconds>(now_.time_since_epoch()) - std::chrono::hours(1);
  hash_ = (hash_ ^ static_cast<uint64_t>(time.count())) * 1099511628211u;
  trace_.push_back(fmt::format("{:10.6f} {}", static_cast<double>(time.count()) / 1e6, line));
  if (trace_.size() > keep_) trace_.pop_front();
}

void World::violation(std::string what) {
  if (violation_) return;
  write("VIOLATION: " + what);
  violation_ = std::move(what);
}

void World::remove(const Loop& loop) {
  std::erase_if(loops_, [&](const Running& each) { return each.loop == &loop; });
}

void World::freeze(const Loop& loop, bool frozen) {
  for (auto& each : loops_)
    if (each.loop == &loop) each.is_frozen = frozen;
}

void World::step() {
  ++steps_;
  auto may_run = [](const Running& each) { return !each.is_frozen && each.loop->is_ready(); };
  auto ready = static_cast<uint64_t>(std::ranges::count_if(loops_, may_run));
  if (ready == 0 && !events_.empty()) now_ = std::max(now_, events_.top().time);
  if (!events_.empty() && events_.top().time <= now_) {
    auto work = std::move(events_.top().work);
    events_.pop();
    return work();
  }
  if (ready == 0) return violation("nothing is left to happen");
  auto nth = below(ready);
  auto chosen = std::ranges::find_if(loops_, [&](const Running& each) { return may_run(each) && nth-- == 0; });
  now_ += microseconds(1 + below(20));
  running_ = chosen->loop;
  chosen->loop->run_one();
  running_ = nullptr;
}

}  // namespace myelin::simulate
