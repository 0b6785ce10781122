// A persistent map from state keys to events that shares structure between versions: a radix tree over dense key numbers
// (docs/decisions/0003-state-map.md). Any thread for what is immutable.
#pragma once
#include <array>
#include <compare>
#include <cstdint>

namespace myelin {

// Where a state map stands: the node that is its root, and a keyed fingerprint of what it holds. Equal fingerprints: equal
// maps. Page 0, slot 0, fingerprint 0 is the empty map.
struct StateRoot {
  uint32_t page = 0, slot = 0;
  std::array<uint8_t, 16> fingerprint{};
  friend auto operator<=>(const StateRoot&, const StateRoot&) = default;
};

}  // namespace myelin
