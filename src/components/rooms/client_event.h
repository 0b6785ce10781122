// Events as a client reads them (client-server API, Room event format; UnsignedData; Aggregations of child events): the
// text of what served.h gives. Thread: the loop.
#pragma once
#include <string>
#include <vector>

#include "components/rooms/served.h"

namespace myelin::rooms {

struct EventView {
  UserId user;
  DeviceId device;
  ClientFormat format = ClientFormat::kRoom;
  Milliseconds now = 0;  // for unsigned.age
};

std::string client_event(const ServedEvent&, const EventView&);
std::vector<std::string> client_events(const std::vector<ServedEvent>&, const EventView&);  // those for the viewer

}  // namespace myelin::rooms
