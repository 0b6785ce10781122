#include "components/keys/tables.h"

#include "components/accounts/user_out.h"

namespace myelin::keys {
using accounts::kUserOut;
using accounts::UserOut;

int64_t lock_user(db::Tx& tx, const UserId& user, int64_t count) {
  auto next = tx.one(
      "INSERT INTO key_user (user_id, next_seq) VALUES ($1, $2) ON CONFLICT (user_id) "
      "DO UPDATE SET next_seq = key_user.next_seq + excluded.next_seq RETURNING next_seq",
      [](const db::Row& row) { return row.i64(0); }, user.str(), count);
  return next.value() - count;
}

KeyCounts read_counts(db::ReadTx& tx, const UserId& user, const DeviceId& device) {
  KeyCounts counts;
  counts.one_time["signed_curve25519"] = 0;  // named even at zero: clients learn from it that they must upload
  tx.query(
      "SELECT algorithm, COUNT(*) FROM one_time_key WHERE user_id = $1 AND device_id = $2 GROUP BY algorithm",
      [&](const db::Row& row) { counts.one_time[row.str(0)] = row.i64(1); }, user.str(), device.str());
  tx.query(
      "SELECT algorithm FROM fallback_key WHERE user_id = $1 AND device_id = $2 AND used = 0 ORDER BY algorithm",
      [&](const db::Row& row) { counts.unused_fallback.push_back(row.str(0)); }, user.str(), device.str());
  return counts;
}

void publish_device_list(db::Tx& tx, const UserId& user) {
  tx.publish(kUserOut.name, bus::partition_of(user.str()), encode(UserOut{user, accounts::DeviceListChanged{}}));
}

void publish_counts(db::Tx& tx, const UserId& user, const DeviceId& device) {
  tx.publish(kUserOut.name, bus::partition_of(user.str()), encode(UserOut{user, accounts::KeyCountsChanged{device}}));
}

void erase_key_material(db::Tx& tx, const UserId& user, const DeviceId& device) {
  tx.exec("DELETE FROM one_time_key WHERE user_id = $1 AND device_id = $2", user.str(), device.str());
  tx.exec("DELETE FROM one_time_key_claimed WHERE user_id = $1 AND device_id = $2", user.str(), device.str());
  tx.exec("DELETE FROM fallback_key WHERE user_id = $1 AND device_id = $2", user.str(), device.str());
  erase_signatures(tx, user, device);
}

void erase_signatures(db::Tx& tx, const UserId& user, const DeviceId& device) {
  tx.exec("DELETE FROM key_signature WHERE target_user = $1 AND target_key = $2", user.str(), device.str());
}

json::Object counts_object(const KeyCounts& counts) {
  json::Object out;
  for (const auto& [algorithm, count] : counts.one_time) out[algorithm] = count;
  return out;
}

}  // namespace myelin::keys
