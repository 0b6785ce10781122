// Messages on topic user.out: what has changed for a user's devices. Partition: of the user id. Written by accounts and
// keys; read by sync (and keys, for deleted devices).
#pragma once
#include <string>
#include <variant>
#include <vector>

#include "components/accounts/accounts.h"

namespace myelin::accounts {

inline constexpr bus::Topic kUserOut{"user.out"};

struct AccountDataChanged {
  std::string room;  // "" = global
  std::string type;
};
struct DeviceListChanged {};  // keys, cross-signing keys or devices of the user changed
struct DeviceDeleted {
  DeviceId device;
};
struct KeyCountsChanged {  // one-time or fallback keys: wakes the device
  DeviceId device;
};
struct ToDeviceMessage {
  UserId to;
  DeviceId device;
  std::string body;  // {"sender":…,"type":…,"content":…}
};
struct ToDeviceSent {  // keyed by the sender; fanned out behind the stream
  std::vector<ToDeviceMessage> messages;
};
struct UserOut {
  UserId user;
  std::variant<AccountDataChanged, DeviceListChanged, DeviceDeleted, KeyCountsChanged, ToDeviceSent> what;
};

std::string encode(const UserOut&);
Result<UserOut> decode_user_out(std::string_view);  // kCorrupt; kUnavailable: of a newer program

}  // namespace myelin::accounts
