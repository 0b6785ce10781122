#include "components/accounts/passwords.h"

#include <fmt/format.h>
#include <sodium.h>

#include "base/bytes.h"
#include "components/accounts/rate_limit.h"

namespace myelin::accounts {
namespace {

constexpr size_t kWaiting = 128;  // beyond: 429
constexpr Milliseconds kRetryAfter = 2'000;

// In the form that libsodium writes; no password gives it.
std::string decoy(size_t memory_kib, unsigned long long passes) {
  return fmt::format("$argon2id$v=19$m={},t={},p=1${}${}", memory_kib, passes,
                     base64(std::string(crypto_pwhash_SALTBYTES, '\0')), base64(std::string(32, '\0')));
}

template <class T>
Result<T> too_busy(Result<T> result) {
  if (!result && result.error().code == Code::kUnavailable) return limit_exceeded(kRetryAfter);
  return result;
}

}  // namespace

Passwords::Passwords(unsigned memory_kib, unsigned passes, int threads)
    : passes_(std::max<unsigned long long>(passes, crypto_pwhash_argon2id_OPSLIMIT_MIN)),
      memory_(std::max(size_t{memory_kib} * 1024, size_t{crypto_pwhash_argon2id_MEMLIMIT_MIN})),
      decoy_(decoy(memory_ / 1024, passes_)),
      pool_("passwords", std::max(threads, 1), kWaiting) {
  if (sodium_init() < 0) throw std::runtime_error("libsodium does not start");
}

Task<Result<std::string>> Passwords::hash(std::string password) {
  auto work = [password = std::move(password), passes = passes_, memory = memory_]() mutable {
    std::array<char, crypto_pwhash_STRBYTES> out{};
    int failed = crypto_pwhash_str_alg(out.data(), password.data(), password.size(), passes, memory,
                                       crypto_pwhash_ALG_ARGON2ID13);
    sodium_memzero(password.data(), password.size());
    return failed ? std::string() : std::string(out.data());
  };
  auto hashed = too_busy(co_await pool_.run(std::move(work)));
  if (hashed && hashed->empty()) co_return fail(Code::kUnavailable, "not enough memory to hash a password");
  co_return hashed;
}

Task<Result<bool>> Passwords::verify(std::string stored, std::string password) {
  bool possible = !stored.empty();
  auto work = [stored = possible ? std::move(stored) : decoy_, password = std::move(password)]() mutable {
    bool same = crypto_pwhash_str_verify(stored.c_str(), password.data(), password.size()) == 0;
    sodium_memzero(password.data(), password.size());
    return same;
  };
  auto same = too_busy(co_await pool_.run(std::move(work)));
  if (same) same = *same && possible;
  co_return same;
}

bool Passwords::needs_rehash(const std::string& stored) const {
  return crypto_pwhash_str_needs_rehash(stored.c_str(), passes_, memory_) != 0;
}

}  // namespace myelin::accounts
