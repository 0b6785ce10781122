#include "components/accounts/tables.h"

#include "base/bytes.h"
#include "infra/db/sql.h"

namespace myelin::accounts {

void publish(db::Tx& tx, const UserId& user, decltype(UserOut::what) what) {
  tx.publish(kUserOut.name, bus::partition_of(user.str()), encode(UserOut{user, std::move(what)}));
}

std::vector<std::string> device_ids(db::ReadTx& tx, const UserId& user) {
  return tx.all(
      "SELECT device_id FROM device WHERE user_id = $1", [](const db::Row& row) { return row.str(0); }, user.str());
}

std::vector<std::string> erase_devices(db::Tx& tx, const UserId& user, const std::vector<std::string>& device_ids) {
  auto devices = db::text_set(device_ids);
  auto hashes = tx.all(
      "DELETE FROM access_token WHERE user_id = $1 AND device_id IN {texts $2} RETURNING hash",
      [](const db::Row& row) { return row.bytes(0); }, user.str(), devices);
  tx.exec("DELETE FROM refresh_token WHERE user_id = $1 AND device_id IN {texts $2}", user.str(), devices);
  auto gone = tx.all(
      "DELETE FROM device WHERE user_id = $1 AND device_id IN {texts $2} RETURNING device_id",
      [](const db::Row& row) { return row.str(0); }, user.str(), devices);
  for (const auto& device : gone) {
    publish(tx, user, DeviceDeleted{DeviceId::trusted(device)});
    work::enqueue(tx, kDeviceQueue, user.str(), device, 0);
  }
  if (!gone.empty()) publish(tx, user, DeviceListChanged{});
  return hashes;
}

NewTokens make_tokens(Random& random, bool refreshable, Milliseconds now, Milliseconds lifetime) {
  NewTokens out;
  out.tokens.access_token = "mya_" + random.token(40);
  if (refreshable) {
    out.tokens.refresh_token = "myr_" + random.token(40);
    out.tokens.expires_in_ms = lifetime;
    out.expires_at = now + lifetime;
  }
  return out;
}

void insert_tokens(db::Tx& tx, const UserId& user, const DeviceId& device, const NewTokens& made,
                   const std::string* parent) {
  std::optional<std::string> refresh;
  if (made.tokens.refresh_token) refresh = sha256(*made.tokens.refresh_token);
  std::optional<db::Blob> refresh_blob, parent_blob;
  if (refresh) refresh_blob = db::Blob{*refresh};
  if (parent != nullptr) parent_blob = db::Blob{*parent};
  auto access = sha256(made.tokens.access_token);
  tx.exec(
      "INSERT INTO access_token (hash, user_id, device_id, expires_at, refresh, parent) VALUES ($1, $2, $3, $4, $5, "
      "$6)",
      db::Blob{access}, user.str(), device.str(), made.expires_at, refresh_blob, parent_blob);
  if (refresh)
    tx.exec("INSERT INTO refresh_token (hash, user_id, device_id, parent) VALUES ($1, $2, $3, $4)", db::Blob{*refresh},
            user.str(), device.str(), parent_blob);
}

std::vector<std::string> put_device(db::Tx& tx, const UserId& user, const DeviceId& device,
                                    const std::optional<std::string>& name) {
  auto hashes = tx.all(
      "DELETE FROM access_token WHERE user_id = $1 AND device_id = $2 RETURNING hash",
      [](const db::Row& row) { return row.bytes(0); }, user.str(), device.str());
  tx.exec("DELETE FROM refresh_token WHERE user_id = $1 AND device_id = $2", user.str(), device.str());
  tx.exec(
      "INSERT INTO device (user_id, device_id, display_name) VALUES ($1, $2, $3) ON CONFLICT (user_id, device_id) DO "
      "NOTHING",
      user.str(), device.str(), name);
  return hashes;
}

Result<void> check_device_name(const std::optional<std::string>& name) {
  constexpr std::ptrdiff_t kMaxCharacters = 100;
  if (!name) return {};
  auto characters = std::ranges::count_if(*name, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
  if (characters <= kMaxCharacters) return {};
  return fail(Code::kInvalidParam, "the device's display name is longer than 100 characters");
}

Result<DeviceId> device_id_for(const DeviceRequest& request, Random& random) {
  if (request.device_id && !request.device_id->empty()) return DeviceId::parse(*request.device_id);
  auto id = random.token(10);
  for (auto& c : id) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return DeviceId::make(id);
}

}  // namespace myelin::accounts
