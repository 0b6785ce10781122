// What redaction leaves of an event, inside the library (rooms/v*, Redactions). Any thread.
#pragma once
#include <string>
#include <string_view>

#include "matrix/event.h"

namespace myelin {

json::Object redacted_content(std::string_view type, const json::Object& content, const RedactionRules&);
// The canonical redacted PDU without signatures and unsigned: what is signed, and what the reference hash is of.
Result<std::string> canonical_redacted(const json::Object& pdu, const RoomRules&);
EventId event_id_from_hash(std::string_view hash32, EventIdFormat);

}  // namespace myelin
