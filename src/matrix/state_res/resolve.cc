#include <algorithm>
#include <set>

#include "matrix/state_res/steps.h"

namespace myelin {

Result<Resolution> resolve(const RoomRules& rules, std::span<const StateMap> sets, const AuthGraph& graph,
                           ResolutionSource& source) {
  // A set that is there twice says nothing new.
  std::vector<StateMap> distinct;
  std::set<Fingerprint> seen;
  for (auto& set : sets)
    if (seen.insert(set.root().fingerprint).second) distinct.push_back(set);
  if (distinct.size() < 2) return Resolution{};

  state_res::Events events(rules, graph, source);
  return rules.resolution == StateResolution::kV1 ? state_res::resolve_v1(events, distinct)
                                                  : state_res::resolve_v2(events, distinct);
}

std::string resolution_key(std::span<const StateRoot> sets) {
  std::string key;
  auto append = [&](const Fingerprint& fingerprint) { key.append(fingerprint.begin(), fingerprint.end()); };
  if (!sets.empty()) append(sets.front().fingerprint);
  std::set<Fingerprint> others;
  for (auto& root : sets)
    if (root.fingerprint != sets.front().fingerprint) others.insert(root.fingerprint);
  std::ranges::for_each(others, append);
  return key;
}

}  // namespace myelin
