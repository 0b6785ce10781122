// The server's signing key in the data directory, made at the first start by the system's random source.
#pragma once
#include <string>

#include "matrix/server_keys.h"
#include "matrix/signing.h"

namespace myelin::app {

// `path` holds one line, "ed25519 VERSION SEED" with the seed in unpadded base64, and is readable by its owner only. Of
// several processes that make it at once, all have the same.
// kInvalidParam: its public key is banned, which no other server would believe.
Result<SigningKey> load_or_make_signing_key(const std::string& path, Random&, const BannedKeys& = BannedKeys::known());

}  // namespace myelin::app
