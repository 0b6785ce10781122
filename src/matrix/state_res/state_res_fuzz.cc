// Rooms made of the input's bytes: fast and literal state resolution agree.
#include <cstdio>
#include <cstdlib>

#include "matrix/testing/random_room.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  size_t at = 0;
  auto next = [&]() -> uint64_t { return at < size ? data[at++] : 0; };
  auto result = myelin::testing::play_random_room(next);
  if (!result.difference) return 0;
  std::fputs(result.difference->c_str(), stderr);
  std::abort();
}
