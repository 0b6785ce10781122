// Which state an event's auth_events come from (server-server API, Auth events selection).
#include <algorithm>

#include "matrix/auth.h"

namespace myelin {
namespace {

void add_member_keys(std::vector<TypeAndKey>& keys, const RoomRules& rules, const std::string& target,
                     const json::Object& content) {
  auto add = [&](std::string_view type, std::string_view state_key) {
    TypeAndKey key{std::string(type), std::string(state_key)};
    if (std::ranges::find(keys, key) == keys.end()) keys.push_back(std::move(key));
  };
  // "The target's current m.room.member event, if any."
  add("m.room.member", target);
  auto membership = json::string_at(content, "membership").value_or("");
  // "If membership is join, invite or knock, the current m.room.join_rules event, if any."
  if (membership == "join" || membership == "invite" || membership == "knock") add("m.room.join_rules", "");
  // "If membership is invite and content contains a third_party_invite property, the current m.room.third_party_invite
  // event with state_key matching content.third_party_invite.signed.token, if any."
  if (membership == "invite") {
    auto invite = json::object_at(content, "third_party_invite");
    auto signed_object = invite ? json::object_at(*invite, "signed") : nullptr;
    auto token = signed_object ? json::string_at(*signed_object, "token") : std::nullopt;
    if (token) add("m.room.third_party_invite", *token);
  }
  // "If membership is join, content.join_authorised_via_users_server is present, and the room version supports
  // restricted rooms, then the m.room.member event with state_key matching content.join_authorised_via_users_server."
  if (auto authoriser = json::string_at(content, "join_authorised_via_users_server");
      authoriser && membership == "join" && rules.auth.restricted)
    add("m.room.member", *authoriser);
}

}  // namespace

std::vector<TypeAndKey> auth_event_keys(const RoomRules& rules, std::string_view type, std::string_view sender,
                                        const std::optional<std::string>& state_key, const json::Object& content) {
  std::vector<TypeAndKey> keys;
  if (type == "m.room.create") return keys;
  // rooms/v12: "The m.room.create event MUST NOT be selected for auth_events on events."
  if (!rules.auth.room_id_from_create) keys.push_back({"m.room.create", ""});
  keys.push_back({"m.room.power_levels", ""});
  keys.push_back({"m.room.member", std::string(sender)});
  if (type == "m.room.member" && state_key) add_member_keys(keys, rules, *state_key, content);
  return keys;
}

std::vector<TypeAndKey> auth_event_keys(const RoomRules& rules, const Event& event) {
  return auth_event_keys(rules, event.type(), event.sender().str(), event.state_key(), event.content());
}

std::vector<TypeAndKey> authorizing_keys(const RoomRules& rules, const Event& event) {
  auto keys = auth_event_keys(rules, event);
  if (rules.auth.room_id_from_create && event.type() != "m.room.create") keys.push_back({"m.room.create", ""});
  return keys;
}

}  // namespace myelin
