#include "app/signing_key.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>

#include "app/data_file.h"
#include "base/bytes.h"

namespace myelin::app {

Result<SigningKey> load_or_make_signing_key(const std::string& path, Random& random, const BannedKeys& banned) {
  if (::access(path.c_str(), F_OK) != 0) {
    auto version = "a_" + random.token(6);
    auto key = SigningKey::generate(random, version);
    MYELIN_CHECK(make_file(path, fmt::format("ed25519 {} {}\n", version, base64(key.seed()))));
  }
  std::ifstream in(path);
  std::string algorithm, version, seed;
  if (!(in >> algorithm >> version >> seed) || algorithm != "ed25519")
    return fail(Code::kCorrupt, path + " is not a signing key: it must hold \"ed25519 VERSION SEED\"");
  auto bytes = from_base64(seed);
  if (!bytes || bytes->size() != 32) return fail(Code::kCorrupt, path + ": the seed is not 32 bytes of base64");
  MYELIN_TRY(auto key, SigningKey::from_seed(*bytes, version));
  if (banned.contains(key.public_key()))
    return fail(Code::kInvalidParam, path + ": the key is publicly known, and banned from use");
  return key;
}

}  // namespace myelin::app
