// PUT /sendToDevice: one transaction remembers the request and puts the messages on the sender's partition of user.out.
#include "components/accounts/user_out.h"
#include "components/keys/keys_impl.h"

namespace myelin::keys {
namespace {

using accounts::ToDeviceMessage;
using accounts::ToDeviceSent;

constexpr size_t kMaxMessageBytes = 256 * 1024;        // of bodies in one message of user.out, which holds at least one
constexpr size_t kMaxRequestBytes = 16 * 1024 * 1024;  // of bodies, once for each device they go to
constexpr size_t kMaxBodyBytes = 65'536;               // of one; a device gets a hundred at once

struct Addressed {
  UserId user;
  std::string device;  // "*": all of the user's
  const json::Object* content;
};

Result<std::vector<Addressed>> parse_messages(const json::Object& messages) {
  std::vector<Addressed> out;
  for (const auto& user : messages) {
    auto id = UserId::parse(user.key());
    if (!id || !user.value().is_object()) return fail(Code::kBadJson, "messages does not map user ids to devices");
    for (const auto& device : user.value().get_object()) {
      if (!device.value().is_object()) return fail(Code::kBadJson, "the content of a message is not an object");
      out.push_back({*id, std::string(device.key()), &device.value().get_object()});
    }
  }
  return out;
}

std::vector<std::string> split(const UserId& sender, std::vector<ToDeviceMessage> messages) {
  std::vector<std::string> out;
  ToDeviceSent part;
  size_t bytes = 0;
  auto flush = [&] {
    if (!part.messages.empty()) out.push_back(encode(accounts::UserOut{sender, std::move(part)}));
    part = {};
    bytes = 0;
  };
  for (auto& message : messages) {
    if (bytes + message.body.size() > kMaxMessageBytes) flush();
    bytes += message.body.size();
    part.messages.push_back(std::move(message));
  }
  flush();
  return out;
}

}  // namespace

Task<Result<void>> KeysImpl::send_to_device(accounts::Session session, std::string type, std::string txn_id,
                                            json::Object messages) {
  if (!is_storable(type) || !is_storable(txn_id))
    co_return fail(Code::kInvalidParam, "the event type or transaction id is no id");
  MYELIN_CO_TRY(auto addressed, parse_messages(messages));
  std::vector<ToDeviceMessage> out;
  size_t bytes = 0;
  UserId user;
  std::vector<accounts::Device> devices;  // of `user`
  for (const auto& each : addressed) {
    std::string body =
        json::serialize(json::Object{{"sender", session.user.str()}, {"type", type}, {"content", *each.content}});
    if (body.size() > kMaxBodyBytes) co_return fail(Code::kTooLarge, "a message to a device is too large");
    if (!is_local(each.user)) continue;
    if (each.user != user) {
      MYELIN_CO_TRY(devices, co_await accounts_.devices(each.user));
      user = each.user;
    }
    for (const auto& device : devices) {
      if (each.device != "*" && each.device != device.id.str()) continue;
      if ((bytes += body.size()) > kMaxRequestBytes)
        co_return fail(Code::kTooLarge, "too much for too many devices at once");
      out.push_back({each.user, device.id, body});
    }
  }
  auto rows = split(session.user, std::move(out));
  co_return co_await db_.write(lane_of(session.user), [session, type, txn_id, rows](db::Tx& tx) {
    int64_t fresh = tx.exec(
        "INSERT INTO to_device_txn (user_id, device_id, type, txn_id) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (user_id, device_id, type, txn_id) DO NOTHING",
        session.user.str(), session.device.str(), type, txn_id);
    if (fresh == 0) return;
    for (const auto& row : rows) tx.publish(accounts::kUserOut.name, bus::partition_of(session.user.str()), row);
  });
}

}  // namespace myelin::keys
