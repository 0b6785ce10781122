// State at a root.
#include <unordered_map>

#include "components/rooms/graph/room_head.h"
#include "components/rooms/query/reader.h"
#include "components/rooms/state_root.h"

namespace myelin::rooms {
namespace {

Result<StateRoot> root_of(std::optional<StateRoot> root) {
  if (!root) return fail(Code::kNotFound, "there is no such room or event");
  return *root;
}

StateRoot root_row(const db::Row& row) { return decode_root(row.blob(0)); }

}  // namespace

Task<Result<std::vector<StateEntry>>> Reader::state(uint32_t room_no, StateRoot root) {
  co_return co_await db_.read([this, room_no, root](db::ReadTx& tx) -> Result<std::vector<StateEntry>> {
    RowPages pages(tx, pages_, room_no);
    std::unordered_map<uint32_t, uint32_t> events;
    MYELIN_CHECK(
        StateMap(pages, root).for_each([&](uint32_t key_no, uint32_t event_no) { events[key_no] = event_no; }));
    std::vector<StateEntry> out;
    out.reserve(events.size());
    tx.query(
        "SELECT key_no, type, state_key FROM state_key WHERE room_no = $1",
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
      auto name = tx.one(
          "SELECT type, state_key FROM state_key WHERE room_no = $1 AND key_no = $2",
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
      auto key_no = tx.one(
          "SELECT key_no FROM state_key WHERE room_no = $1 AND type = $2 AND state_key = $3",
          [](const db::Row& row) { return static_cast<uint32_t>(row.i64(0)); }, room_no, type, key);
      if (!key_no) continue;
      MYELIN_TRY(auto event_no, map.find(*key_no));
      if (event_no) out.push_back({type, key, {room_no, *event_no}});
    }
    return out;
  });
}

Task<Result<StateRoot>> Reader::current_root(uint32_t room_no) {
  co_return co_await db_.read([room_no](db::ReadTx& tx) -> Result<StateRoot> {
    auto head = tx.one(
        "SELECT head FROM room WHERE room_no = $1", [](const db::Row& row) { return decode_room_head(row.blob(0)); },
        room_no);
    if (!head) return fail(Code::kNotFound, "there is no such room");
    MYELIN_CHECK(*head);
    return (*head)->current;
  });
}

Task<Result<StateRoot>> Reader::root_before(EventRef ref) {
  co_return co_await db_.read([ref](db::ReadTx& tx) {
    return root_of(tx.one("SELECT state_before FROM event WHERE ref = $1", root_row, ref.row()));
  });
}

Task<Result<StateRoot>> Reader::root_after(EventRef ref) {
  co_return co_await db_.read([ref](db::ReadTx& tx) {
    return root_of(tx.one("SELECT coalesce(state_after, state_before) FROM event WHERE ref = $1", root_row, ref.row()));
  });
}

}  // namespace myelin::rooms
