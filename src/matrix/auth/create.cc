// m.room.create (rule 1 of every version).
#include <algorithm>

#include "matrix/auth/rules.h"

namespace myelin::auth {

Result<void> check_create(const RoomRules& rules, const Event& event) {
  auto& content = event.content();
  // "If it has any prev_events, reject."
  if (!event.prev_events().empty()) return reject("a create event has no previous events");

  if (rules.auth.room_id_from_create) {
    // v12: "If the event has a room_id, reject."
    if (event.object().contains("room_id")) return reject("a create event of this room version has no room id");
  } else if (server_of(event.room_id().str()) != event.sender().server()) {
    // Until v11: "If the domain of the room_id does not match the domain of the sender, reject."
    return reject("the room id is of another server than its creator {}", event.sender());
  }

  // "If content.room_version is present and is not a recognised version, reject."
  if (auto version = content.if_contains("room_version")) {
    if (!version->is_string() || !find_room_version(version->get_string())) return reject("unknown room version");
  }

  // Until v10: "If content has no creator property, reject."
  if (!rules.auth.creator_from_sender && !content.contains("creator")) return reject("content.creator is missing");

  // v12: "If additional_creators is present in content and is not an array of strings where each string passes the same
  // user ID validation applied to sender, reject."
  if (auto creators = content.if_contains("additional_creators"); creators && rules.auth.creators_infinite) {
    auto is_user_id = [](const json::Value& id) { return id.is_string() && UserId::parse(id.get_string()); };
    if (!creators->is_array() || !std::ranges::all_of(creators->get_array(), is_user_id))
      return reject("content.additional_creators is not a list of user ids");
  }
  return {};
}

}  // namespace myelin::auth
