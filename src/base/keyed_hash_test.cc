#include "base/keyed_hash.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <array>
#include <cstring>
#include <set>
#include <string>
#include <unordered_map>

namespace myelin {
namespace {

TEST(KeyedHash, IsNotWhatAnybodyCanCompute) {
  const std::string text = "@alice:example.org";
  std::array<unsigned char, crypto_shorthash_KEYBYTES> no_key{};
  std::array<unsigned char, crypto_shorthash_BYTES> bytes;
  crypto_shorthash(bytes.data(), reinterpret_cast<const unsigned char*>(text.data()), text.size(), no_key.data());
  size_t unkeyed;
  std::memcpy(&unkeyed, bytes.data(), sizeof unkeyed);
  EXPECT_NE(keyed_hash(text), unkeyed);
  EXPECT_NE(keyed_hash(text), std::hash<std::string>()(text));
}

TEST(KeyedHash, IsTheSameForTheSameText) {
  EXPECT_EQ(keyed_hash("m.room.member"), keyed_hash(std::string("m.room.member")));
  std::set<size_t> hashes;
  for (int i = 0; i < 1'000; ++i) hashes.insert(keyed_hash(std::to_string(i)));
  EXPECT_EQ(hashes.size(), 1'000u);
}

TEST(KeyedHash, FindsByAViewAndTakesNumbers) {
  std::unordered_map<std::string, int, KeyedHash, std::equal_to<>> names{{"a", 1}};
  EXPECT_EQ(names.find(std::string_view("a"))->second, 1);
  std::unordered_map<uint64_t, int, KeyedHash> numbers{{7, 1}};
  EXPECT_EQ(numbers.at(7), 1);
}

}  // namespace
}  // namespace myelin
