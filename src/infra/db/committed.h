// Hands committed outbox rows to their one receiver, in commit order per partition, whichever lane was faster after its
// commit. A lane reserves its numbers while it holds the head's lock, so reservations come in the order of numbers.
// Thread: any.
#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "infra/db/db.h"

namespace myelin::db {

using OutboxKey = std::pair<std::string_view, uint32_t>;  // topic, partition

class Committed {
 public:
  void set_receiver(std::function<void(std::vector<OutboxRow>)> receiver);
  void reserve(const OutboxKey&, uint64_t first_seq);
  // What became of the reserved numbers: rows (all of one commit), or none.
  void deliver(std::vector<OutboxRow> rows);
  void drop(const std::vector<std::pair<OutboxKey, uint64_t>>& reserved);

 private:
  // First number → its rows, or nullopt while the commit is not known.
  using Waiting = std::map<uint64_t, std::optional<std::vector<OutboxRow>>>;
  static void take_ready(Waiting&, std::vector<OutboxRow>& ready);

  std::mutex mutex_;
  std::function<void(std::vector<OutboxRow>)> receiver_;
  std::map<OutboxKey, Waiting> waiting_;
};

}  // namespace myelin::db
