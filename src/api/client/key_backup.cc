// Client-server API, Server-side key backups: room_keys/version and room_keys/keys.
#include "api/client/routes.h"

namespace myelin::api::client {
namespace {

struct KeysCall {  // what the nine routes of room_keys/keys have in common
  UserId user;
  std::string version;
  std::optional<RoomId> room{};
  std::optional<std::string> session{};
};
enum class Scope : uint8_t { kAll, kRoom, kSession };

Result<KeysCall> parse(const Call& call, Scope scope) {
  auto version = call.query("version");
  if (!version) return fail(Code::kMissingParam, "version is required");
  KeysCall out{call.session().user, *version};
  if (scope != Scope::kAll) {
    MYELIN_TRY(out.room, RoomId::parse(call.path("roomId")));
  }
  if (scope == Scope::kSession) out.session = call.path("sessionId");
  return out;
}

Task<Result<std::string>> put_keys(Components& components, Call call, Scope scope) {
  MYELIN_CO_TRY(auto what, parse(call, scope));
  MYELIN_CO_TRY(auto body, call.body());
  MYELIN_CO_TRY(auto answer, co_await components.keys.put_backup_keys(what.user, what.version, what.room, what.session,
                                                                      std::move(body)));
  co_return json::serialize(answer);
}

Task<Result<std::string>> get_keys(Components& components, Call call, Scope scope) {
  MYELIN_CO_TRY(auto what, parse(call, scope));
  MYELIN_CO_TRY(auto answer, co_await components.keys.backup_keys(what.user, what.version, what.room, what.session));
  co_return json::serialize(answer);
}

Task<Result<std::string>> delete_keys(Components& components, Call call, Scope scope) {
  MYELIN_CO_TRY(auto what, parse(call, scope));
  MYELIN_CO_TRY(auto answer,
                co_await components.keys.delete_backup_keys(what.user, what.version, what.room, what.session));
  co_return json::serialize(answer);
}

Task<Result<std::string>> get_version(Components& components, Call call, std::optional<std::string> version) {
  MYELIN_CO_TRY(auto answer, co_await components.keys.backup_version(call.session().user, std::move(version)));
  co_return json::serialize(answer);
}

void add_versions(Router& router, Components& components) {
  router.add(net::Method::kPost, "/_matrix/client/v3/room_keys/version", Auth::kToken,
             [&components](Call call) -> Task<Result<std::string>> {
               MYELIN_CO_TRY(auto body, call.body());
               MYELIN_CO_TRY(auto version,
                             co_await components.keys.create_backup(call.session().user, std::move(body)));
               co_return json::serialize(json::Object{{"version", version}});
             });
  router.add(net::Method::kGet, "/_matrix/client/v3/room_keys/version", Auth::kToken,
             [&components](Call call) { return get_version(components, std::move(call), std::nullopt); });
  router.add(net::Method::kGet, "/_matrix/client/v3/room_keys/version/{version}", Auth::kToken,
             [&components](Call call) {
               std::string version = call.path("version");
               return get_version(components, std::move(call), std::move(version));
             });
  router.add(net::Method::kPut, "/_matrix/client/v3/room_keys/version/{version}", Auth::kToken,
             [&components](Call call) -> Task<Result<std::string>> {
               MYELIN_CO_TRY(auto body, call.body());
               MYELIN_CO_CHECK(
                   co_await components.keys.update_backup(call.session().user, call.path("version"), std::move(body)));
               co_return ok();
             });
  router.add(net::Method::kDelete, "/_matrix/client/v3/room_keys/version/{version}", Auth::kToken,
             [&components](Call call) -> Task<Result<std::string>> {
               MYELIN_CO_CHECK(co_await components.keys.delete_backup(call.session().user, call.path("version")));
               co_return ok();
             });
}

}  // namespace

void add_key_backup(Router& router, Components& components) {
  add_versions(router, components);
  const std::pair<const char*, Scope> patterns[] = {
      {"/_matrix/client/v3/room_keys/keys", Scope::kAll},
      {"/_matrix/client/v3/room_keys/keys/{roomId}", Scope::kRoom},
      {"/_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}", Scope::kSession},
  };
  for (const auto& [pattern, scope] : patterns) {
    router.add(net::Method::kPut, pattern, Auth::kToken,
               [&components, scope](Call call) { return put_keys(components, std::move(call), scope); });
    router.add(net::Method::kGet, pattern, Auth::kToken,
               [&components, scope](Call call) { return get_keys(components, std::move(call), scope); });
    router.add(net::Method::kDelete, pattern, Auth::kToken,
               [&components, scope](Call call) { return delete_keys(components, std::move(call), scope); });
  }
}

}  // namespace myelin::api::client
