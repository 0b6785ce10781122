#include "matrix/testing/events.h"

#include <stdexcept>

namespace myelin::testing {

json::Object object(std::string_view text) { return json::parse_object(text).value(); }

EventPtr make_event(const RoomRules& rules, const EventSpec& spec) {
  auto references = [&](const std::vector<std::string>& ids) {
    json::Array list;
    for (auto& id : ids) {
      if (rules.format.event_references_with_hashes) {
        list.push_back(json::Array{id, json::Object{{"sha256", ""}}});
      } else {
        list.emplace_back(id);
      }
    }
    return list;
  };
  json::Object pdu{{"type", spec.type},
                   {"sender", spec.sender},
                   {"content", spec.content},
                   {"depth", spec.depth},
                   {"origin_server_ts", spec.ts},
                   {"prev_events", references(spec.prev)},
                   {"auth_events", references(spec.auth)}};
  if (spec.state_key) pdu["state_key"] = *spec.state_key;
  if (spec.redacts) pdu["redacts"] = *spec.redacts;
  bool names_room = rules.format.create_has_room_id || spec.type != "m.room.create";
  if (names_room) pdu["room_id"] = spec.room_id;
  auto event = Event::restore(json::serialize(pdu), EventId::trusted(spec.id), rules);
  if (!event) throw std::invalid_argument(event.error().message);
  return *event;
}

}  // namespace myelin::testing
