// Client-server API, Presence.
#include "api/client/fields.h"
#include "api/client/routes.h"

namespace myelin::api::client {
namespace {

constexpr size_t kMaxStatusBytes = 1'024;  // everybody who shares a room gets it

Task<Result<std::string>> put_status(Components& on, Call call) {
  if (call.path("userId") != call.session().user.str())
    co_return fail(Code::kForbidden, "presence is set by its own user only");
  MYELIN_CO_TRY(auto body, call.body());
  MYELIN_CO_TRY(auto text, required_text(body, "presence"));
  MYELIN_CO_TRY(auto message, optional_text(body, "status_msg"));
  if (message && message->size() > kMaxStatusBytes) co_return fail(Code::kTooLarge, "status_msg is too long");
  auto state = presence::state_from(text);
  if (!state) co_return fail(Code::kInvalidParam, "presence must be online, unavailable or offline");
  on.presence.set_status(call.session().user, *state, std::move(message));
  co_return ok();
}

Task<Result<std::string>> get_status(Components& on, Call call) {
  MYELIN_CO_TRY(auto user, UserId::parse(call.path("userId")));
  if (user != call.session().user) {
    MYELIN_CO_TRY(auto sharing, co_await on.rooms.queries().users_sharing_a_room(call.session().user));
    if (std::ranges::find(sharing, user) == sharing.end())
      co_return fail(Code::kForbidden, "you share no room with this user");
  }
  auto status = on.presence.status(user).value_or(presence::Status{});
  json::Object body{{"presence", presence::to_string(status.state)}};
  if (status.message) body["status_msg"] = *status.message;
  if (status.last_active > 0) body["last_active_ago"] = std::max<Milliseconds>(0, on.clock.now() - status.last_active);
  body["currently_active"] = status.state == presence::State::kOnline;
  co_return json::serialize(body);
}

}  // namespace

void add_presence(Router& router, Components& on) {
  const std::string path = "/_matrix/client/v3/presence/{userId}/status";
  router.add(net::Method::kGet, path, Auth::kToken, [&on](Call call) { return get_status(on, std::move(call)); });
  router.add(net::Method::kPut, path, Auth::kToken, [&on](Call call) { return put_status(on, std::move(call)); });
}

}  // namespace myelin::api::client
