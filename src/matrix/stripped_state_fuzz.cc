// Any JSON as the stripped state of a room, in the version that the first byte picks: what is taken is bounded, of the
// room, and fit for clients.
#include <cstdlib>

#include "matrix/stripped_state.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace myelin;
  if (size == 0) return 0;
  auto& rules = all_room_versions()[data[0] % all_room_versions().size()];
  auto list = json::parse({reinterpret_cast<const char*>(data) + 1, size - 1});
  if (!list) return 0;
  auto room = RoomId::trusted("!r:x");
  auto kept = read_stripped_state(&*list, room, rules, Faulty::kLeaveOut);
  if (!kept || kept->events.size() + kept->unchecked.size() > kMaxStrippedEvents) std::abort();
  if (rules.format.validates_stripped_state && !kept->unchecked.empty()) std::abort();
  for (auto& event : kept->events)
    if (event->room_id() != room || !event->is_state()) std::abort();
  for (auto& text : client_events(*kept)) {
    auto entry = json::parse_object(text, {.depth = 200});
    if (!entry || entry->size() != 4 || !json::object_at(*entry, "content") || !json::string_at(*entry, "sender") ||
        !json::string_at(*entry, "type") || !json::string_at(*entry, "state_key"))
      std::abort();
  }
  auto strict = read_stripped_state(&*list, room, rules, Faulty::kRefuse);
  if (strict && strict->events.size() != kept->events.size()) std::abort();
  KeyLookup nobody = [](const ServerName&, const SigningKeyId&) -> const ServerKey* { return nullptr; };
  (void)required_keys(*kept, rules);
  (void)verified_stripped_state(*kept, rules, nobody, Faulty::kLeaveOut);
  return 0;
}
