#include "components/sync/apply/room_apply.h"

#include "components/rooms/state_root.h"
#include "components/rooms/threads.h"
#include "components/sync/notify_out.h"

namespace myelin::sync {
using rooms::EventAdded;
using rooms::Membership;
using rooms::ReceiptAdded;

struct RoomApply::Item {
  rooms::RoomOut message;
  std::string thread;
  Judgement judgement;
  std::map<UserId, UnreadClass> classes;  // of local users who come in
  std::optional<int64_t> redacted_order;  // of the event that this one redacts
  int64_t pos = 0;                        // set by the writer
};

struct RoomApply::Batch {
  std::vector<Item> items;
  ServerName server_name;
};

RoomApply::RoomApply(ServerName name, rooms::Queries& rooms, Judge& judge, std::function<void(News)> tell)
    : server_name_(std::move(name)), rooms_(rooms), judge_(judge), tell_(std::move(tell)) {}

bool RoomApply::is_local(const UserId& user) const { return user.server() == server_name_.str(); }

Task<Result<bus::Effects>> RoomApply::apply(std::vector<bus::Message> messages) {
  auto batch = std::make_shared<Batch>();
  batch->server_name = server_name_;
  std::vector<rooms::EventRef> refs;
  for (auto& message : messages) {
    MYELIN_CO_TRY(auto decoded, rooms::decode_room_out(message.body));
    if (const auto* added = std::get_if<EventAdded>(&decoded.what)) refs.push_back(added->ref);
    batch->items.push_back({std::move(decoded), {}, {}, {}, {}, 0});
  }
  MYELIN_CO_TRY(auto events, co_await rooms_.events(std::move(refs)));
  judge_.begin_batch();
  size_t next = 0;
  for (auto& item : batch->items)
    if (std::holds_alternative<EventAdded>(item.message.what)) MYELIN_CO_CHECK(co_await prepare(item, events[next++]));
  co_return bus::Effects{[batch](db::Tx& tx) { return write(batch, tx); }, [this, batch] { committed(*batch); }};
}

// What the writer has to know of an event.
Task<Result<void>> RoomApply::prepare(Item& item, rooms::PlacedPtr placed) {
  const auto& added = std::get<EventAdded>(item.message.what);
  if (!added.soft_failed) {
    MYELIN_CO_TRY(item.thread, co_await rooms::thread_of(rooms_, item.message.room, placed));
    MYELIN_CO_TRY(item.judgement, co_await judge_.judge(placed, added.before));
  }
  for (const auto& change : added.memberships) {
    judge_.membership_changed(item.message.room_no, change);
    if (change.after != Membership::kJoin || change.before == Membership::kJoin || !is_local(change.user)) continue;
    MYELIN_CO_TRY(item.classes[change.user], co_await judge_.class_of(change.user, item.message.room));
  }
  if (added.redacts) {
    std::vector<rooms::EventRef> target{*added.redacts};
    MYELIN_CO_TRY(auto redacted, co_await rooms_.events(std::move(target)));
    item.redacted_order = redacted.front()->order;
  }
  co_return Result<void>{};
}

namespace {

// What sync keeps of one room while a batch is written.
struct RoomRow {
  int64_t last_order = 0, top_depth = 0, last_pos = 0;
  Verdict sums;
  std::string root;
  std::map<std::string, Verdict> threads;  // those touched
  std::map<std::string, int64_t> thread_orders;
  std::optional<std::map<std::string, UnreadClass>>
      classes;  // of members, those that are not the default; once asked for
};

class RoomWriter {
 public:
  RoomWriter(db::Tx& tx, RoomRow& row, int64_t room_no, const ServerName& server)
      : tx_(tx), row_(row), room_no_(room_no), server_(server) {}

  // `Item`: RoomApply's, of an event.
  void add(const EventAdded& event, const auto& item) {
    auto& sums = item.thread.empty() ? row_.sums : thread_sums(item.thread);
    sums += item.judgement.room;
    if (!item.thread.empty()) row_.thread_orders[item.thread] = event.order;
    row_.last_order = event.order;
    row_.top_depth = std::max(row_.top_depth, event.depth);
    row_.last_pos = item.pos;
    row_.root = rooms::encode_root(event.after);
    if (!event.soft_failed)
      tx_.exec(
          "INSERT INTO sync_timeline (room_no, pos, ref, order_no, depth, thread, notify, highlight, root_after, "
          "on_fork) "
          "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
          room_no_, item.pos, event.ref.row(), event.order, row_.top_depth, item.thread, sums.notify, sums.highlight,
          db::Blob{row_.root}, event.on_fork ? 1 : 0);
    for (const auto& change : event.memberships) change_member(change, event.order, item);
    for (const auto& member : item.judgement.members)
      if (member.own != by_class(class_of(member.user), item.judgement.room))
        add_exception(member, item.judgement.room, event.order, item.thread);
    if (item.redacted_order) take_back(tx_, room_no_, *item.redacted_order);
    // Who says something has read what was said before.
    if (is_local(event.sender) && !event.soft_failed && !event.is_state)
      mark_read(tx_, event.sender, room_no_, item.thread, event.order, sums);
  }

  void add(const ReceiptAdded& receipt, int64_t pos) {
    row_.last_pos = pos;
    tx_.exec(
        "INSERT INTO sync_receipt (room_no, user_id, type, thread, event_id, ts, pos) VALUES ($1, $2, $3, $4, $5, $6, "
        "$7) "
        "ON CONFLICT (room_no, user_id, type, thread) DO UPDATE SET event_id = excluded.event_id, ts = excluded.ts, "
        "pos = excluded.pos",
        room_no_, receipt.user.str(), receipt.type, receipt.thread, receipt.event_id.str(), receipt.ts, pos);
    if (!is_local(receipt.user)) return;
    // An unthreaded receipt reads everything; "main" is the thread ''.
    std::string thread = receipt.thread.empty() ? "*" : receipt.thread == "main" ? "" : receipt.thread;
    mark_read(tx_, receipt.user, room_no_, thread, receipt.order,
              sums_at(tx_, room_no_, thread == "*" ? std::string() : thread, receipt.order));
  }

  void save() {
    tx_.exec(
        "UPDATE sync_room SET last_pos = $2, last_order = $3, top_depth = $4, notify = $5, highlight = $6, root_after "
        "= $7 "
        "WHERE room_no = $1",
        room_no_, row_.last_pos, row_.last_order, row_.top_depth, row_.sums.notify, row_.sums.highlight,
        db::Blob{row_.root});
    for (const auto& [thread, order] : row_.thread_orders)
      tx_.exec(
          "INSERT INTO sync_thread (room_no, thread, notify, highlight, last_order) VALUES ($1, $2, $3, $4, $5) "
          "ON CONFLICT (room_no, thread) DO UPDATE SET notify = excluded.notify, highlight = excluded.highlight, "
          "last_order = excluded.last_order",
          room_no_, thread, row_.threads[thread].notify, row_.threads[thread].highlight, order);
  }

 private:
  bool is_local(const UserId& user) const { return user.server() == server_.str(); }
  Verdict& thread_sums(const std::string& thread) {
    auto [it, fresh] = row_.threads.try_emplace(thread);
    if (fresh)
      it->second = tx_.one(
                          "SELECT notify, highlight FROM sync_thread WHERE room_no = $1 AND thread = $2",
                          [](const db::Row& row) { return Verdict{row.i64(0), row.i64(1)}; }, room_no_, thread)
                       .value_or(Verdict{});
    return it->second;
  }

  void change_member(const rooms::MembershipChange& change, int64_t order, const auto& item) {
    std::optional<int64_t> before;
    if (change.before) before = static_cast<int64_t>(*change.before);
    auto after = static_cast<int64_t>(change.after);
    tx_.exec(
        "INSERT INTO sync_member (user_id, room_no, membership, ref, pos) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (user_id, room_no) DO UPDATE SET membership = excluded.membership, ref = excluded.ref, "
        "pos = excluded.pos",
        change.user.str(), room_no_, after, change.ref.row(), item.pos);
    tx_.exec(
        "INSERT INTO sync_member_change (room_no, pos, user_id, before, after, ref) VALUES ($1, $2, $3, $4, $5, $6)",
        room_no_, item.pos, change.user.str(), before, after, change.ref.row());
    if (!is_local(change.user) || change.before == change.after) return;
    row_.classes.reset();
    if (change.before == Membership::kJoin) forget_unread(tx_, change.user, room_no_);
    if (change.after != Membership::kJoin) return;
    mark_read(tx_, change.user, room_no_, "*", order, row_.sums);
    if (auto kind = item.classes.at(change.user); kind != UnreadClass::kDefault)
      change_class(tx_, change.user, room_no_, order, kind);
  }

  // By which the member's count reads the room's verdict: as it is stored, whatever their rules say by now.
  UnreadClass class_of(const UserId& member) {
    if (!row_.classes) row_.classes = classes_now(tx_, room_no_);
    auto found = row_.classes->find(member.str());
    return found == row_.classes->end() ? UnreadClass::kDefault : found->second;
  }

  void add_exception(const MemberVerdict& member, Verdict room, int64_t order, const std::string& thread) {
    bool joined = tx_.one(
                         "SELECT 1 FROM sync_member WHERE user_id = $1 AND room_no = $2 AND membership = $3",
                         [](const db::Row&) { return true; }, member.user.str(), room_no_,
                         static_cast<int64_t>(Membership::kJoin))
                      .has_value();
    if (!joined) return;
    tx_.exec(
        "INSERT INTO unread_exception (user_id, room_no, order_no, thread, notify, highlight, room_notify, "
        "room_highlight) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (user_id, room_no, order_no) DO NOTHING",
        member.user.str(), room_no_, order, thread, member.own.notify, member.own.highlight, room.notify,
        room.highlight);
  }

  db::Tx& tx_;
  RoomRow& row_;
  int64_t room_no_;
  const ServerName& server_;
};

// Takes the room's lock and reads its row, making it first where there is none.
RoomRow lock_room(db::Tx& tx, int64_t room_no, const RoomId& room) {
  auto read = [](const db::Row& row) {
    return RoomRow{row.i64(0), row.i64(1), row.i64(2), {row.i64(3), row.i64(4)}, row.bytes(5), {}, {}, {}};
  };
  static constexpr db::Sql kRead =
      "SELECT last_order, top_depth, last_pos, notify, highlight, root_after FROM sync_room WHERE room_no = $1 "
      "{for_update}";
  if (auto row = tx.one(kRead, read, room_no)) return *row;
  auto empty = rooms::encode_root({});
  tx.exec(
      "INSERT INTO sync_room (room_no, room_id, last_pos, last_order, top_depth, notify, highlight, root_after) "
      "VALUES ($1, $2, 0, 0, 0, 0, 0, $3) ON CONFLICT (room_no) DO NOTHING",
      room_no, room.str(), db::Blob{empty});
  return tx.one(kRead, read, room_no).value();
}

}  // namespace

Result<void> RoomApply::write(const std::shared_ptr<Batch>& batch, db::Tx& tx) {
  auto rows = std::make_shared<std::map<int64_t, RoomRow>>();
  for (const auto& item : batch->items) rows->try_emplace(item.message.room_no);
  for (auto& [room_no, row] : *rows) {  // sorted: the order in which every writer takes the locks
    for (const auto& item : batch->items)
      if (item.message.room_no == room_no) {
        row = lock_room(tx, room_no, item.message.room);
        break;
      }
  }
  for (const auto& item : batch->items) {
    NotifyOut notice{item.message.room, {}, {}};
    if (const auto* added = std::get_if<EventAdded>(&item.message.what)) {
      bool counts = item.judgement.counts();
      notice.taken_back = item.redacted_order && is_counted(tx, item.message.room_no, *item.redacted_order);
      if (!counts && !notice.taken_back) continue;
      if (counts) notice.ref = added->ref;
    } else {
      const auto& reader = std::get<ReceiptAdded>(item.message.what).user;
      if (reader.server() != batch->server_name.str()) continue;
      notice.readers = {reader};
    }
    tx.publish(kNotifyOut.name, bus::partition_of(item.message.room.str()), encode(notice));
  }
  tx.at_position(static_cast<int64_t>(batch->items.size()), [batch, rows](db::Tx& late, int64_t first) {
    for (size_t i = 0; i < batch->items.size(); ++i) {
      auto& item = batch->items[i];
      item.pos = first + static_cast<int64_t>(i);
      RoomWriter writer(late, rows->at(item.message.room_no), item.message.room_no, batch->server_name);
      if (const auto* added = std::get_if<EventAdded>(&item.message.what))
        writer.add(*added, item);
      else
        writer.add(std::get<ReceiptAdded>(item.message.what), item.pos);
    }
    for (auto& [room_no, row] : *rows) RoomWriter(late, row, room_no, batch->server_name).save();
  });
  return {};
}

void RoomApply::committed(const Batch& batch) {
  judge_.batch_committed();
  News news{batch.items.front().pos, batch.items.back().pos};
  for (const auto& item : batch.items) {
    auto room_no = item.message.room_no;
    news.rooms.push_back({room_no, item.pos});
    const auto* added = std::get_if<EventAdded>(&item.message.what);
    if (added == nullptr) continue;
    news.written.push_back({added->sender, room_no, added->order});
    for (const auto& change : added->memberships) {
      bool was = change.before == Membership::kJoin, is = change.after == Membership::kJoin;
      if (was && !is) news.gone.push_back({item.message.room, change.user});
      if (!is_local(change.user)) continue;
      if (was || is) news.members.push_back({change.user, room_no, is});
      news.users.push_back({change.user, item.pos});
    }
  }
  tell_(std::move(news));
}

}  // namespace myelin::sync
