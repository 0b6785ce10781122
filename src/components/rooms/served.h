// What one viewer may have of a room's events, and of what is attached to them: redactions, the state before, children.
// This is the one place that decides it. Every path that gives events to clients or push gateways goes through it;
// client_event() takes nothing else. Thread: the loop.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "components/rooms/rooms.h"

namespace myelin::rooms {

struct ServedEvent {
  PlacedPtr event;         // as the viewer may have it; null: not at all
  std::string membership;  // the viewer's at the event; "": not asked
  // What is attached, as far as the viewer may have that.
  EventPtr redacted_because{};
  std::shared_ptr<const json::Object> prev_content{};
  Relations relations{};
  std::vector<ServedEvent> edit{}, latest{};  // the events that `relations` names, if it does
};

// Whether each event is for the viewer:
// - history visibility shows it (client-server API, Room History Visibility);
// - it is no message of a user whom they ignore: "the client will no longer receive events sent by that user, with the
//   exception of state events" (Ignoring Users);
// - of erased users it is a redacted copy (see Queries::as_erased).
// `known`: what history visibility says of each where it has been asked already; nullopt: it is asked here, for all at
// once. Nothing is attached yet.
Task<Result<std::vector<ServedEvent>>> serve(Queries&, std::vector<PlacedPtr>, std::vector<std::optional<Seen>> known,
                                             Viewer);
Task<Result<std::vector<ServedEvent>>> serve(Queries&, std::vector<PlacedPtr>, Viewer);

// State that the viewer may read as the room's (see api/client/room_access.h), with what is attached.
Task<Result<std::vector<ServedEvent>>> serve_state(Queries&, std::vector<PlacedPtr>, Viewer);

// With what is attached to each event, which the viewer gets only if they could have it by itself:
// - unsigned.redacted_because. The redacted event is redacted for everybody ("this stripped down event is thereafter
//   returned anytime a client or remote server requests it"); the redaction is an event of its own, of which who has
//   left may see none "received after they left", and whose reason may have been redacted in its turn. That of an
//   ignored user is a redacted copy, as the thread roots of ignored users are (GET /threads): clients take an event
//   without redacted_because for one that is whole.
// - unsigned.prev_content, "only returned if [...] the client has permission to see the previous event". Members at the
//   event had: what was replaced was the room's state then. So had, of their own membership, whom it is of.
Task<Result<std::vector<ServedEvent>>> with_attachments(Queries&, std::vector<ServedEvent>, Viewer);
// And with the children, of events of one room (Aggregations of child events).
Task<Result<std::vector<ServedEvent>>> with_children(Queries&, std::vector<ServedEvent>, Viewer);

}  // namespace myelin::rooms
