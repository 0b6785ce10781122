// Sending events and state, redacting (client-server API, Sending events to a room; Redactions).
#include "components/rooms/owner/owner.h"
#include "matrix/power_levels.h"
#include "matrix/visibility.h"

namespace myelin::rooms {
namespace {

using Step = std::variant<Draft, EventId, Missing>;

struct Target {
  Redacts redacts;
  std::string sender, type;
};

// A member event by way of /state must at least say a membership that there is, of a user. Who it invites; nullopt:
// nobody.
Result<std::optional<UserId>> check_content(const SendEvent& request) {
  if (request.type != "m.room.member" || !request.state_key) return std::nullopt;
  auto membership = json::string_at(request.content, "membership");
  if (!membership || !membership_from(*membership)) return fail(Code::kBadJson, "membership is missing or unknown");
  auto user = UserId::parse(*request.state_key);
  if (!user) return fail(Code::kBadJson, "the state key of m.room.member is no user id");
  if (membership != "invite") return std::nullopt;
  return *std::move(user);
}

Result<Step> plan_send(const RoomState& room, const SendEvent& request, const std::optional<Target>& target) {
  Look look(room);
  if (request.state_key) {
    const auto& current = look(request.type, *request.state_key);
    auto member = look.event("m.room.member", request.sender.str());
    if (look.lacks()) return look.take();
    // Setting state to what it is already answers with the event that did.
    if (current.event && current.event->sender() == request.sender && room.content(current) == request.content &&
        membership_of(member.get()) == "join")
      return current.event->event_id();
  }
  Draft draft{request.sender,  request.type, request.state_key,  request.content,
              request.redacts, {},           request.transaction};
  if (target) {
    if (target->sender != request.sender.str()) {
      auto create = look.event("m.room.create", ""), levels = look.event("m.room.power_levels", "");
      if (look.lacks()) return look.take();
      PowerLevels power(*room.rules, levels.get(), create.get());
      if (power.user_level(request.sender.str()) < power.redact())
        return fail(Code::kForbidden, "redacting others' events needs the room's redact level");
    }
    draft.redacts = target->redacts;
  }
  return draft;
}

// The event to redact: it must be in the room.
Task<Result<Target>> redaction_target(db::Database& db, RoomId room, EventId id) {
  co_return co_await db.read([room, id](db::ReadTx& tx) -> Result<Target> {
    Target target;
    Result<void> status = fail(Code::kNotFound, "the event to redact is not in this room");
    tx.query(
        "SELECT e.ref, e.type, e.json FROM event e JOIN room r ON r.room_no = e.room_no "
        "WHERE e.event_id = $1 AND r.room_id = $2",
        [&](const db::Row& row) {
          auto pdu = json::parse_object(row.blob(2));
          status = pdu ? Result<void>{} : fail(Code::kCorrupt, "a stored event does not parse: " + id.str());
          if (!pdu) return;
          target.type = row.str(1);
          target.sender = json::string_at(*pdu, "sender").value_or("");
          target.redacts = {EventRef::from_row(row.i64(0)), id.str(), {}, pdu->contains("state_key")};
          if (const auto* content = json::object_at(*pdu, "content")) target.redacts.relation = relation_of(*content);
        },
        id.str(), room.str());
    MYELIN_CHECK(status);
    if (target.type == "m.room.create") return fail(Code::kForbidden, "the create event cannot be redacted");
    return target;
  });
}

}  // namespace

Task<Result<EventId>> Owner::send_once(SendEvent request) {
  MYELIN_CO_TRY(auto invited, check_content(request));
  if (invited) MYELIN_CO_CHECK(check_invitable(*invited));
  std::optional<Target> target;
  if (request.type == "m.room.redaction" && request.redacts && !request.state_key) {
    MYELIN_CO_TRY(target, co_await redaction_target(db_, request.room, *request.redacts));
  }
  auto room = request.room;
  auto transaction = request.transaction;
  co_return co_await append(
      room,
      [request = std::move(request), target = std::move(target)](const RoomState& state) {
        return plan_send(state, request, target);
      },
      std::move(transaction));
}

}  // namespace myelin::rooms
