// The order of the rules (rooms/v1 … v12, Authorization rules), from the create event to "otherwise, allow". What
// concerns one event type stands in the file named after it; rule 2 or 3, on the auth_events list, in auth_events.cc.
#include "matrix/auth/rules.h"

namespace myelin {
namespace auth {

std::string_view server_of(std::string_view id) {
  size_t colon = id.find(':');
  return colon == std::string_view::npos ? std::string_view() : id.substr(colon + 1);
}

bool is_room_of(const RoomId& room_id, const Event& create) {
  return room_id.str().starts_with('!') && "$" + room_id.str().substr(1) == create.event_id().str();
}

std::string_view Case::membership(std::string_view user_id) const {
  auto member = state.find("m.room.member", user_id);
  return member ? json::string_at(member->content(), "membership").value_or("leave") : "leave";
}

std::string_view Case::join_rule() const {
  auto rule = state.find("m.room.join_rules", "");
  if (!rule || !rule->content().contains("join_rule")) return "invite";
  return json::string_at(rule->content(), "join_rule").value_or("");
}

namespace {

// "If the content of the m.room.create event in the room state has the property m.federate set to false, and the sender
// domain of the event does not match the sender domain of the create event, reject."
Result<void> check_federation(const Event& event, const Event& create) {
  if (json::bool_at(create.content(), "m.federate") != false) return {};
  if (event.sender().server() == create.sender().server()) return {};
  return reject("the room does not federate and {} is of another server than its creator", event.sender());
}

Result<void> check_levels(const Case& the) {
  // "If the event type's required power level is greater than the sender's power level, reject."
  int64_t required = the.levels.event_level(the.event.type(), the.event.is_state()), level = the.sender_level();
  if (required > level) {
    return reject("{} has power level {} and an event of type {} needs {}", the.sender, level, the.event.type(),
                  required);
  }
  // "If the event has a state_key that starts with an @ and does not match the sender, reject."
  auto& key = the.event.state_key();
  if (key && key->starts_with('@') && *key != the.sender)
    return reject("the state key is a user other than the sender {}", the.sender);
  return {};
}

}  // namespace
}  // namespace auth

Result<void> authorize(const RoomRules& rules, const Event& event, const AuthState& state) {
  using namespace auth;
  auto& type = event.type();
  if (type == "m.room.create") return check_create(rules, event);

  auto create = state.find("m.room.create", "");
  if (!create) return reject("the room has no create event");
  // v12: "If the event's room_id is not an event ID for an accepted … m.room.create event, with the sigil ! instead of
  // $, reject."
  if (rules.auth.room_id_from_create && !is_room_of(event.room_id(), *create))
    return reject("the room id does not name the create event");
  MYELIN_CHECK(check_federation(event, *create));
  if (rules.auth.aliases && type == "m.room.aliases") return check_aliases(event);

  Case the(rules, event, state, *create);
  if (type == "m.room.member") return check_member(the);
  // "If the sender's current membership state is not join, reject."
  if (!the.sender_joined()) return reject("{} is not in the room", the.sender);
  if (type == "m.room.third_party_invite") return check_third_party_invite(the);
  MYELIN_CHECK(check_levels(the));
  if (type == "m.room.power_levels") return check_power_levels(the);
  if (rules.auth.redaction_rule && type == "m.room.redaction") return check_redaction(the);
  return {};  // "Otherwise, allow."
}

}  // namespace myelin
