// What table room keeps in `head`: where a room's event graph ends, its current state and the next numbers. Any thread.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "matrix/event.h"
#include "matrix/state_map.h"

namespace myelin::rooms {

// An event that no other names as its prev event yet.
struct Extremity {
  uint32_t event_no = 0;
  int64_t depth = 0;
  EventId event_id;
  std::string reference_hash{};  // only where the room version names events together with it
  friend bool operator==(const Extremity&, const Extremity&) = default;
};

struct RoomHead {
  uint32_t next_event_no = 1, next_key_no = 0, next_page_no = 1;
  int64_t next_order = 1;
  int64_t max_depth = 0;  // of all events
  StateRoot current;      // the room's state: what its extremities resolve to
  std::vector<Extremity> extremities;
  // The state of further branches, beyond those that one event can name: part of `current` all the same, until an event
  // of ours stands on it.
  std::optional<StateRoot> aside{};
  friend bool operator==(const RoomHead&, const RoomHead&) = default;
};
std::string encode(const RoomHead&);
Result<RoomHead> decode_room_head(std::string_view);  // kCorrupt

}  // namespace myelin::rooms
