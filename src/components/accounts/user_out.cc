#include "components/accounts/user_out.h"

#include "base/fields.h"

namespace myelin::accounts {
namespace {

// Numbers of forms: one that changes gets another (docs/upgrades.md).
constexpr uint64_t kAccountData = 1, kDeviceList = 2, kDeviceGone = 3, kKeyCounts = 4, kToDevice = 5;

struct Encoder {
  std::string& out;
  void operator()(const AccountDataChanged& change) {
    append_varint(out, kAccountData);
    append_string(out, change.room);
    append_string(out, change.type);
  }
  void operator()(const DeviceListChanged&) { append_varint(out, kDeviceList); }
  void operator()(const DeviceDeleted& deleted) {
    append_varint(out, kDeviceGone);
    append_string(out, deleted.device.str());
  }
  void operator()(const KeyCountsChanged& change) {
    append_varint(out, kKeyCounts);
    append_string(out, change.device.str());
  }
  void operator()(const ToDeviceSent& sent) {
    append_varint(out, kToDevice);
    append_varint(out, sent.messages.size());
    for (const auto& message : sent.messages) {
      append_string(out, message.to.str());
      append_string(out, message.device.str());
      append_string(out, message.body);
    }
  }
};

ToDeviceSent read_to_device(FieldReader& in) {
  ToDeviceSent out;
  for (auto left = in.number(); left > 0 && in.ok(); --left) {
    ToDeviceMessage message;
    message.to = UserId::trusted(in.text());
    message.device = DeviceId::trusted(in.text());
    message.body = in.text();
    out.messages.push_back(std::move(message));
  }
  return out;
}

}  // namespace

std::string encode(const UserOut& message) {
  std::string out;
  append_string(out, message.user.str());
  std::visit(Encoder{out}, message.what);
  return out;
}

Result<UserOut> decode_user_out(std::string_view body) {
  FieldReader in(body);
  UserOut out;
  out.user = UserId::trusted(in.text());
  auto form = in.number();
  switch (form) {
    case kAccountData: {
      AccountDataChanged change;
      change.room = in.text();
      change.type = in.text();
      out.what = std::move(change);
      break;
    }
    case kDeviceList:
      out.what = DeviceListChanged{};
      break;
    case kDeviceGone:
      out.what = DeviceDeleted{DeviceId::trusted(in.text())};
      break;
    case kKeyCounts:
      out.what = KeyCountsChanged{DeviceId::trusted(in.text())};
      break;
    case kToDevice:
      out.what = read_to_device(in);
      break;
    default:
      if (in.ok()) return fail(Code::kUnavailable, fmt::format("user.out: form {} is of a newer program", form));
  }
  if (!in.ok()) return fail(Code::kCorrupt, "user.out: a message cut short");
  return out;
}

}  // namespace myelin::accounts
