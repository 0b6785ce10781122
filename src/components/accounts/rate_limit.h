// Token buckets by key. Thread: the loop.
#pragma once
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/lru.h"

namespace myelin::accounts {

// M_LIMIT_EXCEEDED with retry_after_ms (client-server API, Rate limiting).
std::unexpected<Error> limit_exceeded(Milliseconds retry_after);

// What an address counts as: an IPv6 address stands for its /64.
std::string network_of(const std::string& address);

class RateLimiter {
 public:
  struct Rate {
    double burst;
    double per_second;
  };
  RateLimiter(const std::string& name, Rate, const Clock&, bool enabled);

  Result<void> take(const std::string& key);  // kLimitExceeded
  void give_back(const std::string& key);     // the last take() shall not count

 private:
  struct Bucket {
    double tokens;
    std::chrono::steady_clock::time_point at;
  };
  Rate rate_;
  const Clock& clock_;
  bool enabled_;
  Lru<std::string, Bucket> buckets_;
};

}  // namespace myelin::accounts
