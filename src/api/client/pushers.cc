// Client-server API, Push notifications: pushers.
#include "api/client/routes.h"

namespace myelin::api::client {

void add_pushers(Router& router, Components& components) {
  router.add(net::Method::kGet, "/_matrix/client/v3/pushers", Auth::kToken,
             [&components](Call call) -> Task<Result<std::string>> {
               MYELIN_CO_TRY(auto pushers, co_await components.push.pushers(call.session().user));
               co_return json::serialize(json::Object{{"pushers", std::move(pushers)}});
             });
  router.add(net::Method::kPost, "/_matrix/client/v3/pushers/set", Auth::kToken,
             [&components](Call call) -> Task<Result<std::string>> {
               MYELIN_CO_TRY(auto body, call.body());
               MYELIN_CO_CHECK(co_await components.push.set_pusher(call.session(), std::move(body)));
               co_return ok();
             });
}

}  // namespace myelin::api::client
