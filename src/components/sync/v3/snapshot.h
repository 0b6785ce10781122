// Everything one /sync answer takes from sync's own tables, read in one snapshot (docs/spine.md, rule A7). What is
// immutable (events, state at a root) is fetched afterwards through rooms.
#pragma once
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "components/rooms/rooms.h"
#include "components/sync/feed.h"
#include "components/sync/token.h"
#include "components/sync/unread.h"

namespace myelin::sync {

struct SnapshotQuery {
  UserId user;
  DeviceId device;
  std::optional<Token> since;                 // absent: initial
  std::optional<ChangedRooms> changed_rooms;  // of the joined ones, where memory knows them
  size_t timeline_limit = 10;
  bool full_state = false;
  bool include_leave = false;  // initial: rooms left, too
};

struct TimelineRow {
  int64_t pos = 0, order = 0, depth = 0;
  rooms::EventRef ref;
  StateRoot root_after;
  std::string thread;
  Verdict sums;  // of the thread, this event included
  bool on_fork = false;
};

struct ReceiptRow {
  std::string user, type, thread, event_id;
  int64_t ts = 0;
};

struct RoomSnapshot {
  uint32_t room_no = 0;
  RoomId room;
  rooms::Membership membership = rooms::Membership::kLeave;
  rooms::EventRef member_ref;
  std::optional<rooms::Membership> before;  // membership at `since`, when it changed after it
  bool membership_changed = false;          // after `since`
  bool is_new = false;                      // the client does not have the room: joined (or left) after `since`
  bool outside = false;                     // gone, and was not inside since: there is nothing to see
  bool member_apart = false;                // gone, by an event after the timeline's end
  int64_t from = 0, upto = 0;               // the timeline's positions: (from, upto]
  std::vector<TimelineRow> rows;            // newest first, at most timeline_limit + 1, and before them the one apart
  StateRoot root_since, root_upto;
  std::vector<ReceiptRow> receipts;
  std::vector<ThreadCount> unread;
  bool with_summary = false;
  std::vector<std::string> heroes;
  int64_t joined = 0, invited = 0;
};

struct Snapshot {
  int64_t position = 0;
  std::vector<RoomSnapshot> rooms;
  std::set<std::string> account_data;                              // types changed
  std::map<std::string, std::set<std::string>> room_account_data;  // room id -> types changed
  std::vector<std::string> to_device;                              // bodies
  int64_t to_device_upto = -1;                                     // set when there are more than fit
  bool key_counts_changed = false;
  std::set<std::string> device_lists_changed, device_lists_left;
};

Snapshot read_snapshot(db::ReadTx&, const SnapshotQuery&);

// Positions (after, upto] of a room, newest first.
std::vector<TimelineRow> read_timeline(db::ReadTx&, int64_t room_no, int64_t after, int64_t upto, size_t limit);
// The room's state after the newest event at or before `position`.
StateRoot root_at(db::ReadTx&, int64_t room_no, int64_t position);

struct DeviceLists {
  std::set<std::string> changed, left;
};
// Since a position, up to now.
DeviceLists read_device_lists(db::ReadTx&, const UserId&, int64_t since);

}  // namespace myelin::sync
