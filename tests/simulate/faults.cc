#include "tests/simulate/faults.h"

namespace myelin::simulate {

Faults::Faults(Surroundings& on, Processes& processes, std::function<void()> went_back)
    : on_(on), world_(on.world), processes_(processes), went_back_(std::move(went_back)) {
  constexpr milliseconds kPauses[] = {milliseconds(400), milliseconds(1'500), milliseconds(4'000)};
  longest_pause_ = kPauses[world_.below(3)];
}

Task<> Faults::run(TimePoint quiet) {
  if (world_.chance(0.2)) keep_a_copy();
  while (world_.now() < quiet) {
    co_await sleep_for(world_.between(milliseconds(1), longest_pause_));
    strike();
  }
  on_.database_faults = {};
  on_.network_faults = {};
  world_.note("quiet begins");
  for (auto& process : processes_) heal(*process);
  is_over_ = true;
}

void Faults::heal(Process& process) {
  process.freeze(false);
  process.cut_from_leases(false);
  process.cut_from_database(false);
  process.cut_from_streams(false);
  process.start();
}

void Faults::strike() {
  auto& process = *world_.any(processes_);
  auto soon = world_.between(milliseconds(10), milliseconds(world_.chance(0.5) ? 600 : 5'000));
  auto later = [&](auto undo) {
    world_.after(soon, [this, &process, undo] {
      if (!is_over_) undo(process);
    });
  };
  switch (world_.below(11)) {
    case 0:
    case 1:
      process.kill();
      return later([](Process& it) { it.start(); });
    case 2:
      process.stop();
      return later([](Process& it) { it.start(); });
    case 3:
      return stand_still(process);
    case 4:
      process.cut_from_database(true);
      return later([](Process& it) { it.cut_from_database(false); });
    case 5:
      process.cut_from_streams(true);
      return later([](Process& it) { it.cut_from_streams(false); });
    case 6:
      world_.note("the streams are emptied");
      return on_.streams.wipe();
    case 7:
      world_.note("the streams {}", streams_copy_ ? "are as they were" : "are copied");
      if (streams_copy_) return on_.streams.put_back(*std::exchange(streams_copy_, std::nullopt));
      streams_copy_ = on_.streams.copy();
      return;
    case 8:
      return lose_leases(process);
    default:
      return storm();
  }
}

// Often for longer than a lease, and with something half done.
void Faults::stand_still(Process& process) {
  auto length = world_.chance(0.5) ? world_.between(seconds(3), seconds(6)) : world_.between(milliseconds(10), seconds(3));
  if (world_.chance(0.6)) return process.freeze_as_it_writes(length);
  process.freeze(true);
  world_.after(length, [&process] { process.freeze(false); });
}

// What it then writes in good faith comes when another one owns what it owned.
void Faults::lose_leases(Process& process) {
  process.cut_from_leases(true);
  world_.after(world_.between(milliseconds(1'600), milliseconds(2'900)), [this, &process] {
    if (!is_over_) process.freeze_as_it_writes(world_.between(milliseconds(500), milliseconds(1'900)));
  });
  world_.after(world_.between(seconds(3), seconds(6)), [&process] { process.cut_from_leases(false); });
}

// A standby that was told of every commit up to some moment takes over some time later, once.
void Faults::keep_a_copy() {
  auto pause = world_.between(milliseconds(10), seconds(8));
  world_.after(pause, [this] {
    if (is_over_) return;
    world_.note("the standby is told of the last commit");
    database_copy_ = on_.database.copy();
    world_.after(world_.between(milliseconds(1), seconds(2)), [this] { fail_over(); });
  });
}

void Faults::fail_over() {
  if (is_over_) return;
  world_.note("the database fails over to a standby that lacks the last commits");
  on_.database.put_back(database_copy_.get());
  on_.database.generation += "'";
  on_.database.in_doubt_until = {};
  went_back_();
}

// For a while, things fail often.
void Faults::storm() {
  auto some = [&](double most) {
    return world_.chance(0.5) ? most * static_cast<double>(world_.below(1'000)) / 1'000 : 0;
  };
  on_.database_faults = {some(0.1), some(0.1), some(0.2), some(0.1)};
  on_.network_faults = {some(0.3), some(0.3), some(0.3)};
  world_.note("faults: database {:.3f} {:.3f} {:.3f} {:.3f}, network {:.3f} {:.3f} {:.3f}", on_.database_faults.refused,
              on_.database_faults.failed, on_.database_faults.unknown, on_.database_faults.slow,
              on_.network_faults.lose, on_.network_faults.repeat, on_.network_faults.slow);
  world_.after(world_.between(milliseconds(50), seconds(3)), [this] {
    if (is_over_) return;
    on_.database_faults = {};
    on_.network_faults = {};
  });
}

}  // namespace myelin::simulate
