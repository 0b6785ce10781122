// Messages on topic room.out: what has become part of a room, in the room's order. Partition: of the room id.
// Everything that must be ordered with a room's events travels here, receipts too (docs/spine.md, rule A8).
#pragma once
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "components/rooms/rooms.h"

namespace myelin::rooms {

inline constexpr bus::Topic kRoomOut{"room.out"};

struct MembershipChange {  // in the room's current state
  UserId user;
  std::optional<Membership> before;
  Membership after = Membership::kLeave;
  EventRef ref;
};

struct EventAdded {
  EventRef ref;
  int64_t order = 0, depth = 0;
  StateRoot before, after;  // of the room's current state, before and after this arrival
  UserId sender;
  std::string type;
  bool is_state = false;
  bool soft_failed = false;                  // not for clients
  bool on_fork = false;                      // the state at the event is not the room's state before its arrival
  std::optional<Transaction> transaction{};  // for unsigned.transaction_id, to the sending device only
  std::vector<MembershipChange> memberships{};
  std::optional<EventRef> redacts{};  // the event that it redacts, as it may
};

struct ReceiptAdded {  // written by presence
  UserId user;
  std::string type;    // m.read, m.read.private
  std::string thread;  // "" = unthreaded
  EventId event_id;
  EventRef ref;
  int64_t order = 0;
  Milliseconds ts = 0;
};

struct RoomOut {
  uint32_t room_no = 0;
  RoomId room;
  std::variant<EventAdded, ReceiptAdded> what;
};

std::string encode(const RoomOut&);
Result<RoomOut> decode_room_out(std::string_view);  // kCorrupt; kUnavailable: of a newer program

}  // namespace myelin::rooms
