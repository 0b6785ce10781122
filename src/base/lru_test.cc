#include "base/lru.h"

#include <gtest/gtest.h>

namespace myelin {
namespace {

TEST(Lru, KeepsWhatWasUsedLastWithinItsCap) {
  Lru<std::string, int> cache("test", 30);
  cache.put("a", 1, 10);
  cache.put("b", 2, 10);
  cache.put("c", 3, 10);
  ASSERT_NE(cache.find("a"), nullptr);
  cache.put("d", 4, 10);
  EXPECT_EQ(cache.find("b"), nullptr);
  EXPECT_EQ(*cache.find("a"), 1);
  cache.put("a", 5, 25);
  EXPECT_EQ(*cache.find("a"), 5);
  EXPECT_EQ(cache.size(), 1u);
  cache.erase("a");
  EXPECT_EQ(cache.size(), 0u);
}

}  // namespace
}  // namespace myelin
