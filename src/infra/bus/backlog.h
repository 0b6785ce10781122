// How far behind each consumer is, as the database has it: for administrators, in any process. Thread: the loop.
#pragma once
#include <string>
#include <vector>

#include "base/task.h"
#include "infra/db/db.h"

namespace myelin::bus {

struct Backlog {
  std::string consumer, topic;
  uint64_t lag = 0;          // messages that were committed and not applied
  uint64_t parked_keys = 0;  // whose messages wait for an administrator (docs/spine.md, rule A11)
};
Task<Result<std::vector<Backlog>>> read_backlogs(db::Database&);  // sorted by consumer and topic

// The same as metrics, in every process alike: who has a consumer may be dead.
class BacklogMeter {
 public:
  BacklogMeter(db::Database&, Executor loop);
  Task<> measure();  // gives up after a second, with the metrics as they were
  Task<> stop();

 private:
  Task<> look();

  db::Database& db_;
  bool is_looking_ = false;
  Doorbell looked_;
  TaskSet tasks_;
};

}  // namespace myelin::bus
