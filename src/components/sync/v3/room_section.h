// One room of a /sync answer: timeline, state, ephemeral, account data, summary, unread counts (client-server API,
// Syncing). Thread: the loop.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/lru.h"
#include "components/rooms/served.h"
#include "components/sync/sync.h"
#include "components/sync/v3/snapshot.h"
#include "matrix/filter.h"

namespace myelin::sync {

void append_quoted(std::string& out, std::string_view text);         // as a JSON string
std::string events_section(const std::vector<std::string>& events);  // {"events":[…]}

// Which members a device has been given under lazy loading, and in which answer, so that they are not sent again.
// Losable.
class LazyMembers {
 public:
  LazyMembers() : sent_("sync_lazy_members", 4u << 20) {}
  // Those of `members` that a device at `since` does not have; notes them as given in the answer that ends at
  // `position`. What was in answers after `since` may never have arrived.
  std::vector<std::string> missing(const accounts::Session&, uint32_t room_no, const std::set<std::string>& members,
                                   int64_t since, int64_t position);
  void forget(const accounts::Session&, uint32_t room_no);

 private:
  Lru<std::string, std::map<std::string, int64_t>> sent_;  // member -> position of the answer
};

// What a room section is made for.
struct Viewpoint {
  accounts::Session session;
  const Filter* filter = nullptr;
  std::shared_ptr<const std::set<std::string>> ignored_users;
  bool full_state = false, use_state_after = false;
  int64_t since = 0, position = 0;
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
  Task<Result<std::string>> stripped(const RoomSnapshot&, Viewpoint);

 private:
  struct Shown;
  struct Timeline;
  Task<Result<Timeline>> timeline(const RoomSnapshot&, const Viewpoint&);
  Task<Result<std::vector<Shown>>> shown(const RoomSnapshot&, const Viewpoint&, const std::vector<TimelineRow>&);
  Task<Result<void>> begin(const RoomSnapshot&, Timeline&);
  Task<Result<std::vector<rooms::StateChange>>> leave_to_gap(const RoomSnapshot&, UserId viewer, Timeline&);
  Task<Result<std::vector<rooms::StateChange>>> changes_to_end(const RoomSnapshot&, UserId viewer, StateRoot from);
  Task<Result<std::vector<rooms::StateEntry>>> state(const RoomSnapshot&, const Viewpoint&, Timeline&);
  Task<Result<void>> load_lazily(const RoomSnapshot&, const Viewpoint&, const Timeline&, StateRoot,
                                 std::vector<rooms::StateEntry>&);
  std::vector<std::string> written(const std::vector<rooms::ServedEvent>&, const Viewpoint&) const;
  Task<Result<std::vector<std::string>>> texts(const Viewpoint&, const Timeline&);
  Task<Result<std::vector<std::string>>> texts(const RoomSnapshot&, const Viewpoint&, std::vector<rooms::StateEntry>);
  db::Database& db_;
  rooms::Queries& rooms_;
  const Clock& clock_;
  LazyMembers lazy_;
};

std::string receipts_event(const std::vector<ReceiptRow>&);
std::string summary_fields(const RoomSnapshot&);
std::string unread_fields(const RoomSnapshot&, bool by_thread);

}  // namespace myelin::sync
