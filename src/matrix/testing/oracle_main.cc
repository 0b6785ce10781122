// myelin_oracle [DAGS] [SEED]: plays random rooms through the fast and the literal resolver. Prints every difference
// and one line of counts; exits with 1 if there was a difference.
#include <fmt/format.h>

#include <cstdlib>
#include <random>

#include "matrix/testing/random_room.h"

int main(int argc, char** argv) {
  uint64_t dags = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 2000;
  uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : std::random_device()();
  size_t events = 0, resolutions = 0, conflicted = 0, differences = 0;
  for (uint64_t i = 0; i < dags; ++i) {
    auto result = myelin::testing::play_random_room(seed + i);
    events += result.events;
    resolutions += result.resolutions;
    conflicted += result.conflicted;
    if (!result.difference) continue;
    ++differences;
    fmt::print("DIFFERENCE, seed {}: {}\n", seed + i, *result.difference);
  }
  fmt::print("oracle: {} dags from seed {}, {} events, {} resolutions of which {} conflicted, {} differences\n", dags,
             seed, events, resolutions, conflicted, differences);
  return differences == 0 ? 0 : 1;
}
