// Rooms made at random, with forks, bans, demotions, changing join rules, restricted joins, equal timestamps and
// rejected events: wherever state is resolved, both resolvers must agree. For tests and the oracle.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace myelin::testing {

struct RandomRoomResult {
  size_t events = 0, resolutions = 0, conflicted = 0;  // conflicted: resolutions that put events in order anew
  std::optional<std::string> difference;               // what the two said, the first time they differ
};

// One room, wholly given by the seed.
RandomRoomResult play_random_room(uint64_t seed);

}  // namespace myelin::testing
