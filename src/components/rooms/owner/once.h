// A command that may be asked for again is done once: by whom it is known, and who waits for the same. Thread: the
// loop.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/keyed_hash.h"
#include "base/lru.h"
#include "base/task.h"
#include "components/rooms/rooms.h"

namespace myelin::rooms {

// What names it: the client's transaction, or the command's id. Neither: it is always a new one.
struct Name {
  std::optional<Transaction> transaction{};
  CommandId command{};
  bool empty() const { return !transaction && command.empty(); }
  std::string key() const;
};

class Once {
 public:
  // `remembers`: what was done lately, too: where no other process can make it untrue.
  Once(Executor loop, const Clock& clock, size_t cap_bytes, bool remembers)
      : loop_(loop), clock_(clock), remembers_(remembers), done_("transactions", cap_bytes) {}
  // Runs `work`, unless a command of this name was done lately, or is under way: then its answer.
  Task<Result<EventId>> run(Name, Task<Result<EventId>> work);
  void forget_done() { done_.clear(); }

 private:
  struct Waiting {
    explicit Waiting(Executor loop) : done(loop) {}
    Doorbell done;
    std::optional<Result<EventId>> result;
  };
  Executor loop_;
  const Clock& clock_;
  bool remembers_;
  std::unordered_map<std::string, std::shared_ptr<Waiting>, KeyedHash> under_way_;
  Lru<std::string, EventId> done_;  // lately: so that repeating one does not disturb its room
};

}  // namespace myelin::rooms
