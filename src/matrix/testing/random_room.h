// Rooms made at random, with forks, bans, demotions, changing join rules, restricted joins, equal timestamps and
// rejected events: wherever state is resolved, both resolvers must agree. For tests and the oracle.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace myelin::testing {

struct RandomRoomResult {
  size_t events = 0, resolutions = 0, conflicted = 0;  // conflicted: resolutions that put events in order anew
  std::optional<std::string> difference;               // what the two said, the first time they differ
};

// One room, wholly given by the seed.
RandomRoomResult play_random_room(uint64_t seed);
// One room, given by a source of numbers: every choice takes the next one.
RandomRoomResult play_random_room(std::function<uint64_t()> numbers);

}  // namespace myelin::testing
