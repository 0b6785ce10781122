#include "api/client/account_bodies.h"

#include "api/client/fields.h"

namespace myelin::api::client {

Result<accounts::DeviceRequest> device_request(const json::Object& body) {
  accounts::DeviceRequest out;
  MYELIN_TRY(out.device_id, optional_text(body, "device_id"));
  MYELIN_TRY(out.initial_device_display_name, optional_text(body, "initial_device_display_name"));
  MYELIN_TRY(out.refresh_token, optional_flag(body, "refresh_token", false));
  return out;
}

void add_tokens(json::Object& answer, const accounts::Tokens& tokens) {
  answer["access_token"] = tokens.access_token;
  if (tokens.refresh_token) answer["refresh_token"] = *tokens.refresh_token;
  if (tokens.expires_in_ms) answer["expires_in_ms"] = *tokens.expires_in_ms;
}

json::Object login_object(const accounts::Login& login, const ServerName& server) {
  json::Object answer{{"user_id", login.user.str()}, {"home_server", server.str()}};
  if (login.device) answer["device_id"] = login.device->str();
  if (login.tokens) add_tokens(answer, *login.tokens);
  return answer;
}

}  // namespace myelin::api::client
