// What clients upload, checked for shape, ownership and signatures before anything is stored: garbage here would later
// break other people's clients and servers. Pure; any thread.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "matrix/ids.h"
#include "matrix/json.h"

namespace myelin::keys {

inline constexpr size_t kMaxOneTimeKeys = 2'000;  // of one device, and in one request
inline constexpr size_t kMaxKeyIdBytes = 255;

// Text that both databases can hold and that is worth indexing: 1 to max_bytes of UTF-8 without NUL.
bool is_storable(std::string_view text, size_t max_bytes = kMaxKeyIdBytes);

struct NamedKey {  // "signed_curve25519:AAAAHg"
  std::string algorithm, id;
  std::string body;  // canonical JSON
};
struct DeviceKeys {
  std::string body;         // canonical JSON without `unsigned`
  std::string identity;     // the canonical form of its `keys`: another one means another device
  std::string signed_json;  // signed_part(): signatures made on another one are worth nothing
};
struct Upload {  // POST /keys/upload
  std::optional<DeviceKeys> device_keys{};
  std::vector<NamedKey> one_time_keys{}, fallback_keys{};
};
// kBadJson (shape), kInvalidParam (another user's or device's keys), kInvalidSignature, kTooLarge.
Result<Upload> check_upload(const json::Object& body, const UserId&, const DeviceId&);

struct CrossSigningKey {
  std::string public_key;  // unpadded base64
  json::Object object;
  std::string body;  // canonical JSON
};
struct CrossSigningUpload {  // POST /keys/device_signing/upload
  std::optional<CrossSigningKey> master{}, self_signing{}, user_signing{};
};
// Shape and ownership. kBadJson, kInvalidParam; kMissingParam when there is no key at all.
Result<CrossSigningUpload> check_cross_signing(const json::Object& body, const UserId&);
// Is `key` signed by the master key? kInvalidSignature.
Result<void> check_signed_by_master(const CrossSigningKey& key, const UserId&, const std::string& master_public_key);

// The public key, if `text` is 32 bytes of base64.
std::optional<std::string> decode_public_key(std::string_view text);
// Canonical JSON without `signatures` and `unsigned`: what two copies of one key agree in. kBadJson.
Result<std::string> signed_part(const json::Object&);

}  // namespace myelin::keys
