#include "matrix/handling_redactions.h"

namespace myelin {
namespace {

// No section says so, but without it a room is none any more: every server leaves create events as they are.
bool is_beyond_redaction(std::string_view type) { return type == "m.room.create"; }

}  // namespace

bool takes_effect(const RoomRules& rules, const Event& redaction, const Event& redacted, const AuthState& before) {
  if (is_beyond_redaction(redacted.type())) return false;
  // "In room versions 1 and 2, redactions were explicitly part of the authorisation rules under Rule 11."
  if (rules.auth.redaction_rule) return true;
  // "the server applies the redaction if one of the following conditions is met:" "The domain of the redaction event's
  // sender matches that of the original event's sender."
  if (redaction.sender().server() == redacted.sender().server()) return true;
  // "The power level of the redaction event's sender is greater than or equal to the redact level."
  PowerLevels levels(rules, before.find("m.room.power_levels", ""), before.find("m.room.create", ""));
  return levels.user_level(redaction.sender().str()) >= levels.redact();
}

Result<void> check_may_redact(const PowerLevels& levels, std::string_view user, std::string_view author,
                              std::string_view type) {
  if (is_beyond_redaction(type)) return fail(Code::kForbidden, "the create event cannot be redacted");
  // "Any user with a power level greater than or equal to the m.room.redaction event power level may send redactions
  // for their own events in the room. If the user's power level is also greater than or equal to the redact power level
  // of the room, the user may redact events sent by other users." The first is for the auth rules.
  if (user == author || levels.user_level(user) >= levels.redact()) return {};
  return fail(Code::kForbidden, "redacting others' events needs the room's redact level");
}

}  // namespace myelin
