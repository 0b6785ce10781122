// m.room.redaction (rule 11 of versions 1 and 2; later versions judge it when it is applied: rooms/v3, Handling
// redactions).
#include "matrix/auth/rules.h"

namespace myelin::auth {

Result<void> check_redaction(const Case& the) {
  // "If the sender's power level is greater than or equal to the redact level, allow."
  if (the.sender_level() >= the.levels.redact()) return {};
  // "If the domain of the event_id of the event being redacted is the same as the domain of the event_id of the
  // m.room.redaction, allow."
  auto redacted = the.event.redacts();
  if (redacted && server_of(redacted->str()) == server_of(the.event.event_id().str())) return {};
  return reject("{} may not redact events of other servers", the.sender);
}

}  // namespace myelin::auth
