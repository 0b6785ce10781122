// Client-server API, Typing notifications.
#include "api/client/routes.h"

namespace myelin::api::client {
namespace {

constexpr std::chrono::milliseconds kDefaultTimeout{30'000};

Task<Result<std::string>> set_typing(Components& components, Call call) {
  if (call.path("userId") != call.session().user.str())
    co_return fail(Code::kForbidden, "nobody types for another user");
  MYELIN_CO_TRY(auto room, RoomId::parse(call.path("roomId")));
  MYELIN_CO_TRY(auto body, call.body());
  auto typing = json::bool_at(body, "typing");
  if (!typing)
    co_return fail(body.contains("typing") ? Code::kBadJson : Code::kMissingParam, "typing must be true or false");
  auto timeout = kDefaultTimeout;
  if (const auto* given = body.if_contains("timeout"); given != nullptr && !given->is_null()) {
    auto milliseconds = json::integer_at(body, "timeout");
    if (!milliseconds || *milliseconds < 0) co_return fail(Code::kBadJson, "timeout must be a number of milliseconds");
    timeout = std::chrono::milliseconds(*milliseconds);
  }
  MYELIN_CO_CHECK(co_await components.presence.set_typing(room, call.session().user, *typing, timeout));
  co_return ok();
}

}  // namespace

void add_typing(Router& router, Components& components) {
  router.add(net::Method::kPut, "/_matrix/client/v3/rooms/{roomId}/typing/{userId}", Auth::kToken,
             [&components](Call call) { return set_typing(components, std::move(call)); });
}

}  // namespace myelin::api::client
