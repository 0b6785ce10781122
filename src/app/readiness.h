// Whether this server can serve well now: its database takes writes, NATS answers, it has started and does not stop.
// Looked at when somebody asks, at most once a second. Thread: the loop.
#pragma once
#include <optional>

#include "base/clock.h"
#include "base/random.h"
#include "base/task.h"
#include "infra/bus/bus.h"
#include "infra/db/db.h"

namespace myelin::app {

class Readiness {
 public:
  // Before the bus is started: it serves a subject of its own there.
  Readiness(db::Database&, bus::Bus&, Executor loop, const Clock&, Random&);

  Task<Result<void>> check();          // kUnavailable with the reason, at the latest after two seconds
  void waits_for(std::string reason);  // until the start is done; "" = nothing any more
  void drain_begins() { is_draining_ = true; }
  Task<> stop();

 private:
  Task<> look();
  void note(const Result<void>& found);  // in the log, when it changes
  Task<Result<void>> found();

  db::Database& db_;
  bus::Bus& bus_;
  const Clock& clock_;
  std::string subject_, waits_for_ = "the server is starting", noted_;
  bool is_draining_ = false, is_looking_ = false;
  std::optional<Result<void>> last_;
  std::chrono::steady_clock::time_point looked_at_{};
  Doorbell looked_;
  TaskSet tasks_;
};

}  // namespace myelin::app
