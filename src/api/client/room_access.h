// What of a room's state a user may read (client-server API, Getting events for a room): the room as it is now for
// members and where the world may read it, as it was when they left for former members, whatever happened to them
// since.
#pragma once
#include "api/client/routes.h"
#include "components/rooms/client_event.h"

namespace myelin::api::client {

struct RoomAccess {
  rooms::RoomInfo info;
  StateRoot root;
  bool is_joined = false;
  std::optional<rooms::EventRef> left;  // the event with which a former member left
};
Task<Result<RoomAccess>> room_access(Components&, RoomId, UserId);  // kForbidden

// The events of these keys at the root; absent ones are left out.
Task<Result<std::vector<rooms::PlacedPtr>>> state_events(rooms::Queries&, uint32_t room_no, StateRoot,
                                                         std::vector<std::pair<std::string, std::string>> keys);

// The content of this state of the room, with an empty key, as it is now; {} where there is none. kNotFound: no room.
Task<Result<json::Object>> current_content(rooms::Queries&, RoomId, std::string type);

Task<Result<rooms::Viewer>> viewer_of(Components&, UserId);  // with whom they ignore
rooms::EventView view_of(const Components&, const Call&);
std::string joined_text(const std::vector<std::string>& events);  // as an array

Result<size_t> limit_of(const Call&, size_t otherwise);  // at most 1000; kInvalidParam

}  // namespace myelin::api::client
