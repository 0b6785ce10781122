// Client-server API, Login, Refresh, Logout.
#include "api/client/account_bodies.h"
#include "api/client/fields.h"
#include "api/client/routes.h"

namespace myelin::api::client {
namespace {

Task<Result<std::string>> login_flows(Components&, Call) {
  co_return std::string(R"({"flows":[{"type":"m.login.password"}]})");
}

Result<std::string> user_of(const json::Object& body) {
  MYELIN_CHECK(optional_text(body, "user"));
  if (!has(body, "identifier")) return required_text(body, "user");  // the form of old clients
  MYELIN_TRY(auto identifier, optional_object(body, "identifier"));
  MYELIN_TRY(auto type, required_text(identifier, "type"));
  if (type != "m.id.user") return fail(Code::kUnknown, "only m.id.user identifiers are known here");
  return required_text(identifier, "user");
}

Task<Result<std::string>> log_in(Components& on, Call call) {
  MYELIN_CO_TRY(auto body, call.body());
  MYELIN_CO_TRY(auto type, required_text(body, "type"));
  if (type != "m.login.password") co_return fail(Code::kUnknown, "unknown login type");
  accounts::PasswordLogin request;
  MYELIN_CO_TRY(request.user, user_of(body));
  MYELIN_CO_TRY(request.password, required_text(body, "password"));
  MYELIN_CO_TRY(request.device, device_request(body));
  request.remote_address = call.remote_address();
  MYELIN_CO_TRY(auto login, co_await on.accounts.log_in(std::move(request)));
  auto answer = login_object(login, on.server_name);
  if (!on.public_base_url.empty())
    answer["well_known"] = json::Object{{"m.homeserver", json::Object{{"base_url", on.public_base_url}}}};
  co_return json::serialize(answer);
}

Task<Result<std::string>> refresh(Components& on, Call call) {
  MYELIN_CO_TRY(auto body, call.body());
  MYELIN_CO_TRY(auto token, required_text(body, "refresh_token"));
  MYELIN_CO_TRY(auto tokens, co_await on.accounts.refresh(std::move(token)));
  json::Object answer;
  add_tokens(answer, tokens);
  co_return json::serialize(answer);
}

Task<Result<std::string>> log_out(Components& on, Call call) {
  MYELIN_CO_CHECK(co_await on.accounts.log_out(call.session()));
  co_return ok();
}

Task<Result<std::string>> log_out_all(Components& on, Call call) {
  MYELIN_CO_CHECK(co_await on.accounts.log_out_all(call.session()));
  co_return ok();
}

}  // namespace

void add_login(Router& router, Components& on) {
  router.add(net::Method::kGet, "/_matrix/client/v3/login", Auth::kNone,
             [&on](Call call) { return login_flows(on, std::move(call)); });
  router.add(net::Method::kPost, "/_matrix/client/v3/login", Auth::kNone,
             [&on](Call call) { return log_in(on, std::move(call)); });
  router.add(net::Method::kPost, "/_matrix/client/v3/refresh", Auth::kNone,
             [&on](Call call) { return refresh(on, std::move(call)); });
  router.add(net::Method::kPost, "/_matrix/client/v3/logout", Auth::kToken,
             [&on](Call call) { return log_out(on, std::move(call)); });
  router.add(net::Method::kPost, "/_matrix/client/v3/logout/all", Auth::kToken,
             [&on](Call call) { return log_out_all(on, std::move(call)); });
}

}  // namespace myelin::api::client
