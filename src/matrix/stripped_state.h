// Stripped state (client-server API, Stripped state; server-server API, Inviting to a room, Knocking upon a room): what
// tells the invited or knocking user which room it is. Clients get four fields of each event; between servers every
// entry is the whole PDU since v1.16, the create event among them. Pure; any thread.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "matrix/event.h"
#include "matrix/verify.h"

namespace myelin {

// The state events that belong into it, each with the state key "".
std::span<const std::string_view> stripped_state_types();

inline constexpr size_t kMaxStrippedEvents = 100;
inline constexpr size_t kMaxStrippedBytes = 256 * 1024;  // of all events together

// invite_room_state or knock_room_state of ours, the create event first. What would make it too large is left out.
// kBadState: there is no create event.
Result<json::Array> stripped_state_pdus(std::span<const EventPtr> state);

// As another server gave it.
struct StrippedState {
  std::vector<EventPtr> events;           // PDUs of the room, one of each type and state key
  std::vector<json::Object> unchecked{};  // stripped entries of servers before v1.16, where the room version takes them
};
// For clients: an entry each.
std::vector<std::string> client_events(const StrippedState&);

// What becomes of an entry that is no PDU of the room: a knock goes on without it, an invite is refused where the room
// version says so (from version 12 on).
enum class Faulty : bool { kLeaveOut, kRefuse };
// `list`: null when there is none. kInvalidParam, kTooLarge (with kRefuse only).
Result<StrippedState> read_stripped_state(const json::Value* list, const RoomId&, const RoomRules&, Faulty);

// The keys to have at hand for verified_stripped_state(). Events that nobody has signed want none.
std::vector<KeyRequest> required_keys(const StrippedState&, const RoomRules&);
// Signatures and hashes. Where the room version validates, an entry with a wrong signature or by an unknown key is left
// out or refused (kInvalidParam); elsewhere one with a wrong signature is left out.
Result<StrippedState> verified_stripped_state(StrippedState, const RoomRules&, const KeyLookup&, Faulty);

}  // namespace myelin
