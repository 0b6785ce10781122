// Which keys conflict (rooms/fragments/v2-state-res, Unconflicted state map and conflicted state set): "If a given key
// K is present in every S_i with the same value V in each state map, then the pair (K, V) belongs to the unconflicted
// state map. Otherwise, V belongs to the conflicted state set." The maps are compared, not read.
#include <algorithm>
#include <map>

#include "matrix/state_res/steps.h"

namespace myelin::state_res {

Result<std::vector<ConflictedKey>> conflicted_keys(std::span<const StateMap> sets) {
  std::map<uint32_t, ConflictedKey> keys;
  for (size_t i = 1; i < sets.size(); ++i) {
    MYELIN_TRY(auto changes, diff(sets[0], sets[i]));
    for (auto& change : changes) {
      auto& key = keys[change.key_no];
      if (key.events.empty()) key = {change.key_no, std::vector(sets.size(), change.before)};
      key.events[i] = change.after;
    }
  }
  std::vector<ConflictedKey> result;
  result.reserve(keys.size());
  for (auto& [key_no, key] : keys) result.push_back(std::move(key));
  return result;
}

EventNos distinct_events(const ConflictedKey& key) {
  EventNos events;
  for (auto event : key.events)
    if (event) events.push_back(*event);
  std::ranges::sort(events);
  auto repeated = std::ranges::unique(events);
  events.erase(repeated.begin(), repeated.end());
  return events;
}

}  // namespace myelin::state_res
