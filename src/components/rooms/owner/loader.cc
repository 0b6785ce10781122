#include "components/rooms/owner/loader.h"

namespace myelin::rooms {
namespace {

struct Fetched {
  std::vector<std::pair<TypeAndKey, HeldState>> state;
  std::vector<std::pair<uint32_t, PagePtr>> pages;
};

Result<RoomHead> read_head(db::ReadTx& tx, uint32_t room_no) {
  auto head = tx.one(
      "SELECT head FROM room WHERE room_no = $1", [](const db::Row& row) { return decode_room_head(row.blob(0)); },
      room_no);
  if (!head) return fail(Code::kNotFound, "there is no such room");
  return *std::move(head);
}

Result<void> read_event(db::ReadTx& tx, const RoomRules& rules, EventRef ref, HeldState& out) {
  Result<void> status = fail(Code::kCorrupt, "a state event is not there");
  tx.query(
      "SELECT e.event_id, e.json, a.generation, x.ref FROM event e JOIN auth_event a ON a.ref = e.ref "
      "LEFT JOIN redaction x ON x.target = e.ref WHERE e.ref = $1",
      [&](const db::Row& row) {
        auto event = Event::restore(row.bytes(1), EventId::trusted(row.str(0)), rules);
        status = event ? Result<void>{} : std::unexpected(event.error());
        if (event) out.event = *std::move(event);
        out.generation = static_cast<uint32_t>(row.i64(2));
        out.redacted = !row.null(3);
      },
      ref.row());
  return status;
}

// The committed state of each key, and the pages on the way to it: those that a change of the key copies.
Result<Fetched> read_missing(db::ReadTx& tx, PageCache& cache, uint32_t room_no, const RoomRules& rules,
                             const Missing& missing) {
  Fetched out;
  RowPages pages(tx, cache, room_no);
  for (auto page_no : missing.pages) MYELIN_CHECK(pages.load(page_no));
  if (!missing.keys.empty()) {
    MYELIN_TRY(auto head, read_head(tx, room_no));
    StateMap current(pages, head.current);
    for (const auto& key : missing.keys) {
      HeldState held;
      held.key_no = tx.one(
          "SELECT key_no FROM state_key WHERE room_no = $1 AND type = $2 AND state_key = $3",
          [](const db::Row& row) { return static_cast<uint32_t>(row.i64(0)); }, room_no, key.type, key.state_key);
      MYELIN_TRY(auto event_no, current.find(held.key_no.value_or(head.next_key_no)));
      if (event_no) {
        held.event_no = *event_no;
        MYELIN_CHECK(read_event(tx, rules, {room_no, *event_no}, held));
      }
      out.state.emplace_back(key, std::move(held));
    }
  }
  out.pages = pages.loaded();
  return out;
}

}  // namespace

Task<Result<RoomStatePtr>> Loader::load(RoomId id) const {
  struct Loaded {
    uint32_t room_no;
    std::string version;
    int64_t version_no;
    Result<RoomHead> head;
  };
  MYELIN_CO_TRY(auto loaded, co_await db_.read([id](db::ReadTx& tx) {
    return tx.one(
        "SELECT room_no, version, version_no, head FROM room WHERE room_id = $1",
        [](const db::Row& row) {
          return Loaded{static_cast<uint32_t>(row.i64(0)), row.str(1), row.i64(2), decode_room_head(row.blob(3))};
        },
        id.str());
  }));
  if (!loaded) co_return fail(Code::kNotFound, "there is no such room");
  auto room = std::make_shared<RoomState>(loop_);
  room->room_no = loaded->room_no;
  room->room = id;
  room->rules = find_room_version(loaded->version);
  if (room->rules == nullptr) co_return fail(Code::kCorrupt, "a room of unknown version " + loaded->version);
  room->version_no = loaded->version_no;
  MYELIN_CO_TRY(room->head, std::move(loaded->head));
  co_return room;
}

Task<Result<void>> Loader::fetch(RoomStatePtr room, Missing missing) const {
  auto trims = room->trims();
  auto fetched =
      co_await db_.read([&cache = pages_, room_no = room->room_no, rules = room->rules, missing = std::move(missing)](
                            db::ReadTx& tx) { return read_missing(tx, cache, room_no, *rules, missing); });
  if (!fetched) co_return std::unexpected(std::move(fetched).error());
  if (room->trims() != trims) co_return Result<void>{};  // it may be older than what was let go: the step asks again
  for (auto& [key, held] : fetched->state) room->fetched(std::move(key), std::move(held));
  for (auto& [page_no, page] : fetched->pages) room->fetched(page_no, page);
  co_return Result<void>{};
}

}  // namespace myelin::rooms
