#include "components/accounts/rate_limit.h"

#include <arpa/inet.h>

#include <array>
#include <cmath>

#include "base/bytes.h"

namespace myelin::accounts {

std::unexpected<Error> limit_exceeded(Milliseconds retry_after) {
  return fail(Code::kLimitExceeded, "too many requests", {{"retry_after_ms", retry_after}});
}

std::string network_of(const std::string& address) {
  std::array<char, sizeof(in6_addr)> bytes{};
  if (inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) return address;
  std::string_view all(bytes.data(), bytes.size());
  constexpr std::string_view kMapped("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);  // ::ffff:a.b.c.d
  return hex(all.starts_with(kMapped) ? all : all.substr(0, 8));
}

RateLimiter::RateLimiter(const std::string& name, Rate rate, const Clock& clock, bool enabled)
    : rate_(rate), clock_(clock), enabled_(enabled), buckets_(name, 1u << 20) {}

Result<void> RateLimiter::take(const std::string& key) {
  if (!enabled_) return {};
  auto now = clock_.steady();
  auto* bucket = buckets_.find(key);
  if (bucket == nullptr) bucket = &buckets_.put(key, {rate_.burst, now}, 128 + key.size());
  double seconds = std::chrono::duration<double>(now - bucket->at).count();
  bucket->tokens = std::min(rate_.burst, bucket->tokens + seconds * rate_.per_second);
  bucket->at = now;
  if (bucket->tokens < 1)
    return limit_exceeded(static_cast<Milliseconds>(std::ceil((1 - bucket->tokens) / rate_.per_second * 1000)));
  bucket->tokens -= 1;
  return {};
}

void RateLimiter::give_back(const std::string& key) {
  if (auto* bucket = buckets_.find(key)) bucket->tokens = std::min(rate_.burst, bucket->tokens + 1);
}

}  // namespace myelin::accounts
