// Events as one client is to see them (client-server API, Room event format; UnsignedData; Aggregations of child
// events). Thread: the loop.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "components/rooms/rooms.h"

namespace myelin::rooms {

struct EventView {
  UserId user;
  DeviceId device;
  ClientFormat format = ClientFormat::kRoom;
  Milliseconds now = 0;                     // for unsigned.age
  std::optional<std::string> membership{};  // of the user at the event (unsigned.membership)
  std::set<std::string> ignored{};          // users: see Viewer
};

// One event; `relations`: unsigned.m.relations, when not null.
std::string client_event(const PlacedEvent&, const EventView&, const json::Object* relations = nullptr);

// Events of one room with their child events bundled. `memberships`: one per event (view.membership is not looked at),
// or none.
Task<Result<std::vector<std::string>>> client_events(Queries&, std::vector<PlacedPtr>,
                                                     std::vector<std::string> memberships, EventView);

}  // namespace myelin::rooms
