// Randomness as a parameter. Threads: SystemRandom any; SeededRandom one.
#pragma once
#include <cstdint>
#include <random>
#include <span>
#include <string>

namespace myelin {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<uint8_t> out) = 0;
  uint64_t next();
  // `length` characters of a-z A-Z 0-9, unbiased: 5.95 bits each.
  std::string token(size_t length);
};

class SystemRandom final : public Random {  // the operating system's CSPRNG
 public:
  void fill(std::span<uint8_t> out) override;
};

class SeededRandom final : public Random {  // tests only
 public:
  explicit SeededRandom(uint64_t seed) : engine_(seed) {}
  void fill(std::span<uint8_t> out) override;

 private:
  std::mt19937_64 engine_;
};

}  // namespace myelin
