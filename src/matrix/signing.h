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
  static SigningKey generate(Random&, std::string version);  // key id "ed25519:<version>"
  static Result<SigningKey> from_seed(std::string_view seed32, std::string version);
  ~SigningKey();  // wipes the secret
  SigningKey(const SigningKey&) = default;
  SigningKey(SigningKey&&) = default;
  SigningKey& operator=(const SigningKey&) = default;
  SigningKey& operator=(SigningKey&&) = default;

  const std::string& key_id() const { return key_id_; }  // "ed25519:a_AbCd"
  std::string seed() const;                              // 32 bytes: to store
  std::string public_key() const;                        // 32 bytes
  std::string sign(std::string_view message) const;      // 64 bytes

 private:
  SigningKey() = default;
  std::string key_id_;
  std::array<uint8_t, 64> secret_{};
};

bool verify_signature(std::string_view public_key, std::string_view message, std::string_view signature);

// Adds signatures[name][key id]; other signatures stay. `unsigned` is not signed.
Result<void> sign_json(json::Object&, const std::string& name, const SigningKey&, json::CanonicalMode);
// Checks signatures[name][key_id]. kInvalidSignature, kBadJson.
Result<void> verify_json(const json::Object&, std::string_view name, std::string_view key_id,
                         std::string_view public_key, json::CanonicalMode);

}  // namespace myelin
