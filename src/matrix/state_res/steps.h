// The steps of state resolution, each in a file of its own. Inside the library.
#pragma once
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <span>
#include <vector>

#include "matrix/auth.h"
#include "matrix/auth_graph.h"
#include "matrix/power_levels.h"
#include "matrix/state_res.h"

namespace myelin::state_res {

using EventNos = std::vector<uint32_t>;
using EventNoSet = boost::unordered_flat_set<uint32_t>;

// A key on which the sets differ, with each set's event (conflicts.cc).
struct ConflictedKey {
  uint32_t key_no = 0;
  std::vector<std::optional<uint32_t>> events;  // by set
};
// By key number. Every other key has the same event in all sets, or is in none.
Result<std::vector<ConflictedKey>> conflicted_keys(std::span<const StateMap> sets);
EventNos distinct_events(const ConflictedKey&);  // by number

// The events of one resolution, each loaded once, and what is asked of them in numbers.
class Events {
 public:
  Events(const RoomRules& rules, const AuthGraph& graph, ResolutionSource& source)
      : rules_(rules), graph_(graph), source_(source) {}

  Result<const Event*> get(uint32_t event_no);
  // The event among event_no's auth events that has this key; kNone. kCorrupt: its generation is not below, so who
  // follows such events would not come to an end.
  Result<uint32_t> auth_event(uint32_t event_no, std::string_view type, std::string_view state_key);
  Result<uint32_t> power_levels_of(uint32_t event_no) { return auth_event(event_no, "m.room.power_levels", ""); }

  static constexpr uint32_t kNone = UINT32_MAX;
  const RoomRules& rules() const { return rules_; }
  const AuthGraph& graph() const { return graph_; }
  ResolutionSource& source() { return source_; }

 private:
  const RoomRules& rules_;
  const AuthGraph& graph_;
  ResolutionSource& source_;
  boost::unordered_flat_map<uint32_t, EventPtr> loaded_;
};

// The state while it is being resolved: what was decided, over what is not conflicted (partial_state.cc).
class PartialState {
 public:
  enum class Start : uint8_t { kUnconflicted, kEmpty };
  PartialState(Events&, const StateMap& first_set, std::span<const ConflictedKey>, Start);

  // Applies the event if the auth rules allow it in this state; where the state lacks a key that they need, the event's
  // own auth event counts, unless it was rejected.
  Result<void> check_and_apply(uint32_t event_no);
  // The same for each, in order (rooms/fragments/v2-state-res, Iterative auth checks).
  Result<void> check_and_apply(std::span<const uint32_t> event_nos);
  // Whether this state alone allows it, as version 1 asks.
  Result<bool> allows(uint32_t event_no);
  void set(uint32_t key_no, uint32_t event_no) { decided_[key_no] = event_no; }
  void unset(uint32_t key_no) { decided_.erase(key_no); }

  Result<uint32_t> find(std::string_view type, std::string_view state_key);  // kNone
  Result<uint32_t> key_no(const Event&);
  Result<const Event*> create_event();  // the room's; nullptr when no set has it

  // What makes of the first set what was decided here and what is not conflicted.
  Result<std::vector<StateEdit>> edits() const;

 private:
  class View;
  Result<uint32_t> unconflicted(uint32_t key_no) const;
  bool conflicted(uint32_t key_no) const;
  Events& events_;
  const StateMap& first_set_;
  std::span<const ConflictedKey> conflicts_;
  Start start_;
  boost::unordered_flat_map<uint32_t, uint32_t> decided_;
};

// Reverse topological power ordering of the set (power_order.cc). `create`: the room's, for levels in versions where it
// is no auth event.
Result<EventNos> reverse_topological_power_order(Events&, const EventNoSet&, const Event* create);
bool is_power_event(const Event&);

// Mainline ordering based on a power levels event, or kNone (mainline_order.cc).
Result<void> mainline_order(Events&, EventNos&, uint32_t power_levels);

Result<Resolution> resolve_v1(Events&, std::span<const StateMap> sets);
Result<Resolution> resolve_v2(Events&, std::span<const StateMap> sets);

}  // namespace myelin::state_res
