// Reading and writing the tables behind unread.h.
#include "components/sync/unread.h"

#include <algorithm>

namespace myelin::sync {
namespace {
constexpr std::string_view kEverything = "*";

Verdict two(const db::Row& row, int column) { return {row.i64(column), row.i64(column + 1)}; }

// The position of the newest event with order <= `order`; 0: none. Positions and orders of a room grow together.
int64_t position_of(db::ReadTx& tx, int64_t room_no, int64_t order) {
  struct Place {
    int64_t pos, order;
  };
  auto place = [](const db::Row& row) { return Place{row.i64(0), row.i64(1)}; };
  auto newest =
      tx.one("SELECT pos, order_no FROM sync_timeline WHERE room_no = $1 ORDER BY pos DESC LIMIT 1", place, room_no);
  if (!newest || newest->order <= order) return newest ? newest->pos : 0;
  auto oldest =
      tx.one("SELECT pos, order_no FROM sync_timeline WHERE room_no = $1 ORDER BY pos LIMIT 1", place, room_no);
  if (oldest->order > order) return 0;
  int64_t found = oldest->pos, low = found, high = newest->pos;  // what is sought lies in [low, high)
  while (high - low > 1) {
    int64_t middle = low + (high - low) / 2;
    auto at =
        tx.one("SELECT pos, order_no FROM sync_timeline WHERE room_no = $1 AND pos <= $2 ORDER BY pos DESC LIMIT 1",
               place, room_no, middle);
    if (at->order > order) {
      high = at->pos;
    } else {
      low = middle;
      found = at->pos;
    }
  }
  return found;
}

// One member's rows of one room.
struct MemberRows {
  struct Read {
    std::string thread;
    int64_t order;
    Verdict base;
  };
  struct Segment {  // of the member's class
    int64_t from_order;
    UnreadClass kind;
  };
  std::vector<Read> reads;
  std::vector<Segment> segments;                                           // oldest first
  Verdict now;                                                             // sums of the main thread
  bool has_threads = false, has_redacted = false, has_exceptions = false;  // that are not read for certain

  const Read* find(std::string_view thread) const {
    auto it = std::ranges::find(reads, thread, &Read::thread);
    return it == reads.end() ? nullptr : &*it;
  }
  UnreadClass class_at(int64_t order) const {
    auto kind = UnreadClass::kDefault;
    for (const auto& segment : segments)
      if (segment.from_order < order) kind = segment.kind;
    return kind;
  }
};

MemberRows member_rows(db::ReadTx& tx, const UserId& user, int64_t room_no) {
  MemberRows out;
  bool has_classes = false;
  tx.query(
      "SELECT u.thread, u.read_order, u.notify_base, u.highlight_base, r.notify, r.highlight, "
      "u.thread = '*' AND EXISTS (SELECT 1 FROM unread_class c WHERE c.user_id = $1 AND c.room_no = $2), "
      "u.thread = '*' AND EXISTS (SELECT 1 FROM sync_thread t WHERE t.room_no = $2 AND t.last_order > u.read_order), "
      "u.thread = '*' AND EXISTS (SELECT 1 FROM unread_redacted d WHERE d.room_no = $2 AND d.order_no > u.read_order), "
      "u.thread = '*' AND EXISTS (SELECT 1 FROM unread_exception e WHERE e.user_id = $1 AND e.room_no = $2) "
      "FROM unread u JOIN sync_room r ON r.room_no = u.room_no WHERE u.user_id = $1 AND u.room_no = $2",
      [&](const db::Row& row) {
        out.reads.push_back({row.str(0), row.i64(1), two(row, 2)});
        out.now = two(row, 4);
        has_classes |= row.i64(6) != 0;
        out.has_threads |= row.i64(7) != 0;
        out.has_redacted |= row.i64(8) != 0;
        out.has_exceptions |= row.i64(9) != 0;
      },
      user.str(), room_no);
  if (has_classes)
    out.segments = tx.all(
        "SELECT from_order, class FROM unread_class WHERE user_id = $1 AND room_no = $2 ORDER BY from_order",
        [](const db::Row& row) { return MemberRows::Segment{row.i64(0), static_cast<UnreadClass>(row.i64(1))}; },
        user.str(), room_no);
  return out;
}

// Adds up one member's counts.
class Counter {
 public:
  Counter(db::ReadTx& tx, const UserId& user, int64_t room_no, const MemberRows& rows)
      : tx_(tx), user_(user), room_no_(room_no), rows_(rows), floor_(*rows.find(kEverything)) {}

  std::vector<ThreadCount> run() {
    of("");
    add_sums("", rows_.now);
    if (rows_.has_threads) add_threads();
    if (rows_.has_redacted) take_redacted();
    if (rows_.has_exceptions) add_exceptions();
    std::erase_if(counts_, [](const ThreadCount& each) { return !each.thread.empty() && each.count == Verdict{}; });
    return std::move(counts_);
  }

 private:
  Verdict& of(const std::string& thread) {
    auto it = std::ranges::find(counts_, thread, &ThreadCount::thread);
    if (it == counts_.end()) it = counts_.insert(counts_.end(), ThreadCount{thread, {}});
    return it->count;
  }
  // What the member has read of the thread: the floor where it reaches further. Its base is the main thread's.
  MemberRows::Read read_of(const std::string& thread) const {
    const auto* own = rows_.find(thread);
    if (own != nullptr && own->order > floor_.order) return *own;
    if (thread.empty()) return floor_;
    return {thread, floor_.order, sums_at(tx_, room_no_, thread, floor_.order)};
  }
  void add_sums(const std::string& thread, Verdict now) {
    auto read = read_of(thread);
    auto kind = rows_.class_at(read.order + 1);
    auto base = read.base;
    for (const auto& segment : rows_.segments) {
      if (segment.from_order <= read.order) continue;
      auto sums = sums_at(tx_, room_no_, thread, segment.from_order);
      of(thread) += by_class(kind, sums - base);
      base = sums;
      kind = segment.kind;
    }
    of(thread) += by_class(kind, now - base);
  }
  void add_threads() {
    struct Thread {
      std::string thread;
      Verdict sums;
    };
    auto threads = tx_.all(
        "SELECT thread, notify, highlight FROM sync_thread WHERE room_no = $1 AND last_order > $2",
        [](const db::Row& row) { return Thread{row.str(0), two(row, 1)}; }, room_no_, floor_.order);
    for (const auto& thread : threads) add_sums(thread.thread, thread.sums);
  }
  bool is_read(const std::string& thread, int64_t order) const {
    const auto* own = rows_.find(thread);
    return order <= std::max(floor_.order, own != nullptr ? own->order : 0);
  }
  void take_redacted() {
    tx_.query(
        "SELECT thread, order_no, notify, highlight FROM unread_redacted WHERE room_no = $1 AND order_no > $2",
        [&](const db::Row& row) {
          auto thread = row.str(0);
          if (!is_read(thread, row.i64(1))) of(thread) += Verdict{} - by_class(rows_.class_at(row.i64(1)), two(row, 2));
        },
        room_no_, floor_.order);
  }
  void add_exceptions() {
    tx_.query(
        "SELECT thread, order_no, notify, highlight, room_notify, room_highlight FROM unread_exception "
        "WHERE user_id = $1 AND room_no = $2",
        [&](const db::Row& row) {
          auto thread = row.str(0);
          if (!is_read(thread, row.i64(1)))
            of(thread) += two(row, 2) - by_class(rows_.class_at(row.i64(1)), two(row, 4));
        },
        user_.str(), room_no_);
  }

  db::ReadTx& tx_;
  const UserId& user_;
  int64_t room_no_;
  const MemberRows& rows_;
  const MemberRows::Read& floor_;
  std::vector<ThreadCount> counts_;
};

}  // namespace

Verdict sums_at(db::ReadTx& tx, int64_t room_no, const std::string& thread, int64_t order) {
  auto read = [](const db::Row& row) { return two(row, 0); };
  auto found =
      thread.empty()
          ? tx.one(
                "SELECT notify, highlight FROM sync_timeline WHERE room_no = $1 AND thread = '' AND pos <= $2 "
                "ORDER BY pos DESC LIMIT 1",
                read, room_no, position_of(tx, room_no, order))
          : tx.one(
                "SELECT notify, highlight FROM sync_timeline WHERE room_no = $1 AND thread = $2 AND thread <> '' "
                "AND order_no <= $3 ORDER BY order_no DESC LIMIT 1",
                read, room_no, thread, order);
  return found.value_or(Verdict{});
}

std::vector<ThreadCount> read_unread(db::ReadTx& tx, const UserId& user, int64_t room_no) {
  auto rows = member_rows(tx, user, room_no);
  if (rows.find(kEverything) == nullptr) return {{"", {}}};  // never joined
  return Counter(tx, user, room_no, rows).run();
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
  tx.exec("DELETE FROM unread_class WHERE user_id = $1 AND room_no = $2", user.str(), room_no);
}

std::map<std::string, UnreadClass> classes_now(db::ReadTx& tx, int64_t room_no) {
  std::map<std::string, UnreadClass> out;
  tx.query(
      "SELECT user_id, class FROM unread_class WHERE room_no = $1 ORDER BY user_id, from_order",
      [&](const db::Row& row) { out[row.str(0)] = static_cast<UnreadClass>(row.i64(1)); }, room_no);
  std::erase_if(out, [](const auto& each) { return each.second == UnreadClass::kDefault; });
  return out;
}

void change_class(db::Tx& tx, const UserId& user, int64_t room_no, int64_t from_order, UnreadClass kind) {
  tx.exec(
      "INSERT INTO unread_class (user_id, room_no, from_order, class) VALUES ($1, $2, $3, $4) "
      "ON CONFLICT (user_id, room_no, from_order) DO UPDATE SET class = excluded.class",
      user.str(), room_no, from_order, static_cast<int64_t>(kind));
}

namespace {

// The room verdict on one event.
ThreadCount verdict_on(db::ReadTx& tx, int64_t room_no, int64_t order) {
  auto row = tx.one(
      "SELECT thread, notify, highlight FROM sync_timeline WHERE room_no = $1 AND pos = $2 AND order_no = $3",
      [](const db::Row& found) { return ThreadCount{found.str(0), two(found, 1)}; }, room_no,
      position_of(tx, room_no, order), order);
  if (!row) return {};
  return {row->thread, row->count - sums_at(tx, room_no, row->thread, order - 1)};
}

}  // namespace

bool is_counted(db::ReadTx& tx, int64_t room_no, int64_t order) {
  auto found = [](const db::Row&) { return true; };
  if (tx.one("SELECT 1 FROM unread_exception WHERE room_no = $1 AND order_no = $2 LIMIT 1", found, room_no, order))
    return true;
  if (tx.one("SELECT 1 FROM unread_redacted WHERE room_no = $1 AND order_no = $2", found, room_no, order)) return false;
  return verdict_on(tx, room_no, order).count != Verdict{};
}

void take_back(db::Tx& tx, int64_t room_no, int64_t order) {
  tx.exec("DELETE FROM unread_exception WHERE room_no = $1 AND order_no = $2", room_no, order);
  auto [thread, verdict] = verdict_on(tx, room_no, order);
  if (verdict == Verdict{}) return;
  tx.exec(
      "INSERT INTO unread_redacted (room_no, order_no, thread, notify, highlight) VALUES ($1, $2, $3, $4, $5) "
      "ON CONFLICT (room_no, order_no) DO NOTHING",
      room_no, order, thread, verdict.notify, verdict.highlight);
}

}  // namespace myelin::sync
