// Client-server API, Room aliases; Listing rooms: which of them are published.
#include "api/client/fields.h"
#include "api/client/room_access.h"
#include "api/client/routes.h"

namespace myelin::api::client {
namespace {

Result<RoomAlias> own_alias(const Components& on, const Call& call) {
  MYELIN_TRY(auto alias, RoomAlias::parse(call.path("roomAlias")));
  if (alias.server() != on.server_name.str()) return fail(Code::kInvalidParam, "this alias belongs to another server");
  return alias;
}

Task<Result<std::string>> get_alias(Components& on, Call call) {
  MYELIN_CO_TRY(auto alias, RoomAlias::parse(call.path("roomAlias")));
  MYELIN_CO_TRY(auto resolved, co_await on.directory.resolve(alias));
  json::Array servers;
  for (const auto& server : resolved.servers) servers.emplace_back(server.str());
  co_return json::serialize(json::Object{{"room_id", resolved.room.str()}, {"servers", std::move(servers)}});
}

Task<Result<std::string>> put_alias(Components& on, Call call) {
  MYELIN_CO_TRY(auto alias, own_alias(on, call));
  MYELIN_CO_TRY(auto body, call.body());
  MYELIN_CO_TRY(auto text, required_text(body, "room_id"));
  MYELIN_CO_TRY(auto room, RoomId::parse(text));
  auto known = co_await on.rooms.queries().room(room);
  if (!known && known.error().code == Code::kNotFound)
    co_return fail(Code::kInvalidParam, "there is no such room here");
  if (!known) co_return std::unexpected(known.error());
  auto bound = co_await on.directory.bind(alias, room, call.session().user);
  if (!bound && bound.error().code == Code::kRoomInUse) co_return fail(Code::kConflict, "this room alias is taken");
  if (!bound) co_return std::unexpected(bound.error());
  co_return ok();
}

// The content of m.room.canonical_alias without this alias; nothing if it does not name it.
std::optional<json::Object> without(json::Object content, const RoomAlias& alias) {
  bool named = json::string_at(content, "alias") == alias.str();
  if (named) content.erase("alias");
  if (const auto* others = json::array_at(content, "alt_aliases")) {
    json::Array kept;
    for (const auto& other : *others)
      if (!other.is_string() || std::string_view(other.get_string()) != alias.str()) kept.push_back(other);
    named = named || kept.size() < others->size();
    if (kept.empty())
      content.erase("alt_aliases");
    else
      content["alt_aliases"] = std::move(kept);
  }
  if (!named) return std::nullopt;
  return content;
}

// An alias that goes leaves m.room.canonical_alias before, if its user may write that.
Task<Result<void>> leave_canonical_alias(Components& on, RoomAlias alias, UserId user) {
  MYELIN_CO_TRY(auto resolved, co_await on.directory.resolve(alias));
  auto content = co_await current_content(on.rooms.queries(), resolved.room, "m.room.canonical_alias");
  if (!content) {
    if (content.error().code == Code::kNotFound) co_return Result<void>{};
    co_return std::unexpected(content.error());
  }
  auto kept = without(*std::move(content), alias);
  if (!kept) co_return Result<void>{};
  rooms::SendEvent request{.room = resolved.room, .sender = user, .type = "m.room.canonical_alias", .state_key = ""};
  request.content = *std::move(kept);
  auto sent = co_await on.rooms.commands().send(std::move(request));
  if (!sent && sent.error().code != Code::kForbidden) co_return std::unexpected(sent.error());
  co_return Result<void>{};
}

Task<Result<std::string>> delete_alias(Components& on, Call call) {
  MYELIN_CO_TRY(auto alias, own_alias(on, call));
  MYELIN_CO_CHECK(co_await leave_canonical_alias(on, alias, call.session().user));
  MYELIN_CO_CHECK(co_await on.directory.remove(alias, call.session().user));
  co_return ok();
}

Task<Result<std::string>> get_listed(Components& on, Call call) {
  MYELIN_CO_TRY(auto room, RoomId::parse(call.path("roomId")));
  MYELIN_CO_CHECK(co_await on.rooms.queries().room(room));
  MYELIN_CO_TRY(bool listed, co_await on.directory.published(room));
  co_return json::serialize(json::Object{{"visibility", listed ? "public" : "private"}});
}

Task<Result<std::string>> put_listed(Components& on, Call call) {
  MYELIN_CO_TRY(auto room, RoomId::parse(call.path("roomId")));
  MYELIN_CO_TRY(auto body, call.body());
  MYELIN_CO_TRY(auto visibility, optional_text(body, "visibility"));
  if (visibility && *visibility != "public" && *visibility != "private")
    co_return fail(Code::kInvalidParam, "visibility must be public or private");
  MYELIN_CO_CHECK(co_await on.rooms.queries().room(room));
  MYELIN_CO_TRY(bool may, co_await on.directory.may_change_aliases(room, call.session().user));
  if (!may) co_return fail(Code::kForbidden, "only the room's moderators may list it");
  MYELIN_CO_CHECK(co_await on.directory.publish(room, visibility.value_or("public") == "public"));
  co_return ok();
}

}  // namespace

void add_directory(Router& router, Components& on) {
  const std::string alias = "/_matrix/client/v3/directory/room/{roomAlias}";
  const std::string listed = "/_matrix/client/v3/directory/list/room/{roomId}";
  router.add(net::Method::kGet, alias, Auth::kNone, [&on](Call call) { return get_alias(on, std::move(call)); });
  router.add(net::Method::kPut, alias, Auth::kToken, [&on](Call call) { return put_alias(on, std::move(call)); });
  router.add(net::Method::kDelete, alias, Auth::kToken, [&on](Call call) { return delete_alias(on, std::move(call)); });
  router.add(net::Method::kGet, listed, Auth::kNone, [&on](Call call) { return get_listed(on, std::move(call)); });
  router.add(net::Method::kPut, listed, Auth::kToken, [&on](Call call) { return put_listed(on, std::move(call)); });
}

}  // namespace myelin::api::client
