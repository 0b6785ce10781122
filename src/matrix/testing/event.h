// Events for tests, from a few of their fields.
#pragma once
#include <stdexcept>

#include "matrix/event.h"

namespace myelin::testing {

// The fields given here replace those of a plain message in !r:x by @alice:x; its id in versions 1 and 2 is $event:x.
inline EventPtr make_event(std::string_view fields, std::string_view version = "11") {
  auto& rules = *find_room_version(version);
  auto pdu = *json::parse_object(
      R"({"auth_events":[],"content":{},"depth":1,"hashes":{"sha256":"x"},"origin_server_ts":5,"prev_events":[],
          "room_id":"!r:x","sender":"@alice:x","signatures":{},"type":"m.room.message"})");
  auto given = json::parse_object(fields);
  if (!given) throw std::invalid_argument("not JSON: " + std::string(fields));
  if (rules.format.event_id == EventIdFormat::kInEvent) pdu["event_id"] = "$event:x";
  for (auto& field : *given) pdu[field.key()] = field.value();
  auto event = Event::parse(json::serialize(pdu), rules);
  if (!event) throw std::invalid_argument(event.error().message + ": " + std::string(fields));
  return *event;
}

}  // namespace myelin::testing
