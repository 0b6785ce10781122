// State resolution (rooms/v1, State resolution; rooms/fragments/v2-state-res; rooms/v12): which state a room has where
// its history forks. Which algorithm runs is the room version's. Pure; threads: those of what it is given.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "matrix/auth_graph.h"
#include "matrix/event.h"
#include "matrix/state_map.h"

namespace myelin {

// What resolve() asks for. Only events of the full conflicted set and the power levels and auth events that judge them
// are loaded, each once.
class ResolutionSource {
 public:
  virtual ~ResolutionSource() = default;
  virtual Result<EventPtr> event(uint32_t event_no) = 0;
  virtual Result<bool> rejected(uint32_t event_no) = 0;
  // Every state event of the room, rejected ones too, has a key with a number; nullopt: no event has that key.
  virtual Result<std::optional<uint32_t>> key_no(std::string_view type, std::string_view state_key) = 0;
};

struct Resolution {
  std::vector<StateEdit> edits;  // what turns the first state set into the resolved state, by key number
  size_t conflicted = 0;         // keys on which the sets differ
  size_t full_conflicted = 0;    // events that were put in order and judged anew
};

// Resolves the sets (at least one). The graph holds every state event of the sets and their auth chains. Errors: those
// of the source and the pages; kNotFound: the graph lacks an event; kCorrupt: a generation is not above its parents'.
Result<Resolution> resolve(const RoomRules&, std::span<const StateMap> sets, const AuthGraph&, ResolutionSource&);

// Names the edits of resolve() in a cache of one room: by the first set, which they turn into the resolved state, and
// the others in any order. Once an event is rejected or no longer, what was remembered of its room has to be forgotten.
std::string resolution_key(std::span<const StateRoot> sets);

}  // namespace myelin
