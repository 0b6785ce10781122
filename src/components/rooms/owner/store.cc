// The rows of a write.
#include "base/bytes.h"
#include "components/rooms/owner/stage.h"
#include "components/rooms/state_root.h"

namespace myelin::rooms {
namespace {

Result<void> store_room(db::Tx& tx, const StagedWrite& write) {
  auto head = encode(write.head);
  if (write.is_new) {
    tx.exec("INSERT INTO room (room_no, room_id, version, version_no, head) VALUES ($1, $2, $3, $4, $5)", write.room_no,
            write.room.str(), write.rules->version, write.version_no, db::Blob{head});
    return {};
  }
  // The fork guard (docs/spine.md, rule A1).
  int64_t changed = tx.exec("UPDATE room SET version_no = $1, head = $2 WHERE room_no = $3 AND version_no = $4",
                            write.version_no, db::Blob{head}, write.room_no, write.built_on);
  if (changed == 0) return fail(Code::kStale, "the room has changed");
  return {};
}

void store_state(db::Tx& tx, uint32_t room_no, const StagedEvent& staged, EventRef ref) {
  if (staged.new_key)
    tx.exec("INSERT INTO state_key (room_no, key_no, type, state_key) VALUES ($1, $2, $3, $4)", room_no, staged.key_no,
            staged.new_key->type, staged.new_key->state_key);
  for (const auto& page : staged.pages)
    tx.exec("INSERT INTO state_page (room_no, page_no, nodes) VALUES ($1, $2, $3)", room_no, page.page_no,
            db::Blob{page.bytes});
  std::string parents;
  for (auto parent : staged.auth_parents) append_varint(parents, parent);
  tx.exec("INSERT INTO auth_event (ref, generation, parents) VALUES ($1, $2, $3)", ref.row(), staged.generation,
          db::Blob{parents});
}

void store_member(db::Tx& tx, uint32_t room_no, const MembershipChange& change, EventRef ref) {
  tx.exec("INSERT INTO member (user_id, room_no, membership, ref, forgotten) VALUES ($1, $2, $3, $4, 0) "
          "ON CONFLICT (user_id, room_no) DO UPDATE SET membership = excluded.membership, ref = excluded.ref, forgotten = 0",
          change.user.str(), room_no, static_cast<int64_t>(change.after), ref.row());
}

Result<void> store_event(db::Tx& tx, const StagedWrite& write, const StagedEvent& staged) {
  EventRef ref{write.room_no, staged.event_no};
  const auto& event = *staged.event;
  std::optional<int64_t> replaces;
  if (staged.replaces) replaces = EventRef{write.room_no, *staged.replaces}.row();
  std::optional<std::string> txn;
  if (staged.transaction) txn = staged.transaction->device.str() + '\n' + staged.transaction->id;
  auto before = encode_root(staged.before), after = encode_root(staged.after);
  bool same = staged.before == staged.after;
  tx.exec("INSERT INTO event (ref, event_id, room_no, depth, order_no, type, ts, flags, replaces, redacted_by, txn, "
          "state_before, state_after, json) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, NULL, $9, $10, $11, $12)",
          ref.row(), event.event_id().str(), write.room_no, staged.depth, staged.order, event.type(),
          event.origin_server_ts(), replaces, txn, db::Blob{before},
          same ? std::optional<db::Blob>() : std::optional(db::Blob{after}), db::Blob{event.text()});
  if (event.is_state()) store_state(tx, write.room_no, staged, ref);
  if (staged.membership) store_member(tx, write.room_no, *staged.membership, ref);
  if (staged.redacts)
    tx.exec("UPDATE event SET redacted_by = $1 WHERE ref = $2 AND redacted_by IS NULL", ref.row(),
            EventRef{write.room_no, *staged.redacts}.row());
  if (staged.relation)
    tx.exec("INSERT INTO relation (room_no, parent_id, rel_type, ref) VALUES ($1, $2, $3, $4)", write.room_no,
            staged.relation->parent, staged.relation->type, ref.row());
  if (staged.transaction) {
    const auto& transaction = *staged.transaction;
    int64_t added = tx.exec(
        "INSERT INTO txn (user_id, device_id, path, txn_id, event_id, at) VALUES ($1, $2, $3, $4, $5, $6) "
        "ON CONFLICT (user_id, device_id, path, txn_id) DO NOTHING",
        transaction.user.str(), transaction.device.str(), transaction.path, transaction.id, event.event_id().str(),
        event.origin_server_ts());
    if (added == 0) return fail(Code::kStale, "the transaction was done before");
  }
  return {};
}

void announce(db::Tx& tx, const StagedWrite& write, const StagedEvent& staged) {
  EventAdded added;
  added.ref = {write.room_no, staged.event_no};
  added.order = staged.order;
  added.depth = staged.depth;
  added.before = staged.before;
  added.after = staged.after;
  added.sender = staged.event->sender();
  added.type = staged.event->type();
  added.is_state = staged.event->is_state();
  added.transaction = staged.transaction;
  if (staged.membership) {
    added.memberships.push_back(*staged.membership);
    added.memberships.back().ref = added.ref;
  }
  tx.publish(kRoomOut.name, bus::partition_of(write.room.str()), encode(RoomOut{write.room_no, write.room, std::move(added)}));
}

}  // namespace

Result<void> store(db::Tx& tx, const StagedWrite& write) {
  MYELIN_CHECK(store_room(tx, write));
  for (const auto& staged : write.events) {
    MYELIN_CHECK(store_event(tx, write, staged));
    announce(tx, write, staged);
  }
  return {};
}

}  // namespace myelin::rooms
