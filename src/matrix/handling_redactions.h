// Which redactions take effect (rooms/v3, Handling redactions; client-server API, PUT …/redact). What is left of the
// redacted event is another matter: event.h. Pure; any thread.
#pragma once
#include <string_view>

#include "matrix/auth.h"
#include "matrix/event.h"
#include "matrix/power_levels.h"

namespace myelin {

// Does a redaction that the auth rules accept take effect on the event that it names? Both are of one room and here;
// `before`: the state before the redaction.
bool takes_effect(const RoomRules&, const Event& redaction, const Event& redacted, const AuthState& before);

// May a user of ours redact an event of that type, by that author, in a room with these levels? kForbidden.
Result<void> check_may_redact(const PowerLevels&, std::string_view user, std::string_view author,
                              std::string_view type);

}  // namespace myelin
