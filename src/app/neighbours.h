// The other processes over this database: whether this one may begin beside them, and whether they can be heard.
// Thread: the loop.
#pragma once
#include <string>

#include "base/random.h"
#include "infra/bus/bus.h"
#include "infra/db/db.h"
#include "infra/lease/lease.h"

namespace myelin::app {

class Neighbours {
 public:
  // `agreed`: what every process of a homeserver must have alike, in words for an administrator. Before the bus starts:
  // from then on this process answers the others.
  Neighbours(db::Database&, bus::Bus&, lease::Leases&, Executor loop, const Clock&, Random&, std::string instance,
             std::string agreed);
  // After the bus has started; before the leases do, and again when this process can be seen by others. Every process
  // that is alive in the database must answer over the bus, and say the same: kConflict, with what to do, for one that
  // has another signing key, or hears nothing because it is on another NATS. One that was killed is waited for until
  // its lease is over.
  Task<Result<void>> check();
  // Once the leases have started. A process that does not hear itself over NATS lets its leases go, as the others
  // cannot reach it. Where a nats-server is cut off from its cluster, the processes fall into two sides that do not
  // hear each other; those on the side of fewer servers go over to another one.
  void watch();
  Task<> stop();

 private:
  using Time = std::chrono::steady_clock::time_point;
  Task<> keep_watching();
  Task<bool> hears(std::string instance, std::chrono::milliseconds patience);
  Task<bool> is_on_the_better_side();
  Task<Result<void>> check(lease::Status);
  Task<Result<bool>> is_alive(std::string instance);

  db::Database& db_;
  bus::Bus& bus_;
  lease::Leases& leases_;
  const Clock& clock_;
  Random& random_;
  std::string instance_, agreed_;
  TaskSet tasks_;
};

}  // namespace myelin::app
