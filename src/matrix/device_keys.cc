#include "matrix/device_keys.h"

#include <algorithm>
#include <set>

#include "base/bytes.h"
#include "matrix/signing.h"

namespace myelin {
namespace {

std::unexpected<Error> bad(std::string message) { return fail(Code::kBadJson, std::move(message)); }

// {"@user:server": {"ed25519:ID": "base64"}}
bool is_signatures(const json::Value& value) {
  if (!value.is_object()) return false;
  return std::ranges::all_of(value.get_object(), [](const auto& user) {
    return user.value().is_object() &&
           std::ranges::all_of(user.value().get_object(), [](const auto& entry) { return entry.value().is_string(); });
  });
}

// "ed25519:DEVICE" -> is the value what the algorithm wants?
Result<void> check_identity_key(std::string_view name, const json::Value& value, const DeviceId& device) {
  auto colon = name.find(':');
  if (colon == name.npos || colon == 0) return bad("a name in device_keys.keys is not <algorithm>:<device id>");
  auto algorithm = name.substr(0, colon);
  if (name.substr(colon + 1) != device.str()) return bad("a key in device_keys.keys names another device");
  if (!value.is_string()) return bad("a value in device_keys.keys is not a string");
  bool has_32_bytes = algorithm == "ed25519" || algorithm == "curve25519";
  if (has_32_bytes && !decode_public_key(value.get_string()))
    return bad(std::string(name) + " is not 32 bytes of base64");
  return {};
}

// As it is kept: others ask for it together with the keys of many, so one may not be too much.
Result<std::string> body_of(Result<std::string> canonical) {
  if (canonical && canonical->size() > kMaxKeyBodyBytes) return fail(Code::kTooLarge, "a key is too large");
  return canonical;
}

Result<void> check_algorithms(const json::Object& keys) {
  const auto* algorithms = json::array_at(keys, "algorithms");
  if (algorithms == nullptr) return bad("device_keys.algorithms is not a list");
  if (!std::ranges::all_of(*algorithms, [](const json::Value& each) { return each.is_string(); }))
    return bad("device_keys.algorithms holds something that is not a string");
  return {};
}

Result<NamedKey> check_named_key(std::string_view name, const json::Value& value) {
  auto colon = name.find(':');
  if (colon == name.npos) return bad("the name of a one-time key is not <algorithm>:<key id>");
  NamedKey out{std::string(name.substr(0, colon)), std::string(name.substr(colon + 1)), {}};
  if (!is_storable(out.algorithm) || !is_storable(out.id))
    return bad("the name of a one-time key is empty, too long or no text");
  if (value.is_object()) {
    const auto& object = value.get_object();
    auto key = json::string_at(object, "key");
    const auto* signatures = object.if_contains("signatures");
    if (!key || signatures == nullptr || !is_signatures(*signatures))
      return bad("a one-time key has no key or signatures");
    if (out.algorithm.ends_with("curve25519") && !decode_public_key(*key))
      return bad("a one-time key is not 32 bytes of base64");
  } else if (!value.is_string() || out.algorithm.starts_with("signed_")) {
    return bad("a one-time key has the wrong form");
  } else if (out.algorithm == "curve25519" && !decode_public_key(value.get_string())) {
    return bad("a one-time key is not 32 bytes of base64");
  }
  MYELIN_TRY(out.body, body_of(json::canonical(value, json::CanonicalMode::kStrict)));
  return out;
}

Result<std::vector<NamedKey>> check_named_keys(const json::Object& body, std::string_view field) {
  std::vector<NamedKey> out;
  const auto* value = body.if_contains(field);
  if (value == nullptr || value->is_null()) return out;
  if (!value->is_object()) return bad(std::string(field) + " is not an object");
  if (value->get_object().size() > kMaxOneTimeKeys) return fail(Code::kTooLarge, "too many keys in one request");
  for (const auto& entry : value->get_object()) {
    MYELIN_TRY(auto key, check_named_key(entry.key(), entry.value()));
    out.push_back(std::move(key));
  }
  return out;
}

// A key of an upload, if it is there.
Result<std::optional<CrossSigningKey>> key_in(const json::Object& body, std::string_view field, KeyUsage usage,
                                              const UserId& user) {
  const auto* value = body.if_contains(field);
  if (value == nullptr || value->is_null()) return std::nullopt;
  return check_cross_signing_key(*value, usage, user);
}

}  // namespace

bool is_storable(std::string_view text, size_t max_bytes) {
  return !text.empty() && text.size() <= max_bytes && text.find('\0') == text.npos && is_valid_utf8(text);
}

std::optional<std::string> decode_public_key(std::string_view text) {
  auto bytes = from_base64(text);
  if (!bytes || bytes->size() != 32) return std::nullopt;
  return bytes;
}

Result<std::string> signed_part(const json::Object& object) {
  return json::canonical_without(object, {"signatures", "unsigned"}, json::CanonicalMode::kStrict);
}

Result<DeviceKeys> check_device_keys(const json::Value& value, const UserId& user, const DeviceId& device) {
  if (!value.is_object()) return bad("device_keys is not an object");
  json::Object keys = value.get_object();
  auto owner = json::string_at(keys, "user_id"), of = json::string_at(keys, "device_id");
  if (!owner || !of) return bad("device_keys has no user_id or device_id");
  MYELIN_CHECK(check_algorithms(keys));
  const auto* identity = json::object_at(keys, "keys");
  if (identity == nullptr) return bad("device_keys.keys is not an object");
  auto* signatures = keys.if_contains("signatures");
  if (signatures == nullptr || !is_signatures(*signatures))
    return bad("device_keys.signatures is not a map of maps of strings");
  if (*owner != user.str() || *of != device.str())
    return fail(Code::kInvalidParam, "device_keys are not those of the device that uploads them");
  for (const auto& entry : *identity) MYELIN_CHECK(check_identity_key(entry.key(), entry.value(), device));
  // Clients refuse a device whose own signature is wrong, so it is better refused here.
  std::string signer = "ed25519:" + device.str();
  const auto* own = json::object_at(signatures->get_object(), user.str());
  if (auto key = json::string_at(*identity, signer); key && own != nullptr && own->contains(signer))
    MYELIN_CHECK(verify_json(keys, user.str(), signer, *decode_public_key(*key), json::CanonicalMode::kStrict));
  DeviceKeys out;
  MYELIN_TRY(out.body, body_of(json::canonical_without(keys, {"unsigned"}, json::CanonicalMode::kStrict)));
  MYELIN_TRY(out.signed_json, signed_part(keys));
  MYELIN_TRY(out.identity, json::canonical(*identity, json::CanonicalMode::kStrict));
  return out;
}

Result<KeyUpload> check_key_upload(const json::Object& body, const UserId& user, const DeviceId& device) {
  KeyUpload out;
  if (const auto* keys = body.if_contains("device_keys")) {
    MYELIN_TRY(auto device_keys, check_device_keys(*keys, user, device));
    out.device_keys = std::move(device_keys);
  }
  MYELIN_TRY(out.one_time_keys, check_named_keys(body, "one_time_keys"));
  MYELIN_TRY(out.fallback_keys, check_named_keys(body, "fallback_keys"));
  std::set<std::string_view> algorithms;
  for (const auto& key : out.fallback_keys)
    if (!algorithms.insert(key.algorithm).second) return bad("two fallback keys of one algorithm");
  return out;
}

std::string_view to_string(KeyUsage usage) {
  switch (usage) {
    case KeyUsage::kMaster:
      return "master";
    case KeyUsage::kSelfSigning:
      return "self_signing";
    case KeyUsage::kUserSigning:
      return "user_signing";
  }
  return "";
}

Result<CrossSigningKey> check_cross_signing_key(const json::Value& value, KeyUsage usage, const UserId& user) {
  auto wrong = [&](std::string_view what) { return bad(std::string(to_string(usage)) + " key: " + std::string(what)); };
  if (!value.is_object()) return wrong("not an object");
  CrossSigningKey key{{}, value.get_object(), {}};
  key.object.erase("unsigned");
  auto owner = json::string_at(key.object, "user_id");
  const auto* usages = json::array_at(key.object, "usage");
  const auto* publics = json::object_at(key.object, "keys");
  if (!owner || usages == nullptr || publics == nullptr) return wrong("user_id, usage or keys is missing");
  if (*owner != user.str())
    return fail(Code::kInvalidParam, "the " + std::string(to_string(usage)) + " key belongs to another user");
  if (std::ranges::find(*usages, json::Value(to_string(usage))) == usages->end()) return wrong("not for this usage");
  if (publics->size() != 1 || !publics->begin()->value().is_string()) return wrong("keys must hold one key");
  key.public_key = std::string(publics->begin()->value().get_string());
  if (publics->begin()->key() != "ed25519:" + key.public_key) return wrong("the key is not named by its public key");
  auto bytes = decode_public_key(key.public_key);
  if (!bytes || base64(*bytes) != key.public_key) return wrong("the key is not 32 bytes of unpadded base64");
  if (const auto* signatures = key.object.if_contains("signatures");
      signatures != nullptr && !is_signatures(*signatures))
    return wrong("signatures is not a map of maps of strings");
  MYELIN_TRY(key.body, body_of(json::canonical(key.object, json::CanonicalMode::kStrict)));
  return key;
}

Result<CrossSigningUpload> check_cross_signing(const json::Object& body, const UserId& user) {
  CrossSigningUpload out;
  MYELIN_TRY(out.master, key_in(body, "master_key", KeyUsage::kMaster, user));
  MYELIN_TRY(out.self_signing, key_in(body, "self_signing_key", KeyUsage::kSelfSigning, user));
  MYELIN_TRY(out.user_signing, key_in(body, "user_signing_key", KeyUsage::kUserSigning, user));
  if (!out.master && !out.self_signing && !out.user_signing) return fail(Code::kMissingParam, "no key is given");
  return out;
}

Result<void> check_signed_by_master(const CrossSigningKey& key, const UserId& user,
                                    const std::string& master_public_key) {
  auto master = decode_public_key(master_public_key);
  if (!master) return fail(Code::kInvalidSignature, "the master key is no key");
  return verify_json(key.object, user.str(), "ed25519:" + master_public_key, *master, json::CanonicalMode::kStrict);
}

std::optional<Signer> signer_of(SignedKey key, const UserId& owner, const UserId& signing_user) {
  bool own = owner == signing_user;
  if (key == SignedKey::kDevice) return own ? std::optional(Signer::kSelfSigningKey) : std::nullopt;
  return own ? Signer::kDevice : Signer::kUserSigningKey;
}

}  // namespace myelin
