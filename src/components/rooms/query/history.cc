// What a viewer may see of a room's history, and pages of it (client-server API, Room History Visibility; GET /messages).
#include "components/rooms/query/reader.h"
#include "components/rooms/state_root.h"
#include "infra/db/sql.h"
#include "matrix/visibility.h"

namespace myelin::rooms {
namespace {

// Visibility of one room's events for one viewer: what is looked up is kept for the next event.
class Looker {
 public:
  Looker(db::ReadTx& tx, PageCache& cache, uint32_t room_no, const UserId& viewer)
      : tx_(tx), pages_(tx, cache, room_no), room_no_(room_no), viewer_(viewer) {
    auto number = [](const db::Row& row) { return static_cast<uint32_t>(row.i64(0)); };
    static constexpr db::Sql kKey = "SELECT key_no FROM state_key WHERE room_no = $1 AND type = $2 AND state_key = $3";
    visibility_key_ = tx.one(kKey, number, room_no, "m.room.history_visibility", "");
    member_key_ = tx.one(kKey, number, room_no, "m.room.member", viewer.str());
    auto version = tx.one("SELECT version FROM room WHERE room_no = $1", [](const db::Row& row) { return row.str(0); }, room_no);
    if (version) rules_ = find_room_version(*version);
  }

  Result<bool> sees(EventRef ref) {
    if (rules_ == nullptr) return false;
    MYELIN_TRY(auto event, this->event(ref.event));
    auto before = roots_.at(ref.event);
    MYELIN_TRY(auto visibility, state_event(before, visibility_key_));
    MYELIN_TRY(auto member, state_event(before, member_key_));
    MYELIN_TRY(bool later, joined_after(ref.event));
    return may_see(viewer_, *event, visibility.get(), member.get(), later);
  }

 private:
  Result<EventPtr> event(uint32_t event_no) {
    if (auto it = events_.find(event_no); it != events_.end()) return it->second;
    Result<EventPtr> out = fail(Code::kCorrupt, "an event that is referred to is not there");
    tx_.query("SELECT event_id, json, state_before FROM event WHERE ref = $1",
              [&](const db::Row& row) {
                roots_[event_no] = decode_root(row.blob(2));
                out = Event::restore(row.bytes(1), EventId::trusted(row.str(0)), *rules_);
              },
              EventRef{room_no_, event_no}.row());
    if (out) events_[event_no] = *out;
    return out;
  }

  Result<EventPtr> state_event(StateRoot root, std::optional<uint32_t> key_no) {
    if (!key_no) return EventPtr();
    auto known = found_.find({root.fingerprint, *key_no});
    if (known == found_.end()) {
      MYELIN_TRY(auto event_no, StateMap(pages_, root).find(*key_no));
      known = found_.emplace(std::pair(root.fingerprint, *key_no), event_no).first;
    }
    if (!known->second) return EventPtr();
    return event(*known->second);
  }

  // Has the viewer been joined at any point after the event?
  Result<bool> joined_after(uint32_t event_no) {
    if (!last_joined_) {
      struct Row {
        Membership membership;
        uint32_t event_no;
      };
      auto row = tx_.one("SELECT membership, ref FROM member WHERE user_id = $1 AND room_no = $2",
                         [](const db::Row& r) { return Row{static_cast<Membership>(r.i64(0)), EventRef::from_row(r.i64(1)).event}; },
                         viewer_.str(), room_no_);
      last_joined_ = 0;
      if (row && row->membership == Membership::kJoin) {
        last_joined_ = UINT32_MAX;
      } else if (row) {  // was the viewer in the room until that event?
        MYELIN_CHECK(event(row->event_no));
        MYELIN_TRY(auto member, state_event(roots_.at(row->event_no), member_key_));
        if (membership_of(member.get()) == "join") last_joined_ = row->event_no;
      }
    }
    return *last_joined_ > event_no;
  }

  db::ReadTx& tx_;
  RowPages pages_;
  uint32_t room_no_;
  const UserId& viewer_;
  const RoomRules* rules_ = nullptr;
  std::optional<uint32_t> visibility_key_, member_key_;
  std::unordered_map<uint32_t, EventPtr> events_;
  std::unordered_map<uint32_t, StateRoot> roots_;
  std::map<std::pair<Fingerprint, uint32_t>, std::optional<uint32_t>> found_;
  std::optional<uint32_t> last_joined_;
};

struct PlaceRow {
  EventRef ref;
  int64_t depth, order;
};

// The next events from a token, in the direction's order.
std::vector<PlaceRow> places(db::ReadTx& tx, uint32_t room_no, const PageToken& from, Direction direction, size_t limit) {
  auto read = [](const db::Row& row) { return PlaceRow{EventRef::from_row(row.i64(0)), row.i64(1), row.i64(2)}; };
  int64_t bound = from.arrived_before > 0 ? from.arrived_before : INT64_MAX;
  if (direction == Direction::kBackward)
    return tx.all("SELECT ref, depth, order_no FROM event WHERE room_no = $1 AND order_no IS NOT NULL AND (depth, order_no) < ($2, $3) "
                  "AND order_no < $4 AND flags = 0 ORDER BY depth DESC, order_no DESC LIMIT $5",
                  read, room_no, from.depth, from.order, bound, limit);
  return tx.all("SELECT ref, depth, order_no FROM event WHERE room_no = $1 AND order_no IS NOT NULL AND (depth, order_no) >= ($2, $3) "
                "AND flags = 0 ORDER BY depth, order_no LIMIT $4",
                read, room_no, from.depth, from.order, limit);
}

}  // namespace

Result<std::vector<bool>> read_visible(db::ReadTx& tx, PageCache& cache, const std::vector<EventRef>& refs, const UserId& viewer) {
  std::vector<bool> out(refs.size());
  std::map<uint32_t, Looker> rooms;
  for (size_t i = 0; i < refs.size(); ++i) {
    auto it = rooms.find(refs[i].room);
    if (it == rooms.end()) it = rooms.try_emplace(refs[i].room, tx, cache, refs[i].room, viewer).first;
    MYELIN_TRY(bool sees, it->second.sees(refs[i]));
    out[i] = sees;
  }
  return out;
}

Task<Result<std::vector<bool>>> Reader::visible(std::vector<EventRef> refs, Viewer viewer) {
  co_return co_await db_.read([this, refs, viewer](db::ReadTx& tx) { return read_visible(tx, pages_, refs, viewer.user); });
}

Task<Result<PageToken>> Reader::live_end(uint32_t room_no) {
  co_return co_await db_.read([room_no](db::ReadTx& tx) {
    auto newest = tx.one("SELECT max(depth), max(order_no) FROM event WHERE room_no = $1 AND order_no IS NOT NULL",
                         [](const db::Row& row) { return std::pair(row.i64(0), row.i64(1)); }, room_no);
    if (!newest) return PageToken{};
    return PageToken{newest->first, newest->second + 1, newest->second + 1};
  });
}

Task<Result<rooms::Page>> Reader::messages(RoomId id, std::optional<PageToken> from, std::optional<PageToken> to,
                                           Direction direction, size_t limit, Viewer viewer) {
  MYELIN_CO_TRY(auto info, co_await room(id));
  if (!from) {
    from = PageToken{};
    if (direction == Direction::kBackward) {
      MYELIN_CO_TRY(from, co_await live_end(info.room_no));
    }
  }
  struct Read {
    std::vector<EventRef> refs;
    std::optional<PageToken> end;
  };
  // A page of what the viewer may not see is passed over, a bounded number of times.
  MYELIN_CO_TRY(auto read, co_await db_.read([this, room_no = info.room_no, at = *from, to, direction, limit, viewer](db::ReadTx& tx) -> Result<Read> {
    Read out;
    auto next = at;
    for (int round = 0; round < 10 && out.refs.size() < limit; ++round) {
      size_t wanted = limit - out.refs.size();
      auto rows = places(tx, room_no, next, direction, wanted);
      bool last = rows.size() < wanted;
      if (to) {
        auto beyond = [&](const PlaceRow& row) {
          auto place = std::pair(row.depth, row.order), bound = std::pair(to->depth, to->order);
          return direction == Direction::kBackward ? place < bound : place >= bound;
        };
        auto end = std::ranges::find_if(rows, beyond);
        last |= end != rows.end();
        rows.erase(end, rows.end());
      }
      std::vector<EventRef> refs;
      for (const auto& row : rows) refs.push_back(row.ref);
      MYELIN_TRY(auto visible, read_visible(tx, pages_, refs, viewer.user));
      for (size_t i = 0; i < refs.size(); ++i)
        if (visible[i]) out.refs.push_back(refs[i]);
      if (!rows.empty()) {
        const auto& edge = rows.back();
        next.depth = edge.depth;
        next.order = direction == Direction::kBackward ? edge.order : edge.order + 1;
      }
      out.end = last ? std::nullopt : std::optional(next);
      if (last) break;
    }
    return out;
  }));
  rooms::Page page;
  MYELIN_CO_TRY(page.events, co_await events(std::move(read.refs)));
  page.end = read.end;
  co_return page;
}

}  // namespace myelin::rooms
