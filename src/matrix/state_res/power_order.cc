// Reverse topological power ordering (rooms/fragments/v2-state-res): "the lexicographically smallest topological
// ordering based on the DAG formed by auth events", found by "Kahn's algorithm for topological sorting, and at each
// step selecting, among all the candidate vertices, the smallest vertex".
#include <algorithm>
#include <queue>

#include "matrix/state_res/steps.h"

namespace myelin::state_res {

// "A power event is a state event with type m.room.power_levels or m.room.join_rules, or a state event with type
// m.room.member where the membership is leave or ban and the sender does not match the state_key." The first two with
// an empty state key, as others have it: decision 0004.
bool is_power_event(const Event& event) {
  if (event.type() == "m.room.power_levels" || event.type() == "m.room.join_rules") return event.state_key() == "";
  if (event.type() != "m.room.member" || event.state_key() == event.sender().str()) return false;
  auto membership = json::string_at(event.content(), "membership");
  return membership == "leave" || membership == "ban";
}

namespace {

// "x < y if x's sender has greater power level than y's sender, when looking at their respective auth_events; or the
// senders have the same power level, but x's origin_server_ts is less than y's origin_server_ts; or …, but x's event_id
// is less than y's event_id."
struct Candidate {
  int64_t level;
  const Event* event;
  uint32_t event_no;
  bool after(const Candidate& other) const {
    if (level != other.level) return level < other.level;
    if (event->origin_server_ts() != other.event->origin_server_ts())
      return event->origin_server_ts() > other.event->origin_server_ts();
    return event->event_id() > other.event->event_id();
  }
};

Result<int64_t> sender_level(Events& events, uint32_t event_no, const Event& event, const Event* create) {
  const Event* levels = nullptr;
  MYELIN_TRY(uint32_t levels_no, events.power_levels_of(event_no));
  if (levels_no != Events::kNone) {
    MYELIN_TRY(levels, events.get(levels_no));
  }
  if (!levels && !events.rules().auth.room_id_from_create) {
    MYELIN_TRY(uint32_t create_no, events.auth_event(event_no, "m.room.create", ""));
    create = nullptr;
    if (create_no != Events::kNone) {
      MYELIN_TRY(create, events.get(create_no));
    }
  }
  return PowerLevels(events.rules(), levels, create).user_level(event.sender().str());
}

}  // namespace

Result<EventNos> reverse_topological_power_order(Events& events, const EventNoSet& set, const Event* create) {
  boost::unordered_flat_map<uint32_t, EventNos> children;
  boost::unordered_flat_map<uint32_t, size_t> waits_for;
  auto after = [](const Candidate& a, const Candidate& b) { return a.after(b); };
  std::priority_queue<Candidate, std::vector<Candidate>, decltype(after)> candidates(after);
  auto release = [&](uint32_t event_no) -> Result<void> {
    MYELIN_TRY(const Event* event, events.get(event_no));
    MYELIN_TRY(int64_t level, sender_level(events, event_no, *event, create));
    candidates.push({level, event, event_no});
    return {};
  };
  for (uint32_t event_no : set) {
    size_t parents = 0;
    for (uint32_t parent : events.graph().parents(event_no)) {
      if (!set.contains(parent)) continue;
      children[parent].push_back(event_no);
      ++parents;
    }
    if (parents > 0) {
      waits_for[event_no] = parents;
    } else {
      MYELIN_CHECK(release(event_no));
    }
  }
  EventNos order;
  order.reserve(set.size());
  while (!candidates.empty()) {
    uint32_t event_no = candidates.top().event_no;
    candidates.pop();
    order.push_back(event_no);
    for (uint32_t child : children[event_no])
      if (--waits_for[child] == 0) MYELIN_CHECK(release(child));
  }
  return order;
}

}  // namespace myelin::state_res
