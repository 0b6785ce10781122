// POST /keys/device_signing/upload and /keys/signatures/upload (client-server API, Cross-signing).
#include <algorithm>
#include <map>

#include "components/keys/keys_impl.h"
#include "matrix/signing.h"

namespace myelin::keys {
namespace {

struct StoredKey {
  std::string public_key, body;
};
using StoredKeys = std::map<std::string, StoredKey>;  // by usage

StoredKeys read_cross_signing(db::ReadTx& tx, const UserId& user) {
  StoredKeys out;
  tx.query(
      "SELECT usage, public_key, body FROM cross_signing_key WHERE user_id = $1",
      [&](const db::Row& row) { out[row.str(0)] = {row.str(1), row.str(2)}; }, user.str());
  return out;
}

std::optional<std::string> device_body(db::ReadTx& tx, const UserId& user, const std::string& device) {
  return tx.one(
      "SELECT body FROM device_key WHERE user_id = $1 AND device_id = $2",
      [](const db::Row& row) { return row.str(0); }, user.str(), device);
}

// The public key behind "ed25519:DEVICE", if the user has such a device.
std::optional<std::string> device_signing_key(db::ReadTx& tx, const UserId& user, std::string_view name) {
  if (!name.starts_with("ed25519:") || !is_storable(name)) return std::nullopt;
  auto body = device_body(tx, user, std::string(name.substr(8)));
  auto device = body ? json::parse_object(*body) : fail(Code::kNotFound);
  const auto* keys = device ? json::object_at(*device, "keys") : nullptr;
  auto text = keys == nullptr ? std::nullopt : json::string_at(*keys, name);
  return text ? decode_public_key(*text) : std::nullopt;
}

// ---- device_signing/upload

// One upload inside its transaction. The user's row is locked.
class CrossSigningWriter {
 public:
  CrossSigningWriter(db::Tx& tx, const UserId& user) : tx_(tx), user_(user), stored_(read_cross_signing(tx, user)) {}

  Result<void> write(const CrossSigningUpload& upload, Authenticated authenticated) {
    auto master = stored_.find("master");
    if (!upload.master && master == stored_.end()) return fail(Code::kMissingParam, "there is no master key");
    const std::string& master_key = upload.master ? upload.master->public_key : master->second.public_key;
    if (upload.self_signing) MYELIN_CHECK(check_signed_by_master(*upload.self_signing, user_, master_key));
    if (upload.user_signing) MYELIN_CHECK(check_signed_by_master(*upload.user_signing, user_, master_key));
    if (upload.master) MYELIN_CHECK(check_device_signatures(*upload.master));
    bool same = is_stored("master", upload.master) && is_stored("self_signing", upload.self_signing) &&
                is_stored("user_signing", upload.user_signing);
    if (same) return {};
    if (master != stored_.end() && authenticated == Authenticated::kNo)
      return fail(Code::kUiaIncomplete, "replacing cross-signing keys needs authentication");
    if (upload.master && master != stored_.end() && master->second.public_key != upload.master->public_key) {
      // What the former master key vouches for is worth nothing now.
      for (const auto& [usage, key] : StoredKeys(stored_)) erase(usage, key);
    }
    put("master", upload.master);
    put("self_signing", upload.self_signing);
    put("user_signing", upload.user_signing);
    publish_device_list(tx_, user_);
    return {};
  }

 private:
  bool is_stored(const std::string& usage, const std::optional<CrossSigningKey>& key) const {
    if (!key) return true;
    auto it = stored_.find(usage);
    return it != stored_.end() && it->second.public_key == key->public_key && same_signed_part(it->second.body, *key);
  }

  static bool same_signed_part(const std::string& stored, const CrossSigningKey& key) {
    auto object = json::parse_object(stored);
    if (!object) return false;
    auto before = signed_part(*object), now = signed_part(key.object);
    return before && now && *before == *now;
  }

  // A master key may come signed by the user's devices: those that are known must really have signed it.
  Result<void> check_device_signatures(const CrossSigningKey& master) {
    const auto* signatures = json::object_at(master.object, "signatures");
    const auto* own = signatures == nullptr ? nullptr : json::object_at(*signatures, user_.str());
    if (own == nullptr) return {};
    for (const auto& entry : *own) {
      auto key = device_signing_key(tx_, user_, entry.key());
      if (key) MYELIN_CHECK(verify_json(master.object, user_.str(), entry.key(), *key, json::CanonicalMode::kStrict));
    }
    return {};
  }

  // The key, what was signed with it, and what was signed about it.
  void erase(const std::string& usage, const StoredKey& key) {
    tx_.exec("DELETE FROM cross_signing_key WHERE user_id = $1 AND usage = $2", user_.str(), usage);
    tx_.exec("DELETE FROM key_signature WHERE signer_user = $1 AND signer_key = $2", user_.str(),
             "ed25519:" + key.public_key);
    tx_.exec("DELETE FROM key_signature WHERE target_user = $1 AND target_key = $2", user_.str(), key.public_key);
    stored_.erase(usage);
  }

  void put(const std::string& usage, const std::optional<CrossSigningKey>& key) {
    if (!key || is_stored(usage, key)) return;
    if (auto it = stored_.find(usage); it != stored_.end() && it->second.public_key != key->public_key)
      erase(usage, StoredKey(it->second));
    tx_.exec(
        "INSERT INTO cross_signing_key (user_id, usage, public_key, body) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (user_id, usage) DO UPDATE SET public_key = excluded.public_key, body = excluded.body",
        user_.str(), usage, key->public_key, key->body);
  }

  db::Tx& tx_;
  const UserId& user_;
  StoredKeys stored_;
};

// ---- signatures/upload

struct Target {  // a key that somebody has signed
  UserId user;
  std::string key;  // device id or master key
  std::string signed_json;
};
struct Verified {
  Target target;
  std::string stored_body;  // what the signature was checked against
  bool is_device = false;
  std::vector<std::pair<std::string, std::string>> signatures;  // signer key, signature
};
struct Verdicts {
  std::map<UserId, std::vector<Verified>> verified;
  json::Object failures;
};

Result<std::vector<Target>> parse_signatures(const json::Object& body) {
  std::vector<Target> out;
  for (const auto& user : body) {
    auto id = UserId::parse(user.key());
    if (!id || !user.value().is_object()) return fail(Code::kBadJson, "the body does not map user ids to keys");
    for (const auto& key : user.value().get_object()) {
      if (!key.value().is_object()) return fail(Code::kBadJson, "a signed key is not an object");
      out.push_back({*id, std::string(key.key()), json::serialize(key.value().get_object())});
    }
  }
  return out;
}

// Checks one signed key against what is stored of it and of its signer.
class SignatureCheck {
 public:
  SignatureCheck(db::ReadTx& tx, const UserId& signer)
      : tx_(tx), signer_(signer), own_(read_cross_signing(tx, signer)) {}

  Result<Verified> check(const Target& target) {
    Verified out{target, {}, false, {}};
    MYELIN_CHECK(find(target, out));
    MYELIN_TRY(auto object, json::parse_object(target.signed_json));
    MYELIN_TRY(auto stored, json::parse_object(out.stored_body));
    MYELIN_TRY(auto theirs, signed_part(object));
    MYELIN_TRY(auto ours, signed_part(stored));
    if (theirs != ours) return fail(Code::kUnknown, "this is not the key that is stored under the name");
    const auto* signatures = json::object_at(object, "signatures");
    const auto* mine = signatures == nullptr ? nullptr : json::object_at(*signatures, signer_.str());
    if (mine == nullptr) return fail(Code::kInvalidSignature, "no signature by the user who uploads it");
    for (const auto& entry : *mine) {
      std::string name(entry.key());
      if (already_in(stored, name, entry.value())) continue;
      MYELIN_TRY(auto public_key, signing_key(target, out.is_device, name));
      MYELIN_CHECK(verify_json(object, signer_.str(), name, public_key, json::CanonicalMode::kStrict));
      out.signatures.emplace_back(name, std::string(entry.value().get_string()));
    }
    return out;
  }

 private:
  Result<void> find(const Target& target, Verified& out) {
    if (auto device = target.user == signer_ ? device_body(tx_, target.user, target.key) : std::nullopt) {
      out.stored_body = *device;
      out.is_device = true;
      return {};
    }
    auto keys = target.user == signer_ ? own_ : read_cross_signing(tx_, target.user);
    auto master = keys.find("master");
    if (master == keys.end() || master->second.public_key != target.key)
      return fail(Code::kNotFound, "there is no such device or master key");
    out.stored_body = master->second.body;
    return {};
  }

  bool already_in(const json::Object& stored, const std::string& name, const json::Value& signature) const {
    const auto* signatures = json::object_at(stored, "signatures");
    const auto* mine = signatures == nullptr ? nullptr : json::object_at(*signatures, signer_.str());
    const auto* known = mine == nullptr ? nullptr : mine->if_contains(name);
    return known != nullptr && *known == signature;
  }

  Result<std::string> signing_key(const Target& target, bool is_device, const std::string& name) {
    if (!name.starts_with("ed25519:")) return fail(Code::kInvalidSignature, "not an ed25519 signature");
    std::string id = name.substr(8);
    std::optional<std::string> key;
    auto signer = signer_of(is_device ? SignedKey::kDevice : SignedKey::kMasterKey, target.user, signer_);
    if (signer == Signer::kDevice) {
      key = device_signing_key(tx_, signer_, name);
    } else if (signer) {
      auto usage = signer == Signer::kSelfSigningKey ? KeyUsage::kSelfSigning : KeyUsage::kUserSigning;
      auto it = own_.find(std::string(to_string(usage)));
      if (it != own_.end() && it->second.public_key == id) key = decode_public_key(id);
    }
    if (!key) return fail(Code::kInvalidSignature, name + " may not sign this key");
    return *key;
  }

  db::ReadTx& tx_;
  const UserId& signer_;
  StoredKeys own_;
};

void add_failure(json::Object& failures, const Target& target, const Error& error) {
  auto& of_user = failures[target.user.str()];
  if (!of_user.is_object()) of_user = json::Object();
  of_user.get_object()[target.key] = json::Object{{"errcode", errcode(error.code)}, {"error", error.message}};
}

Verdicts judge(db::ReadTx& tx, const std::vector<Target>& targets, const UserId& signer) {
  Verdicts out;
  SignatureCheck check(tx, signer);
  for (const auto& target : targets) {
    auto verified = is_storable(target.key) ? check.check(target) : fail(Code::kNotFound, "there is no such key");
    if (!verified)
      add_failure(out.failures, target, verified.error());
    else if (!verified->signatures.empty())
      out.verified[target.user].push_back(std::move(*verified));
  }
  return out;
}

// What was checked may have been replaced since: only signatures on what is still there are kept.
void store_signatures(db::Tx& tx, const UserId& signer, const UserId& target, const std::vector<Verified>& verified) {
  lock_user(tx, target);
  bool changed = false;
  for (const auto& each : verified) {
    auto keys = each.is_device ? StoredKeys() : read_cross_signing(tx, target);
    auto now = each.is_device ? device_body(tx, target, each.target.key) : std::optional(keys["master"].body);
    if (now != each.stored_body) continue;
    for (const auto& [signer_key, signature] : each.signatures)
      changed |= tx.exec(
                     "INSERT INTO key_signature (target_user, target_key, signer_user, signer_key, signature) "
                     "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (target_user, target_key, signer_user, signer_key) "
                     "DO UPDATE SET signature = excluded.signature WHERE key_signature.signature <> excluded.signature",
                     target.str(), each.target.key, signer.str(), signer_key, signature) > 0;
  }
  if (changed) publish_device_list(tx, target);
}

}  // namespace

Task<Result<void>> KeysImpl::upload_cross_signing(accounts::Session session, json::Object body,
                                                  Authenticated authenticated) {
  MYELIN_CO_TRY(auto upload, check_cross_signing(body, session.user));
  MYELIN_CO_TRY(auto devices, co_await accounts_.devices(session.user));
  for (const auto* key : {&upload.master, &upload.self_signing, &upload.user_signing})
    for (const auto& device : devices)
      if (*key && (*key)->public_key == device.id.str())
        co_return fail(Code::kForbidden, "a device has this key as its id");
  co_return co_await db_.write(lane_of(session.user),
                               [user = session.user, upload, authenticated](db::Tx& tx) -> Result<void> {
                                 lock_user(tx, user);
                                 return CrossSigningWriter(tx, user).write(upload, authenticated);
                               });
}

Task<Result<json::Object>> KeysImpl::upload_signatures(accounts::Session session, json::Object body) {
  MYELIN_CO_TRY(auto targets, parse_signatures(body));
  MYELIN_CO_TRY(auto verdicts, co_await db_.read([targets, signer = session.user](db::ReadTx& tx) {
    return judge(tx, targets, signer);
  }));
  for (const auto& [target, verified] : verdicts.verified)
    MYELIN_CO_CHECK(co_await db_.write(lane_of(target), [signer = session.user, target, verified](db::Tx& tx) {
      store_signatures(tx, signer, target, verified);
    }));
  co_return json::Object{{"failures", std::move(verdicts.failures)}};
}

}  // namespace myelin::keys
