#include "components/sync/v3/snapshot.h"

#include "components/rooms/state_root.h"
#include "components/sync/apply/user_apply.h"

namespace myelin::sync {
using rooms::Membership;
namespace {
constexpr int64_t kJoin = static_cast<int64_t>(Membership::kJoin);
constexpr int64_t kInvite = static_cast<int64_t>(Membership::kInvite);
constexpr size_t kToDeviceLimit = 100;  // client-server API, Send-to-device: at most 100 in one answer

struct MemberRow {
  uint32_t room_no;
  Membership membership;
  rooms::EventRef ref;
  int64_t pos;
  RoomId room;
};
MemberRow member_row(const db::Row& row) {
  return {static_cast<uint32_t>(row.i64(0)), static_cast<Membership>(row.i64(1)), rooms::EventRef::from_row(row.i64(2)),
          row.i64(3), RoomId::trusted(row.str(4))};
}

// Most answers tell of a message in one room: what there is besides is asked for at once, and read only where there is
// any.
struct UserNews {
  int64_t position = 0;  // of the snapshot
  bool own_memberships = false, members = false, devices = false, account = false, to_device = false;
};

UserNews read_user_news(db::ReadTx& tx, const SnapshotQuery& query) {
  auto read = [](const db::Row& row) {
    return UserNews{row.i64(0), row.i64(1) != 0, row.i64(2) != 0, row.i64(3) != 0, row.i64(4) != 0, row.i64(5) != 0};
  };
  return tx
      .one(
          "SELECT pos, EXISTS (SELECT 1 FROM sync_member_change WHERE user_id = $1 AND pos > $2), "
          "EXISTS (SELECT 1 FROM sync_member m JOIN sync_room r ON r.room_no = m.room_no WHERE m.user_id = $1 AND "
          "m.membership = $3 AND r.last_pos > $2 AND EXISTS (SELECT 1 FROM sync_member_change c WHERE c.room_no = "
          "m.room_no AND c.pos > $2)), "
          "EXISTS (SELECT 1 FROM sync_device_list WHERE pos > $2), "
          "EXISTS (SELECT 1 FROM sync_user WHERE user_id = $1 AND pos > $2), "
          "EXISTS (SELECT 1 FROM to_device WHERE user_id = $1 AND device_id = $4 AND pos > $5) "
          "FROM sync_head WHERE id = 1",
          read, query.user.str(), query.since ? query.since->position : 0, kJoin, query.device.str(),
          query.since ? query.since->to_device_position() : 0)
      .value_or(UserNews{});
}

// What a room has after a position besides its timeline, and the state there.
struct RoomNews {
  StateRoot root;
  bool receipts = false, members = false;
};

RoomNews read_room_news(db::ReadTx& tx, uint32_t room_no, int64_t position) {
  return tx
      .one(
          "SELECT (SELECT root_after FROM sync_timeline WHERE room_no = $1 AND pos <= $2 ORDER BY pos DESC LIMIT 1), "
          "EXISTS (SELECT 1 FROM sync_receipt WHERE room_no = $1 AND pos > $2), "
          "EXISTS (SELECT 1 FROM sync_member_change WHERE room_no = $1 AND pos > $2)",
          [](const db::Row& row) {
            return RoomNews{row.null(0) ? StateRoot{} : rooms::decode_root(row.blob(0)), row.i64(1) != 0,
                            row.i64(2) != 0};
          },
          room_no, position)
      .value_or(RoomNews{});
}

// The user's own membership in one room, after `since`.
struct OwnChange {
  std::optional<Membership> before;  // of the first change
  std::optional<int64_t> left_at;    // when the user went out for the last time
};

std::map<uint32_t, OwnChange> own_changes(db::ReadTx& tx, const UserId& user, int64_t since) {
  std::map<uint32_t, OwnChange> out;
  tx.query(
      "SELECT room_no, pos, before, after FROM sync_member_change WHERE user_id = $1 AND pos > $2 ORDER BY pos",
      [&](const db::Row& row) {
        std::optional<Membership> before;
        if (!row.null(2)) before = static_cast<Membership>(row.i64(2));
        auto& change = out.try_emplace(static_cast<uint32_t>(row.i64(0)), OwnChange{before, {}}).first->second;
        if (before == Membership::kJoin && row.i64(3) != kJoin) change.left_at = row.i64(1);
      },
      user.str(), since);
  return out;
}

// When the user went out of the room for the last time.
std::optional<int64_t> last_left_at(db::ReadTx& tx, const UserId& user, uint32_t room_no) {
  return tx.one(
      "SELECT pos FROM sync_member_change WHERE user_id = $1 AND room_no = $2 AND before = $3 AND after <> $3 "
      "ORDER BY pos DESC LIMIT 1",
      [](const db::Row& row) { return row.i64(0); }, user.str(), room_no, kJoin);
}

std::optional<MemberRow> member_of(db::ReadTx& tx, const UserId& user, uint32_t room_no) {
  return tx.one(
      "SELECT m.room_no, m.membership, m.ref, m.pos, r.room_id FROM sync_member m JOIN sync_room r ON r.room_no = "
      "m.room_no WHERE m.user_id = $1 AND m.room_no = $2",
      member_row, user.str(), room_no);
}

// The rooms an answer may speak of, with the user's membership now.
std::vector<MemberRow> candidates(db::ReadTx& tx, const SnapshotQuery& query,
                                  const std::map<uint32_t, OwnChange>& changes, int64_t position) {
  std::map<uint32_t, MemberRow> out;
  auto keep = [&](const MemberRow& row) { out.emplace(row.room_no, row); };
  if (!query.since || query.full_state) {
    tx.query(
        "SELECT m.room_no, m.membership, m.ref, m.pos, r.room_id FROM sync_member m JOIN sync_room r ON r.room_no = "
        "m.room_no WHERE m.user_id = $1",
        [&](const db::Row& row) {
          auto member = member_row(row);
          bool gone = member.membership == Membership::kLeave || member.membership == Membership::kBan;
          if (!gone || (!query.since && query.include_leave)) keep(member);
        },
        query.user.str());
  } else {
    int64_t known = query.since->position;
    if (query.changed_rooms) {
      known = query.changed_rooms->upto;
      for (uint32_t room_no : query.changed_rooms->rooms)
        if (auto member = member_of(tx, query.user, room_no); member && member->membership == Membership::kJoin)
          keep(*member);
    }
    if (known < position)  // this snapshot may be ahead of memory
      tx.query(
          "SELECT m.room_no, m.membership, m.ref, m.pos, r.room_id FROM sync_member m JOIN sync_room r ON r.room_no = "
          "m.room_no WHERE m.user_id = $1 AND m.membership = $2 AND r.last_pos > $3",
          [&](const db::Row& row) { keep(member_row(row)); }, query.user.str(), kJoin, known);
  }
  for (const auto& [room_no, change] : changes)
    if (auto member = member_of(tx, query.user, room_no)) keep(*member);
  std::vector<MemberRow> rows;
  for (auto& [room_no, row] : out) rows.push_back(row);
  return rows;
}

void read_summary(db::ReadTx& tx, const UserId& user, RoomSnapshot& room) {
  room.with_summary = true;
  auto count = [&](int64_t membership) {
    return tx
        .one(
            "SELECT count(*) FROM sync_member WHERE room_no = $1 AND membership = $2",
            [](const db::Row& row) { return row.i64(0); }, room.room_no, membership)
        .value_or(0);
  };
  room.joined = count(kJoin);
  room.invited = count(kInvite);
  auto name = [](const db::Row& row) { return row.str(0); };
  room.heroes = tx.all(
      "SELECT user_id FROM sync_member WHERE room_no = $1 AND membership IN ($2, $3) AND user_id <> $4 "
      "ORDER BY pos, user_id LIMIT 5",
      name, room.room_no, kJoin, kInvite, user.str());
  if (room.heroes.empty())
    room.heroes =
        tx.all("SELECT user_id FROM sync_member WHERE room_no = $1 AND user_id <> $2 ORDER BY pos, user_id LIMIT 5",
               name, room.room_no, user.str());
}

void read_receipts(db::ReadTx& tx, const UserId& user, RoomSnapshot& room) {
  room.receipts = tx.all(
      "SELECT user_id, type, thread, event_id, ts FROM sync_receipt WHERE room_no = $1 AND pos > $2 "
      "AND (type <> 'm.read.private' OR user_id = $3) ORDER BY thread DESC",  // unthreaded ones last: see
                                                                              // receipts_event
      [](const db::Row& row) { return ReceiptRow{row.str(0), row.str(1), row.str(2), row.str(3), row.i64(4)}; },
      room.room_no, room.is_new ? 0 : room.from, user.str());
}

// The part of a room that somebody who is gone may be told of: up to when they went out.
void read_end(db::ReadTx& tx, const SnapshotQuery& query, const MemberRow& member, const OwnChange* change,
              RoomSnapshot& room) {
  auto left_at = change != nullptr ? change->left_at : last_left_at(tx, query.user, member.room_no);
  room.outside = !left_at;
  room.upto = left_at.value_or(0);
  room.member_apart = left_at != member.pos;
}

// The event that says how they stand now is the timeline's last.
void add_apart(db::ReadTx& tx, const MemberRow& member, RoomSnapshot& room) {
  auto row = read_timeline(tx, room.room_no, member.pos - 1, member.pos, 1);
  if (!row.empty() && row.front().ref == member.ref) room.rows.insert(room.rows.begin(), std::move(row.front()));
}

RoomSnapshot read_room(db::ReadTx& tx, const SnapshotQuery& query, const MemberRow& member, const OwnChange* change,
                       int64_t position) {
  RoomSnapshot room;
  room.room_no = member.room_no;
  room.membership = member.membership;
  room.member_ref = member.ref;
  room.membership_changed = change != nullptr;
  if (change != nullptr) room.before = change->before;
  auto at_since = change != nullptr ? change->before : std::optional(member.membership);
  room.is_new = !query.since || at_since != Membership::kJoin;
  room.from = query.since ? query.since->position : 0;
  room.upto = position;
  room.room = member.room;
  bool inside = member.membership == Membership::kJoin;
  if (member.membership == Membership::kInvite || member.membership == Membership::kKnock) return room;
  if (!inside) read_end(tx, query, member, change, room);
  if (room.outside) return room;

  auto after = room.is_new ? 0 : room.from;
  auto news = read_room_news(tx, room.room_no, after);
  room.root_since = news.root;
  room.rows = read_timeline(tx, room.room_no, after, room.upto, query.timeline_limit + 1);
  room.root_upto = !room.rows.empty() ? room.rows.front().root_after : root_at(tx, room.room_no, room.upto);
  if (!inside) {
    if (room.member_apart) add_apart(tx, member, room);
    return room;
  }
  if (news.receipts) read_receipts(tx, query.user, room);
  room.unread = read_unread(tx, query.user, room.room_no);
  if (room.is_new || query.full_state || news.members) read_summary(tx, query.user, room);
  return room;
}

void read_user_changes(db::ReadTx& tx, const SnapshotQuery& query, Snapshot& out) {
  tx.query(
      "SELECT kind, room, what FROM sync_user WHERE user_id = $1 AND pos > $2",
      [&](const db::Row& row) {
        if (row.i64(0) == kKeyCountsKind)
          out.key_counts_changed |= row.text(2) == query.device.str();
        else if (row.text(1).empty())
          out.account_data.insert(row.str(2));
        else
          out.room_account_data[row.str(1)].insert(row.str(2));
      },
      query.user.str(), query.since->position);
}

void read_to_device(db::ReadTx& tx, const SnapshotQuery& query, Snapshot& out) {
  int64_t after = query.since ? query.since->to_device_position() : 0;
  struct Row {
    int64_t pos;
    std::string body;
  };
  auto rows = tx.all(
      "SELECT pos, body FROM to_device WHERE user_id = $1 AND device_id = $2 AND pos > $3 ORDER BY pos, seq LIMIT $4",
      [](const db::Row& row) { return Row{row.i64(0), row.str(1)}; }, query.user.str(), query.device.str(), after,
      kToDeviceLimit + 1);
  if (rows.size() > kToDeviceLimit) {
    // Cut between two positions, so that the token can say where; a position with more than fits goes out whole.
    size_t end = kToDeviceLimit;
    while (end > 0 && rows[end - 1].pos == rows[end].pos) --end;
    if (end == 0) {
      int64_t pos = rows.front().pos;
      rows = tx.all(
          "SELECT pos, body FROM to_device WHERE user_id = $1 AND device_id = $2 AND pos = $3 ORDER BY seq",
          [](const db::Row& row) { return Row{row.i64(0), row.str(1)}; }, query.user.str(), query.device.str(), pos);
    } else {
      rows.resize(end);
    }
    out.to_device_upto = rows.back().pos;
  }
  for (auto& row : rows) out.to_device.push_back(std::move(row.body));
}

bool share_a_room(db::ReadTx& tx, const std::string& a, const std::string& b) {
  return tx
      .one(
          "SELECT 1 FROM sync_member x JOIN sync_member y ON y.room_no = x.room_no AND y.user_id = $2 AND y.membership "
          "= $3 "
          "WHERE x.user_id = $1 AND x.membership = $3 LIMIT 1",
          [](const db::Row&) { return true; }, a, b, kJoin)
      .has_value();
}

}  // namespace

std::vector<TimelineRow> read_timeline(db::ReadTx& tx, int64_t room_no, int64_t after, int64_t upto, size_t limit) {
  return tx.all(
      "SELECT pos, order_no, depth, ref, root_after, thread, notify, highlight, on_fork FROM sync_timeline "
      "WHERE room_no = $1 AND pos > $2 AND pos <= $3 ORDER BY pos DESC LIMIT $4",
      [](const db::Row& row) {
        return TimelineRow{row.i64(0),
                           row.i64(1),
                           row.i64(2),
                           rooms::EventRef::from_row(row.i64(3)),
                           rooms::decode_root(row.blob(4)),
                           row.str(5),
                           {row.i64(6), row.i64(7)},
                           row.i64(8) != 0};
      },
      room_no, after, upto, limit);
}

StateRoot root_at(db::ReadTx& tx, int64_t room_no, int64_t position) {
  return tx
      .one(
          "SELECT root_after FROM sync_timeline WHERE room_no = $1 AND pos <= $2 ORDER BY pos DESC LIMIT 1",
          [](const db::Row& row) { return rooms::decode_root(row.blob(0)); }, room_no, position)
      .value_or(StateRoot{});
}

namespace {

// Who was in a room at `from`, and is or is not now, as far as either changed.
void add_changed_members(db::ReadTx& tx, uint32_t room_no, int64_t from, std::set<std::string>& came,
                         std::set<std::string>& went) {
  std::map<std::string, std::pair<bool, bool>> changed;  // inside at `from`, inside now
  tx.query(
      "SELECT user_id, before, after FROM sync_member_change WHERE room_no = $1 AND pos > $2 ORDER BY pos",
      [&](const db::Row& row) {
        bool was_in = !row.null(1) && row.i64(1) == kJoin, is_in = row.i64(2) == kJoin;
        changed.try_emplace(row.str(0), was_in, is_in).first->second.second = is_in;
      },
      room_no, from);
  for (const auto& [user, inside] : changed)
    if (inside.first != inside.second) (inside.second ? came : went).insert(user);
}

void add_members(db::ReadTx& tx, uint32_t room_no, std::set<std::string>& out) {
  tx.query(
      "SELECT user_id FROM sync_member WHERE room_no = $1 AND membership = $2",
      [&](const db::Row& row) { out.insert(row.str(0)); }, room_no, kJoin);
}

// The user's rooms in which anybody came or went after `from`.
std::vector<uint32_t> rooms_with_changes(db::ReadTx& tx, const UserId& user, int64_t from) {
  return tx.all(
      "SELECT m.room_no FROM sync_member m JOIN sync_room r ON r.room_no = m.room_no WHERE m.user_id = $1 "
      "AND m.membership = $2 AND r.last_pos > $3 AND EXISTS (SELECT 1 FROM sync_member_change c "
      "WHERE c.room_no = m.room_no AND c.pos > $3)",
      [](const db::Row& row) { return static_cast<uint32_t>(row.i64(0)); }, user.str(), kJoin, from);
}

}  // namespace

DeviceLists read_device_lists(db::ReadTx& tx, const UserId& user, int64_t since) {
  DeviceLists out;
  const auto& me = user.str();
  std::set<std::string> came, went;
  for (const auto& [room_no, change] : own_changes(tx, user, since)) {
    auto now = member_of(tx, user, room_no);
    bool was_in = change.before == Membership::kJoin, is_in = now && now->membership == Membership::kJoin;
    if (was_in == is_in) continue;
    std::set<std::string> unused;
    add_members(tx, room_no, is_in ? came : went);
    if (was_in) add_changed_members(tx, room_no, since, unused, went);
  }
  for (uint32_t room_no : rooms_with_changes(tx, user, since)) add_changed_members(tx, room_no, since, came, went);
  came.erase(me);
  went.erase(me);
  tx.query(
      "SELECT user_id FROM sync_device_list WHERE pos > $1", [&](const db::Row& row) { came.insert(row.str(0)); },
      since);
  for (const auto& other : came)
    if (other == me || share_a_room(tx, me, other)) out.changed.insert(other);
  for (const auto& other : went)
    if (!share_a_room(tx, me, other)) out.left.insert(other);
  return out;
}

Snapshot read_snapshot(db::ReadTx& tx, const SnapshotQuery& query) {
  Snapshot out;
  auto news = read_user_news(tx, query);
  out.position = news.position;
  std::map<uint32_t, OwnChange> changes;
  if (query.since && news.own_memberships) changes = own_changes(tx, query.user, query.since->position);
  for (const auto& member : candidates(tx, query, changes, out.position)) {
    auto change = changes.find(member.room_no);
    out.rooms.push_back(
        read_room(tx, query, member, change == changes.end() ? nullptr : &change->second, out.position));
  }
  if (news.to_device) read_to_device(tx, query, out);
  if (query.since && news.account) read_user_changes(tx, query, out);
  if (query.since && (news.own_memberships || news.members || news.devices)) {
    auto lists = read_device_lists(tx, query.user, query.since->position);
    out.device_lists_changed = std::move(lists.changed);
    out.device_lists_left = std::move(lists.left);
  }
  return out;
}

}  // namespace myelin::sync
