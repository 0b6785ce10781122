// Typing notices on their way to clients: counted per process, so that a token can say what its client has seen.
// Losable. Thread: the loop.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "components/presence/presence.h"
#include "components/sync/feed.h"
#include "components/sync/token.h"

namespace myelin::sync {

class Typing {
 public:
  Typing(presence::Presence&, Random&);
  void changed(uint32_t room_no, const RoomId&);
  // Has a room of the subscriber changed since the token?
  bool news(const Subscriber&, const Token&) const;
  std::vector<uint32_t> changed_rooms(const Subscriber&, const Token&) const;
  // The m.typing event of the room, if it changed since the token (or somebody types, for a new client).
  std::optional<std::string> event(uint32_t room_no, const RoomId&, const std::optional<Token>&) const;
  void mark(Token&, const Subscriber&) const;  // writes this process's count into the token

  uint64_t seen_by(const Token&) const;
  uint64_t count() const { return count_; }
  uint64_t next() { return ++count_; }  // for what is counted along with typing

 private:
  // Another process, or a former life of this one, has shown the client somebody typing: nobody knows where.
  bool is_lost(const Token&) const;

  presence::Presence& presence_;
  uint32_t process_;
  uint64_t count_ = 0;
  std::unordered_map<uint32_t, uint64_t> rooms_;  // room -> count at its last change
  std::map<uint64_t, uint32_t> by_count_;         // the same the other way round
  std::set<uint32_t> active_;                     // rooms in which somebody types
};

}  // namespace myelin::sync
