// State resolution as the specification words it, transcribed step by step in the plainest way: states are std::map,
// auth chains are found by recursion, nothing is remembered. Slow on purpose: what the fast one is compared with.
#pragma once
#include <map>
#include <set>
#include <vector>

#include "matrix/auth.h"

namespace myelin::testing {

using LiteralState = std::map<TypeAndKey, EventId>;

struct LiteralRoom {
  const RoomRules* rules = nullptr;
  std::map<EventId, EventPtr> events;
  std::set<EventId> rejected;
};

LiteralState resolve_literally(const LiteralRoom&, const std::vector<LiteralState>&);

}  // namespace myelin::testing
