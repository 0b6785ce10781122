#include "tests/simulate/faults.h"

#include <algorithm>

namespace myelin::simulate {

// Each run has some kinds only, and so more of them.
Faults::Faults(Surroundings& on, Processes& processes, std::function<void()> act, std::function<void()> went_back)
    : on_(on), world_(on.world), processes_(processes), act_(std::move(act)), went_back_(std::move(went_back)) {
  constexpr milliseconds kPauses[] = {milliseconds(400), milliseconds(1'500), milliseconds(4'000)};
  longest_pause_ = kPauses[world_.below(3)];
  constexpr Kind kKinds[] = {&Faults::kill,
                             &Faults::stop,
                             &Faults::stand_still,
                             &Faults::cut_from_database,
                             &Faults::cut_from_streams,
                             &Faults::lose_leases,
                             &Faults::doubt,
                             &Faults::storm,
                             &Faults::wipe,
                             &Faults::copy_streams};
  for (auto kind : kKinds)
    if (world_.chance(0.5)) kinds_.push_back(kind);
  if (kinds_.empty()) kinds_.push_back(&Faults::storm);
}

Task<> Faults::run(TimePoint quiet) {
  if (world_.chance(0.25)) keep_a_copy();
  while (world_.now() < quiet) {
    co_await sleep_for(world_.between(milliseconds(1), longest_pause_));
    (this->*world_.any(kinds_))(victim());
    if (world_.chance(0.1)) act_();
  }
  on_.database_faults = {};
  on_.network_faults = {};
  world_.note("quiet begins");
  for (auto& process : processes_) heal(*process);
  is_over_ = true;
}

// Often one that owns a room.
Process& Faults::victim() {
  std::vector<std::string> owners;
  on_.database.session().run(
      "SELECT l.holder FROM lease l JOIN outbox_head h ON h.topic = l.name AND h.partition = l.part WHERE h.next_seq > "
      "1 AND l.holder <> ''",
      {}, [&](const db::Row& row) { owners.push_back(row.str(0)); });
  auto& any = *world_.any(processes_);
  if (owners.empty() || world_.chance(0.5)) return any;
  auto it = std::ranges::find(processes_, world_.any(owners), &Process::name);
  return it == processes_.end() ? any : **it;
}

void Faults::heal(Process& process) {
  process.freeze(false);
  process.cut_from_leases(false);
  process.cut_from_database(false);
  process.cut_from_streams(false);
  process.start();
}

void Faults::later(Process& process, void (*undo)(Process&)) {
  world_.after(world_.between(milliseconds(10), milliseconds(world_.chance(0.5) ? 600 : 5'000)),
               [this, &process, undo] {
                 if (!is_over_) undo(process);
               });
}

void Faults::kill(Process& process) {
  process.kill();
  later(process, [](Process& it) { it.start(); });
}

void Faults::stop(Process& process) {
  process.stop();
  later(process, [](Process& it) { it.start(); });
}

// Often for longer than a lease, and with something half done.
void Faults::stand_still(Process& process) {
  auto length = world_.between(milliseconds(10), world_.chance(0.5) ? seconds(2) : seconds(6));
  if (world_.chance(0.5)) return process.freeze_as_it_writes(length);
  process.freeze(true);
  world_.after(length, [&process] { process.freeze(false); });
}

void Faults::cut_from_database(Process& process) {
  process.cut_from_database(true);
  later(process, [](Process& it) { it.cut_from_database(false); });
}

void Faults::cut_from_streams(Process& process) {
  process.cut_from_streams(true);
  later(process, [](Process& it) { it.cut_from_streams(false); });
}

// What it then writes in good faith comes when another one owns what it owned.
void Faults::lose_leases(Process& process) {
  if (std::exchange(is_losing_leases_, true)) return;
  process.cut_from_leases(true);
  world_.after(world_.between(milliseconds(1'400), milliseconds(2'600)), [this, &process] {
    if (is_over_) return;
    process.freeze_as_it_writes(world_.between(milliseconds(900), milliseconds(1'900)));
    act_();
  });
  world_.after(world_.between(seconds(3), seconds(8)), [this, &process] {
    process.cut_from_leases(false);
    is_losing_leases_ = false;
  });
}

void Faults::doubt(Process& process) {
  process.doubt_next_commit();
  act_();
}

void Faults::wipe(Process&) {
  world_.note("the streams are emptied");
  on_.streams.wipe();
}

void Faults::copy_streams(Process&) {
  world_.note("the streams {}", streams_copy_ ? "are as they were" : "are copied");
  if (streams_copy_) return on_.streams.put_back(*std::exchange(streams_copy_, std::nullopt));
  streams_copy_ = on_.streams.copy();
}

// A standby that was told of every commit up to some moment takes over some time later, once; its clock is some minutes
// behind.
void Faults::keep_a_copy() {
  auto pause = world_.between(milliseconds(10), seconds(8));
  world_.after(pause, [this] {
    if (is_over_) return;
    world_.note("the standby is told of the last commit");
    database_copy_ = on_.database.copy();
    world_.after(world_.between(milliseconds(1), seconds(2)), [this] {
      act_();
      world_.after(world_.between(milliseconds(1), milliseconds(30)), [this] { fail_over(); });
    });
  });
}

void Faults::fail_over() {
  if (is_over_) return;
  world_.note("the database fails over to a standby that lacks the last commits");
  on_.database.put_back(database_copy_.get());
  on_.database.generation += "'";
  on_.database.clock_is_behind += static_cast<Milliseconds>(world_.below(600'000));
  on_.database.in_doubt_until = {};
  went_back_();
}

// For a while, things fail often.
void Faults::storm(Process&) {
  auto some = [&](double most) {
    return world_.chance(0.5) ? most * static_cast<double>(world_.below(1'000)) / 1'000 : 0;
  };
  on_.database_faults = {some(0.1), some(0.1), some(0.3), some(0.2)};
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
