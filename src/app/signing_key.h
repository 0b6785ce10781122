// The server's signing key in the data directory, made at the first start by the system's random source.
#pragma once
#include <string>

#include "matrix/signing.h"

namespace myelin::app {

// `path` holds one line, "ed25519 VERSION SEED" with the seed in unpadded base64, and is readable by its owner only.
Result<SigningKey> load_or_make_signing_key(const std::string& path, Random&);

}  // namespace myelin::app
