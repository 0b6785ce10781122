// Version 1 of state resolution (rooms/v1, State resolution).
#include <openssl/sha.h>

#include <algorithm>

#include "matrix/state_res/steps.h"

namespace myelin::state_res {
namespace {

std::string sha1(const EventId& id) {
  std::string hash(SHA_DIGEST_LENGTH, '\0');
  SHA1(reinterpret_cast<const unsigned char*>(id.str().data()), id.str().size(),
       reinterpret_cast<unsigned char*>(hash.data()));
  return hash;
}

struct Conflict {
  uint32_t key_no;
  std::string type;
  EventNos events;  // by ascending depth, then descending sha1 of the event id
};

// "Sort the list by ascending depth then descending sha1(event_id)."
Result<EventNos> sorted(Events& events, const EventNos& event_nos) {
  std::vector<std::tuple<int64_t, std::string, uint32_t>> order;
  for (uint32_t event_no : event_nos) {
    MYELIN_TRY(const Event* event, events.get(event_no));
    order.emplace_back(event->depth(), sha1(event->event_id()), event_no);
  }
  std::ranges::sort(order, [](auto& a, auto& b) {
    auto& [a_depth, a_hash, a_no] = a;
    auto& [b_depth, b_hash, b_no] = b;
    return a_depth != b_depth ? a_depth < b_depth : a_hash > b_hash;
  });
  EventNos result;
  for (auto& [depth, hash, event_no] : order) result.push_back(event_no);
  return result;
}

// Of one key: "For each subsequent event in the list, check that the event would be allowed by the authorisation rules
// for a room in state R. If the event would be allowed, then update R with the event and continue with the next event
// in the list. If it would not be allowed, stop". It goes into R with the others of its pass.
Result<uint32_t> resolve_auth_key(PartialState& state, const Conflict& conflict) {
  uint32_t chosen = conflict.events.front();
  for (size_t i = 1; i < conflict.events.size(); ++i) {
    state.set(conflict.key_no, chosen);
    MYELIN_TRY(bool allowed, state.allows(conflict.events[i]));
    if (!allowed) break;
    chosen = conflict.events[i];
  }
  state.unset(conflict.key_no);
  return chosen;
}

// "Pick the event with the highest depth and lowest sha1(event_id) that passes authentication in R."
Result<uint32_t> resolve_other_key(PartialState& state, const Conflict& conflict) {
  for (size_t i = conflict.events.size(); i-- > 0;) {
    MYELIN_TRY(bool allowed, state.allows(conflict.events[i]));
    if (allowed) return conflict.events[i];
  }
  return Events::kNone;
}

}  // namespace

Result<Resolution> resolve_v1(Events& events, std::span<const StateMap> sets) {
  MYELIN_TRY(auto keys, conflicted_keys(sets));
  // "Start by setting R to the union of the states to be resolved, excluding any conflicting events."
  PartialState state(events, sets[0], keys, PartialState::Start::kUnconflicted);
  Resolution resolution;
  // "A conflict occurs between states where those states have different event_ids for the same (event_type,
  // state_key)": a key that only some sets have, with one event, goes into R with "the union of the states".
  std::vector<Conflict> conflicts;
  for (auto& key : keys) {
    auto distinct = distinct_events(key);
    if (distinct.size() == 1) {
      state.set(key.key_no, distinct.front());
      continue;
    }
    MYELIN_TRY(const Event* event, events.get(distinct.front()));
    MYELIN_TRY(auto in_order, sorted(events, distinct));
    conflicts.push_back({key.key_no, event->type(), std::move(in_order)});
    resolution.full_conflicted += distinct.size();
  }
  resolution.conflicted = keys.size();

  // "First we resolve conflicts between m.room.power_levels events." "Repeat the above process for conflicts between
  // m.room.join_rules events." "… between m.room.member events." Every key of a pass is judged by R as it was before
  // it.
  static constexpr std::string_view kPasses[] = {"m.room.power_levels", "m.room.join_rules", "m.room.member"};
  for (auto type : kPasses) {
    std::vector<std::pair<uint32_t, uint32_t>> chosen;
    for (auto& conflict : conflicts) {
      if (conflict.type != type) continue;
      MYELIN_TRY(uint32_t event_no, resolve_auth_key(state, conflict));
      chosen.emplace_back(conflict.key_no, event_no);
    }
    for (auto [key_no, event_no] : chosen) state.set(key_no, event_no);
  }
  // "No other events affect the authorisation rules, so for all other conflicts …"
  for (auto& conflict : conflicts) {
    if (std::ranges::find(kPasses, conflict.type) != std::end(kPasses)) continue;
    MYELIN_TRY(uint32_t event_no, resolve_other_key(state, conflict));
    if (event_no != Events::kNone) state.set(conflict.key_no, event_no);
  }
  MYELIN_TRY(resolution.edits, state.edits());
  return resolution;
}

}  // namespace myelin::state_res
