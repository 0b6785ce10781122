// POST /keys/upload, and the counts that /sync reports.
#include <map>

#include "base/bytes.h"
#include "components/keys/keys_impl.h"
#include "infra/db/sql.h"

namespace myelin::keys {
namespace {

// One device's upload inside its transaction. The user's row is locked.
class Uploader {
 public:
  Uploader(db::Tx& tx, const UserId& user, const DeviceId& device) : tx_(tx), user_(user), device_(device) {}

  Result<void> device_keys(const DeviceKeys& keys) {
    auto stored = tx_.one(
        "SELECT body FROM device_key WHERE user_id = $1 AND device_id = $2",
        [](const db::Row& row) { return row.str(0); }, user_.str(), device_.str());
    if (stored == keys.body) return {};
    if (stored) {
      MYELIN_TRY(auto former, json::parse_object(*stored));
      MYELIN_TRY(auto identity, json::canonical(former.at("keys"), json::CanonicalMode::kStrict));
      MYELIN_TRY(auto former_signed, signed_part(former));
      if (identity != keys.identity) {  // a new device under an old id: nothing of the former one serves it
        erase_key_material(tx_, user_, device_);
        counts_changed_ = true;
      } else if (former_signed != keys.signed_json) {
        erase_signatures(tx_, user_, device_);
      }
    }
    tx_.exec(
        "INSERT INTO device_key (user_id, device_id, body) VALUES ($1, $2, $3) "
        "ON CONFLICT (user_id, device_id) DO UPDATE SET body = excluded.body",
        user_.str(), device_.str(), keys.body);
    list_changed_ = true;
    return {};
  }

  Result<void> one_time_keys(const std::vector<NamedKey>& keys, int64_t seq) {
    if (keys.empty()) return {};
    auto held = held_keys();
    auto claimed = claimed_keys(keys);
    for (const auto& key : keys) {
      std::pair name{key.algorithm, key.id};
      if (auto it = held.find(name); it != held.end()) {
        if (it->second == key.body) continue;
        return fail(Code::kUnknown, "One time key " + key.algorithm + ":" + key.id +
                                        " already exists. Old key: " + it->second + "; new key: " + key.body);
      }
      if (auto it = claimed.find(name); it != claimed.end() && it->second == sha256(key.body)) continue;
      if (held.size() >= kMaxOneTimeKeys) return fail(Code::kTooLarge, "too many one-time keys for one device");
      tx_.exec(
          "INSERT INTO one_time_key (user_id, device_id, algorithm, seq, key_id, body) VALUES ($1, $2, $3, $4, $5, $6)",
          user_.str(), device_.str(), key.algorithm, seq++, key.id, key.body);
      held.emplace(std::move(name), key.body);
      counts_changed_ = true;
    }
    return {};
  }

  void fallback_keys(const std::vector<NamedKey>& keys) {
    for (const auto& key : keys) {
      int64_t changed = tx_.exec(
          "INSERT INTO fallback_key (user_id, device_id, algorithm, key_id, body, used) VALUES ($1, $2, $3, $4, $5, 0) "
          "ON CONFLICT (user_id, device_id, algorithm) DO UPDATE SET key_id = excluded.key_id, body = excluded.body, "
          "used = 0 "
          "WHERE fallback_key.key_id <> excluded.key_id OR fallback_key.body <> excluded.body",
          user_.str(), device_.str(), key.algorithm, key.id, key.body);
      if (changed > 0) counts_changed_ = true;
    }
  }

  void publish() {
    if (list_changed_) publish_device_list(tx_, user_);
    if (counts_changed_) publish_counts(tx_, user_, device_);
  }

 private:
  using Name = std::pair<std::string, std::string>;  // algorithm, id

  std::map<Name, std::string> held_keys() {
    std::map<Name, std::string> out;
    tx_.query(
        "SELECT algorithm, key_id, body FROM one_time_key WHERE user_id = $1 AND device_id = $2",
        [&](const db::Row& row) { out[{row.str(0), row.str(1)}] = row.str(2); }, user_.str(), device_.str());
    return out;
  }

  std::map<Name, std::string> claimed_keys(const std::vector<NamedKey>& keys) {
    std::vector<std::string> ids;
    for (const auto& key : keys) ids.push_back(key.id);
    std::map<Name, std::string> out;
    tx_.query(
        "SELECT algorithm, key_id, hash FROM one_time_key_claimed WHERE user_id = $1 AND device_id = $2 "
        "AND key_id IN {texts $3}",
        [&](const db::Row& row) { out[{row.str(0), row.str(1)}] = row.bytes(2); }, user_.str(), device_.str(),
        db::text_set(ids));
    return out;
  }

  db::Tx& tx_;
  const UserId& user_;
  const DeviceId& device_;
  bool list_changed_ = false, counts_changed_ = false;
};

}  // namespace

Task<Result<json::Object>> KeysImpl::upload(accounts::Session session, json::Object body) {
  MYELIN_CO_TRY(auto upload, check_key_upload(body, session.user, session.device));
  CountCache::Change change(counts_, CountCache::key(session.user, session.device));
  auto write = [user = session.user, device = session.device,
                upload = std::move(upload)](db::Tx& tx) -> Result<KeyCounts> {
    int64_t seq = lock_user(tx, user, static_cast<int64_t>(upload.one_time_keys.size()));
    Uploader uploader(tx, user, device);
    if (upload.device_keys) MYELIN_CHECK(uploader.device_keys(*upload.device_keys));
    MYELIN_CHECK(uploader.one_time_keys(upload.one_time_keys, seq));
    uploader.fallback_keys(upload.fallback_keys);
    uploader.publish();
    return read_counts(tx, user, device);
  };
  MYELIN_CO_TRY(auto counts, co_await db_.write(lane_of(session.user), std::move(write)));
  co_return json::Object{{"one_time_key_counts", counts_object(counts)}};
}

Task<Result<KeyCounts>> KeysImpl::counts(UserId user, DeviceId device) {
  auto key = CountCache::key(user, device);
  if (const auto* known = counts_.find(key)) co_return *known;
  auto stamp = counts_.stamp();
  MYELIN_CO_TRY(auto counts,
                co_await db_.read([user, device](db::ReadTx& tx) { return read_counts(tx, user, device); }));
  counts_.put(key, counts, stamp);
  co_return counts;
}

}  // namespace myelin::keys
