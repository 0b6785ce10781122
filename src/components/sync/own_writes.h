// What users have been told is done, and is not in sync's tables yet: their own /sync waits for it, for a moment. Known
// here only of writes of this process. Thread: the loop.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <unordered_map>

#include "base/task.h"
#include "matrix/ids.h"

namespace myelin::sync {

class OwnWrites {
 public:
  explicit OwnWrites(Executor loop) : bell_(loop) {}
  // The user's event with this order in the room is committed.
  void written(const UserId&, uint32_t room_no, int64_t order);
  // The events of the user up to this order in the room are in sync's tables.
  void applied(const UserId&, uint32_t room_no, int64_t order);
  void forget_all();
  // Returns once all that the user has written is applied, or at the deadline, which forgets it.
  Task<> settle(UserId, std::chrono::steady_clock::time_point deadline);

 private:
  std::unordered_map<UserId, std::map<uint32_t, int64_t>> writers_;  // room -> order of the newest event
  Doorbell bell_;                                                    // rings when a writer goes, if somebody waits
  int waiting_ = 0;
};

}  // namespace myelin::sync
