// What happens to the processes of a run, by the seed, until the quiet begins. Thread: the one there is.
#pragma once
#include "tests/simulate/client.h"

namespace myelin::simulate {

class Faults {
 public:
  // `went_back`: called when the database has lost its last commits.
  Faults(Surroundings&, Processes&, std::function<void()> went_back);
  Task<> run(TimePoint quiet);  // and then all is well
  bool is_over() const { return is_over_; }

 private:
  void strike();
  void stand_still(Process&);
  void lose_leases(Process&);
  void storm();
  void heal(Process&);
  void keep_a_copy();
  void fail_over();
  Surroundings& on_;
  World& world_;
  Processes& processes_;
  std::function<void()> went_back_;
  milliseconds longest_pause_;
  db::SqliteHandle database_copy_;
  std::optional<bus::testing::MemoryStreams::Copy> streams_copy_;
  bool is_over_ = false;
};

}  // namespace myelin::simulate
