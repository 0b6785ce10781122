// Commands as they go to the process that owns the room, and its answers. JSON: what another version adds is ignored by
// those who do not know it. Plain data.
#pragma once
#include <string>
#include <string_view>
#include <variant>

#include "components/rooms/rooms.h"

namespace myelin::rooms {

inline constexpr size_t kMaxCommandBytes = 512 * 1024;  // no event can be as large

using Command = std::variant<SendEvent, JoinRoom, ChangeMembership>;
std::string encode(const Command&);
Result<Command> decode_command(std::string_view);  // kCorrupt

struct Moved {};  // not the owner, or no longer: ask who is
using Answer = std::variant<Result<EventId>, Moved>;
std::string encode(const Answer&);
Result<Answer> decode_answer(std::string_view);  // kCorrupt

}  // namespace myelin::rooms
