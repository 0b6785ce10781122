// The thread an event belongs to (client-server API, Threading; Threaded read receipts). Thread: the loop.
#pragma once
#include <string>

#include "components/rooms/rooms.h"

namespace myelin::rooms {

// The id of the thread's root: that of the event's own m.thread relation, or of the event that it relates to, over at
// most three relations. "" = the main timeline.
Task<Result<std::string>> thread_of(Queries&, RoomId, PlacedPtr);

}  // namespace myelin::rooms
