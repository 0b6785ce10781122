// Versions 2 and 2.1 of state resolution (rooms/fragments/v2-state-res; rooms/v12, State resolution).
#include <algorithm>

#include "matrix/state_res/steps.h"

namespace myelin::state_res {
namespace {

// The conflicted state set: every event that some set has for a conflicted key.
EventNos conflicted_state_set(std::span<const ConflictedKey> keys) {
  EventNos events;
  for (auto& key : keys) {
    auto distinct = distinct_events(key);
    events.insert(events.end(), distinct.begin(), distinct.end());
  }
  return events;
}

// "If C_i is the full auth chain of S_i, then the auth difference is ∪ C_i − ∩ C_i", a state's events counted into its
// chain: decision 0004.
Result<EventNos> auth_difference(const AuthGraph& graph, std::span<const StateMap> sets,
                                 std::span<const ConflictedKey> keys) {
  size_t words = (sets.size() + 63) / 64;
  boost::unordered_flat_map<uint32_t, size_t> places;  // conflicted event → its words in `masks`
  std::vector<uint64_t> masks;
  for (auto& key : keys) {
    for (size_t set = 0; set < sets.size(); ++set) {
      if (!key.events[set]) continue;
      auto [place, added] = places.try_emplace(*key.events[set], masks.size());
      if (added) masks.resize(masks.size() + words);
      masks[place->second + set / 64] |= uint64_t{1} << set % 64;
    }
  }
  std::vector<AuthGraph::Seed> seeds;
  for (auto& [event_no, place] : places) seeds.push_back({event_no, std::span(masks).subspan(place, words)});
  auto next = keys.begin();
  MYELIN_CHECK(sets[0].for_each([&](uint32_t key_no, uint32_t event_no) {
    while (next != keys.end() && next->key_no < key_no) ++next;
    if (next == keys.end() || next->key_no != key_no) seeds.push_back({event_no, {}});
  }));
  return graph.difference(seeds, sets.size());
}

// "The full conflicted set is the union of the conflicted state set and the auth difference." v12: "… the union of the
// conflicted state set, the conflicted state subgraph, and the auth difference."
Result<EventNoSet> full_conflicted_set(Events& events, std::span<const StateMap> sets,
                                       std::span<const ConflictedKey> keys) {
  auto conflicted = conflicted_state_set(keys);
  EventNoSet full(conflicted.begin(), conflicted.end());
  MYELIN_TRY(auto difference, auth_difference(events.graph(), sets, keys));
  full.insert(difference.begin(), difference.end());
  if (events.rules().resolution == StateResolution::kV2_1) {
    MYELIN_TRY(auto subgraph, events.graph().subgraph_between(conflicted));
    full.insert(subgraph.begin(), subgraph.end());
  }
  return full;
}

// Step 1: "Select the set X of all power events that appear in the full conflicted set. For each such power event P,
// enlarge X by adding the events in the auth chain of P which also belong to the full conflicted set": the chain is
// followed through such events only, decision 0004.
Result<EventNoSet> power_events_and_chains(Events& events, const EventNoSet& full) {
  EventNoSet chosen;
  EventNos open;
  for (uint32_t event_no : full) {
    MYELIN_TRY(const Event* event, events.get(event_no));
    if (is_power_event(*event)) open.push_back(event_no);
  }
  while (!open.empty()) {
    uint32_t event_no = open.back();
    open.pop_back();
    if (!chosen.insert(event_no).second) continue;
    for (uint32_t parent : events.graph().parents(event_no))
      if (full.contains(parent)) open.push_back(parent);
  }
  return chosen;
}

}  // namespace

Result<Resolution> resolve_v2(Events& events, std::span<const StateMap> sets) {
  MYELIN_TRY(auto keys, conflicted_keys(sets));
  if (keys.empty()) return Resolution{};
  MYELIN_TRY(auto full, full_conflicted_set(events, sets, keys));

  // Version 2: "starting from the unconflicted state map". v12: "The iterative auth checks algorithm … now starts with
  // an empty state map instead of the unconflicted state map."
  bool from_empty = events.rules().resolution == StateResolution::kV2_1;
  PartialState state(events, sets[0], keys,
                     from_empty ? PartialState::Start::kEmpty : PartialState::Start::kUnconflicted);
  MYELIN_TRY(const Event* create, state.create_event());

  // Steps 1 and 2: "Sort X into a list using the reverse topological power ordering. Apply the iterative auth checks
  // algorithm … to the list of events from the previous step to get a partially resolved state."
  MYELIN_TRY(auto power_events, power_events_and_chains(events, full));
  MYELIN_TRY(auto order, reverse_topological_power_order(events, power_events, create));
  MYELIN_CHECK(state.check_and_apply(order));

  // Steps 3 and 4: "Take all remaining events that weren't picked in step 1 and order them by the mainline ordering
  // based on the power level in the partially resolved state obtained in step 2. Apply the iterative auth checks
  // algorithm on the partial resolved state and the list of events from the previous step."
  EventNos rest;
  for (uint32_t event_no : full)
    if (!power_events.contains(event_no)) rest.push_back(event_no);
  MYELIN_TRY(uint32_t power_levels, state.find("m.room.power_levels", ""));
  MYELIN_CHECK(mainline_order(events, rest, power_levels));
  MYELIN_CHECK(state.check_and_apply(rest));

  // Step 5 is in edits(): what is not conflicted stays.
  MYELIN_TRY(auto edits, state.edits());
  return Resolution{std::move(edits), keys.size(), full.size()};
}

}  // namespace myelin::state_res
