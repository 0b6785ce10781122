// Push rules and ignored users that a user was told are changed, and sync has not applied yet: what is said afterwards
// is judged by them, so it waits, for a moment. Known here only of changes in this process. Thread: the loop.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>

#include "base/task.h"
#include "matrix/ids.h"

namespace myelin::sync {

class RuleChanges {
 public:
  explicit RuleChanges(Executor loop) : bell_(loop) {}
  void changed(const UserId&);  // one more change is committed
  void applied(const UserId&);  // one more has come
  // Returns once all changes so far have come, or at the deadline, which forgets them.
  Task<> settle(std::chrono::steady_clock::time_point deadline);

 private:
  struct Count {
    uint64_t changed = 0, applied = 0;
  };
  std::map<UserId, Count> users_;  // of whom some have not come
  Doorbell bell_;
};

}  // namespace myelin::sync
