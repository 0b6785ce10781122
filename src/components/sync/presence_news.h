// Presence on its way to clients: counted with typing, so that one mark in a token covers both. Losable. Thread: the
// loop.
#pragma once
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "components/sync/typing.h"

namespace myelin::sync {

class PresenceNews {
 public:
  PresenceNews(presence::Presence& presence, Typing& typing, const Clock& clock)
      : presence_(presence), typing_(typing), clock_(clock) {}
  // `rooms`: those that the user has joined, sorted.
  void changed(const UserId&, std::vector<uint32_t> rooms);
  bool news(const Subscriber&, const Token&) const;
  // Users in the subscriber's rooms whose status changed since the token.
  std::set<UserId> changed_users(const Subscriber&, const Token&) const;
  // m.presence events of those whose status is known.
  std::vector<std::string> events(const std::set<UserId>&) const;

 private:
  struct Change {
    uint64_t count = 0;
    std::vector<uint32_t> rooms;
  };
  presence::Presence& presence_;
  Typing& typing_;
  const Clock& clock_;
  std::unordered_map<UserId, Change> changes_;
};

}  // namespace myelin::sync
