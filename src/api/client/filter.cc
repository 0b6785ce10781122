// Client-server API, Filtering: stored filters.
#include "matrix/filter.h"

#include "api/client/routes.h"

namespace myelin::api::client {
namespace {

Result<void> own(const Call& call) {
  if (call.path("userId") == call.session().user.str()) return {};
  return fail(Code::kForbidden, "this is another user's filter");
}

Task<Result<std::string>> put(Components& on, Call call) {
  MYELIN_CO_CHECK(own(call));
  MYELIN_CO_TRY(auto body, call.body());
  MYELIN_CO_CHECK(Filter::parse(body));
  MYELIN_CO_TRY(auto id, co_await on.accounts.put_filter(call.session().user, std::move(body)));
  co_return json::serialize(json::Object{{"filter_id", id}});
}

Task<Result<std::string>> get(Components& on, Call call) {
  MYELIN_CO_CHECK(own(call));
  co_return co_await on.accounts.filter(call.session().user, call.path("filterId"));
}

}  // namespace

void add_filter(Router& router, Components& on) {
  router.add(net::Method::kPost, "/_matrix/client/v3/user/{userId}/filter", Auth::kToken,
             [&on](Call call) { return put(on, std::move(call)); });
  router.add(net::Method::kGet, "/_matrix/client/v3/user/{userId}/filter/{filterId}", Auth::kToken,
             [&on](Call call) { return get(on, std::move(call)); });
}

}  // namespace myelin::api::client
