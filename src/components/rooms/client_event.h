// Events as one client is to see them (client-server API, Room event format; UnsignedData). Any thread.
#pragma once
#include <string>

#include "components/rooms/rooms.h"

namespace myelin::rooms {

struct EventView {
  UserId user;
  DeviceId device;
  ClientFormat format = ClientFormat::kRoom;
  Milliseconds now = 0;                        // for unsigned.age
  std::optional<std::string> membership{};     // of the user at the event (unsigned.membership)
};
std::string client_event(const PlacedEvent&, const EventView&);

}  // namespace myelin::rooms
