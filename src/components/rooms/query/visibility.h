// What a viewer may see of one room's history (client-server API, Room History Visibility). Thread: the closure's.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "components/rooms/rooms.h"
#include "components/rooms/state/row_pages.h"
#include "matrix/visibility.h"

namespace myelin::rooms {

// Of an event, what its visibility hangs on.
struct SeenRow {
  EventRef ref;
  std::string type;
  StateRoot before;
};

// Events that share a root share the answer: two point reads per root.
class ViewerSight {
 public:
  ViewerSight(db::ReadTx&, PageCache&, uint32_t room_no, const UserId& viewer);
  Result<Seen> see(const SeenRow&);
  Result<std::optional<uint32_t>> last_left();  // see Queries
  // Was the viewer joined at this root, or has joined since then, until this time?
  Result<bool> was_in(const StateRoot&, Milliseconds until);

 private:
  struct AtRoot {
    HistoryVisibility visibility = HistoryVisibility::kShared;
    std::string membership = "leave";
    uint32_t member_no = 0;              // the viewer's member event; 0: none
    std::optional<bool> joined_later{};  // once it was asked for
  };
  Result<AtRoot*> at(const StateRoot&);
  Result<EventPtr> event(uint32_t event_no);
  Result<EventPtr> state_event(const StateRoot&, std::optional<uint32_t> key_no);
  Result<bool> is_visible(AtRoot&, const Sight&);
  Result<bool> joined_later(AtRoot&);
  Result<bool> comes_after(uint32_t joined, uint32_t member_no);
  Result<uint32_t> replaced_by(uint32_t event_no);  // the state event before this one; 0: none
  struct LastJoined {
    uint32_t joined = 0, next = 0;  // the viewer's newest join, and their event after it; 0: none
  };
  Result<LastJoined> last_joined(Milliseconds until = INT64_MAX);

  db::ReadTx& tx_;
  RowPages pages_;
  uint32_t room_no_;
  const UserId& viewer_;
  const RoomRules* rules_ = nullptr;
  std::optional<uint32_t> visibility_key_, member_key_;
  std::unordered_map<uint32_t, EventPtr> events_;  // visibility and member events looked at
  std::map<Fingerprint, AtRoot> roots_;
  std::map<Milliseconds, LastJoined> last_joined_;  // until then
};

}  // namespace myelin::rooms
