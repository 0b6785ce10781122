// Pages of a room's history (client-server API, GET /messages).
#include <algorithm>

#include "components/rooms/graph/room_head.h"
#include "components/rooms/query/reader.h"
#include "components/rooms/query/visibility.h"
#include "components/rooms/state_root.h"

namespace myelin::rooms {
namespace {

constexpr int kRounds = 20;           // what may not be seen is passed over, this often
constexpr size_t kRoundEvents = 100;  // at least, from the second round on

struct PlaceRow {
  SeenRow row;
  int64_t depth, order;
};

// The next events from a position, in the direction's order.
std::vector<PlaceRow> places(db::ReadTx& tx, uint32_t room_no, const PageToken& from, Direction direction,
                             size_t limit) {
  auto read = [](const db::Row& row) {
    return PlaceRow{{EventRef::from_row(row.i64(0)), row.str(3), decode_root(row.blob(4))}, row.i64(1), row.i64(2)};
  };
  if (direction == Direction::kBackward)
    return tx.all(
        "SELECT ref, depth, order_no, type, state_before FROM event WHERE room_no = $1 AND order_no IS NOT NULL "
        "AND (depth, order_no) < ($2, $3) AND order_no < $4 AND flags = 0 "
        "ORDER BY depth DESC, order_no DESC LIMIT $5",
        read, room_no, from.depth, from.order, from.arrived_before > 0 ? from.arrived_before : INT64_MAX, limit);
  return tx.all(
      "SELECT ref, depth, order_no, type, state_before FROM event WHERE room_no = $1 AND order_no IS NOT NULL "
      "AND (depth, order_no) >= ($2, $3) AND flags = 0 ORDER BY depth, order_no LIMIT $4",
      read, room_no, from.depth, from.order, limit);
}

struct Found {
  std::vector<EventRef> refs;
  std::vector<std::string> memberships;
  std::optional<PageToken> end;
};

struct Wanted {
  uint32_t room_no = 0;
  PageToken from;
  std::optional<PageToken> to;
  Direction direction = Direction::kBackward;
  size_t limit = 0;
};

bool is_beyond(const PlaceRow& row, const Wanted& wanted) {
  if (!wanted.to) return false;
  auto place = std::pair(row.depth, row.order), bound = std::pair(wanted.to->depth, wanted.to->order);
  return wanted.direction == Direction::kBackward ? place < bound : place >= bound;
}

Result<Found> find(db::ReadTx& tx, PageCache& cache, const Wanted& wanted, const UserId& viewer) {
  Found out;
  ViewerSight sight(tx, cache, wanted.room_no, viewer);
  auto next = wanted.from;
  for (int round = 0; round < kRounds; ++round) {
    size_t asked = wanted.limit - out.refs.size();
    if (round > 0) asked = std::max(asked, kRoundEvents);
    auto rows = places(tx, wanted.room_no, next, wanted.direction, asked);
    bool last = rows.size() < asked;
    for (const auto& row : rows) {
      if (is_beyond(row, wanted)) {
        last = true;
        break;
      }
      MYELIN_TRY(auto seen, sight.see(row.row));
      next.depth = row.depth;
      next.order = wanted.direction == Direction::kBackward ? row.order : row.order + 1;
      if (!seen.visible) continue;
      out.refs.push_back(row.row.ref);
      out.memberships.push_back(std::move(seen.membership));
      if (out.refs.size() < wanted.limit) continue;
      out.end = next;
      return out;
    }
    if (last) return out;
  }
  out.end = next;
  return out;
}

}  // namespace

Task<Result<PageToken>> Reader::live_end(uint32_t room_no) {
  co_return co_await db_.read([room_no](db::ReadTx& tx) -> Result<PageToken> {
    auto head = tx.one(
        "SELECT head FROM room WHERE room_no = $1", [](const db::Row& row) { return decode_room_head(row.blob(0)); },
        room_no);
    if (!head) return fail(Code::kNotFound, "there is no such room");
    MYELIN_CHECK(*head);
    return PageToken{(*head)->max_depth, (*head)->next_order, (*head)->next_order};
  });
}

Task<Result<rooms::Page>> Reader::messages(RoomId id, std::optional<PageToken> from, std::optional<PageToken> to,
                                           Direction direction, size_t limit, Viewer viewer) {
  MYELIN_CO_TRY(auto info, co_await room(id));
  rooms::Page page;
  if (limit == 0) {
    page.end = from;
    co_return page;
  }
  Wanted wanted{info.room_no, from.value_or(PageToken{}), to, direction, limit};
  if (!from && direction == Direction::kBackward) {
    MYELIN_CO_TRY(wanted.from, co_await live_end(info.room_no));
  }
  auto found =
      co_await db_.read([this, wanted, viewer](db::ReadTx& tx) { return find(tx, pages_, wanted, viewer.user); });
  if (!found) co_return std::unexpected(std::move(found).error());
  MYELIN_CO_TRY(page.events, co_await events(std::move(found->refs)));
  page.memberships = std::move(found->memberships);
  page.end = found->end;
  co_return page;
}

}  // namespace myelin::rooms
