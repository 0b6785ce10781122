// Mainline ordering (rooms/fragments/v2-state-res): "x < y if the mainline position of x is greater than the mainline
// position of y (i.e. the auth chain of x is based on an earlier event in the mainline than y)", then by
// origin_server_ts, then by event_id.
#include <algorithm>

#include "matrix/state_res/steps.h"

namespace myelin::state_res {
namespace {

// Positions on the mainline, 0 being the power levels it starts from; remembered for every power levels event passed.
// The mainline is followed only as far back as it is asked for: generations tell when it has passed an event.
class Mainline {
 public:
  static constexpr uint32_t kOff = UINT32_MAX;  // ∞, "a sentinel value greater than any integer"

  Mainline(Events& events, uint32_t power_levels) : events_(events), next_(power_levels) {}

  // "Find the smallest index j ≥ 1 for which e_j belongs to the mainline of P. If such a j exists, then e_j = P_i for
  // some unique index i ≥ 0. Otherwise set i = ∞": the event itself, e_0, is not asked, only the power levels it cites.
  Result<uint32_t> position(uint32_t event_no) {
    // Without a P, as mostly in version 12, every i is ∞, and no past need be read to see it.
    if (next_ == Events::kNone && length_ == 0) return kOff;
    EventNos passed;
    MYELIN_TRY(uint32_t levels, events_.power_levels_of(event_no));
    uint32_t position = kOff;
    while (levels != Events::kNone) {
      MYELIN_CHECK(follow_to(levels));
      if (auto known = positions_.find(levels); known != positions_.end()) {
        position = known->second;
        break;
      }
      passed.push_back(levels);
      MYELIN_TRY(levels, events_.power_levels_of(levels));
    }
    for (uint32_t event : passed) positions_[event] = position;
    return position;
  }

 private:
  // "Starting with i = 0, repeatedly fetch P_(i+1), the m.room.power_levels event in the auth_events of P_i."
  // Afterwards, if `levels` is on the mainline, its position is known.
  Result<void> follow_to(uint32_t levels) {
    auto generation = events_.graph().generation(levels);
    while (next_ != Events::kNone && events_.graph().generation(next_) >= generation) {
      positions_[next_] = length_++;
      MYELIN_TRY(next_, events_.power_levels_of(next_));
    }
    return {};
  }

  Events& events_;
  uint32_t next_, length_ = 0;  // the first event of the mainline not yet in positions_, and its position
  boost::unordered_flat_map<uint32_t, uint32_t> positions_;
};

struct Placed {
  uint32_t position;
  const Event* event;
  uint32_t event_no;
};

}  // namespace

Result<void> mainline_order(Events& events, EventNos& event_nos, uint32_t power_levels) {
  Mainline mainline(events, power_levels);
  std::vector<Placed> placed;
  placed.reserve(event_nos.size());
  for (uint32_t event_no : event_nos) {
    MYELIN_TRY(const Event* event, events.get(event_no));
    MYELIN_TRY(uint32_t position, mainline.position(event_no));
    placed.push_back({position, event, event_no});
  }
  std::ranges::sort(placed, [](const Placed& a, const Placed& b) {
    if (a.position != b.position) return a.position > b.position;
    if (a.event->origin_server_ts() != b.event->origin_server_ts())
      return a.event->origin_server_ts() < b.event->origin_server_ts();
    return a.event->event_id() < b.event->event_id();
  });
  for (size_t i = 0; i < placed.size(); ++i) event_nos[i] = placed[i].event_no;
  return {};
}

}  // namespace myelin::state_res
