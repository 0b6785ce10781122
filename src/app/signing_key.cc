#include "app/signing_key.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <sstream>

#include "base/bytes.h"

namespace myelin::app {
namespace {

Result<void> write_durably(const std::string& path, const std::string& text) {
  int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return fail(Code::kUnavailable, fmt::format("{} cannot be made: {}", path, std::strerror(errno)));
  bool ok = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  ::close(fd);
  if (!ok) return fail(Code::kUnavailable, fmt::format("{} cannot be written", path));
  return {};
}

}  // namespace

Result<SigningKey> load_or_make_signing_key(const std::string& path, Random& random, const BannedKeys& banned) {
  if (::access(path.c_str(), F_OK) != 0) {
    auto version = "a_" + random.token(6);
    auto key = SigningKey::generate(random, version);
    auto unfinished = path + ".new";  // a crash before the rename leaves no half key behind
    ::unlink(unfinished.c_str());
    MYELIN_CHECK(write_durably(unfinished, fmt::format("ed25519 {} {}\n", version, base64(key.seed()))));
    if (::rename(unfinished.c_str(), path.c_str()) != 0)
      return fail(Code::kUnavailable, fmt::format("{} cannot be made: {}", path, std::strerror(errno)));
    return key;
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
