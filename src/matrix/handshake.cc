#include "matrix/handshake.h"

#include "base/bytes.h"

namespace myelin {
namespace {

std::unexpected<Error> malformed(const char* what) {
  return fail(Code::kBadJson, std::string("the event template ") + what);
}
std::unexpected<Error> refuse(const char* what) { return fail(Code::kInvalidParam, what); }

// auth_events or prev_events of a template; in versions 1 and 2 with the hashes, which the event will repeat.
Result<std::vector<EventId>> references(const json::Object& event, const char* key, const RoomRules& rules,
                                        size_t limit, std::map<EventId, std::string>& hashes) {
  auto list = json::array_at(event, key);
  if (!list || list->size() > limit) return malformed("has no proper references");
  std::vector<EventId> ids;
  for (auto& element : *list) {
    auto pair = rules.format.event_references_with_hashes ? element.if_array() : nullptr;
    if (rules.format.event_references_with_hashes && (!pair || pair->size() != 2))
      return malformed("has a bad reference");
    auto text = pair ? pair->front().if_string() : element.if_string();
    auto id = text ? EventId::parse(*text) : fail(Code::kBadJson);
    if (!id) return malformed("has a bad reference");
    if (pair) {
      auto object = pair->back().if_object();
      auto hash = object ? json::string_at(*object, "sha256") : std::nullopt;
      auto bytes = hash ? from_base64(*hash) : std::nullopt;
      if (!bytes || bytes->size() != 32) return malformed("has a reference without a hash");
      hashes[*id] = *std::move(bytes);
    }
    ids.push_back(*std::move(id));
  }
  return ids;
}

// "The joining server MUST also verify that the type, room_id, sender, state_key and content.membership fields have the
// expected values."
Result<void> check_template(const json::Object& event, const TemplateRequest& asked) {
  auto content = json::object_at(event, "content");
  if (json::string_at(event, "type") != "m.room.member") return malformed("is no m.room.member");
  if (json::string_at(event, "room_id") != asked.room.str()) return malformed("is of another room");
  if (json::string_at(event, "sender") != asked.user.str() || json::string_at(event, "state_key") != asked.user.str())
    return malformed("is of another user");
  if (!content || json::string_at(*content, "membership") != membership_of(asked.handshake))
    return malformed("has another membership");
  return {};
}

Result<void> check_member_event(const Event& event, std::string_view membership, const SentEvent& sent) {
  if (event.type() != "m.room.member" || !event.is_state()) return refuse("not a membership event");
  if (json::string_at(event.content(), "membership") != membership) return refuse("the membership is another");
  if (event.room_id() != sent.room) return refuse("the event is of another room");
  if (event.event_id() != sent.id) return refuse("the event has another id");
  if (event.sender().server() != sent.origin.str()) return refuse("the sender is not of the server that sends it");
  return {};
}

}  // namespace

std::string_view membership_of(Handshake handshake) {
  switch (handshake) {
    case Handshake::kJoin:
      return "join";
    case Handshake::kKnock:
      return "knock";
    case Handshake::kLeave:
      return "leave";
  }
  return "";
}

Result<EventDraft> draft_from_template(const json::Object& event, const RoomRules& rules, TemplateRequest asked) {
  MYELIN_CHECK(check_template(event, asked));
  EventDraft draft;
  MYELIN_TRY(draft.prev_events, references(event, "prev_events", rules, kMaxPrevEvents, draft.reference_hashes));
  MYELIN_TRY(draft.auth_events, references(event, "auth_events", rules, kMaxAuthEvents, draft.reference_hashes));
  auto depth = json::integer_at(event, "depth");
  if (!depth || *depth < 0 || *depth > max_depth(rules)) return malformed("has no proper depth");
  draft.depth = *depth;
  draft.content = std::move(asked.content);
  draft.content["membership"] = membership_of(asked.handshake);
  if (rules.auth.restricted && asked.handshake == Handshake::kJoin) {
    auto authoriser = json::string_at(event.at("content").get_object(), "join_authorised_via_users_server");
    auto user = authoriser ? UserId::parse(*authoriser) : fail(Code::kBadJson);
    if (authoriser && !user) return malformed("names no user who authorises the join");
    if (user) draft.content["join_authorised_via_users_server"] = user->str();
  }
  draft.room_id = std::move(asked.room);
  draft.sender = asked.user;
  draft.state_key = asked.user.str();
  draft.type = "m.room.member";
  // "The joining server is expected to add or replace the origin, origin_server_ts, and event_id of the templated
  // event".
  draft.names_origin = true;
  draft.origin_server_ts = asked.origin_server_ts;
  return draft;
}

Result<void> check_sent_membership(const Event& event, Handshake handshake, const SentEvent& sent) {
  MYELIN_CHECK(check_member_event(event, membership_of(handshake), sent));
  if (*event.state_key() != event.sender().str()) return refuse("the membership is another user's");
  return {};
}

Result<void> check_sent_invite(const Event& event, const SentEvent& sent, const ServerName& own_name) {
  MYELIN_CHECK(check_member_event(event, "invite", sent));
  auto target = UserId::parse(*event.state_key());
  if (!target || target->server() != own_name.str()) return refuse("the invited user is not of this server");
  return {};
}

}  // namespace myelin
