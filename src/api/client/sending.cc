// Client-server API, Sending events to a room; Redactions.
#include "api/client/fields.h"
#include "api/client/room_access.h"
#include "api/client/routes.h"
#include "matrix/power_levels.h"

namespace myelin::api::client {
namespace {

std::string event_answer(const EventId& id) { return json::serialize(json::Object{{"event_id", id.str()}}); }

rooms::Transaction transaction_of(const Call& call, std::string path) {
  return {call.session().user, call.session().device, std::move(path), call.path("txnId")};
}

Task<Result<std::string>> send(Components& on, Call call) {
  MYELIN_CO_TRY(auto room, RoomId::parse(call.path("roomId")));
  MYELIN_CO_TRY(auto body, call.body());
  rooms::SendEvent request{.room = room, .sender = call.session().user, .type = call.path("eventType")};
  request.transaction = transaction_of(call, "send/" + room.str() + "/" + request.type);
  if (request.type == "m.room.redaction") {
    MYELIN_CO_TRY(auto target, required_text(body, "redacts"));
    MYELIN_CO_TRY(request.redacts, EventId::parse(target));
    body.erase("redacts");
  }
  request.content = std::move(body);
  MYELIN_CO_TRY(auto id, co_await on.rooms.commands().send(std::move(request)));
  co_return event_answer(id);
}

Task<Result<std::string>> redact(Components& on, Call call) {
  MYELIN_CO_TRY(auto room, RoomId::parse(call.path("roomId")));
  MYELIN_CO_TRY(auto target, EventId::parse(call.path("eventId")));
  MYELIN_CO_TRY(auto body, call.body_or_empty());
  MYELIN_CO_TRY(auto reason, optional_text(body, "reason"));
  body.erase("redacts");
  rooms::SendEvent request{.room = room, .sender = call.session().user, .type = "m.room.redaction"};
  request.content = std::move(body);
  request.redacts = target;
  request.transaction = transaction_of(call, "redact/" + room.str() + "/" + target.str());
  MYELIN_CO_TRY(auto id, co_await on.rooms.commands().send(std::move(request)));
  co_return event_answer(id);
}

// The aliases in m.room.canonical_alias that were not there before must point here (m.room.canonical_alias).
Task<Result<void>> check_aliases(Components& on, RoomId room, json::Object content) {
  std::vector<std::string> named;
  MYELIN_CO_TRY(auto main, optional_text(content, "alias"));
  MYELIN_CO_TRY(auto others, optional_array(content, "alt_aliases"));
  if (main && !main->empty()) named.push_back(*main);
  for (const auto& other : others) {
    if (!other.is_string()) co_return fail(Code::kInvalidParam, "alt_aliases must hold room aliases");
    named.emplace_back(other.as_string());
  }
  MYELIN_CO_TRY(auto former, co_await current_content(on.rooms.queries(), room, "m.room.canonical_alias"));
  const auto* former_others = json::array_at(former, "alt_aliases");
  for (const auto& name : named) {
    bool known = json::string_at(former, "alias") == name;
    if (former_others != nullptr)
      for (const auto& other : *former_others) known = known || (other.is_string() && other.as_string() == name);
    if (known) continue;
    auto alias = RoomAlias::parse(name);
    if (!alias) co_return fail(Code::kInvalidParam, name + " is no room alias");
    auto resolved = co_await on.directory.resolve(*alias);
    if (!resolved && resolved.error().code != Code::kNotFound) co_return std::unexpected(resolved.error());
    if (!resolved || resolved->room != room) co_return fail(Code::kBadAlias, name + " does not point to this room");
  }
  co_return Result<void>{};
}

// Where creators stand above every level, they are not among the users (m.room.power_levels).
Task<Result<void>> check_levels(Components& on, RoomId room, UserId user, json::Object content) {
  MYELIN_CO_TRY(auto access, co_await room_access(on, room, user));
  const auto* users = json::object_at(content, "users");
  if (!access.info.rules->auth.creators_infinite || users == nullptr) co_return Result<void>{};
  std::vector<std::pair<std::string, std::string>> key{{"m.room.create", ""}};
  MYELIN_CO_TRY(auto create,
                co_await state_events(on.rooms.queries(), access.info.room_no, access.root, std::move(key)));
  for (const auto& event : create)
    for (auto creator : room_creators(*access.info.rules, *event->event))
      if (users->contains(creator)) co_return fail(Code::kInvalidParam, "creators of the room are not among the users");
  co_return Result<void>{};
}

// What is wrong whoever sends it.
Task<Result<void>> check_state(Components& on, RoomId room, UserId user, std::string type, json::Object content) {
  if (type == "m.room.create") co_return fail(Code::kInvalidParam, "a room has one create event, made with it");
  if (type == "m.room.canonical_alias") co_return co_await check_aliases(on, room, std::move(content));
  if (type == "m.room.power_levels") co_return co_await check_levels(on, room, user, std::move(content));
  co_return Result<void>{};
}

Task<Result<std::string>> put_state(Components& on, Call call) {
  MYELIN_CO_TRY(auto room, RoomId::parse(call.path("roomId")));
  MYELIN_CO_TRY(auto body, call.body());
  rooms::SendEvent request{.room = room, .sender = call.session().user, .type = call.path("eventType")};
  request.state_key = call.path("stateKey");
  MYELIN_CO_CHECK(co_await check_state(on, room, request.sender, request.type, body));
  request.content = std::move(body);
  MYELIN_CO_TRY(auto id, co_await on.rooms.commands().send(std::move(request)));
  co_return event_answer(id);
}

}  // namespace

void add_sending(Router& router, Components& on) {
  const std::string room = "/_matrix/client/v3/rooms/{roomId}/";
  router.add(net::Method::kPut, room + "send/{eventType}/{txnId}", Auth::kToken,
             [&on](Call call) { return send(on, std::move(call)); });
  router.add(net::Method::kPut, room + "redact/{eventId}/{txnId}", Auth::kToken,
             [&on](Call call) { return redact(on, std::move(call)); });
  for (const char* path : {"state/{eventType}", "state/{eventType}/{stateKey}"})
    router.add(net::Method::kPut, room + path, Auth::kToken,
               [&on](Call call) { return put_state(on, std::move(call)); });
}

}  // namespace myelin::api::client
