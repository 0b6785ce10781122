// Events of erased users.
#include "components/rooms/query/reader.h"
#include "components/rooms/query/visibility.h"
#include "components/rooms/state_root.h"

namespace myelin::rooms {
namespace {

struct Asked {
  size_t index;
  EventRef ref;
  Milliseconds erased_at;
};

bool is_personal(const Event& event) { return !event.is_state() || event.type() == "m.room.member"; }

// Those of the events that the viewer gets redacted.
Result<std::vector<Asked>> kept_from(db::ReadTx& tx, PageCache& pages, const UserId& viewer,
                                     const std::vector<Asked>& all) {
  std::map<uint32_t, ViewerSight> sights;
  std::vector<Asked> out;
  for (const auto& asked : all) {
    auto root = tx.one(
        "SELECT state_before FROM event WHERE ref = $1", [](const db::Row& row) { return decode_root(row.blob(0)); },
        asked.ref.row());
    if (!root) return fail(Code::kCorrupt, "an event that is referred to is not there");
    auto& sight = sights.try_emplace(asked.ref.room, tx, pages, asked.ref.room, viewer).first->second;
    MYELIN_TRY(bool was_in, sight.was_in(*root, asked.erased_at));
    if (!was_in) out.push_back(asked);
  }
  return out;
}

}  // namespace

Task<Result<void>> Reader::read_erased() {
  MYELIN_CO_TRY(auto users, co_await db_.read([](db::ReadTx& tx) {
    return tx.all("SELECT user_id, erased_at FROM erased_user",
                  [](const db::Row& row) { return std::pair(row.str(0), row.i64(1)); });
  }));
  erased_.insert(users.begin(), users.end());
  co_return Result<void>{};
}

void Reader::erased(const UserId& user, Milliseconds at) { erased_.emplace(user.str(), at); }

Task<Result<std::vector<PlacedPtr>>> Reader::as_erased(std::vector<PlacedPtr> events, Viewer viewer) {
  std::vector<Asked> asked;
  for (size_t i = 0; !erased_.empty() && i < events.size(); ++i) {
    const auto& placed = *events[i];
    auto it = erased_.find(placed.event->sender().str());
    if (it == erased_.end() || placed.redacted_by || !is_personal(*placed.event)) continue;
    asked.push_back({i, placed.ref, it->second});
  }
  if (asked.empty()) co_return events;
  auto kept = co_await db_.read(
      [this, asked, user = viewer.user](db::ReadTx& tx) { return kept_from(tx, pages_, user, asked); });
  if (!kept) co_return std::unexpected(std::move(kept).error());
  for (const auto& [index, ref, at] : *kept) {
    MYELIN_CO_TRY(auto info, co_await room(ref.room));
    auto copy = std::make_shared<PlacedEvent>(*events[index]);
    MYELIN_CO_TRY(copy->event, redacted_form(*copy->event, *info.rules));
    copy->replaces.reset();
    events[index] = std::move(copy);
  }
  co_return events;
}

}  // namespace myelin::rooms
