// Events with ids, references and times as a test wants them, unsigned. For tests, oracles and fuzzers.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "matrix/event.h"

namespace myelin::testing {

struct EventSpec {
  std::string id = "$event";
  std::string room_id = "!room:a.example";  // left out of version 12 create events
  std::string sender = "@alice:a.example";
  std::string type = "m.room.message";
  std::optional<std::string> state_key;
  json::Object content;
  std::vector<std::string> prev, auth;
  int64_t depth = 1, ts = 0;
  std::optional<std::string> redacts;  // at the top level
};

EventPtr make_event(const RoomRules&, const EventSpec&);
// The same with its content hash, and the id that another server gives it too: by the reference hash. The id of the
// spec counts in the versions 1 and 2, which keep it in the event.
EventPtr make_hashed_event(const RoomRules&, const EventSpec&);

json::Object object(std::string_view text);  // of JSON that parses

}  // namespace myelin::testing
