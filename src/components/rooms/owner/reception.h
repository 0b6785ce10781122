// What a received event does to a room, worked out in one read transaction: the state before it from its prev_events,
// the verdict of the checks on receipt, the room's new extremities and state. Thread: the closure's.
#pragma once
#include <optional>

#include "components/rooms/owner/owner.h"
#include "components/rooms/state/row_room.h"

namespace myelin::rooms {

// The room as it is committed: nothing else is being written.
struct ReceivingRoom {
  uint32_t room_no = 0;
  RoomId room;
  const RoomRules* rules = nullptr;
  RoomHead head;
};

struct Reception {
  Received answer;
  std::optional<StagedEvent> staged;  // absent: the event is here already
  RoomHead head;                      // the room's, after it
};

// kNotFound: a prev event or auth event is not here. kForbidden: the event must be dropped.
Result<Reception> receive_event(db::ReadTx&, PageCache&, const FingerprintKey&, const ReceivingRoom&, const EventPtr&);

}  // namespace myelin::rooms
