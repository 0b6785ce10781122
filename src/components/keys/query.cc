// POST /keys/query: identity keys of devices and users, with the signatures that the asker may see.
#include <algorithm>
#include <map>

#include "components/keys/keys_impl.h"
#include "infra/db/sql.h"

namespace myelin::keys {
namespace {

struct Asked {
  UserId user;
  std::vector<std::string> devices;  // empty: all
};

Result<std::vector<Asked>> parse_query(const json::Object& body) {
  const auto* users = json::object_at(body, "device_keys");
  if (users == nullptr) return fail(Code::kBadJson, "device_keys is not an object");
  std::vector<Asked> out;
  for (const auto& entry : *users) {
    auto user = UserId::parse(entry.key());
    if (!user || !entry.value().is_array()) return fail(Code::kBadJson, "device_keys does not map user ids to lists");
    Asked asked{*user, {}};
    for (const auto& device : entry.value().get_array()) {
      if (!device.is_string()) return fail(Code::kBadJson, "a device id is not a string");
      asked.devices.emplace_back(device.get_string());
    }
    out.push_back(std::move(asked));
  }
  return out;
}

struct Rows {
  struct CrossSigning {
    std::string user, usage, public_key, body;
  };
  struct Signature {
    std::string signer_user, signer_key, signature;
  };
  using Name = std::pair<std::string, std::string>;  // user, device id or public key
  std::map<Name, std::string> devices;
  std::vector<CrossSigning> cross_signing;
  std::map<Name, std::vector<Signature>> signatures;
};

// Signatures by the owner are for everyone, others only for the one who made them (client-server API, Cross-signing).
Rows read_rows(db::ReadTx& tx, const std::string& users, const UserId& asker) {
  Rows rows;
  tx.query(
      "SELECT user_id, device_id, body FROM device_key WHERE user_id IN {texts $1}",
      [&](const db::Row& row) { rows.devices[{row.str(0), row.str(1)}] = row.str(2); }, users);
  tx.query(
      "SELECT user_id, usage, public_key, body FROM cross_signing_key WHERE user_id IN {texts $1}",
      [&](const db::Row& row) { rows.cross_signing.push_back({row.str(0), row.str(1), row.str(2), row.str(3)}); },
      users);
  tx.query(
      "SELECT target_user, target_key, signer_user, signer_key, signature FROM key_signature "
      "WHERE target_user IN {texts $1} AND (signer_user = target_user OR signer_user = $2)",
      [&](const db::Row& row) {
        rows.signatures[{row.str(0), row.str(1)}].push_back({row.str(2), row.str(3), row.str(4)});
      },
      users, asker.str());
  return rows;
}

Result<json::Object> with_signatures(const Rows& rows, const std::string& body, const Rows::Name& name) {
  MYELIN_TRY(auto object, json::parse_object(body));
  auto it = rows.signatures.find(name);
  if (it == rows.signatures.end()) return object;
  auto& signatures = object["signatures"];
  if (!signatures.is_object()) signatures = json::Object();
  for (const auto& signature : it->second) {
    auto& of_signer = signatures.get_object()[signature.signer_user];
    if (!of_signer.is_object()) of_signer = json::Object();
    of_signer.get_object()[signature.signer_key] = signature.signature;
  }
  return object;
}

Result<json::Object> devices_of(const Rows& rows, const Asked& asked, const std::vector<accounts::Device>& devices) {
  json::Object out;
  for (const auto& device : devices) {
    bool wanted = asked.devices.empty() || std::ranges::find(asked.devices, device.id.str()) != asked.devices.end();
    Rows::Name name{asked.user.str(), device.id.str()};
    auto it = rows.devices.find(name);
    if (!wanted || it == rows.devices.end()) continue;
    MYELIN_TRY(auto object, with_signatures(rows, it->second, name));
    json::Object extra;
    if (device.display_name) extra["device_display_name"] = *device.display_name;
    object["unsigned"] = std::move(extra);
    out[device.id.str()] = std::move(object);
  }
  return out;
}

}  // namespace

Task<Result<json::Object>> KeysImpl::query(accounts::Session session, json::Object body) {
  MYELIN_CO_TRY(auto asked, parse_query(body));
  json::Object failures;
  std::vector<std::string> users;
  for (const auto& each : asked) {
    if (is_local(each.user))
      users.push_back(each.user.str());
    else
      failures[each.user.server()] = json::Object{{"error", "this server cannot be reached"}};
  }
  MYELIN_CO_TRY(auto rows, co_await db_.read([users = db::text_set(users), asker = session.user](db::ReadTx& tx) {
    return read_rows(tx, users, asker);
  }));
  json::Object devices, master, self_signing, user_signing;
  for (const auto& each : asked) {
    if (!is_local(each.user)) continue;
    MYELIN_CO_TRY(auto list, co_await accounts_.devices(each.user));
    if (list.empty()) {
      MYELIN_CO_TRY(bool exists, co_await accounts_.user_exists(each.user));
      if (!exists) continue;
    }
    MYELIN_CO_TRY(auto of_user, devices_of(rows, each, list));
    devices[each.user.str()] = std::move(of_user);
  }
  for (const auto& key : rows.cross_signing) {
    if (key.usage == "user_signing" && key.user != session.user.str()) continue;
    MYELIN_CO_TRY(auto object, with_signatures(rows, key.body, {key.user, key.public_key}));
    auto& section = key.usage == "master" ? master : key.usage == "self_signing" ? self_signing : user_signing;
    section[key.user] = std::move(object);
  }
  co_return json::Object{{"device_keys", std::move(devices)},
                         {"failures", std::move(failures)},
                         {"master_keys", std::move(master)},
                         {"self_signing_keys", std::move(self_signing)},
                         {"user_signing_keys", std::move(user_signing)}};
}

Task<Result<bool>> KeysImpl::has_cross_signing(UserId user) {
  co_return co_await db_.read([user](db::ReadTx& tx) {
    return tx
        .one(
            "SELECT 1 FROM cross_signing_key WHERE user_id = $1 AND usage = 'master'",
            [](const db::Row&) { return true; }, user.str())
        .has_value();
  });
}

}  // namespace myelin::keys
