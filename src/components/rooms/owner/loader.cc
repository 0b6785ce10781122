#include "components/rooms/owner/loader.h"

#include "infra/db/sql.h"

namespace myelin::rooms {

Loader::Loader(db::Database& db, Executor loop) : db_(db), loop_(loop) {}

Task<Result<RoomStatePtr>> Loader::load(RoomId id) const {
  co_return co_await db_.read([id, loop = loop_](db::ReadTx& tx) -> Result<RoomStatePtr> {
    auto room = std::make_shared<RoomState>(loop);
    room->room = id;
    std::string head, version;
    bool found = false;
    tx.query("SELECT room_no, version, version_no, head FROM room WHERE room_id = $1",
             [&](const db::Row& row) {
               found = true;
               room->room_no = static_cast<uint32_t>(row.i64(0));
               version = row.str(1);
               room->version_no = row.i64(2);
               head = row.bytes(3);
             },
             id.str());
    if (!found) return fail(Code::kNotFound, "there is no such room");
    room->rules = find_room_version(version);
    if (room->rules == nullptr) return fail(Code::kCorrupt, "a room of unknown version " + version);
    MYELIN_TRY(room->head, decode_room_head(head));
    tx.query("SELECT key_no, type, state_key FROM state_key WHERE room_no = $1",
             [&](const db::Row& row) { room->keys.add(static_cast<uint32_t>(row.i64(0)), row.str(1), row.str(2)); },
             room->room_no);
    return room;
  });
}

Task<Result<void>> Loader::fetch(RoomStatePtr room, Missing missing) const {
  struct Fetched {
    std::vector<std::pair<uint32_t, PagePtr>> pages;
    struct State {
      uint32_t event_no, generation;
      EventPtr event;
    };
    std::vector<State> events;
  };
  auto fetched = co_await db_.read([room_no = room->room_no, rules = room->rules, missing](db::ReadTx& tx) -> Result<Fetched> {
    Fetched out;
    Result<void> status;
    for (auto page_no : missing.pages)
      tx.query("SELECT nodes FROM state_page WHERE room_no = $1 AND page_no = $2",
               [&](const db::Row& row) {
                 auto page = myelin::Page::parse(page_no, row.blob(0));
                 if (page)
                   out.pages.emplace_back(page_no, *page);
                 else
                   status = std::unexpected(page.error());
               },
               room_no, page_no);
    for (auto event_no : missing.events)
      tx.query("SELECT e.event_id, e.json, a.generation FROM event e JOIN auth_event a ON a.ref = e.ref WHERE e.ref = $1",
               [&](const db::Row& row) {
                 auto event = Event::restore(row.bytes(1), EventId::trusted(row.str(0)), *rules);
                 if (event)
                   out.events.push_back({event_no, static_cast<uint32_t>(row.i64(2)), *event});
                 else
                   status = std::unexpected(event.error());
               },
               EventRef{room_no, event_no}.row());
    MYELIN_CHECK(status);
    if (out.pages.size() != missing.pages.size() || out.events.size() != missing.events.size())
      return fail(Code::kCorrupt, "a page or state event of a room is not there");
    return out;
  });
  if (!fetched) co_return std::unexpected(std::move(fetched).error());
  for (auto& [page_no, page] : fetched->pages) room->pages.add(page_no, std::move(page));
  for (auto& state : fetched->events) {
    room->generations[state.event_no] = state.generation;
    room->state_events[state.event_no] = std::move(state.event);
  }
  co_return Result<void>{};
}

}  // namespace myelin::rooms
