// Durable work: what waits for another machine or for a time. A row of table `work`: taken in order per key, retried
// with back-off, deleted in the transaction that holds its result. A slow key delays only itself.
//
// Where several processes may be at work (PostgreSQL), an item is leased before its attempt and the lease renewed while
// it lasts. Who stood still for longer than a lease may find that another did it: its own result is dropped then.
// Thread: the loop.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/task.h"
#include "infra/bus/bus.h"
#include "infra/db/db.h"

namespace myelin::work {

struct Item {
  int64_t id = 0;  // grows in the order of enqueue() per key
  std::string key;
  std::string body;
  int attempts = 0;  // failed ones before this
};

// What came of one attempt.
struct Outcome {
  enum class Kind { kDone, kRetry } kind = Kind::kDone;
  std::function<Result<void>(db::Tx&)> write{};  // kDone: runs in the transaction that deletes the row
  std::string reason{};                          // kRetry: shown to the administrator
  std::chrono::milliseconds retry_after{0};      // kRetry: at least this, if the other side said so
};

struct QueueSpec {
  std::string name;                                                     // "push"
  int parallel = 16;                                                    // keys worked on at once
  std::chrono::milliseconds first_retry{1'000}, last_retry{3'600'000};  // doubling, with jitter
  std::function<Task<Outcome>(Item)> attempt;  // has a deadline of its own; a throw counts as kRetry
};

class Queues {
 public:
  virtual ~Queues() = default;
  // Before the bus starts: by hints, a wake() reaches the processes that have started theirs.
  static std::unique_ptr<Queues> make(db::Database&, bus::Bus&, Executor loop, const Clock&, Random&);
  virtual void declare(QueueSpec) = 0;            // before start()
  virtual void start() = 0;                       // not called: the rows wait for a process that does
  virtual void wake(std::string_view queue) = 0;  // after a commit that enqueued
  virtual void retry_now(std::string_view queue, std::string_view key) = 0;  // however long it has to wait
  virtual Task<> stop() = 0;  // gives running attempts up; their rows stay
};

struct Waiting {  // in one queue, for administrators
  std::string queue;
  int64_t rows = 0;
  Milliseconds first_due = 0;
};
Task<Result<std::vector<Waiting>>> read_waiting(db::Database&);

inline constexpr std::chrono::milliseconds kLease{30'000};

// In a transaction: append to `queue` under `key`, due after `delay`. `now`: by this process's clock; where several
// processes work, the database's counts instead.
void enqueue(db::Tx&, std::string_view queue, std::string_view key, std::string_view body, Milliseconds now,
             Milliseconds delay = 0);

}  // namespace myelin::work
