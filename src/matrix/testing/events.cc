#include "matrix/testing/events.h"

#include <stdexcept>

#include "base/bytes.h"
#include "matrix/redaction.h"

namespace myelin::testing {

namespace {

json::Object pdu_of(const RoomRules& rules, const EventSpec& spec) {
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
  return pdu;
}

EventPtr restored(const RoomRules& rules, const json::Object& pdu, EventId id) {
  auto event = Event::restore(json::serialize(pdu), std::move(id), rules);
  if (!event) throw std::invalid_argument(event.error().message);
  return *event;
}

}  // namespace

json::Object object(std::string_view text) { return json::parse_object(text).value(); }

EventPtr make_event(const RoomRules& rules, const EventSpec& spec) {
  return restored(rules, pdu_of(rules, spec), EventId::trusted(spec.id));
}

EventPtr make_hashed_event(const RoomRules& rules, const EventSpec& spec) {
  auto pdu = pdu_of(rules, spec);
  bool id_in_event = rules.format.event_id == EventIdFormat::kInEvent;
  if (id_in_event) pdu["event_id"] = spec.id;
  pdu["hashes"] = json::Object{{"sha256", base64(content_hash(pdu, rules).value())}};
  pdu["signatures"] = json::Object();
  auto id = id_in_event ? EventId::trusted(spec.id)
                        : event_id_from_hash(reference_hash(pdu, rules).value(), rules.format.event_id);
  return restored(rules, pdu, std::move(id));
}

}  // namespace myelin::testing
