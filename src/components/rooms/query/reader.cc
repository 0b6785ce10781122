#include "components/rooms/query/reader.h"

#include "components/rooms/state_root.h"
#include "infra/db/sql.h"
#include "matrix/redaction.h"

namespace myelin::rooms {
namespace {

// How a placed event is read; see placed_event().
constexpr db::Sql kEventColumns =
    "SELECT e.ref, e.event_id, e.depth, e.order_no, e.flags, e.txn, e.json, r.version, p.event_id, p.json, d.event_id, d.json "
    "FROM event e JOIN room r ON r.room_no = e.room_no LEFT JOIN event p ON p.ref = e.replaces "
    "LEFT JOIN event d ON d.ref = e.redacted_by WHERE e.ref IN {ints $1}";
constexpr int64_t kRejected = 1, kSoftFailed = 2;  // of event.flags

Result<PlacedPtr> placed_event(const db::Row& row) {
  auto placed = std::make_shared<PlacedEvent>();
  const auto* rules = find_room_version(row.text(7));
  if (rules == nullptr) return fail(Code::kCorrupt, "an event of a room of unknown version");
  placed->ref = EventRef::from_row(row.i64(0));
  placed->depth = row.i64(2);
  placed->order = row.null(3) ? 0 : row.i64(3);
  placed->rejected = (row.i64(4) & kRejected) != 0;
  placed->soft_failed = (row.i64(4) & kSoftFailed) != 0;
  if (!row.null(5)) {
    auto txn = row.text(5);
    auto line = txn.find('\n');
    placed->transaction.emplace(DeviceId::trusted(std::string(txn.substr(0, line))), std::string(txn.substr(line + 1)));
  }
  auto id = EventId::trusted(row.str(1));
  MYELIN_TRY(placed->event, Event::restore(row.bytes(6), id, *rules));
  if (!row.null(8)) {
    placed->replaces_state = EventId::trusted(row.str(8));
    MYELIN_TRY(auto before, Event::restore(row.bytes(9), *placed->replaces_state, *rules));
    placed->prev_content = std::make_shared<const json::Object>(before->content());
  }
  if (!row.null(10)) {
    MYELIN_TRY(placed->redacted_because, Event::restore(row.bytes(11), EventId::trusted(row.str(10)), *rules));
    auto text = json::serialize(redact(placed->event->object(), *rules));
    MYELIN_TRY(placed->event, Event::restore(std::move(text), id, *rules));
    placed->prev_content = nullptr;
  }
  return placed;
}

Result<std::vector<PlacedPtr>> read_events(db::ReadTx& tx, const std::vector<int64_t>& rows) {
  std::vector<PlacedPtr> out;
  Result<void> status;
  tx.query(kEventColumns,
           [&](const db::Row& row) {
             auto placed = placed_event(row);
             if (placed)
               out.push_back(std::move(*placed));
             else
               status = std::unexpected(std::move(placed).error());
           },
           db::int_set(rows));
  MYELIN_CHECK(status);
  return out;
}

size_t weight(const PlacedEvent& placed) {
  return 256 + placed.event->memory_bytes() + (placed.redacted_because ? placed.redacted_because->memory_bytes() : 0);
}

RoomMembership membership_row(const db::Row& row) {
  return {static_cast<uint32_t>(row.i64(0)), RoomId::trusted(row.str(1)), static_cast<Membership>(row.i64(2)),
          EventRef::from_row(row.i64(3)), row.i64(4) != 0};
}

UserId user_row(const db::Row& row) { return UserId::trusted(row.str(0)); }

}  // namespace

Reader::Reader(db::Database& db, size_t cache_bytes)
    : db_(db),
      pages_(cache_bytes / 4),
      events_("events", cache_bytes / 2),
      rooms_("room_info", cache_bytes / 16),
      room_numbers_("room_numbers", cache_bytes / 16) {}

// ---- rooms

RoomInfo Reader::remember(RoomInfo info) {
  rooms_.put(info.room_no, info, 256);
  room_numbers_.put(info.room.str(), info.room_no, 192);
  return info;
}

Task<Result<RoomInfo>> Reader::room(RoomId id) {
  if (auto* number = room_numbers_.find(id.str()))
    if (auto* known = rooms_.find(*number)) co_return *known;
  MYELIN_CO_TRY(auto info, co_await db_.read([id](db::ReadTx& tx) {
    return tx.one("SELECT room_no, version FROM room WHERE room_id = $1",
                  [&](const db::Row& row) {
                    return RoomInfo{static_cast<uint32_t>(row.i64(0)), id, find_room_version(row.text(1))};
                  },
                  id.str());
  }));
  if (!info) co_return fail(Code::kNotFound, "there is no such room");
  co_return remember(*info);
}

Task<Result<RoomInfo>> Reader::room(uint32_t room_no) {
  if (auto* known = rooms_.find(room_no)) co_return *known;
  MYELIN_CO_TRY(auto info, co_await db_.read([room_no](db::ReadTx& tx) {
    return tx.one("SELECT room_id, version FROM room WHERE room_no = $1",
                  [&](const db::Row& row) {
                    return RoomInfo{room_no, RoomId::trusted(row.str(0)), find_room_version(row.text(1))};
                  },
                  room_no);
  }));
  if (!info) co_return fail(Code::kNotFound, "there is no such room");
  co_return remember(*info);
}

// ---- events

Task<Result<std::vector<PlacedPtr>>> Reader::events(std::vector<EventRef> refs) {
  std::vector<PlacedPtr> out(refs.size());
  std::vector<int64_t> absent;
  for (size_t i = 0; i < refs.size(); ++i) {
    if (auto* known = events_.find(refs[i].row()))
      out[i] = *known;
    else
      absent.push_back(refs[i].row());
  }
  if (absent.empty()) co_return out;
  MYELIN_CO_TRY(auto read, co_await db_.read([absent](db::ReadTx& tx) { return read_events(tx, absent); }));
  std::unordered_map<int64_t, PlacedPtr> found;
  for (auto& placed : read) {
    auto row = placed->ref.row();
    events_.put(row, placed, weight(*placed));
    found[row] = std::move(placed);
  }
  for (size_t i = 0; i < refs.size(); ++i) {
    if (out[i]) continue;
    auto it = found.find(refs[i].row());
    if (it == found.end()) co_return fail(Code::kCorrupt, "an event that is referred to is not there");
    out[i] = it->second;
  }
  co_return out;
}

Task<Result<PlacedPtr>> Reader::event(RoomId room, EventId id) {
  MYELIN_CO_TRY(auto ref, co_await db_.read([room, id](db::ReadTx& tx) {
    return tx.one("SELECT e.ref FROM event e JOIN room r ON r.room_no = e.room_no WHERE e.event_id = $1 AND r.room_id = $2",
                  [](const db::Row& row) { return EventRef::from_row(row.i64(0)); }, id.str(), room.str());
  }));
  if (!ref) co_return fail(Code::kNotFound, "there is no such event in this room");
  std::vector<EventRef> refs{*ref};
  MYELIN_CO_TRY(auto found, co_await events(std::move(refs)));
  co_return found.front();
}

// ---- state

Task<Result<std::vector<StateEntry>>> Reader::state(uint32_t room_no, StateRoot root) {
  co_return co_await db_.read([this, room_no, root](db::ReadTx& tx) -> Result<std::vector<StateEntry>> {
    RowPages pages(tx, pages_, room_no);
    std::unordered_map<uint32_t, uint32_t> events;
    MYELIN_CHECK(StateMap(pages, root).for_each([&](uint32_t key_no, uint32_t event_no) { events[key_no] = event_no; }));
    std::vector<StateEntry> out;
    out.reserve(events.size());
    tx.query("SELECT key_no, type, state_key FROM state_key WHERE room_no = $1",
             [&](const db::Row& row) {
               auto it = events.find(static_cast<uint32_t>(row.i64(0)));
               if (it != events.end()) out.push_back({row.str(1), row.str(2), {room_no, it->second}});
             },
             room_no);
    return out;
  });
}

Task<Result<std::vector<StateChange>>> Reader::diff(uint32_t room_no, StateRoot from, StateRoot to) {
  if (from.fingerprint == to.fingerprint) co_return std::vector<StateChange>();
  co_return co_await db_.read([this, room_no, from, to](db::ReadTx& tx) -> Result<std::vector<StateChange>> {
    RowPages pages(tx, pages_, room_no);
    MYELIN_TRY(auto changes, myelin::diff(StateMap(pages, from), StateMap(pages, to)));
    std::vector<StateChange> out;
    for (const auto& change : changes) {
      auto name = tx.one("SELECT type, state_key FROM state_key WHERE room_no = $1 AND key_no = $2",
                         [](const db::Row& row) { return std::pair(row.str(0), row.str(1)); }, room_no, change.key_no);
      if (!name) return fail(Code::kCorrupt, "a state key without a name");
      std::optional<EventRef> ref;
      if (change.after) ref = EventRef{room_no, *change.after};
      out.push_back({std::move(name->first), std::move(name->second), ref});
    }
    return out;
  });
}

Task<Result<std::vector<StateEntry>>> Reader::state_of(uint32_t room_no, StateRoot root,
                                                       std::vector<std::pair<std::string, std::string>> wanted) {
  co_return co_await db_.read([this, room_no, root, wanted](db::ReadTx& tx) -> Result<std::vector<StateEntry>> {
    RowPages pages(tx, pages_, room_no);
    StateMap map(pages, root);
    std::vector<StateEntry> out;
    for (const auto& [type, key] : wanted) {
      auto key_no = tx.one("SELECT key_no FROM state_key WHERE room_no = $1 AND type = $2 AND state_key = $3",
                           [](const db::Row& row) { return static_cast<uint32_t>(row.i64(0)); }, room_no, type, key);
      if (!key_no) continue;
      MYELIN_TRY(auto event_no, map.find(*key_no));
      if (event_no) out.push_back({type, key, {room_no, *event_no}});
    }
    return out;
  });
}

Task<Result<StateRoot>> Reader::current_root(uint32_t room_no) {
  // The state after the newest event is the room's: only events of local users are stored out of band.
  co_return co_await db_.read([room_no](db::ReadTx& tx) -> Result<StateRoot> {
    auto root = tx.one("SELECT coalesce(state_after, state_before) FROM event WHERE room_no = $1 AND order_no IS NOT NULL "
                       "ORDER BY depth DESC, order_no DESC LIMIT 1",
                       [](const db::Row& row) { return decode_root(row.blob(0)); }, room_no);
    if (!root) return fail(Code::kNotFound, "there is no such room");
    return *root;
  });
}

Task<Result<StateRoot>> Reader::root_before(EventRef ref) {
  co_return co_await db_.read([ref](db::ReadTx& tx) -> Result<StateRoot> {
    auto root = tx.one("SELECT state_before FROM event WHERE ref = $1", [](const db::Row& row) { return decode_root(row.blob(0)); }, ref.row());
    if (!root) return fail(Code::kNotFound, "there is no such event");
    return *root;
  });
}

Task<Result<StateRoot>> Reader::root_after(EventRef ref) {
  co_return co_await db_.read([ref](db::ReadTx& tx) -> Result<StateRoot> {
    auto root = tx.one("SELECT coalesce(state_after, state_before) FROM event WHERE ref = $1",
                       [](const db::Row& row) { return decode_root(row.blob(0)); }, ref.row());
    if (!root) return fail(Code::kNotFound, "there is no such event");
    return *root;
  });
}

// ---- membership

Task<Result<std::optional<RoomMembership>>> Reader::membership(RoomId room, UserId user) {
  co_return co_await db_.read([room, user](db::ReadTx& tx) {
    return tx.one("SELECT m.room_no, r.room_id, m.membership, m.ref, m.forgotten FROM room r JOIN member m ON m.room_no = r.room_no "
                  "WHERE r.room_id = $1 AND m.user_id = $2",
                  membership_row, room.str(), user.str());
  });
}

Task<Result<std::vector<RoomMembership>>> Reader::memberships(UserId user) {
  co_return co_await db_.read([user](db::ReadTx& tx) {
    return tx.all("SELECT m.room_no, r.room_id, m.membership, m.ref, m.forgotten FROM member m JOIN room r ON r.room_no = m.room_no "
                  "WHERE m.user_id = $1",
                  membership_row, user.str());
  });
}

Task<Result<std::vector<UserId>>> Reader::members(uint32_t room_no, Membership membership) {
  co_return co_await db_.read([room_no, membership](db::ReadTx& tx) {
    return tx.all("SELECT user_id FROM member WHERE room_no = $1 AND membership = $2", user_row, room_no,
                  static_cast<int64_t>(membership));
  });
}

Task<Result<std::vector<UserId>>> Reader::users_sharing_a_room(UserId user) {
  co_return co_await db_.read([user](db::ReadTx& tx) {
    return tx.all("SELECT DISTINCT o.user_id FROM member m JOIN member o ON o.room_no = m.room_no AND o.membership = $2 "
                  "WHERE m.user_id = $1 AND m.membership = $2 AND o.user_id <> $1",
                  user_row, user.str(), static_cast<int64_t>(Membership::kJoin));
  });
}

}  // namespace myelin::rooms
