// What `myelin status` and /_myelin/admin/status say: which processes are alive and what each does, how far everything
// is. Read from the database alone, so any process can, and the command with none running. Thread: the loop.
#pragma once
#include <string>
#include <vector>

#include "infra/bus/backlog.h"
#include "infra/lease/lease.h"
#include "infra/work/work.h"
#include "matrix/json.h"

namespace myelin::app {

struct Status {
  Milliseconds now = 0;
  int64_t position = 0;  // of /sync: the last one given out
  std::vector<lease::Status> processes;
  std::vector<bus::Backlog> consumers;
  std::vector<work::Waiting> queues;
};

Task<Result<Status>> read_status(db::Database&, const Clock&);
json::Object to_json(const Status&);
std::string to_table(const Status&);  // for a terminal, without the last newline

}  // namespace myelin::app
