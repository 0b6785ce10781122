// Sending events and state, redacting (client-server API, Sending events to a room; Redactions).
#include "base/bytes.h"
#include "components/rooms/owner/owner.h"
#include "matrix/handling_redactions.h"
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

// `refusal`: of a child event, by what its parent is; those who are not in the room are told nothing of it.
Result<Step> plan_send(const RoomState& room, const SendEvent& request, const std::optional<Target>& target,
                       const Result<void>& refusal) {
  Look look(room);
  if (!refusal) {
    auto member = look.event("m.room.member", request.sender.str());
    if (look.lacks()) return look.take();
    if (membership_of(member.get()) == "join") return std::unexpected(refusal.error());
  }
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
    auto create = look.event("m.room.create", ""), levels = look.event("m.room.power_levels", "");
    if (look.lacks()) return look.take();
    PowerLevels power(*room.rules, levels.get(), create.get());
    MYELIN_CHECK(check_may_redact(power, request.sender.str(), target->sender, target->type));
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
          auto pdu = json::parse_object(row.blob(2), {.depth = json::kMaxStoredDepth});
          status = pdu ? Result<void>{} : fail(Code::kCorrupt, "a stored event does not parse: " + id.str());
          if (!pdu) return;
          target.type = row.str(1);
          target.sender = json::string_at(*pdu, "sender").value_or("");
          target.redacts = {EventRef::from_row(row.i64(0)), id.str(), {}, pdu->contains("state_key")};
          if (const auto* content = json::object_at(*pdu, "content")) target.redacts.relation = relation_of(*content);
        },
        id.str(), room.str());
    MYELIN_CHECK(status);
    return target;
  });
}

json::Object content_in(const db::Row& row) {
  auto pdu = json::parse_object(row.blob(0), {.depth = json::kMaxStoredDepth});
  const auto* content = pdu ? json::object_at(*pdu, "content") : nullptr;
  return content == nullptr ? json::Object() : *content;
}

Result<void> check_annotation(db::ReadTx& tx, const SendEvent& request, const Relation& relation,
                              const std::string& key) {
  bool found = false;
  tx.query(
      "SELECT e.json FROM relation c JOIN room r ON r.room_no = c.room_no JOIN event e ON e.ref = c.ref "
      "WHERE r.room_id = $1 AND c.parent_id = $2 AND c.rel_type = $3 AND c.sender = $4 AND c.type = $5",
      [&](const db::Row& row) { found = found || annotation_key(request.type, content_in(row)) == key; },
      request.room.str(), relation.parent.str(), relation.type, request.sender.str(), request.type);
  if (found) return fail(Code::kDuplicateAnnotation, "you have annotated the event with this key already");
  return {};
}

Result<void> check_parent(db::ReadTx& tx, const SendEvent& request, const Relation& relation) {
  Result<void> status;
  tx.query(
      "SELECT e.json FROM event e JOIN room r ON r.room_no = e.room_no LEFT JOIN redaction x ON x.target = e.ref "
      "WHERE e.event_id = $1 AND r.room_id = $2 AND x.ref IS NULL",
      [&](const db::Row& row) { status = check_new_relation(relation, content_in(row)); }, relation.parent.str(),
      request.room.str());
  return status;
}

// May the event be what it says of its parent? kDuplicateAnnotation, kUnknown. A read for annotations and threads only.
Task<Result<void>> check_relation(db::Database& db, std::shared_ptr<const SendEvent> request) {
  auto relation = request->state_key ? std::nullopt : relation_of(request->content);
  auto key = relation ? annotation_key(request->type, request->content) : std::nullopt;
  if (!key && !(relation && relation->type == kThread)) co_return Result<void>{};
  co_return co_await db.read([request, relation, key](db::ReadTx& tx) {
    return key ? check_annotation(tx, *request, *relation, *key) : check_parent(tx, *request, *relation);
  });
}

// What annotations that exclude each other have in common; nullopt: it excludes none.
std::optional<std::string> annotation_name(const SendEvent& request) {
  auto key = request.state_key ? std::nullopt : annotation_key(request.type, request.content);
  if (!key) return std::nullopt;
  std::string name;
  append_string(name, request.room.str());
  append_string(name, request.sender.str());
  append_string(name, relation_of(request.content)->parent.str());
  return name + *key;
}

}  // namespace

// Annotations that exclude each other take turns: so the second finds the first.
Task<Result<EventId>> Owner::send_in_turn(SendEvent request) {
  auto name = annotation_name(request);
  if (!name) co_return co_await send_checked(std::move(request));
  struct Place {
    Owner* owner;
    std::string name;
    std::shared_ptr<Mutex> mutex;
    ~Place() {
      if (mutex.use_count() == 1) owner->annotating_.erase(name);
    }
  } place{this, *name, annotating_[*name].lock()};
  if (!place.mutex) annotating_[*name] = place.mutex = std::make_shared<Mutex>(loop_);
  auto turn = co_await place.mutex->lock();
  co_return co_await send_checked(std::move(request));
}

Task<Result<EventId>> Owner::send_checked(SendEvent request) {
  MYELIN_CO_TRY(auto invited, check_content(request));
  if (invited) MYELIN_CO_CHECK(check_invitable(*invited));
  auto room = request.room;
  Name name{request.transaction, request.command};
  Planning planning = [this, shared = std::make_shared<const SendEvent>(std::move(request))] {
    return plan_to_send(shared);
  };
  co_return co_await append(std::move(room), std::move(planning), std::move(name));
}

Task<Result<Owner::Plan>> Owner::plan_to_send(std::shared_ptr<const SendEvent> request) {
  auto refusal = co_await check_relation(db_, request);
  if (!refusal && refusal.error().code != Code::kDuplicateAnnotation && refusal.error().code != Code::kUnknown)
    co_return std::unexpected(std::move(refusal).error());
  std::optional<Target> target;
  if (request->type == "m.room.redaction" && request->redacts && !request->state_key) {
    MYELIN_CO_TRY(target, co_await redaction_target(db_, request->room, *request->redacts));
  }
  co_return [request = std::move(request), target = std::move(target), refusal](const RoomState& state) {
    return plan_send(state, *request, target, refusal);
  };
}

}  // namespace myelin::rooms
