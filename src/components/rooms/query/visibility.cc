#include "components/rooms/query/visibility.h"

#include "components/rooms/query/reader.h"
#include "components/rooms/state_root.h"
#include "infra/db/sql.h"

namespace myelin::rooms {
namespace {
constexpr int kMaxMemberSteps = 200;  // through the viewer's own member events
}

ViewerSight::ViewerSight(db::ReadTx& tx, PageCache& cache, uint32_t room_no, const UserId& viewer)
    : tx_(tx), pages_(tx, cache, room_no), room_no_(room_no), viewer_(viewer) {
  static constexpr db::Sql kKey = "SELECT key_no FROM state_key WHERE room_no = $1 AND type = $2 AND state_key = $3";
  auto number = [](const db::Row& row) { return static_cast<uint32_t>(row.i64(0)); };
  visibility_key_ = tx.one(kKey, number, room_no, "m.room.history_visibility", "");
  member_key_ = tx.one(kKey, number, room_no, "m.room.member", viewer.str());
  auto version =
      tx.one("SELECT version FROM room WHERE room_no = $1", [](const db::Row& row) { return row.str(0); }, room_no);
  if (version) rules_ = find_room_version(*version);
}

Result<EventPtr> ViewerSight::event(uint32_t event_no) {
  if (auto it = events_.find(event_no); it != events_.end()) return it->second;
  if (rules_ == nullptr) return fail(Code::kCorrupt, "an event of a room of unknown version");
  Result<EventPtr> out = fail(Code::kCorrupt, "an event that is referred to is not there");
  tx_.query(
      "SELECT event_id, json FROM event WHERE ref = $1",
      [&](const db::Row& row) { out = Event::restore(row.bytes(1), EventId::trusted(row.str(0)), *rules_); },
      EventRef{room_no_, event_no}.row());
  if (out) events_[event_no] = *out;
  return out;
}

Result<EventPtr> ViewerSight::state_event(const StateRoot& root, std::optional<uint32_t> key_no) {
  if (!key_no) return EventPtr();
  MYELIN_TRY(auto event_no, StateMap(pages_, root).find(*key_no));
  if (!event_no) return EventPtr();
  return event(*event_no);
}

Result<ViewerSight::AtRoot*> ViewerSight::at(const StateRoot& root) {
  if (auto it = roots_.find(root.fingerprint); it != roots_.end()) return &it->second;
  AtRoot out;
  MYELIN_TRY(auto visibility, state_event(root, visibility_key_));
  out.visibility = history_visibility_of(visibility.get());
  if (member_key_) {
    MYELIN_TRY(auto number, StateMap(pages_, root).find(*member_key_));
    if (number) {
      MYELIN_TRY(auto member, event(*number));
      out.membership = membership_of(member.get());
      out.member_no = *number;
    }
  }
  return &(roots_[root.fingerprint] = std::move(out));
}

Result<uint32_t> ViewerSight::replaced_by(uint32_t event_no) {
  return tx_
      .one(
          "SELECT replaces FROM event WHERE ref = $1",
          [](const db::Row& r) { return r.null(0) ? 0 : EventRef::from_row(r.i64(0)).event; },
          EventRef{room_no_, event_no}.row())
      .value_or(0);
}

// The viewer's newest member event is in table member; each names the one that it replaced.
Result<ViewerSight::LastJoined> ViewerSight::last_joined(Milliseconds until) {
  if (auto it = last_joined_.find(until); it != last_joined_.end()) return it->second;
  LastJoined out;
  auto number = tx_.one(
                       "SELECT ref FROM member WHERE user_id = $1 AND room_no = $2",
                       [](const db::Row& r) { return EventRef::from_row(r.i64(0)).event; }, viewer_.str(), room_no_)
                    .value_or(0);
  for (int step = 0; number != 0 && step < kMaxMemberSteps; ++step) {
    MYELIN_TRY(auto member, event(number));
    if (membership_of(member.get()) == "join" && member->origin_server_ts() <= until) {
      out.joined = number;
      break;
    }
    out.next = number;
    MYELIN_TRY(number, replaced_by(number));
  }
  return last_joined_[until] = out;
}

Result<std::optional<uint32_t>> ViewerSight::last_left() {
  MYELIN_TRY(auto last, last_joined());
  if (last.joined == 0 || last.next == 0) return std::nullopt;
  return last.next;
}

// Is this join of the viewer after their member event of that number, or on another branch? Not if that came out of it.
Result<bool> ViewerSight::comes_after(uint32_t joined, uint32_t member_no) {
  for (int step = 0; member_no > joined; ++step) {
    if (step == kMaxMemberSteps) return false;  // that much is not looked through: it counts as before
    MYELIN_TRY(member_no, replaced_by(member_no));
  }
  return joined != 0 && member_no != joined;
}

// Has the viewer joined at any point after events at this root?
Result<bool> ViewerSight::joined_later(AtRoot& here) {
  if (here.joined_later) return *here.joined_later;
  MYELIN_TRY(auto last, last_joined());
  MYELIN_TRY(here.joined_later, comes_after(last.joined, here.member_no));
  return *here.joined_later;
}

Result<bool> ViewerSight::was_in(const StateRoot& root, Milliseconds until) {
  MYELIN_TRY(auto* here, at(root));
  if (here->membership == "join") return true;
  MYELIN_TRY(auto last, last_joined(until));
  return comes_after(last.joined, here->member_no);
}

Result<bool> ViewerSight::is_visible(AtRoot& here, const Sight& sight) {
  if (myelin::is_visible(sight, false)) return true;
  if (!myelin::is_visible(sight, true)) return false;
  return joined_later(here);
}

Result<Seen> ViewerSight::see(const SeenRow& row) {
  MYELIN_TRY(auto* here, at(row.before));
  Sight before{here->visibility, here->membership};
  std::vector<Sight> sights{before};
  EventPtr changed;
  if (row.type == "m.room.member" || row.type == "m.room.history_visibility") {
    MYELIN_TRY(changed, event(row.ref.event));
    sights = sights_of(viewer_, *changed, before);
  }
  Seen out{false, std::string(sights.back().membership)};
  for (const auto& sight : sights) {
    if (out.visible) break;
    MYELIN_TRY(out.visible, is_visible(*here, sight));
  }
  return out;
}

Task<Result<std::vector<Seen>>> Reader::seen(std::vector<EventRef> refs, Viewer viewer) {
  co_return co_await db_.read([this, refs, viewer](db::ReadTx& tx) -> Result<std::vector<Seen>> {
    std::unordered_map<int64_t, SeenRow> rows;
    std::vector<int64_t> numbers;
    for (auto ref : refs) numbers.push_back(ref.row());
    tx.query(
        "SELECT ref, type, state_before FROM event WHERE ref IN {ints $1}",
        [&](const db::Row& row) {
          rows[row.i64(0)] = {EventRef::from_row(row.i64(0)), row.str(1), decode_root(row.blob(2))};
        },
        db::int_set(numbers));
    std::map<uint32_t, ViewerSight> sights;
    std::vector<Seen> out;
    for (auto ref : refs) {
      auto row = rows.find(ref.row());
      if (row == rows.end()) return fail(Code::kCorrupt, "an event that is referred to is not there");
      auto it = sights.find(ref.room);
      if (it == sights.end()) it = sights.try_emplace(ref.room, tx, pages_, ref.room, viewer.user).first;
      MYELIN_TRY(auto sees, it->second.see(row->second));
      out.push_back(std::move(sees));
    }
    return out;
  });
}

Task<Result<std::optional<EventRef>>> Reader::last_left(uint32_t room_no, UserId user) {
  co_return co_await db_.read([this, room_no, user](db::ReadTx& tx) -> Result<std::optional<EventRef>> {
    MYELIN_TRY(auto number, ViewerSight(tx, pages_, room_no, user).last_left());
    if (!number) return std::nullopt;
    return EventRef{room_no, *number};
  });
}

Task<Result<std::vector<bool>>> Reader::visible(std::vector<EventRef> refs, Viewer viewer) {
  MYELIN_CO_TRY(auto all, co_await seen(std::move(refs), std::move(viewer)));
  std::vector<bool> out;
  for (const auto& one : all) out.push_back(one.visible);
  co_return out;
}

}  // namespace myelin::rooms
