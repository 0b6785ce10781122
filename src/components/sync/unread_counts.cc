// Reading and writing the tables behind unread.h.
#include <algorithm>

#include "components/sync/unread.h"

namespace myelin::sync {
namespace {
constexpr std::string_view kEverything = "*";

Verdict two(const db::Row& row, int column) { return {row.i64(column), row.i64(column + 1)}; }

struct ReadRow {
  std::string thread;
  int64_t order;
  Verdict base;
};
}  // namespace

Verdict sums_at(db::ReadTx& tx, int64_t room_no, const std::string& thread, int64_t order) {
  auto read = [](const db::Row& row) { return two(row, 0); };
  auto found =
      thread.empty()
          ? tx.one(
                "SELECT notify, highlight FROM sync_timeline WHERE room_no = $1 AND thread = '' AND order_no <= $2 "
                "ORDER BY pos DESC LIMIT 1",
                read, room_no, order)
          : tx.one(
                "SELECT notify, highlight FROM sync_timeline WHERE room_no = $1 AND thread = $2 AND thread <> '' "
                "AND order_no <= $3 ORDER BY order_no DESC LIMIT 1",
                read, room_no, thread, order);
  return found.value_or(Verdict{});
}

UnreadRows read_unread(db::ReadTx& tx, const UserId& user, int64_t room_no) {
  auto reads = tx.all(
      "SELECT thread, read_order, notify_base, highlight_base FROM unread WHERE user_id = $1 AND room_no = $2",
      [](const db::Row& row) { return ReadRow{row.str(0), row.i64(1), two(row, 2)}; }, user.str(), room_no);
  auto find = [&](std::string_view thread) -> const ReadRow* {
    auto it = std::ranges::find(reads, thread, &ReadRow::thread);
    return it == reads.end() ? nullptr : &*it;
  };
  const auto* floor = find(kEverything);
  UnreadRows out;
  if (floor == nullptr) return out;  // never joined

  auto main = tx.one(
      "SELECT notify, highlight FROM sync_room WHERE room_no = $1", [](const db::Row& row) { return two(row, 0); },
      room_no);
  const auto* main_read = find("");
  const auto& main_base = main_read != nullptr && main_read->order > floor->order ? main_read->base : floor->base;
  out.threads.push_back({"", main.value_or(Verdict{}) - main_base});

  struct Thread {
    std::string thread;
    Verdict sums;
  };
  auto threads = tx.all(
      "SELECT thread, notify, highlight FROM sync_thread WHERE room_no = $1 AND last_order > $2",
      [](const db::Row& row) { return Thread{row.str(0), two(row, 1)}; }, room_no, floor->order);
  for (auto& thread : threads) {
    const auto* read = find(thread.thread);
    auto base = read != nullptr ? read->base : sums_at(tx, room_no, thread.thread, floor->order);
    if (thread.sums != base) out.threads.push_back({std::move(thread.thread), thread.sums - base});
  }
  tx.query(
      "SELECT thread, order_no, notify, highlight, room_notify, room_highlight FROM unread_exception "
      "WHERE user_id = $1 AND room_no = $2",
      [&](const db::Row& row) {
        auto thread = row.str(0);
        const auto* read = find(thread);
        if (row.i64(1) > std::max(floor->order, read != nullptr ? read->order : 0))
          out.exceptions.push_back({std::move(thread), two(row, 2), two(row, 4)});
      },
      user.str(), room_no);
  return out;
}

Verdict by_class(UnreadClass kind, Verdict room) {
  switch (kind) {
    case UnreadClass::kDefault:
      return room;
    case UnreadClass::kMentionsOnly:
      return {room.highlight, room.highlight};
    case UnreadClass::kMute:
      return {};
  }
  return room;
}

std::vector<ThreadCount> count_unread(const UnreadRows& rows, UnreadClass kind) {
  std::vector<ThreadCount> out;
  auto of = [&](const std::string& thread) -> Verdict& {
    auto it = std::ranges::find(out, thread, &ThreadCount::thread);
    if (it == out.end()) it = out.insert(out.end(), ThreadCount{thread, {}});
    return it->count;
  };
  of("");
  for (const auto& thread : rows.threads) of(thread.thread) += by_class(kind, thread.since_read);
  for (const auto& exception : rows.exceptions) of(exception.thread) += exception.own - by_class(kind, exception.room);
  for (auto& thread : out) {
    thread.count.notify = std::max<int64_t>(0, thread.count.notify);
    thread.count.highlight = std::max<int64_t>(0, thread.count.highlight);
  }
  std::erase_if(out, [](const ThreadCount& t) { return !t.thread.empty() && t.count == Verdict{}; });
  return out;
}

Verdict total(const std::vector<ThreadCount>& threads) {
  Verdict sum;
  for (const auto& thread : threads) sum += thread.count;
  return sum;
}

void mark_read(db::Tx& tx, const UserId& user, int64_t room_no, const std::string& thread, int64_t order,
               Verdict sums) {
  auto changed = tx.exec(
      "INSERT INTO unread (user_id, room_no, thread, read_order, notify_base, highlight_base) VALUES ($1, $2, $3, $4, "
      "$5, $6) "
      "ON CONFLICT (user_id, room_no, thread) DO UPDATE SET read_order = excluded.read_order, "
      "notify_base = excluded.notify_base, highlight_base = excluded.highlight_base "
      "WHERE unread.read_order < excluded.read_order",
      user.str(), room_no, thread, order, sums.notify, sums.highlight);
  if (changed == 0) return;
  if (thread == kEverything) {
    tx.exec("DELETE FROM unread WHERE user_id = $1 AND room_no = $2 AND thread <> '*' AND read_order <= $3", user.str(),
            room_no, order);
    tx.exec("DELETE FROM unread_exception WHERE user_id = $1 AND room_no = $2 AND order_no <= $3", user.str(), room_no,
            order);
  } else {
    tx.exec("DELETE FROM unread_exception WHERE user_id = $1 AND room_no = $2 AND order_no <= $3 AND thread = $4",
            user.str(), room_no, order, thread);
  }
}

void forget_unread(db::Tx& tx, const UserId& user, int64_t room_no) {
  tx.exec("DELETE FROM unread WHERE user_id = $1 AND room_no = $2", user.str(), room_no);
  tx.exec("DELETE FROM unread_exception WHERE user_id = $1 AND room_no = $2", user.str(), room_no);
}

}  // namespace myelin::sync
