// Typing notices on their way to clients. Changes are numbered, so that a token can say what its client has seen; each
// process has numbers of its own, made of its time so that they compare, as a client may go from one process to
// another. Losable. Thread: the loop.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "components/presence/presence.h"
#include "components/sync/feed.h"
#include "components/sync/token.h"

namespace myelin::sync {

class Typing {
 public:
  Typing(presence::Presence&, Random&, const Clock&);
  void changed(uint32_t room_no, const RoomId&);
  // A client has come with it: what changes from now on has a greater number than what its client has seen.
  void heard_of(const Token&);
  // Has a room of the subscriber changed since the token, and its client not been shown so?
  bool news(const Subscriber&, const Token&) const;
  // Has another process shown what is not so here? Mostly the hint of it is on its way. When it was lost, each process
  // goes on to show its own view, to a client that alternates between them: who asks must take time over it.
  bool differs(const Subscriber&, const Token&) const;
  std::vector<uint32_t> changed_rooms(const Subscriber&, const Token&) const;
  // The m.typing event of the room, if it changed since the token (or somebody types, for a new client).
  std::optional<std::string> event(uint32_t room_no, const RoomId&, const Subscriber&,
                                   const std::optional<Token>&) const;
  void mark(Token&, const Subscriber&) const;  // before the answer is made: with this process's count
  void doubt(Token&) const;                    // afterwards: something may have changed, and been told, meanwhile

  uint64_t seen_by(const Token& token) const { return token.typing >> kShownBits; }
  uint64_t next();  // the number of a change, also of what is counted along with typing

 private:
  // The lower bits of a token's number say what its client was shown: 0 for nobody typing, and odd for somebody.
  static constexpr int kShownBits = 16;
  static constexpr uint64_t kUnknown = 2, kShown = (uint64_t{1} << kShownBits) - 1;

  bool is_ours(const Token& token) const { return token.process == 0 || token.process == process_; }
  uint64_t shown_to(const Subscriber&) const;  // the same in every process that knows the same

  presence::Presence& presence_;
  const Clock& clock_;
  uint32_t process_;
  uint64_t count_ = 0;
  std::unordered_map<uint32_t, uint64_t> rooms_;  // room -> number of its last change
  std::map<uint64_t, uint32_t> by_count_;         // the same the other way round
  std::map<uint32_t, uint64_t> active_;           // rooms in which somebody types -> a hash of who
};

}  // namespace myelin::sync
