#include "components/rooms/query/reader.h"

namespace myelin::rooms {

Reader::Reader(db::Database& db, PageCache& pages, size_t cache_bytes)
    : db_(db),
      pages_(pages),
      events_("events", cache_bytes * 3 / 4),
      rooms_("room_info", cache_bytes / 8),
      room_numbers_("room_numbers", cache_bytes / 8) {}

// ---- rooms

RoomInfo Reader::remember(RoomInfo info) {
  rooms_.put(info.room_no, info, 256);
  room_numbers_.put(info.room.str(), info.room_no, 256);
  return info;
}

Task<Result<RoomInfo>> Reader::room(RoomId id) {
  if (auto* number = room_numbers_.find(id.str()))
    if (auto* known = rooms_.find(*number)) co_return *known;
  MYELIN_CO_TRY(auto info, co_await db_.read([id](db::ReadTx& tx) {
    return tx.one(
        "SELECT room_no, version FROM room WHERE room_id = $1",
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
    return tx.one(
        "SELECT room_id, version FROM room WHERE room_no = $1",
        [&](const db::Row& row) {
          return RoomInfo{room_no, RoomId::trusted(row.str(0)), find_room_version(row.text(1))};
        },
        room_no);
  }));
  if (!info) co_return fail(Code::kNotFound, "there is no such room");
  co_return remember(*info);
}

// ---- membership, as committed

namespace {

RoomMembership membership_row(const db::Row& row) {
  return {static_cast<uint32_t>(row.i64(0)), RoomId::trusted(row.str(1)), static_cast<Membership>(row.i64(2)),
          EventRef::from_row(row.i64(3)), row.i64(4) != 0};
}

UserId user_row(const db::Row& row) { return UserId::trusted(row.str(0)); }

}  // namespace

Task<Result<std::optional<RoomMembership>>> Reader::membership(RoomId room, UserId user) {
  co_return co_await db_.read([room, user](db::ReadTx& tx) {
    return tx.one(
        "SELECT m.room_no, r.room_id, m.membership, m.ref, m.forgotten FROM room r JOIN member m "
        "ON m.room_no = r.room_no WHERE r.room_id = $1 AND m.user_id = $2",
        membership_row, room.str(), user.str());
  });
}

Task<Result<std::vector<RoomMembership>>> Reader::memberships(UserId user) {
  co_return co_await db_.read([user](db::ReadTx& tx) {
    return tx.all(
        "SELECT m.room_no, r.room_id, m.membership, m.ref, m.forgotten FROM member m JOIN room r "
        "ON r.room_no = m.room_no WHERE m.user_id = $1",
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
    return tx.all(
        "SELECT DISTINCT o.user_id FROM member m JOIN member o ON o.room_no = m.room_no AND o.membership = $2 "
        "WHERE m.user_id = $1 AND m.membership = $2 AND o.user_id <> $1",
        user_row, user.str(), static_cast<int64_t>(Membership::kJoin));
  });
}

}  // namespace myelin::rooms
