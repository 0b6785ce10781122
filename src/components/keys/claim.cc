// POST /keys/claim. The deleted row is the claim: no other request ever sees the key again.
#include <algorithm>
#include <map>

#include "base/bytes.h"
#include "base/fault.h"
#include "components/keys/keys_impl.h"

namespace myelin::keys {
namespace {

struct Wanted {
  UserId user;
  DeviceId device;
  std::string algorithm;
};
struct Claimed {
  UserId user;
  DeviceId device;
  std::string name, body;  // "signed_curve25519:AAAAHg"
};

Result<std::vector<Wanted>> parse_claim(const json::Object& body) {
  const auto* users = json::object_at(body, "one_time_keys");
  if (users == nullptr) return fail(Code::kBadJson, "one_time_keys is not an object");
  std::vector<Wanted> out;
  for (const auto& user : *users) {
    auto id = UserId::parse(user.key());
    if (!id || !user.value().is_object()) return fail(Code::kBadJson, "one_time_keys does not map user ids to devices");
    for (const auto& device : user.value().get_object()) {
      if (!device.value().is_string()) return fail(Code::kBadJson, "one_time_keys does not map devices to algorithms");
      auto device_id = DeviceId::parse(device.key());
      std::string algorithm(device.value().get_string());
      if (device_id && is_storable(algorithm)) out.push_back({*id, *device_id, std::move(algorithm)});
    }
  }
  return out;
}

struct Key {
  std::string id, body;
};
Key key_row(const db::Row& row) { return {row.str(0), row.str(1)}; }

// Given out again and again. Who finds its row locked does not wait for it (docs/spine.md, rule A2: a claim has rows of
// many users): another claim marks it as used, or its device is about to replace it.
std::optional<Key> fallback_key(db::Tx& tx, const Wanted& wanted) {
  auto key = tx.one("SELECT key_id, body FROM fallback_key WHERE user_id = $1 AND device_id = $2 AND algorithm = $3",
                    key_row, wanted.user.str(), wanted.device.str(), wanted.algorithm);
  if (!key) return std::nullopt;
  auto marked = tx.exec(
      "UPDATE fallback_key SET used = 1 WHERE user_id = $1 AND device_id = $2 AND algorithm = "
      "(SELECT algorithm FROM fallback_key WHERE user_id = $1 AND device_id = $2 AND algorithm = $3 AND key_id = $4 "
      "AND used = 0 {skip_locked})",
      wanted.user.str(), wanted.device.str(), wanted.algorithm, key->id);
  if (marked > 0) publish_counts(tx, wanted.user, wanted.device);
  return key;
}

// The oldest unclaimed key by upload, else the fallback key.
std::optional<Claimed> claim_one(db::Tx& tx, const Wanted& wanted) {
  auto key = tx.one(
      "DELETE FROM one_time_key WHERE user_id = $1 AND device_id = $2 AND algorithm = $3 AND seq = "
      "(SELECT seq FROM one_time_key WHERE user_id = $1 AND device_id = $2 AND algorithm = $3 ORDER BY seq LIMIT 1 "
      "{skip_locked}) RETURNING key_id, body",
      key_row, wanted.user.str(), wanted.device.str(), wanted.algorithm);
  if (key) {
    auto hash = sha256(key->body);
    tx.exec(
        "INSERT INTO one_time_key_claimed (user_id, device_id, algorithm, key_id, hash) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (user_id, device_id, algorithm, key_id) DO UPDATE SET hash = excluded.hash",
        wanted.user.str(), wanted.device.str(), wanted.algorithm, key->id, db::Blob{hash});
    publish_counts(tx, wanted.user, wanted.device);
  } else {
    key = fallback_key(tx, wanted);
  }
  if (!key) return std::nullopt;
  return Claimed{wanted.user, wanted.device, wanted.algorithm + ":" + key->id, key->body};
}

json::Object& child(json::Object& parent, std::string_view key) {
  auto& value = parent[key];
  if (!value.is_object()) value = json::Object();
  return value.get_object();
}

}  // namespace

Task<Result<json::Object>> KeysImpl::claim(json::Object body) {
  MYELIN_CO_TRY(auto wanted, parse_claim(body));
  json::Object failures;
  std::map<UserId, std::vector<accounts::Device>> devices;
  std::map<uint32_t, std::vector<Wanted>>
      by_partition;  // a closure publishes on one partition (docs/spine.md, rule B6)
  for (auto& item : wanted) {
    if (!is_local(item.user)) {
      failures[item.user.server()] = json::Object{{"error", "this server cannot be reached"}};
      continue;
    }
    auto known = devices.find(item.user);
    if (known == devices.end()) {
      MYELIN_CO_TRY(auto list, co_await accounts_.devices(item.user));
      known = devices.emplace(item.user, std::move(list)).first;
    }
    bool exists = std::ranges::any_of(known->second, [&](const auto& device) { return device.id == item.device; });
    if (exists) by_partition[bus::partition_of(item.user.str())].push_back(std::move(item));
  }
  json::Object keys;
  for (auto& [partition, items] : by_partition) {
    std::vector<CountCache::Change> changes;
    for (const auto& item : items) changes.emplace_back(counts_, CountCache::key(item.user, item.device));
    auto write = [items](db::Tx& tx) {
      std::vector<Claimed> out;
      for (const auto& item : items)
        if (auto claimed = claim_one(tx, item)) out.push_back(std::move(*claimed));
      return out;
    };
    MYELIN_CO_TRY(auto claimed, co_await db_.write({.lane = partition}, std::move(write)));
    for (const auto& key : claimed) {
      MYELIN_CO_TRY(auto value, json::parse(key.body));
      child(child(keys, key.user.str()), key.device.str())[key.name] = std::move(value);
    }
  }
  crash_point("otk.deleted_before_reply");
  co_return json::Object{{"one_time_keys", std::move(keys)}, {"failures", std::move(failures)}};
}

}  // namespace myelin::keys
