// Client-server API, Typing notifications.
#include "api/client/fields.h"
#include "api/client/routes.h"

namespace myelin::api::client {
namespace {

constexpr int64_t kDefaultTimeoutMs = 30'000;

Task<Result<std::string>> set_typing(Components& components, Call call) {
  if (call.path("userId") != call.session().user.str())
    co_return fail(Code::kForbidden, "nobody types for another user");
  MYELIN_CO_TRY(auto room, RoomId::parse(call.path("roomId")));
  MYELIN_CO_TRY(auto body, call.body());
  auto typing = json::bool_at(body, "typing");
  if (!typing)
    co_return fail(body.contains("typing") ? Code::kBadJson : Code::kMissingParam, "typing must be true or false");
  MYELIN_CO_TRY(auto timeout, optional_count(body, "timeout"));
  MYELIN_CO_CHECK(co_await components.presence.set_typing(
      room, call.session().user, *typing, std::chrono::milliseconds(timeout.value_or(kDefaultTimeoutMs))));
  co_return ok();
}

}  // namespace

void add_typing(Router& router, Components& components) {
  router.add(net::Method::kPut, "/_matrix/client/v3/rooms/{roomId}/typing/{userId}", Auth::kToken,
             [&components](Call call) { return set_typing(components, std::move(call)); });
}

}  // namespace myelin::api::client
