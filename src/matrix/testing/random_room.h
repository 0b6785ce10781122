// Rooms made at random, with forks, bans, demotions, changing join rules, restricted joins, equal timestamps and
// rejected events: wherever state is resolved, both resolvers must agree. For tests and the oracle.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "matrix/testing/literal_resolver.h"

namespace myelin::testing {

struct RandomRoomResult {
  size_t events = 0, resolutions = 0, conflicted = 0;  // conflicted: resolutions that put events in order anew
  // How often a reading of decision 0004 mattered, by ToTheLetter; counted if asked for.
  std::array<size_t, 4> changed_by_letter{};
  std::string_view version;
  std::optional<std::string> difference;  // what the two said, the first time they differ
};

// Told of everything that happens in a room, in order.
class RoomRecorder {
 public:
  virtual ~RoomRecorder() = default;
  virtual void event(const Event&, bool rejected) = 0;
  virtual void resolution(const std::vector<LiteralState>& sets, const LiteralState& result) = 0;
};

// One room, wholly given by the seed.
enum class Readings : bool { kOurs, kCounted };
RandomRoomResult play_random_room(uint64_t seed, RoomRecorder* = nullptr, Readings = Readings::kOurs);
// One room, given by a source of numbers: every choice takes the next one.
RandomRoomResult play_random_room(std::function<uint64_t()> numbers);

}  // namespace myelin::testing
