#include "base/keyed_hash.h"

#include <sodium.h>

#include <array>
#include <cstring>
#include <random>

namespace myelin {

namespace {

using HashKey = std::array<unsigned char, crypto_shorthash_KEYBYTES>;

HashKey random_key() {
  std::random_device device;
  HashKey key;
  for (size_t i = 0; i < key.size(); i += sizeof(unsigned)) {
    unsigned word = device();
    std::memcpy(&key[i], &word, sizeof word);
  }
  return key;
}

}  // namespace

size_t keyed_hash(std::string_view text) noexcept {
  static const HashKey key = random_key();
  std::array<unsigned char, crypto_shorthash_BYTES> hash;
  crypto_shorthash(hash.data(), reinterpret_cast<const unsigned char*>(text.data()), text.size(), key.data());
  size_t out;
  std::memcpy(&out, hash.data(), sizeof out);
  return out;
}

}  // namespace myelin
