#include "matrix/signing.h"

#include <sodium.h>

#include <stdexcept>

#include "base/bytes.h"

namespace myelin {
namespace {
const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
}  // namespace

SigningKey::SigningKey(std::string_view seed32, SigningKeyId id) : key_id_(std::move(id)) {
  unsigned char public_part[crypto_sign_PUBLICKEYBYTES];
  crypto_sign_seed_keypair(public_part, secret_.data(), bytes(seed32));
}

Result<SigningKey> SigningKey::from_seed(std::string_view seed32, std::string_view version) {
  if (seed32.size() != crypto_sign_SEEDBYTES) return fail(Code::kInvalidParam, "an Ed25519 seed has 32 bytes");
  auto id = SigningKeyId::make(version);
  if (!id) return fail(Code::kInvalidParam, "the version of a signing key has only the characters A-Z a-z 0-9 _");
  return SigningKey(seed32, *std::move(id));
}

SigningKey SigningKey::generate(Random& random, std::string_view version) {
  std::array<uint8_t, crypto_sign_SEEDBYTES> seed;
  random.fill(seed);
  auto key = from_seed({reinterpret_cast<const char*>(seed.data()), seed.size()}, version);
  sodium_memzero(seed.data(), seed.size());
  if (!key) throw std::invalid_argument(key.error().message);
  return *std::move(key);
}

Result<SigningKey> SigningKey::of_client(std::string_view seed32, std::string_view name) {
  if (seed32.size() != crypto_sign_SEEDBYTES) return fail(Code::kInvalidParam, "an Ed25519 seed has 32 bytes");
  return SigningKey(seed32, SigningKeyId::trusted("ed25519:" + std::string(name)));
}

SigningKey::~SigningKey() { sodium_memzero(secret_.data(), secret_.size()); }

// libsodium's secret key is the seed followed by the public key.
std::string SigningKey::seed() const { return std::string(secret_.begin(), secret_.begin() + 32); }
std::string SigningKey::public_key() const { return std::string(secret_.begin() + 32, secret_.end()); }

std::string SigningKey::sign(std::string_view message) const {
  std::string signature(crypto_sign_BYTES, '\0');
  crypto_sign_detached(reinterpret_cast<unsigned char*>(signature.data()), nullptr, bytes(message), message.size(),
                       secret_.data());
  return signature;
}

bool verify_signature(std::string_view public_key, std::string_view message, std::string_view signature) {
  return public_key.size() == crypto_sign_PUBLICKEYBYTES && signature.size() == crypto_sign_BYTES &&
         crypto_sign_verify_detached(bytes(signature), bytes(message), message.size(), bytes(public_key)) == 0;
}

Result<void> sign_json(json::Object& object, const std::string& name, const SigningKey& key, json::CanonicalMode mode) {
  auto existing = object.if_contains("signatures");
  if (existing && !existing->is_object()) return fail(Code::kBadJson, "signatures is not an object");
  MYELIN_TRY(std::string message, json::canonical_without(object, {"signatures", "unsigned"}, mode));
  json::Value& signatures = existing ? *existing : (object["signatures"] = json::Object());
  json::Value& ours = signatures.get_object()[name];
  if (!ours.is_object()) ours = json::Object();
  ours.get_object()[key.key_id()] = base64(key.sign(message));
  return {};
}

Result<void> verify_json(const json::Object& object, std::string_view name, std::string_view key_id,
                         std::string_view public_key, json::CanonicalMode mode) {
  auto signatures = json::object_at(object, "signatures");
  auto by_name = signatures ? json::object_at(*signatures, name) : nullptr;
  auto text = by_name ? json::string_at(*by_name, key_id) : std::nullopt;
  if (!text) return fail(Code::kInvalidSignature, "not signed by " + std::string(name));
  auto signature = from_base64(*text);
  if (!signature) return fail(Code::kInvalidSignature, "the signature is not base64");
  MYELIN_TRY(std::string message, json::canonical_without(object, {"signatures", "unsigned"}, mode));
  if (!verify_signature(public_key, message, *signature))
    return fail(Code::kInvalidSignature, "the signature of " + std::string(name) + " is wrong");
  return {};
}

}  // namespace myelin
