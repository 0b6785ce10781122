// The membership events that two servers make together (server-server API, Joining Rooms, Knocking upon a room,
// Inviting to a room, Leaving Rooms): what one may take from the other, and what it may sign. Nothing is signed as
// another server wrote it, but the two kinds of member events that need two signatures (Verification::countersign).
// Pure; any thread.
#pragma once
#include <cstdint>
#include <string_view>

#include "matrix/event.h"

namespace myelin {

enum class Handshake : uint8_t { kJoin, kKnock, kLeave };
std::string_view membership_of(Handshake);  // "join"

// What was asked for with make_join, make_knock or make_leave. `content` is ours: display name, avatar, reason.
struct TemplateRequest {
  RoomId room;
  UserId user;
  Handshake handshake = Handshake::kJoin;
  json::Object content{};
  int64_t origin_server_ts = 0;
};
// The template that came back, checked and rebuilt field by field. It gives only its place in the room (prev_events,
// auth_events, depth) and who authorises a restricted join. kBadJson: the answer is malformed, ask another server.
Result<EventDraft> draft_from_template(const json::Object& event, const RoomRules&, TemplateRequest);

// Where a request says that its event is from and goes to.
struct SentEvent {
  RoomId room;  // of the path
  EventId id;
  ServerName origin;
};
// The event of send_join, send_knock or send_leave: a membership of the origin's own user. kInvalidParam. Its
// signatures are checked elsewhere (Verification).
Result<void> check_sent_membership(const Event&, Handshake, const SentEvent&);
// The event of /invite: of the origin's user, for a user of ours. kInvalidParam.
Result<void> check_sent_invite(const Event&, const SentEvent&, const ServerName& own_name);

}  // namespace myelin
