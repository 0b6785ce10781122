// Client-server API, Device Management.
#include "api/client/fields.h"
#include "api/client/routes.h"

namespace myelin::api::client {
namespace {

json::Object to_object(const accounts::Device& device) {
  json::Object out{{"device_id", device.id.str()}, {"user_id", device.user.str()}};
  if (device.display_name) out["display_name"] = *device.display_name;
  if (device.last_seen_ip) out["last_seen_ip"] = *device.last_seen_ip;
  if (device.last_seen_ts) out["last_seen_ts"] = *device.last_seen_ts;
  return out;
}

Task<Result<std::string>> list(Components& on, Call call) {
  MYELIN_CO_TRY(auto devices, co_await on.accounts.devices(call.session().user));
  json::Array out;
  for (const auto& device : devices) out.push_back(to_object(device));
  co_return json::serialize(json::Object{{"devices", std::move(out)}});
}

Task<Result<std::string>> get(Components& on, Call call) {
  auto id = DeviceId::trusted(call.path("deviceId"));
  MYELIN_CO_TRY(auto device, co_await on.accounts.device(call.session().user, id));
  co_return json::serialize(to_object(device));
}

Task<Result<std::string>> rename(Components& on, Call call) {
  MYELIN_CO_TRY(auto body, call.body());
  MYELIN_CO_TRY(auto name, optional_text(body, "display_name"));
  auto id = DeviceId::trusted(call.path("deviceId"));
  MYELIN_CO_CHECK(co_await on.accounts.rename_device(call.session().user, id, name));
  co_return ok();
}

Task<Result<std::string>> remove(Components& on, Call call, json::Object body, std::vector<DeviceId> devices,
                                 std::string endpoint) {
  accounts::UiaRequest uia;
  uia.endpoint = std::move(endpoint);
  uia.body = std::move(body);
  uia.user = call.session().user;
  uia.flows = {{"m.login.password"}};
  uia.remote_address = call.remote_address();
  MYELIN_CO_CHECK(co_await on.accounts.user_auth(std::move(uia)));
  MYELIN_CO_CHECK(co_await on.accounts.delete_devices(call.session().user, std::move(devices)));
  co_return ok();
}

Task<Result<std::string>> remove_one(Components& on, Call call) {
  MYELIN_CO_TRY(auto body, call.body_or_empty());
  auto device = DeviceId::trusted(call.path("deviceId"));
  std::vector<DeviceId> devices{device};
  co_return co_await remove(on, call, std::move(body), std::move(devices), "DELETE /devices/" + device.str());
}

Task<Result<std::string>> remove_many(Components& on, Call call) {
  MYELIN_CO_TRY(auto body, call.body());
  if (!has(body, "devices")) co_return fail(Code::kMissingParam, "devices is required");
  MYELIN_CO_TRY(auto names, optional_array(body, "devices"));
  std::vector<DeviceId> devices;
  for (const auto& name : names) {
    if (!name.is_string()) co_return fail(Code::kBadJson, "devices must hold strings");
    devices.push_back(DeviceId::trusted(std::string(name.as_string())));
  }
  co_return co_await remove(on, call, std::move(body), std::move(devices), "/delete_devices");
}

}  // namespace

void add_devices(Router& router, Components& on) {
  router.add(net::Method::kGet, "/_matrix/client/v3/devices", Auth::kToken,
             [&on](Call call) { return list(on, std::move(call)); });
  router.add(net::Method::kGet, "/_matrix/client/v3/devices/{deviceId}", Auth::kToken,
             [&on](Call call) { return get(on, std::move(call)); });
  router.add(net::Method::kPut, "/_matrix/client/v3/devices/{deviceId}", Auth::kToken,
             [&on](Call call) { return rename(on, std::move(call)); });
  router.add(net::Method::kDelete, "/_matrix/client/v3/devices/{deviceId}", Auth::kToken,
             [&on](Call call) { return remove_one(on, std::move(call)); });
  router.add(net::Method::kPost, "/_matrix/client/v3/delete_devices", Auth::kToken,
             [&on](Call call) { return remove_many(on, std::move(call)); });
}

}  // namespace myelin::api::client
