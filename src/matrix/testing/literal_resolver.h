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

// Where the text has two readings or the servers in use leave its letter, they are followed (decision 0004). One of the
// three places can be taken to the letter instead, to see what it changes.
enum class ToTheLetter : uint8_t { kNothing, kAuthDifference, kStep1, kPowerOrdering };

LiteralState resolve_literally(const LiteralRoom&, const std::vector<LiteralState>&,
                               ToTheLetter = ToTheLetter::kNothing);

}  // namespace myelin::testing
