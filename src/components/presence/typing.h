// Who types where, until when. In memory: a restart forgets it. Thread: the loop.
#pragma once
#include <chrono>
#include <map>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "matrix/ids.h"

namespace myelin::presence {

class Typing {
 public:
  using Time = std::chrono::steady_clock::time_point;
  explicit Typing(const Clock& clock) : clock_(clock) {}

  // True when the set of typing users changed by it.
  bool start(const RoomId&, const UserId&, Time until);
  bool stop(const RoomId&, const UserId&);
  // When the user stops typing there by themselves; absent when they do not type.
  std::optional<Time> until(const RoomId&, const UserId&) const;
  std::vector<UserId> now(const RoomId&) const;
  // Forgets whose time is over; the rooms in which somebody stopped by it.
  std::vector<RoomId> expire();
  std::optional<Time> next_expiry() const;

 private:
  void unschedule(const RoomId&, const UserId&, Time);
  const Clock& clock_;
  std::map<RoomId, std::map<UserId, Time>> rooms_;
  std::multimap<Time, std::pair<RoomId, UserId>> due_;
};

}  // namespace myelin::presence
