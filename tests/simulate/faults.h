// What happens to the processes of a run, by the seed, until the quiet begins. Thread: the one there is.
#pragma once
#include "tests/simulate/client.h"

namespace myelin::simulate {

class Faults {
 public:
  // `act`: called when it would matter that clients write. `went_back`: when the database has lost its last commits.
  Faults(Surroundings&, Processes&, std::function<void()> act, std::function<void()> went_back);
  Task<> run(TimePoint quiet);  // and then all is well
  bool is_over() const { return is_over_; }

 private:
  using Kind = void (Faults::*)(Process&);
  void kill(Process&);
  void stop(Process&);
  void stand_still(Process&);
  void cut_from_database(Process&);
  void cut_from_streams(Process&);
  void lose_leases(Process&);
  void doubt(Process&);
  void storm(Process&);
  void wipe(Process&);
  void copy_streams(Process&);
  Process& victim();
  void later(Process&, void (*undo)(Process&));
  void heal(Process&);
  void keep_a_copy();
  void fail_over();
  Surroundings& on_;
  World& world_;
  Processes& processes_;
  std::function<void()> act_, went_back_;
  milliseconds longest_pause_;
  std::vector<Kind> kinds_;
  db::SqliteHandle database_copy_;
  std::optional<bus::testing::MemoryStreams::Copy> streams_copy_;
  bool is_losing_leases_ = false, is_over_ = false;
};

}  // namespace myelin::simulate
