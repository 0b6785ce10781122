// Ed25519 keys and JSON signing (appendices, Signing JSON). Any thread.
#pragma once
#include <array>
#include <string>
#include <string_view>

#include "base/random.h"
#include "matrix/ids.h"
#include "matrix/json.h"

namespace myelin {

class SigningKey {
 public:
  // A server's, by the version in its key id. kInvalidParam: no such version (SigningKeyId), or not 32 bytes.
  static Result<SigningKey> from_seed(std::string_view seed32, std::string_view version);
  static SigningKey generate(Random&, std::string_view version);  // throws where from_seed() refuses
  // A client's, as tests play them: named by a device id or by its own public key. kInvalidParam: not 32 bytes.
  static Result<SigningKey> of_client(std::string_view seed32, std::string_view name);
  ~SigningKey();  // wipes the secret
  SigningKey(const SigningKey&) = default;
  SigningKey(SigningKey&&) = default;
  SigningKey& operator=(const SigningKey&) = default;
  SigningKey& operator=(SigningKey&&) = default;

  const std::string& key_id() const { return key_id_.str(); }  // "ed25519:a_AbCd"
  std::string seed() const;                                    // 32 bytes: to store
  std::string public_key() const;                              // 32 bytes
  std::string sign(std::string_view message) const;            // 64 bytes

 private:
  SigningKey(std::string_view seed32, SigningKeyId);
  SigningKeyId key_id_;
  std::array<uint8_t, 64> secret_{};
};

// False also where the key has not 32 bytes or the signature not 64.
bool verify_signature(std::string_view public_key, std::string_view message, std::string_view signature);

// Adds signatures[name][key id]; other signatures stay. `unsigned` is not signed. kBadJson, and the object is as it
// was: a number that the mode forbids, or `signatures` is there and no object.
Result<void> sign_json(json::Object&, const std::string& name, const SigningKey&, json::CanonicalMode);
// Checks signatures[name][key_id]. kInvalidSignature: there is none, or it is wrong. kBadJson: a number that the mode
// forbids.
Result<void> verify_json(const json::Object&, std::string_view name, std::string_view key_id,
                         std::string_view public_key, json::CanonicalMode);

}  // namespace myelin
