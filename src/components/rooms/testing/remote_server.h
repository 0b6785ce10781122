// Another server that takes part in rooms of ours: its events stand on whichever events a test names, so they fork the
// room. Thread: the test's.
#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "components/rooms/graph/room_head.h"
#include "components/rooms/testing/owner_of.h"
#include "components/testing/loop.h"
#include "matrix/auth.h"

namespace myelin::rooms::testing {
using namespace myelin::testing;

// What a room has come to, as it is committed.
inline RoomHead head_of(Loop& loop, db::Database& db, const RoomId& room) {
  return value(loop.run(db.read([room](db::ReadTx& tx) -> Result<RoomHead> {
    auto head = tx.one(
        "SELECT head FROM room WHERE room_id = $1", [](const db::Row& row) { return decode_room_head(row.blob(0)); },
        room.str());
    if (!head) return fail(Code::kNotFound);
    return *std::move(head);
  })));
}
inline std::vector<EventId> extremities_of(const RoomHead& head) {
  std::vector<EventId> out;
  for (const auto& extremity : head.extremities) out.push_back(extremity.event_id);
  return out;
}

struct RemoteEvent {
  std::string sender;  // localpart
  std::string type = "m.room.message";
  json::Object content{};
  std::optional<std::string> state_key{};
  std::vector<EventId> prev{};
  std::optional<StateRoot> at{};          // the state it names auth events of; absent: the state after prev[0]
  std::optional<EventId> auth_instead{};  // names this one in the place of all others
  std::optional<Milliseconds> ts{};
};

class RemoteServer {
 public:
  RemoteServer(Loop& loop, const std::unique_ptr<Rooms>& rooms, const Clock& clock, std::string name = "there")
      : loop_(loop),
        rooms_(rooms),
        clock_(clock),
        name_(ServerName::trusted(std::move(name))),
        key_(SigningKey::generate(random_, "there")) {}

  UserId user(const std::string& localpart) const { return UserId::trusted("@" + localpart + ":" + name_.str()); }

  VerifiedEvent build(const RoomId& room, RemoteEvent spec) {
    auto info = value(loop_.run(queries().room(room)));
    EventDraft draft;
    draft.room_id = room;
    draft.sender = user(spec.sender);
    draft.type = std::move(spec.type);
    draft.state_key = std::move(spec.state_key);
    draft.content = std::move(spec.content);
    draft.prev_events = std::move(spec.prev);
    draft.origin_server_ts = spec.ts.value_or(clock_.now());
    std::vector<PlacedPtr> prev;
    for (const auto& id : draft.prev_events) prev.push_back(value(loop_.run(queries().event(room, id))));
    for (const auto& each : prev) draft.depth = std::max(draft.depth, each->event->depth() + 1);
    auto root = spec.at ? *spec.at : value(loop_.run(queries().root_after(prev.front()->ref)));
    std::vector<std::pair<std::string, std::string>> keys;
    for (const auto& key : auth_event_keys(*info.rules, draft.type, draft.sender.str(), draft.state_key, draft.content))
      keys.emplace_back(key.type, key.state_key);
    std::vector<EventRef> refs;
    for (const auto& entry : value(loop_.run(queries().state_of(info.room_no, root, std::move(keys)))))
      refs.push_back(entry.ref);
    for (const auto& placed : value(loop_.run(queries().events(std::move(refs)))))
      draft.auth_events.push_back(placed->event->event_id());
    if (spec.auth_instead) draft.auth_events = {*spec.auth_instead};
    return value(OwnEvent::build(std::move(draft), *info.rules, name_, key_));
  }
  Result<Received> try_send(const RoomId& room, RemoteEvent spec) {
    auto event = build(room, std::move(spec));
    last = event.event()->event_id();
    return loop_.run(owner_of(*rooms_).receive(room, std::move(event)));
  }
  EventId send(const RoomId& room, RemoteEvent spec) {
    auto received = value(try_send(room, std::move(spec)));
    EXPECT_FALSE(received.rejected || received.soft_failed) << received.reason;
    return last;
  }
  EventId join(const RoomId& room, const std::string& localpart, std::vector<EventId> prev) {
    return send(room, {.sender = localpart,
                       .type = "m.room.member",
                       .content = {{"membership", "join"}},
                       .state_key = user(localpart).str(),
                       .prev = std::move(prev)});
  }
  EventId last;  // the id of the newest one, whatever became of it

 private:
  Queries& queries() { return rooms_->queries(); }

  Loop& loop_;
  const std::unique_ptr<Rooms>& rooms_;  // may be made anew meanwhile
  const Clock& clock_;
  ServerName name_;
  SeededRandom random_{3};
  SigningKey key_;
};

}  // namespace myelin::rooms::testing
