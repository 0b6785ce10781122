#include "components/sync/v3/room_section.h"

#include <algorithm>

#include "components/rooms/client_event.h"

namespace myelin::sync {
using rooms::Membership;
namespace {
constexpr size_t kMoreRows = 100;  // read at once when a filter hides what was read
constexpr int kMaxRounds = 10;
// What a stranger may know of a room (client-server API, Stripped state).
constexpr std::string_view kStrippedTypes[] = {"m.room.create",          "m.room.join_rules", "m.room.name",
                                               "m.room.canonical_alias", "m.room.avatar",     "m.room.topic",
                                               "m.room.encryption"};
}  // namespace

void append_quoted(std::string& out, std::string_view text) {
  out += boost::json::serialize(boost::json::string_view(text));
}

std::string events_section(const std::vector<std::string>& events) {
  std::string out = R"({"events":[)";
  for (size_t i = 0; i < events.size(); ++i) {
    if (i > 0) out += ',';
    out += events[i];
  }
  return out += "]}";
}

// ---- lazy loading

std::vector<std::string> LazyMembers::missing(const accounts::Session& session, uint32_t room_no,
                                              const std::set<std::string>& members) {
  auto key = session.user.str() + '\n' + session.device.str() + '\n' + std::to_string(room_no);
  std::set<std::string> sent;
  if (auto* known = sent_.find(key)) sent = *known;
  std::vector<std::string> out;
  size_t weight = key.size() + 64;
  for (const auto& member : members)
    if (sent.insert(member).second) out.push_back(member);
  for (const auto& member : sent) weight += member.size() + 64;
  sent_.put(key, std::move(sent), weight);
  return out;
}

void LazyMembers::forget(const accounts::Session& session, uint32_t room_no) {
  sent_.erase(session.user.str() + '\n' + session.device.str() + '\n' + std::to_string(room_no));
}

// ---- timeline

struct RoomSections::Timeline {
  std::vector<rooms::PlacedPtr> events;  // oldest first
  bool limited = false;
  StateRoot root_before;  // state before the first event
  std::string prev_batch;
};

RoomSections::RoomSections(db::Database& db, rooms::Queries& rooms, const Clock& clock)
    : db_(db), rooms_(rooms), clock_(clock) {}

// The rows' events as far as the viewer may see them and wants them; null where not.
Task<Result<std::vector<rooms::PlacedPtr>>> RoomSections::shown(const RoomSnapshot& room, const Viewpoint& view,
                                                                const std::vector<TimelineRow>& rows) {
  std::vector<rooms::EventRef> refs;
  for (const auto& row : rows) refs.push_back(row.ref);
  MYELIN_CO_TRY(auto events, co_await rooms_.events(refs));
  bool always_inside = !room.is_new && !room.membership_changed && room.membership == Membership::kJoin;
  if (!always_inside) {
    MYELIN_CO_TRY(auto visible, co_await rooms_.visible(std::move(refs), rooms::Viewer{view.session.user}));
    for (size_t i = 0; i < events.size(); ++i)
      if (!visible[i]) events[i] = nullptr;
  }
  for (auto& event : events) {
    if (!event) continue;
    bool ignored = !event->event->is_state() && view.ignored_users->contains(event->event->sender().str());
    if (ignored || !view.filter->timeline().matches(*event->event, room.room)) event = nullptr;
  }
  co_return events;
}

Task<Result<StateRoot>> RoomSections::root_before(const RoomSnapshot& room, const std::vector<TimelineRow>& rows,
                                                  size_t oldest) {
  if (oldest + 1 < rows.size()) co_return rows[oldest + 1].root_after;
  co_return co_await db_.read(
      [room_no = room.room_no, pos = rows[oldest].pos - 1](db::ReadTx& tx) { return root_at(tx, room_no, pos); });
}

Task<Result<RoomSections::Timeline>> RoomSections::timeline(const RoomSnapshot& room, const Viewpoint& view) {
  Timeline out;
  size_t limit = view.filter->timeline().limit();
  int64_t after = room.is_new ? 0 : room.from;
  auto rows = room.rows;
  MYELIN_CO_TRY(auto events, co_await shown(room, view, rows));
  bool exhausted = rows.size() <= limit;  // the snapshot read one row more than the limit
  auto wanted = [&] {
    return static_cast<size_t>(std::ranges::count_if(events, [](const auto& e) { return e != nullptr; }));
  };
  for (int round = 0; round < kMaxRounds && !exhausted && wanted() < limit; ++round) {
    MYELIN_CO_TRY(auto more,
                  co_await db_.read([room_no = room.room_no, after, upto = rows.back().pos - 1](db::ReadTx& tx) {
                    return read_timeline(tx, room_no, after, upto, kMoreRows);
                  }));
    exhausted = more.size() < kMoreRows;
    MYELIN_CO_TRY(auto further, co_await shown(room, view, more));
    rows.insert(rows.end(), more.begin(), more.end());
    events.insert(events.end(), further.begin(), further.end());
  }
  size_t oldest = rows.size();
  for (size_t i = 0; i < rows.size() && out.events.size() < limit; ++i) {
    if (!events[i]) continue;
    out.events.push_back(events[i]);
    oldest = i;
  }
  std::ranges::reverse(out.events);
  // Limited: something the client could still ask for lies between `after` and the first event.
  out.limited = !exhausted || std::any_of(events.begin() + static_cast<ptrdiff_t>(std::min(oldest + 1, events.size())),
                                          events.end(), [](const auto& e) { return e != nullptr; });
  if (oldest < rows.size()) {
    MYELIN_CO_TRY(out.root_before, co_await root_before(room, rows, oldest));
    const auto& first = rows[oldest];
    out.prev_batch = rooms::PageToken{first.depth, first.order, first.order}.str();
    // Before a join there may be what the client has never seen.
    if (room.is_new && out.events.front()->event->type() != "m.room.create") out.limited = true;
  } else {
    out.root_before = room.root_upto;
    Token token;
    token.position = room.upto;
    out.prev_batch = token.str();
  }
  co_return out;
}

// ---- state

Task<Result<std::vector<rooms::StateEntry>>> RoomSections::state_entries(const RoomSnapshot& room,
                                                                         const Viewpoint& view, StateRoot target) {
  if (room.is_new || view.full_state) co_return co_await rooms_.state(room.room_no, target);
  MYELIN_CO_TRY(auto changes, co_await rooms_.diff(room.room_no, room.root_since, target));
  std::vector<rooms::StateEntry> out;
  for (auto& change : changes)
    if (change.ref) out.push_back({std::move(change.type), std::move(change.key), *change.ref});
  co_return out;
}

Task<Result<std::vector<std::string>>> RoomSections::state(const RoomSnapshot& room, const Viewpoint& view,
                                                           const Timeline& timeline) {
  bool whole = room.is_new || view.full_state;
  auto target = view.use_state_after ? room.root_upto : timeline.root_before;
  MYELIN_CO_TRY(auto entries, co_await state_entries(room, view, target));
  if (view.filter->lazy_load_members()) {
    std::set<std::string> needed;
    for (const auto& event : timeline.events) needed.insert(event->event->sender().str());
    if (whole) {
      lazy_.forget(view.session, room.room_no);
      needed.insert(view.session.user.str());
      needed.insert(room.heroes.begin(), room.heroes.end());
    }
    if (whole || (timeline.limited && !view.use_state_after))
      std::erase_if(entries,
                    [&](const auto& entry) { return entry.type == "m.room.member" && !needed.contains(entry.key); });
    auto missing = view.filter->include_redundant_members() ? std::vector<std::string>(needed.begin(), needed.end())
                                                            : lazy_.missing(view.session, room.room_no, needed);
    std::vector<std::pair<std::string, std::string>> wanted;
    for (auto& member : missing)
      if (std::ranges::none_of(entries, [&](const auto& e) { return e.type == "m.room.member" && e.key == member; }))
        wanted.emplace_back("m.room.member", std::move(member));
    if (!wanted.empty()) {
      MYELIN_CO_TRY(auto members, co_await rooms_.state_of(room.room_no, target, std::move(wanted)));
      for (auto& member : members) entries.push_back(std::move(member));
    }
  }
  std::vector<rooms::EventRef> refs;
  for (const auto& entry : entries) refs.push_back(entry.ref);
  MYELIN_CO_TRY(auto events, co_await rooms_.events(std::move(refs)));
  std::vector<std::string> out;
  for (const auto& event : events)
    if (event && view.filter->state().matches(*event->event, room.room)) out.push_back(text_of(*event, view));
  co_return out;
}

// In the format that the filter asks for.
std::string RoomSections::text_of(const rooms::PlacedEvent& event, const Viewpoint& view) const {
  if (view.filter->event_format() == EventFormat::kFederation) {
    const auto& id = event.event->event_id().str();
    if (id.contains(':')) return event.event->text();  // room versions 1 and 2: it holds its id
    return fmt::format(R"({{"event_id":"{}",{})", id, event.event->text().substr(1));
  }
  return rooms::client_event(
      event, rooms::EventView{view.session.user, view.session.device, ClientFormat::kSync, clock_.now()});
}

Task<Result<RoomSection>> RoomSections::history(const RoomSnapshot& room, Viewpoint view) {
  MYELIN_CO_TRY(auto shown, co_await timeline(room, view));
  MYELIN_CO_TRY(auto state_events, co_await state(room, view, shown));
  std::vector<std::string> events;
  for (const auto& event : shown.events) events.push_back(text_of(*event, view));
  RoomSection out;
  out.empty = events.empty() && state_events.empty() && !room.is_new;
  auto section = events_section(events);
  section.pop_back();
  out.fields = fmt::format(R"("timeline":{},"limited":{},"prev_batch":)", section, shown.limited);
  append_quoted(out.fields, shown.prev_batch);
  out.fields += view.use_state_after ? R"(},"state_after":)" : R"(},"state":)";
  out.fields += events_section(state_events);
  co_return out;
}

Task<Result<std::string>> RoomSections::stripped(const RoomSnapshot& room, const std::set<std::string>& ignored_users) {
  MYELIN_CO_TRY(auto root, co_await rooms_.root_after(room.member_ref));
  std::vector<std::pair<std::string, std::string>> wanted;
  for (auto type : kStrippedTypes) wanted.emplace_back(type, "");
  MYELIN_CO_TRY(auto entries, co_await rooms_.state_of(room.room_no, root, std::move(wanted)));
  std::vector<rooms::EventRef> refs;
  for (const auto& entry : entries) refs.push_back(entry.ref);
  refs.push_back(room.member_ref);
  MYELIN_CO_TRY(auto members, co_await rooms_.events(refs));
  if (members.back() && ignored_users.contains(members.back()->event->sender().str())) co_return std::string();
  // The inviter's member event lets a client show who asks.
  if (members.back()) {
    MYELIN_CO_TRY(auto inviter, co_await rooms_.state_of(room.room_no, root,
                                                         {{"m.room.member", members.back()->event->sender().str()}}));
    if (!inviter.empty() && inviter.front().ref != room.member_ref) {
      MYELIN_CO_TRY(auto event, co_await rooms_.events({inviter.front().ref}));
      members.insert(members.end() - 1, event.front());
    }
  }
  std::vector<std::string> out;
  for (const auto& event : members)
    if (event) out.push_back(myelin::client_event(*event->event, ClientFormat::kStripped));
  co_return events_section(out);
}

// ---- the small sections

std::string receipts_event(const std::vector<ReceiptRow>& receipts) {
  json::Object content;
  for (const auto& receipt : receipts) {
    auto& by_type = content[receipt.event_id].is_null() ? content[receipt.event_id].emplace_object()
                                                        : content[receipt.event_id].as_object();
    auto& users =
        by_type[receipt.type].is_null() ? by_type[receipt.type].emplace_object() : by_type[receipt.type].as_object();
    json::Object data{{"ts", receipt.ts}};
    if (!receipt.thread.empty()) data["thread_id"] = receipt.thread;
    users[receipt.user] = std::move(data);
  }
  return json::serialize(json::Object{{"type", "m.receipt"}, {"content", std::move(content)}});
}

std::string summary_fields(const RoomSnapshot& room) {
  json::Array heroes;
  for (const auto& hero : room.heroes) heroes.emplace_back(hero);
  return R"("summary":)" + json::serialize(json::Object{{"m.heroes", std::move(heroes)},
                                                        {"m.joined_member_count", room.joined},
                                                        {"m.invited_member_count", room.invited}});
}

std::string unread_fields(const RoomSnapshot& room, UnreadClass kind, bool by_thread) {
  auto threads = count_unread(room.unread, kind);
  auto counts = [](Verdict count) {
    return fmt::format(R"({{"notification_count":{},"highlight_count":{}}})", count.notify, count.highlight);
  };
  auto own = by_thread ? threads.front().count : total(threads);
  std::string out = R"("unread_notifications":)" + counts(own);
  if (!by_thread) return out;
  std::string list;
  for (const auto& thread : threads) {
    if (thread.thread.empty()) continue;
    if (!list.empty()) list += ',';
    append_quoted(list, thread.thread);
    list += ':' + counts(thread.count);
  }
  if (!list.empty()) out += R"(,"unread_thread_notifications":{)" + list + '}';
  return out;
}

}  // namespace myelin::sync
