// Presence on its way to clients: counted with typing, so that one mark in a token covers both. Losable. Thread: the
// loop.
#pragma once
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/metrics.h"
#include "components/sync/typing.h"

namespace myelin::sync {

class PresenceNews {
 public:
  PresenceNews(presence::Presence&, Typing&, const Clock&);
  // `rooms`: those that the user has joined, sorted.
  void changed(const UserId&, std::vector<uint32_t> rooms);
  bool news(const Subscriber&, const Token&) const;
  // Users in the subscriber's rooms whose status changed since the token.
  std::set<UserId> changed_users(const Subscriber&, const Token&) const;
  // m.presence events of those whose status is known.
  std::vector<std::string> events(const std::set<UserId>&) const;

 private:
  struct Change {
    UserId user;
    std::vector<uint32_t> rooms;
    size_t bytes() const { return 256 + rooms.size() * sizeof(uint32_t); }
  };
  bool concerns(const Change&, const Subscriber&) const;
  void drop(std::map<uint64_t, Change>::iterator);

  presence::Presence& presence_;
  Typing& typing_;
  const Clock& clock_;
  std::map<uint64_t, Change> changes_;            // by count
  std::unordered_map<UserId, uint64_t> by_user_;  // -> count of the user's newest change, the only one kept
  size_t bytes_ = 0;
  prometheus::Gauge& bytes_gauge_;
};

}  // namespace myelin::sync
