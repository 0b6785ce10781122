// One room of a /sync answer: timeline, state, ephemeral, account data, summary, unread counts (client-server API,
// Syncing). Thread: the loop.
#pragma once
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/lru.h"
#include "components/sync/sync.h"
#include "components/sync/v3/snapshot.h"
#include "matrix/filter.h"

namespace myelin::sync {

void append_quoted(std::string& out, std::string_view text);         // as a JSON string
std::string events_section(const std::vector<std::string>& events);  // {"events":[…]}

// Which members a device has been given under lazy loading, so that they are not sent again. Losable.
class LazyMembers {
 public:
  LazyMembers() : sent_("sync_lazy_members", 4u << 20) {}
  // Those of `members` that the device does not have yet; notes them as given.
  std::vector<std::string> missing(const accounts::Session&, uint32_t room_no, const std::set<std::string>& members);
  void forget(const accounts::Session&, uint32_t room_no);

 private:
  Lru<std::string, std::set<std::string>> sent_;
};

// What a room section is made for.
struct Viewpoint {
  accounts::Session session;
  const Filter* filter = nullptr;
  const std::set<std::string>* ignored_users = nullptr;
  bool full_state = false, use_state_after = false, initial = false;
};

struct RoomSection {
  std::string fields;  // `"timeline":{…},"state":{…}`, without braces
  bool empty = true;
};

class RoomSections {
 public:
  RoomSections(db::Database&, rooms::Queries&, const Clock&);
  // Timeline and state of a joined or left room.
  Task<Result<RoomSection>> history(const RoomSnapshot&, Viewpoint);
  // The stripped state of an invite or knock: {"events":[…]}; "" when an ignored user invites (client-server API,
  // Ignoring Users).
  Task<Result<std::string>> stripped(const RoomSnapshot&, const std::set<std::string>& ignored_users);

 private:
  struct Timeline;
  Task<Result<Timeline>> timeline(const RoomSnapshot&, const Viewpoint&);
  Task<Result<std::vector<std::string>>> state(const RoomSnapshot&, const Viewpoint&, const Timeline&);
  Task<Result<std::vector<rooms::StateEntry>>> state_entries(const RoomSnapshot&, const Viewpoint&, StateRoot target);
  Task<Result<std::vector<rooms::PlacedPtr>>> shown(const RoomSnapshot&, const Viewpoint&,
                                                    const std::vector<TimelineRow>&);
  std::string text_of(const rooms::PlacedEvent&, const Viewpoint&) const;
  Task<Result<StateRoot>> root_before(const RoomSnapshot&, const std::vector<TimelineRow>&, size_t oldest);
  db::Database& db_;
  rooms::Queries& rooms_;
  const Clock& clock_;
  LazyMembers lazy_;
};

std::string receipts_event(const std::vector<ReceiptRow>&);
std::string summary_fields(const RoomSnapshot&);
std::string unread_fields(const RoomSnapshot&, UnreadClass, bool by_thread);

}  // namespace myelin::sync
