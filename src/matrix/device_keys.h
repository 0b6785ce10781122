// Device keys, one-time keys and cross-signing keys (client-server API, End-to-End Encryption), as clients and other
// servers give them: shape, ownership and signatures, checked before anything is stored or passed on, for garbage here
// breaks other people's clients and servers later. Nothing of Olm, Megolm or SAS. Pure; any thread.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "matrix/ids.h"
#include "matrix/json.h"

namespace myelin {

inline constexpr size_t kMaxOneTimeKeys = 2'000;  // of one device, and in one request
inline constexpr size_t kMaxKeyNameBytes = 255;
inline constexpr size_t kMaxKeyBodyBytes = 65'536;  // of one key as it is kept: the check_…() fail with kTooLarge

// Fit to be a name in a table: 1 to max_bytes of UTF-8 without NUL.
bool is_storable(std::string_view text, size_t max_bytes = kMaxKeyNameBytes);
// The public key, if `text` is 32 bytes of base64.
std::optional<std::string> decode_public_key(std::string_view text);
// Canonical JSON without `signatures` and `unsigned`: what two copies of one key agree in. kBadJson.
Result<std::string> signed_part(const json::Object&);

// ---- devices

struct DeviceKeys {
  std::string body;         // canonical JSON without `unsigned`
  std::string identity;     // the canonical form of its `keys`: another one means another device
  std::string signed_json;  // signed_part(): signatures made on another one are worth nothing
};
// Of this user's device. "The JSON object must include the public part of the device's Ed25519 key, and must be signed
// by that key" is said to the device, and whoever uses the keys checks it: here a signature by the device must be right
// if there is one, and keys without one are taken, for nobody's client will use them. kBadJson (shape), kInvalidParam
// (of another user or device), kInvalidSignature.
Result<DeviceKeys> check_device_keys(const json::Value&, const UserId&, const DeviceId&);

struct NamedKey {  // "signed_curve25519:AAAAHg"
  std::string algorithm, id;
  std::string body;  // canonical JSON
};
struct KeyUpload {  // POST /keys/upload
  std::optional<DeviceKeys> device_keys{};
  std::vector<NamedKey> one_time_keys{}, fallback_keys{};
};
// Errors as check_device_keys(), and kTooLarge.
Result<KeyUpload> check_key_upload(const json::Object& body, const UserId&, const DeviceId&);

// ---- cross-signing

enum class KeyUsage : uint8_t { kMaster, kSelfSigning, kUserSigning };
std::string_view to_string(KeyUsage);  // "self_signing"

struct CrossSigningKey {
  std::string public_key;  // unpadded base64
  json::Object object;     // without `unsigned`
  std::string body;        // canonical JSON
};
// One key of this user's, for this usage. kBadJson (shape), kInvalidParam (of another user).
Result<CrossSigningKey> check_cross_signing_key(const json::Value&, KeyUsage, const UserId&);

struct CrossSigningUpload {  // POST /keys/device_signing/upload
  std::optional<CrossSigningKey> master{}, self_signing{}, user_signing{};
};
// Errors as check_cross_signing_key(); kMissingParam when there is no key at all.
Result<CrossSigningUpload> check_cross_signing(const json::Object& body, const UserId&);
// Is `key` signed by the master key? kInvalidSignature.
Result<void> check_signed_by_master(const CrossSigningKey& key, const UserId&, const std::string& master_public_key);

// Who may sign what: a device its owner's master key, the self-signing key its owner's devices, the user-signing key
// the master keys of others.
enum class Signer : uint8_t { kDevice, kSelfSigningKey, kUserSigningKey };
enum class SignedKey : uint8_t { kDevice, kMasterKey };
// nullopt: nobody of this user's may.
std::optional<Signer> signer_of(SignedKey, const UserId& owner, const UserId& signing_user);

}  // namespace myelin
