// Which processes are alive, what each does, and how far everything is, for a server administrator.
#include "api/admin/administrator.h"
#include "api/client/routes.h"

namespace myelin::api {
namespace {

Task<Result<std::string>> status(Components& on, Call call) {
  MYELIN_CO_CHECK(check_administrator(call));
  MYELIN_CO_TRY(auto status, co_await on.status());
  co_return json::serialize(status);
}

}  // namespace

void add_status(Router& router, Components& components) {
  router.add(net::Method::kGet, "/_myelin/admin/status", Auth::kToken,
             [&components](Call call) { return status(components, std::move(call)); });
}

}  // namespace myelin::api
