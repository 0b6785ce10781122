// Client-server API, Sending events to a room; Redactions.
#include "api/client/fields.h"
#include "api/client/routes.h"

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
  MYELIN_CO_TRY(auto info, co_await on.rooms.queries().room(room));
  MYELIN_CO_TRY(auto root, co_await on.rooms.queries().current_root(info.room_no));
  std::vector<std::pair<std::string, std::string>> wanted{{"m.room.canonical_alias", ""}};
  MYELIN_CO_TRY(auto entries, co_await on.rooms.queries().state_of(info.room_no, root, std::move(wanted)));
  json::Object former;
  if (!entries.empty()) {
    std::vector<rooms::EventRef> refs{entries.front().ref};
    MYELIN_CO_TRY(auto events, co_await on.rooms.queries().events(std::move(refs)));
    former = events.front()->event->content();
  }
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

Task<Result<std::string>> put_state(Components& on, Call call) {
  MYELIN_CO_TRY(auto room, RoomId::parse(call.path("roomId")));
  MYELIN_CO_TRY(auto body, call.body());
  rooms::SendEvent request{.room = room, .sender = call.session().user, .type = call.path("eventType")};
  request.state_key = call.path("stateKey");
  if (request.type == "m.room.canonical_alias") MYELIN_CO_CHECK(co_await check_aliases(on, room, body));
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
