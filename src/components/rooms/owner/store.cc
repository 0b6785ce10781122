// The rows of a write.
#include "base/bytes.h"
#include "components/rooms/graph/auth_rows.h"
#include "components/rooms/owner/stage.h"
#include "components/rooms/state/row_room.h"
#include "components/rooms/state_root.h"

namespace myelin::rooms {
namespace {

Result<void> store_room(db::Tx& tx, const StagedWrite& write) {
  auto head = encode(write.head);
  if (write.is_new) {
    int64_t added = tx.exec(
        "INSERT INTO room (room_no, room_id, version, version_no, head) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (room_id) DO NOTHING",
        write.room_no, write.room.str(), write.rules->version, write.version_no, db::Blob{head});
    if (added == 0) return fail(Code::kStale, "there is a room of this id");
    return {};
  }
  // The fork guard (docs/spine.md, rule A1).
  int64_t changed = tx.exec("UPDATE room SET version_no = $1, head = $2 WHERE room_no = $3 AND version_no = $4",
                            write.version_no, db::Blob{head}, write.room_no, write.built_on);
  if (changed == 0) return fail(Code::kStale, "the room has changed");
  return {};
}

void store_state(db::Tx& tx, const StagedEvent& staged) {
  auto room_no = staged.ref.room;
  if (staged.new_key_no)
    tx.exec("INSERT INTO state_key (room_no, key_no, type, state_key) VALUES ($1, $2, $3, $4)", room_no,
            *staged.new_key_no, staged.event->type(), *staged.event->state_key());
  if (staged.event->is_state())
    tx.exec("INSERT INTO auth_event (ref, generation, parents) VALUES ($1, $2, $3)", staged.ref.row(),
            staged.generation, db::Blob{encode_parents(staged.auth_parents)});
  for (const auto& page : staged.pages)
    tx.exec("INSERT INTO state_page (room_no, page_no, nodes) VALUES ($1, $2, $3)", room_no, page.page_no,
            db::Blob{page.bytes});
  for (const auto& change : staged.memberships)
    tx.exec(
        "INSERT INTO member (user_id, room_no, membership, ref, forgotten) VALUES ($1, $2, $3, $4, 0) ON CONFLICT "
        "(user_id, room_no) DO UPDATE SET membership = excluded.membership, ref = excluded.ref, forgotten = 0",
        change.user.str(), room_no, static_cast<int64_t>(change.after), change.ref.row());
}

void store_event(db::Tx& tx, const StagedEvent& staged) {
  const auto& event = *staged.event;
  std::optional<int64_t> replaces, order;
  if (staged.replaces) replaces = EventRef{staged.ref.room, *staged.replaces}.row();
  if (!staged.rejected) order = staged.order;
  std::string txn;
  if (staged.transaction) {
    append_string(txn, staged.transaction->device.str());
    append_string(txn, staged.transaction->id);
  }
  int64_t flags = (staged.rejected ? kRejectedFlag : 0) | (staged.soft_failed ? kSoftFailedFlag : 0);
  auto before = encode_root(staged.before), after = encode_root(staged.after);
  auto blob_if = [](bool there, const std::string& bytes) {
    return there ? std::optional(db::Blob{bytes}) : std::optional<db::Blob>();
  };
  tx.exec(
      "INSERT INTO event (ref, event_id, room_no, depth, order_no, type, ts, flags, replaces, txn, state_before, "
      "state_after, json) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
      staged.ref.row(), event.event_id().str(), staged.ref.room, staged.depth, order, event.type(),
      event.origin_server_ts(), flags, replaces, blob_if(staged.transaction.has_value(), txn), db::Blob{before},
      blob_if(staged.before != staged.after, after), db::Blob{event.text()});
}

void store_relations(db::Tx& tx, const StagedEvent& staged) {
  auto room_no = staged.ref.room;
  if (staged.relation)
    tx.exec("INSERT INTO relation (room_no, parent_id, rel_type, ref, sender, type) VALUES ($1, $2, $3, $4, $5, $6)",
            room_no, staged.relation->parent.str(), staged.relation->type, staged.ref.row(),
            staged.event->sender().str(), staged.event->type());
  if (staged.redacts_unseen)
    tx.exec("INSERT INTO redaction_waiting (room_no, target_id, ref) VALUES ($1, $2, $3)", room_no,
            staged.redacts_unseen->str(), staged.ref.row());
  if (staged.redacted_by)
    tx.exec("INSERT INTO redaction (target, ref) VALUES ($1, $2)", staged.ref.row(), staged.redacted_by->row());
  if (!staged.redacts) return;
  const auto& redacts = *staged.redacts;
  tx.exec("INSERT INTO redaction (target, ref) VALUES ($1, $2) ON CONFLICT (target) DO NOTHING", redacts.target.row(),
          staged.ref.row());
  if (redacts.relation)
    tx.exec("DELETE FROM relation WHERE room_no = $1 AND parent_id = $2 AND rel_type = $3 AND ref = $4", room_no,
            redacts.relation->parent.str(), redacts.relation->type, redacts.target.row());
}

Result<void> store_transaction(db::Tx& tx, const StagedEvent& staged) {
  if (!staged.transaction) return {};
  const auto& transaction = *staged.transaction;
  int64_t added = tx.exec(
      "INSERT INTO txn (user_id, device_id, path, txn_id, event_id, at) VALUES ($1, $2, $3, $4, $5, $6) "
      "ON CONFLICT (user_id, device_id, path, txn_id) DO NOTHING",
      transaction.user.str(), transaction.device.str(), transaction.path, transaction.id,
      staged.event->event_id().str(), staged.event->origin_server_ts());
  if (added == 0) return fail(Code::kStale, "the transaction was done before");
  return {};
}

Result<void> store_command(db::Tx& tx, const StagedWrite& write) {
  if (write.command.empty()) return {};
  const auto& event = *write.events.back().event;
  int64_t added = tx.exec("INSERT INTO command (id, event_id, at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
                          write.command, event.event_id().str(), event.origin_server_ts());
  if (added == 0) return fail(Code::kStale, "the command was done before");
  return {};
}

void announce(db::Tx& tx, const StagedWrite& write, const StagedEvent& staged) {
  EventAdded added;
  added.ref = staged.ref;
  added.order = staged.order;
  added.depth = staged.depth;
  added.before = staged.room_before;
  added.after = staged.room_after;
  added.sender = staged.event->sender();
  added.type = staged.event->type();
  added.is_state = staged.event->is_state();
  added.soft_failed = staged.soft_failed;
  added.on_fork = staged.before.fingerprint != staged.room_before.fingerprint;
  added.transaction = staged.transaction;
  added.memberships = staged.memberships;
  if (staged.redacts) added.redacts = staged.redacts->target;
  tx.publish(kRoomOut.name, bus::partition_of(write.room.str()),
             encode(RoomOut{write.room_no, write.room, std::move(added)}));
}

}  // namespace

Result<void> store(db::Tx& tx, const StagedWrite& write) {
  MYELIN_CHECK(store_room(tx, write));
  MYELIN_CHECK(store_command(tx, write));
  for (const auto& staged : write.events) {
    MYELIN_CHECK(store_transaction(tx, staged));
    store_event(tx, staged);
    store_state(tx, staged);
    store_relations(tx, staged);
    if (!staged.rejected) announce(tx, write, staged);
  }
  return {};
}

}  // namespace myelin::rooms
