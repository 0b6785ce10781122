// Who may do what, among the processes over one database.
//
// Leases shares out parts (partitions of a topic; a consumer as a whole) among the processes that are alive, and says
// so with epochs: an owner's every transaction checks its epoch at the head of its home partition (db::Fence), so a
// former owner that wakes up writes nothing. Thread: the loop, unless said.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/task.h"
#include "infra/bus/bus.h"
#include "infra/db/db.h"

namespace myelin::lease {

// Locks a data directory against a second process for as long as this object lives (flock).
class DirectoryLock {
 public:
  static Result<DirectoryLock> take(const std::string& directory);  // kUnavailable names the other process id
  DirectoryLock(DirectoryLock&&) noexcept;
  DirectoryLock& operator=(DirectoryLock&&) noexcept;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

struct Options {
  std::chrono::milliseconds length{3'000};    // of a lease, from its last renewal
  std::chrono::milliseconds look{700};        // between renewals, each of which looks at what the others do
  std::chrono::milliseconds patience{5'000};  // with let_go
};

struct Process {  // for the administrator's eyes
  std::string host, roles, version;
  std::string nats{};  // the nats-server that it was connected to at its last renewal; "" = none
};

// What this process wants a share of. Callbacks run on the loop and must not throw; each may be empty.
struct Wish {
  std::string name;       // "room.out"; unlike any other's
  uint32_t parts = 1;     // the same in every process
  bool is_topic = false;  // its parts are the topic's partitions: their epochs are those of outbox_head
  // It is this process's now: what is loaded is loaded after this. Each is followed by one `lost`.
  std::function<void(uint32_t part)> taken{};
  // Take no new work for it, and return once nothing is under way. It is this process's until then, at the most for
  // Options::patience (the coroutine is then cancelled).
  std::function<Task<>(uint32_t part)> let_go{};
  // It is not this process's any more, let go or not: what is in memory is worth nothing. Nobody has taken it yet,
  // unless this process was taken for dead.
  std::function<void(uint32_t part)> lost{};
};

struct Status {
  std::string instance;
  Process about;
  Milliseconds started_at = 0, alive_until = 0;  // by the database's clock
  bool alive = false;                            // on SQLite: it has not ended in order
  std::map<std::string, std::vector<uint32_t>> holds;
};

// One process's part in sharing work with the others. PostgreSQL: a row that is renewed says that the process lives,
// and with it everything it holds; what nobody alive holds is free. Times are the database's, so clocks may differ.
// SQLite: there is no other process; all is taken at the start, and nothing is done from then on.
class Leases {
 public:
  // `instance`: names this process, over restarts; what a former life of it held is taken over at once. A process that
  // finds another one alive under its instance ends (db::fatal). Before the bus starts: a hint wakes it.
  static std::unique_ptr<Leases> make(db::Database&, bus::Bus&, Executor loop, const Clock&, Random&,
                                      std::string instance, Process about, Options = {});
  virtual ~Leases() = default;

  virtual void want(Wish) = 0;             // before start()
  virtual Task<Result<void>> start() = 0;  // takes what is free, up to the share; from then on by itself
  virtual Task<> stop() = 0;               // lets everything go; the others take it at once. Ends every started one
  // True: lets everything go that somebody else wants, and takes none of that until false: for a process that the
  // others cannot reach.
  virtual void rest(bool) = 0;

  // nullopt: it is not this process's, or could not be renewed in time. `topic`: a static string.
  virtual std::optional<db::Fence> fence(std::string_view topic, uint32_t partition) const = 0;
  virtual bool holds(std::string_view name, uint32_t part) const = 0;
  // Whose it was at the last look, wanted here or not; nullopt: nobody's alive.
  virtual std::optional<std::string> holder(std::string_view name, uint32_t part) const = 0;
  virtual Task<Result<void>> look() = 0;  // now; the database's error, or kTimeout

  // Every process, alive or over, sorted by instance. Of one that is over: what nobody has taken yet.
  static Task<Result<std::vector<Status>>> status(db::Database&, const Clock&);
  static std::vector<Status> status(db::ReadTx&, Milliseconds clock);  // in a transaction of the caller
};

// The tables that are of the processes over one database, and of no use in a copy.
inline constexpr std::string_view kTables[] = {"lease", "process"};

}  // namespace myelin::lease
