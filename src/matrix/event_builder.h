// Makes Event objects, inside the library. Any thread.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "matrix/event.h"

namespace myelin {

struct EventBuilder {
  // Reads the fields and checks them (rooms/v*, Event format; client-server API, Size limits). `id` where it is known
  // already: else it is computed, or read for versions 1 and 2. kBadJson, kTooLarge.
  static Result<EventPtr> checked(json::Object, std::string text, const RoomRules&, std::optional<EventId> id,
                                  ReferenceLimits);
  // The event with these signatures of the server, by key id, and no other of it. kTooLarge: there is no room for them.
  static Result<EventPtr> with_signatures(const Event&, const RoomRules&, const ServerName&, json::Object signatures);
  // Reads the fields of what was checked before. kCorrupt.
  static Result<EventPtr> trusted(json::Object, std::string text, const RoomRules&, EventId id);
};

}  // namespace myelin
