// Client-server API, Account registration; shared-secret registration as Synapse's admin API has it.
#include "api/client/account_bodies.h"
#include "api/client/fields.h"
#include "api/client/routes.h"

namespace myelin::api::client {
namespace {

Result<accounts::Registration> registration_of(const json::Object& body) {
  accounts::Registration out;
  MYELIN_TRY(out.username, optional_text(body, "username"));
  MYELIN_TRY(out.password, optional_text(body, "password"));
  MYELIN_TRY(out.inhibit_login, optional_flag(body, "inhibit_login", false));
  MYELIN_TRY(out.device, device_request(body));
  return out;
}

Task<Result<std::string>> register_account(Components& on, Call call) {
  using enum accounts::RegistrationMode;
  MYELIN_CO_TRY(auto body, call.body());
  auto kind = call.query("kind").value_or("user");
  if (kind == "guest") co_return fail(Code::kGuestAccessForbidden, "there are no guests here");
  if (kind != "user") co_return fail(Code::kInvalidParam, "kind must be user or guest");
  auto mode = on.accounts.registration_mode();
  if (mode == kOff) co_return fail(Code::kForbidden, "registration is closed");
  MYELIN_CO_TRY(auto request, registration_of(body));
  request.remote_address = call.remote_address();
  if (request.username && !request.username->empty())
    MYELIN_CO_CHECK(co_await on.accounts.check_username(*request.username, call.remote_address()));
  accounts::UiaRequest uia;
  uia.endpoint = "/register";
  uia.body = body;
  uia.flows = {{mode == kToken ? "m.login.registration_token" : "m.login.dummy"}};
  uia.remote_address = call.remote_address();
  MYELIN_CO_CHECK(co_await on.accounts.user_auth(std::move(uia)));
  if (!request.password) co_return fail(Code::kMissingParam, "password is required");
  if (mode == kToken) request.registration_token = json::string_at(body.at("auth").as_object(), "token").value_or("");
  MYELIN_CO_TRY(auto login, co_await on.accounts.register_user(std::move(request)));
  co_return json::serialize(login_object(login, on.server_name));
}

Task<Result<std::string>> available(Components& on, Call call) {
  auto name = call.query("username");
  if (!name) co_return fail(Code::kMissingParam, "username is required");
  MYELIN_CO_CHECK(co_await on.accounts.check_username(*name, call.remote_address()));
  co_return std::string(R"({"available":true})");
}

Task<Result<std::string>> token_validity(Components& on, Call call) {
  auto token = call.query("token");
  if (!token) co_return fail(Code::kMissingParam, "token is required");
  MYELIN_CO_TRY(bool valid, co_await on.accounts.registration_token_valid(*token));
  co_return json::serialize(json::Object{{"valid", valid}});
}

Task<Result<std::string>> nonce(Components& on, Call) {
  MYELIN_CO_TRY(auto text, co_await on.accounts.registration_nonce());
  co_return json::serialize(json::Object{{"nonce", text}});
}

Task<Result<std::string>> register_with_secret(Components& on, Call call) {
  MYELIN_CO_TRY(auto body, call.body());
  MYELIN_CO_TRY(auto nonce, required_text(body, "nonce"));
  MYELIN_CO_TRY(auto username, required_text(body, "username"));
  MYELIN_CO_TRY(auto password, required_text(body, "password"));
  MYELIN_CO_TRY(auto mac, required_text(body, "mac"));
  MYELIN_CO_TRY(bool admin, optional_flag(body, "admin", false));
  MYELIN_CO_TRY(auto login, co_await on.accounts.register_with_secret(nonce, username, password, admin, mac));
  co_return json::serialize(login_object(login, on.server_name));
}

}  // namespace

void add_registration(Router& router, Components& on) {
  router.add(net::Method::kPost, "/_matrix/client/v3/register", Auth::kNone,
             [&on](Call call) { return register_account(on, std::move(call)); });
  router.add(net::Method::kGet, "/_matrix/client/v3/register/available", Auth::kNone,
             [&on](Call call) { return available(on, std::move(call)); });
  router.add(net::Method::kGet, "/_matrix/client/v1/register/m.login.registration_token/validity", Auth::kNone,
             [&on](Call call) { return token_validity(on, std::move(call)); });
  router.add(net::Method::kGet, "/_synapse/admin/v1/register", Auth::kNone,
             [&on](Call call) { return nonce(on, std::move(call)); });
  router.add(net::Method::kPost, "/_synapse/admin/v1/register", Auth::kNone,
             [&on](Call call) { return register_with_secret(on, std::move(call)); });
}

}  // namespace myelin::api::client
