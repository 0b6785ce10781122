// A room as its owner holds it in memory: what the next event is built on. It runs ahead of the database by the events
// that are being committed. Thread: the loop.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/keyed_hash.h"
#include "base/task.h"
#include "components/rooms/graph/room_head.h"
#include "components/rooms/rooms.h"
#include "matrix/auth.h"

namespace myelin::rooms {

// One key of the room's current state.
struct HeldState {
  std::optional<uint32_t> key_no{};  // nullopt: no event ever had this key
  uint32_t event_no = 0;             // 0: not in the state
  EventPtr event{};
  uint32_t generation = 0;  // of the event in the auth graph
  bool redacted = false;    // as read: see RoomState::content()
};

// What could not be found in memory: fetched from the database, then the step is taken again.
struct Missing {
  std::vector<TypeAndKey> keys;
  std::vector<uint32_t> pages;
  bool empty() const { return keys.empty() && pages.empty(); }
};

class RoomState {
 public:
  explicit RoomState(Executor loop) : settled(loop) {}

  uint32_t room_no = 0;
  RoomId room;
  const RoomRules* rules = nullptr;
  int64_t version_no = 0;  // of the newest write, committed or not
  RoomHead head;
  PageSet pages;

  uint64_t begun = 0, ended = 0;  // writes handed to the database, and answered by it
  bool broken = false;            // a write failed: nothing more is built on this; it is read again
  bool merging = false;           // a received event is being taken in: nothing else is built meanwhile
  Doorbell settled;               // rings when a write is answered or a merge ends

  // The key as the state has it; nullptr: not in memory. Valid until the next change.
  const HeldState* find(std::string_view type, std::string_view state_key) const;
  // From the database: what is held already stands.
  void fetched(TypeAndKey, HeldState);
  void fetched(uint32_t page_no, const PagePtr&);
  // A new event of this key.
  void put(TypeAndKey, HeldState);
  void put(uint32_t page_no, const PagePtr&);
  // What the room shows of a state event that is held: its content, what redaction leaves of it, or {} without an
  // event.
  json::Object content(const HeldState&) const;
  void redacted(uint32_t event_no) { redacted_.insert(event_no); }
  void knows_everything() { complete_ = true; }  // a room made here: what is not held is not in the state

  // Everything built before this moment is in the database once it is true.
  bool is_settled(uint64_t since) const { return ended >= since; }
  // Lets go of what can be read again. `trims` tells those that were reading meanwhile.
  void trim();
  uint64_t trims() const { return trims_; }
  size_t bytes() const { return bytes_; }

 private:
  struct Hash {
    using is_transparent = void;
    using Name = std::pair<std::string_view, std::string_view>;
    static Name view(const TypeAndKey& name) { return {name.type, name.state_key}; }
    static Name view(Name name) { return name; }
    size_t operator()(const auto& name) const {
      auto [type, key] = view(name);
      return keyed_hash(type) * 31 + keyed_hash(key);
    }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const auto& a, const auto& b) const { return Hash::view(a) == Hash::view(b); }
  };
  std::unordered_map<TypeAndKey, HeldState, Hash, Equal> held_;
  std::vector<uint32_t> page_numbers_;     // of `pages`
  std::unordered_set<uint32_t> redacted_;  // state events, since the last trim
  bool complete_ = false;
  uint64_t trims_ = 0;
  size_t bytes_ = 4096;
};
using RoomStatePtr = std::shared_ptr<RoomState>;

// Looks keys up and gathers what is missing.
class Look {
 public:
  explicit Look(const RoomState& room) : room_(room) {}
  const HeldState& operator()(std::string_view type, std::string_view state_key);  // an empty one: absent, or missing
  EventPtr event(std::string_view type, std::string_view state_key) { return (*this)(type, state_key).event; }
  void page(uint32_t page_no) { missing_.pages.push_back(page_no); }
  bool lacks() const { return !missing_.empty(); }
  Missing take() { return std::move(missing_); }

 private:
  const RoomState& room_;
  Missing missing_;
};

}  // namespace myelin::rooms
