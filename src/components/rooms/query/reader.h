// Rooms' queries: reads of the shared database, and caches of what cannot change. Thread: the loop.
#pragma once
#include <unordered_map>

#include "base/keyed_hash.h"
#include "base/lru.h"
#include "components/rooms/rooms.h"
#include "components/rooms/state/row_pages.h"

namespace myelin::rooms {

Result<EventPtr> redacted_form(const Event&, const RoomRules&);

class Reader final : public Queries {
 public:
  Reader(db::Database&, PageCache&, size_t cache_bytes);

  Task<Result<RoomInfo>> room(RoomId) override;
  Task<Result<RoomInfo>> room(uint32_t room_no) override;
  Task<Result<std::vector<PlacedPtr>>> events(std::vector<EventRef>) override;
  Task<Result<PlacedPtr>> event(RoomId, EventId) override;
  Task<Result<std::vector<StateEntry>>> state(uint32_t room_no, StateRoot) override;
  Task<Result<std::vector<StateChange>>> diff(uint32_t room_no, StateRoot from, StateRoot to) override;
  Task<Result<std::vector<StateEntry>>> state_of(uint32_t room_no, StateRoot,
                                                 std::vector<std::pair<std::string, std::string>>) override;
  Task<Result<StateRoot>> current_root(uint32_t room_no) override;
  Task<Result<StateRoot>> root_before(EventRef) override;
  Task<Result<StateRoot>> root_after(EventRef) override;
  Task<Result<std::optional<EventRef>>> last_left(uint32_t room_no, UserId) override;
  Task<Result<std::optional<RoomMembership>>> membership(RoomId, UserId) override;
  Task<Result<std::vector<RoomMembership>>> memberships(UserId) override;
  Task<Result<std::vector<UserId>>> members(uint32_t room_no, Membership) override;
  Task<Result<std::vector<UserId>>> users_sharing_a_room(UserId) override;
  Task<Result<std::vector<bool>>> visible(std::vector<EventRef>, Viewer) override;
  Task<Result<std::vector<Seen>>> seen(std::vector<EventRef>, Viewer) override;
  Task<Result<std::vector<Relations>>> relations(std::vector<EventRef>, Viewer) override;
  Task<Result<rooms::Page>> messages(RoomId, std::optional<PageToken> from, std::optional<PageToken> to, Direction,
                                     size_t limit, Viewer) override;
  Task<Result<PageToken>> live_end(uint32_t room_no) override;

  Task<Result<std::vector<PlacedPtr>>> as_erased(std::vector<PlacedPtr>, Viewer) override;

  Task<Result<void>> read_erased();  // who is erased
  void erased(const UserId&, Milliseconds at);
  void keep(PlacedPtr);     // just stored: who asks for it is answered without a read
  void redacted(EventRef);  // it is read anew

  void forget_events();  // something about some of them may have changed

 private:
  RoomInfo remember(RoomInfo);
  db::Database& db_;
  PageCache& pages_;
  Lru<int64_t, PlacedPtr> events_;
  Lru<uint32_t, RoomInfo> rooms_;
  Lru<std::string, uint32_t> room_numbers_;
  std::unordered_map<std::string, Milliseconds, KeyedHash> erased_;  // users, and when
  uint64_t redactions_ = 0;                                          // so far: what was read before one is not kept
};

}  // namespace myelin::rooms
