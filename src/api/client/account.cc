// Client-server API, Account management: whoami, password, deactivate.
#include "api/client/fields.h"
#include "api/client/routes.h"

namespace myelin::api::client {
namespace {

Task<Result<std::string>> whoami(Components&, Call call) {
  const auto& session = call.session();
  co_return json::serialize(json::Object{
      {"user_id", session.user.str()}, {"device_id", session.device.str()}, {"is_guest", session.is_guest}});
}

accounts::UiaRequest with_password(const Call& call, std::string endpoint, json::Object body) {
  accounts::UiaRequest out;
  out.endpoint = std::move(endpoint);
  out.body = std::move(body);
  out.user = call.session().user;
  out.flows = {{"m.login.password"}};
  out.remote_address = call.remote_address();
  return out;
}

Task<Result<std::string>> change_password(Components& on, Call call) {
  MYELIN_CO_TRY(auto body, call.body());
  MYELIN_CO_TRY(bool logout_devices, optional_flag(body, "logout_devices", true));
  MYELIN_CO_CHECK(co_await on.accounts.user_auth(with_password(call, "/account/password", body)));
  MYELIN_CO_TRY(auto password, required_text(body, "new_password"));
  auto changed = logout_devices ? co_await on.accounts.change_password(call.session().user, password, call.session())
                                : co_await on.accounts.set_password(call.session().user, password);
  if (!changed) co_return std::unexpected(changed.error());
  co_return ok();
}

Task<Result<std::string>> deactivate(Components& on, Call call) {
  MYELIN_CO_TRY(auto body, call.body_or_empty());
  MYELIN_CO_TRY(bool erase, optional_flag(body, "erase", false));
  MYELIN_CO_CHECK(co_await on.accounts.user_auth(with_password(call, "/account/deactivate", body)));
  MYELIN_CO_CHECK(co_await on.accounts.deactivate(call.session().user, erase));
  co_return std::string(R"({"id_server_unbind_result":"no-support"})");
}

Task<Result<std::string>> third_party_ids(Components&, Call) { co_return std::string(R"({"threepids":[]})"); }

}  // namespace

void add_account(Router& router, Components& on) {
  router.add(net::Method::kGet, "/_matrix/client/v3/account/whoami", Auth::kToken,
             [&on](Call call) { return whoami(on, std::move(call)); });
  router.add(net::Method::kPost, "/_matrix/client/v3/account/password", Auth::kToken,
             [&on](Call call) { return change_password(on, std::move(call)); });
  router.add(net::Method::kPost, "/_matrix/client/v3/account/deactivate", Auth::kToken,
             [&on](Call call) { return deactivate(on, std::move(call)); });
  router.add(net::Method::kGet, "/_matrix/client/v3/account/3pid", Auth::kToken,
             [&on](Call call) { return third_party_ids(on, std::move(call)); });
}

}  // namespace myelin::api::client
