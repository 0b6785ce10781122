// Time as a parameter. Wall time is for what people and other servers see; steady time for waits and leases.
#pragma once
#include <chrono>
#include <cstdint>

namespace myelin {

using Milliseconds = int64_t;  // since the Unix epoch where it names a moment

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Milliseconds now() const = 0;                              // wall, ms since the epoch; may jump
  virtual std::chrono::steady_clock::time_point steady() const = 0;  // never goes back
};

class SystemClock final : public Clock {
 public:
  Milliseconds now() const override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  std::chrono::steady_clock::time_point steady() const override { return std::chrono::steady_clock::now(); }
};

// For tests: stands still until moved.
class ManualClock final : public Clock {
 public:
  Milliseconds now() const override { return now_; }
  std::chrono::steady_clock::time_point steady() const override {
    return std::chrono::steady_clock::time_point(std::chrono::milliseconds(now_));
  }
  void advance(Milliseconds ms) { now_ += ms; }

 private:
  Milliseconds now_ = 1'700'000'000'000;
};

}  // namespace myelin
