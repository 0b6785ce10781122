// What becomes of a room's events, and why, told from the events alone: for people who ask why a room is as it is.
// Reads whole rooms into memory. Pure; any thread.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "matrix/receipt_checks.h"

namespace myelin {

struct ExplainedEvent {
  Verdict verdict = Verdict::kAccept;
  EventPtr event;                    // null: the line is no event
  size_t line = 0;                   // of the input, from 1
  std::string reason;                // why it was not accepted
  std::vector<EventPtr> allowed_by;  // why it was accepted: what the auth rules ask for, in the state before it or,
                                     // where that is not known, among its auth events
  std::string notes;                 // what else is to be known: redacted, judged without the events before it
};

struct Explanation {
  const RoomRules* rules = nullptr;
  RoomId room;
  std::vector<ExplainedEvent> events;  // in the order in which they were judged: after those they build on
  std::vector<EventId> extremities;    // accepted events that no accepted one builds on
  size_t resolved = 0;          // that many of these, 200 at most: where there are more, the deepest, which come first
  std::vector<EventPtr> state;  // after those, resolved; by type and state key
};

// PDUs as JSON, one a line, in any order; the room and its version are the first create event's, and what is of another
// room is dropped, as is another create event. Every event is judged by its auth events and by the state before it,
// resolved where the history forks (server-server API, Checks performed on receipt of a PDU, 1 and 3 to 5). Signatures
// are not checked, for there are no keys; soft failure is not, for there is no order of arrival. kInvalidParam: there
// is no create event, or it is of an unknown version.
Result<Explanation> explain_room(std::string_view json_lines);

// Lines of text; control characters of the events are written as \xNN.
std::string to_text(const Explanation&);

}  // namespace myelin
