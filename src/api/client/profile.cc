// Client-server API, Profiles.
#include "api/client/routes.h"

namespace myelin::api::client {
namespace {

Task<Result<std::string>> get_all(Components& on, Call call) {
  MYELIN_CO_TRY(auto user, UserId::parse(call.path("userId")));
  MYELIN_CO_TRY(auto fields, co_await on.accounts.profile(user));
  co_return json::serialize(fields);
}

Task<Result<std::string>> get_field(Components& on, Call call) {
  MYELIN_CO_TRY(auto user, UserId::parse(call.path("userId")));
  MYELIN_CO_TRY(auto fields, co_await on.accounts.profile(user));
  const auto& name = call.path("keyName");
  const auto* value = fields.if_contains(name);
  if (value == nullptr) co_return fail(Code::kNotFound, "the profile has no such field");
  co_return json::serialize(json::Object{{name, *value}});
}

Task<Result<std::string>> change(Components& on, Call call, std::optional<json::Value> value) {
  if (call.path("userId") != call.session().user.str())
    co_return fail(Code::kForbidden, "a profile is changed by its own user only");
  MYELIN_CO_CHECK(co_await on.accounts.set_profile(call.session().user, {call.path("keyName"), std::move(value)}));
  co_return ok();
}

Task<Result<std::string>> put_field(Components& on, Call call) {
  MYELIN_CO_TRY(auto body, call.body());
  const auto* value = body.if_contains(call.path("keyName"));
  if (value == nullptr) co_return fail(Code::kMissingParam, "the body must hold the field that the path names");
  co_return co_await change(on, call, *value);
}

}  // namespace

void add_profile(Router& router, Components& on) {
  router.add(net::Method::kGet, "/_matrix/client/v3/profile/{userId}", Auth::kNone,
             [&on](Call call) { return get_all(on, std::move(call)); });
  router.add(net::Method::kGet, "/_matrix/client/v3/profile/{userId}/{keyName}", Auth::kNone,
             [&on](Call call) { return get_field(on, std::move(call)); });
  router.add(net::Method::kPut, "/_matrix/client/v3/profile/{userId}/{keyName}", Auth::kToken,
             [&on](Call call) { return put_field(on, std::move(call)); });
  router.add(net::Method::kDelete, "/_matrix/client/v3/profile/{userId}/{keyName}", Auth::kToken,
             [&on](Call call) { return change(on, std::move(call), std::nullopt); });
}

}  // namespace myelin::api::client
