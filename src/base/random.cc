#include "base/random.h"

#include <sodium.h>

#include <array>
#include <cstring>
#include <stdexcept>

namespace myelin {

uint64_t Random::next() {
  std::array<uint8_t, 8> bytes{};
  fill(bytes);
  uint64_t value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

std::string Random::token(size_t length) {
  static constexpr char kAlphabet[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  std::string out;
  out.reserve(length);
  std::array<uint8_t, 64> bytes{};
  while (out.size() < length) {
    fill(bytes);
    for (uint8_t byte : bytes) {
      if (byte >= 62 * 4 || out.size() == length) continue;  // 248 is the largest multiple of 62 in a byte
      out += kAlphabet[byte % 62];
    }
  }
  return out;
}

void SystemRandom::fill(std::span<uint8_t> out) {
  if (sodium_init() < 0) throw std::runtime_error("the system's random source cannot be opened");
  randombytes_buf(out.data(), out.size());
}

void SeededRandom::fill(std::span<uint8_t> out) {
  for (auto& byte : out) byte = static_cast<uint8_t>(engine_() >> 32);
}

}  // namespace myelin
