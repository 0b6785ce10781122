// A room as its owner holds it in memory: what the next event is built on. It runs ahead of the database by the events
// that are being committed. Thread: the loop.
#pragma once
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/task.h"
#include "components/rooms/rooms.h"
#include "matrix/auth.h"

namespace myelin::rooms {

struct Extremity {
  uint32_t event_no = 0;
  int64_t depth = 0;
  EventId event_id;
  friend bool operator==(const Extremity&, const Extremity&) = default;
};

// What table room keeps in `head`.
struct RoomHead {
  uint32_t next_event_no = 1, next_key_no = 0, next_page_no = 1;
  int64_t next_order = 1;
  StateRoot current;
  std::vector<Extremity> extremities;
};
std::string encode(const RoomHead&);
Result<RoomHead> decode_room_head(std::string_view);  // kCorrupt

// Names of state keys, both ways.
class KeyTable {
 public:
  std::optional<uint32_t> find(std::string_view type, std::string_view state_key) const;
  void add(uint32_t key_no, std::string type, std::string state_key);
  const TypeAndKey* name(uint32_t key_no) const;
  size_t memory_bytes() const { return bytes_; }

 private:
  using Name = std::pair<std::string_view, std::string_view>;
  struct Less {
    using is_transparent = void;
    static Name view(const TypeAndKey& name) { return {name.type, name.state_key}; }
    static Name view(Name name) { return name; }
    bool operator()(const auto& a, const auto& b) const { return view(a) < view(b); }
  };
  std::map<TypeAndKey, uint32_t, Less> numbers_;
  std::unordered_map<uint32_t, TypeAndKey> names_;
  size_t bytes_ = 0;
};

struct RoomState {
  explicit RoomState(Executor loop) : settled(loop) {}
  uint32_t room_no = 0;
  RoomId room;
  const RoomRules* rules = nullptr;
  int64_t version_no = 0;  // of the newest write, committed or not
  RoomHead head;
  KeyTable keys;
  PageSet pages;
  std::unordered_map<uint32_t, EventPtr> state_events;  // those looked at, by event number
  std::unordered_map<uint32_t, uint32_t> generations;   // theirs in the auth graph

  int in_flight = 0;       // writes not yet answered by the database
  bool broken = false;     // a write failed: nothing more is built on this; reload when in_flight is 0
  Doorbell settled;        // rings when in_flight falls to 0
};
using RoomStatePtr = std::shared_ptr<RoomState>;

}  // namespace myelin::rooms
