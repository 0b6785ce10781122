// What the bodies of /login, /register and /refresh have in common.
#pragma once
#include "components/accounts/accounts.h"

namespace myelin::api::client {

Result<accounts::DeviceRequest> device_request(const json::Object& body);
void add_tokens(json::Object& answer, const accounts::Tokens&);
json::Object login_object(const accounts::Login&, const ServerName&);

}  // namespace myelin::api::client
