#include "components/sync/v3/room_section.h"

#include <algorithm>

#include "components/rooms/client_event.h"

namespace myelin::sync {
using rooms::Membership;
namespace {
// A PDU with its id, which those of room versions 3 and later do not hold.
std::string federation_event(const Event& event) {
  const auto& id = event.event_id().str();
  if (id.contains(':')) return event.text();
  return fmt::format(R"({{"event_id":"{}",{})", id, event.text().substr(1));
}

rooms::Viewer viewer_of(const Viewpoint& view) { return {view.session.user, view.ignored_users}; }

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

namespace {
std::string lazy_key(const accounts::Session& session, uint32_t room_no) {
  return session.user.str() + '\n' + session.device.str() + '\n' + std::to_string(room_no);
}
}  // namespace

std::vector<std::string> LazyMembers::missing(const accounts::Session& session, uint32_t room_no,
                                              const std::set<std::string>& members, int64_t since, int64_t position) {
  auto key = lazy_key(session, room_no);
  std::map<std::string, int64_t> sent;
  if (auto* known = sent_.find(key)) sent = std::move(*known);
  std::erase_if(sent, [since](const auto& entry) { return entry.second > since; });
  std::vector<std::string> out;
  for (const auto& member : members)
    if (sent.try_emplace(member, position).second) out.push_back(member);
  size_t weight = key.size() + 64 + sent.size() * 128;
  sent_.put(key, std::move(sent), weight);
  return out;
}

void LazyMembers::forget(const accounts::Session& session, uint32_t room_no) {
  sent_.erase(lazy_key(session, room_no));
}

// ---- timeline

struct RoomSections::Shown {
  rooms::ServedEvent served;  // without an event: not for this viewer
  size_t row = 0;             // of Timeline::rows
  const Event& event() const { return *served.event->event; }
};

struct RoomSections::Timeline {
  std::vector<TimelineRow> rows;  // newest first
  std::vector<Shown> events;      // oldest first
  bool limited = false, cut = false;
  bool has_all = false;        // rows: all there are after what the client has
  bool counts_hidden = false;  // what is not shown may have changed the unread counts
  StateRoot root_before;       // state before the first event
  std::string prev_batch;
};

RoomSections::RoomSections(db::Database& db, rooms::Queries& rooms, const Clock& clock)
    : db_(db), rooms_(rooms), clock_(clock) {}

// The rows' events as far as the viewer may see them and wants them.
Task<Result<std::vector<RoomSections::Shown>>> RoomSections::shown(const RoomSnapshot& room, const Viewpoint& view,
                                                                   const std::vector<TimelineRow>& rows) {
  std::vector<rooms::EventRef> refs;
  for (const auto& row : rows) refs.push_back(row.ref);
  MYELIN_CO_TRY(auto events, co_await rooms_.events(refs));
  std::vector<std::optional<rooms::Seen>> known(events.size(), rooms::Seen{true, "join"});
  // Who was inside all the time sees everything that stands on the state of that time.
  bool always_inside = !room.is_new && !room.membership_changed && room.membership == Membership::kJoin &&
                       std::ranges::none_of(rows, &TimelineRow::on_fork);
  if (!always_inside) {
    MYELIN_CO_TRY(auto seen, co_await rooms_.seen(std::move(refs), viewer_of(view)));
    for (size_t i = 0; i < seen.size(); ++i) {
      seen[i].visible |= rows[i].pos > room.upto;  // who was banned is told so
      known[i] = std::move(seen[i]);
    }
  }
  MYELIN_CO_TRY(auto served, co_await serve(rooms_, std::move(events), std::move(known), viewer_of(view)));
  std::vector<Shown> out;
  for (auto& each : served) {
    if (each.event && !view.filter->timeline().matches(*each.event->event, room.room)) each.event = nullptr;
    out.push_back({std::move(each), 0});
  }
  co_return out;
}

// Sets what lies before the timeline's first event.
Task<Result<void>> RoomSections::begin(const RoomSnapshot& room, Timeline& timeline) {
  if (timeline.events.empty()) {
    timeline.root_before = room.root_upto;
    Token token;
    token.position = room.upto;
    timeline.prev_batch = token.str();
    co_return Result<void>{};
  }
  const auto& rows = timeline.rows;
  size_t oldest = timeline.events.front().row;
  timeline.prev_batch = rooms::PageToken{rows[oldest].depth, rows[oldest].order, rows[oldest].order}.str();
  if (rows[oldest].pos > room.upto) {  // nothing of what was between is told
    timeline.root_before = room.root_upto;
    co_return Result<void>{};
  }
  if (oldest + 1 < rows.size()) {
    timeline.root_before = rows[oldest + 1].root_after;
    co_return Result<void>{};
  }
  if (timeline.has_all) {
    timeline.root_before = room.root_since;
    co_return Result<void>{};
  }
  MYELIN_CO_TRY(timeline.root_before, co_await db_.read([room_no = room.room_no, pos = rows[oldest].pos - 1](
                                                            db::ReadTx& tx) { return root_at(tx, room_no, pos); }));
  co_return Result<void>{};
}

namespace {

// Does the event of this row count as unread for anybody? (Where the row before it is not at hand: maybe.)
bool may_count(const std::vector<TimelineRow>& rows, size_t i) {
  auto before = std::find_if(rows.begin() + static_cast<ptrdiff_t>(i) + 1, rows.end(),
                             [&](const TimelineRow& row) { return row.thread == rows[i].thread; });
  return rows[i].sums != (before == rows.end() ? Verdict{} : before->sums);
}

}  // namespace

Task<Result<RoomSections::Timeline>> RoomSections::timeline(const RoomSnapshot& room, const Viewpoint& view) {
  Timeline out;
  size_t limit = view.filter->timeline().limit();
  int64_t after = room.is_new ? 0 : room.from;
  auto rows = room.rows;
  MYELIN_CO_TRY(auto events, co_await shown(room, view, rows));
  size_t apart = !rows.empty() && rows.front().pos > room.upto ? 1 : 0;
  bool exhausted = rows.size() <= limit + apart;  // the snapshot read one row more than the limit
  auto is_shown = [](const Shown& each) { return each.served.event != nullptr; };
  auto wanted = [&] { return static_cast<size_t>(std::ranges::count_if(events, is_shown)); };
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
    if (!is_shown(events[i])) {
      out.counts_hidden |= may_count(rows, i);
      continue;
    }
    out.events.push_back(events[i]);
    out.events.back().row = oldest = i;
  }
  std::ranges::reverse(out.events);
  // Limited: something the client could still ask for lies between `after` and the first event.
  out.limited = !exhausted || std::any_of(events.begin() + static_cast<ptrdiff_t>(std::min(oldest + 1, events.size())),
                                          events.end(), is_shown);
  // Before a join there may be what the client has never seen; and what it has seen comes again.
  if (room.is_new && !out.events.empty() && (room.before || out.events.front().event().type() != "m.room.create"))
    out.limited = true;
  out.rows = std::move(rows);
  out.has_all = exhausted;
  MYELIN_CO_CHECK(co_await begin(room, out));
  co_return out;
}

// ---- state

namespace {

using StateKey = std::pair<std::string, std::string>;

// What of the changes up to the end the timeline does not tell: those that no event of it made (a fork was resolved,
// the filter or the room's history visibility hides the event).
void add_untold(const std::vector<rooms::StateChange>& changes, const std::map<StateKey, rooms::EventRef>& told,
                std::vector<rooms::StateEntry>& entries) {
  for (const auto& change : changes) {
    if (auto it = told.find({change.type, change.key}); it != told.end() && it->second == change.ref) continue;
    std::erase_if(entries, [&](const auto& entry) { return entry.type == change.type && entry.key == change.key; });
    if (change.ref) entries.push_back({change.type, change.key, *change.ref});
  }
}

}  // namespace

// How the state changes from there to the end of what is told; who is gone stands as they do now.
Task<Result<std::vector<rooms::StateChange>>> RoomSections::changes_to_end(const RoomSnapshot& room, UserId viewer,
                                                                           StateRoot from) {
  MYELIN_CO_TRY(auto changes, co_await rooms_.diff(room.room_no, from, room.root_upto));
  if (room.member_apart) {
    std::erase_if(changes,
                  [&](const auto& change) { return change.type == "m.room.member" && change.key == viewer.str(); });
    changes.push_back({"m.room.member", viewer.str(), room.member_ref});
  }
  co_return changes;
}

// A client comes to the state by applying the timeline to what is before it. A state event that is not what its key has
// come to (it lost when a fork was resolved; who is in the room no longer sees what followed it) would tell something
// wrong: it is left to the gap before the timeline, with all that is older. Returns how the state changes from the
// timeline's beginning to its end.
Task<Result<std::vector<rooms::StateChange>>> RoomSections::leave_to_gap(const RoomSnapshot& room, UserId viewer,
                                                                         Timeline& timeline) {
  std::map<StateKey, size_t> told;  // -> place in the timeline
  for (size_t i = 0; i < timeline.events.size(); ++i)
    if (const auto& event = timeline.events[i].event(); event.is_state()) told[{event.type(), *event.state_key()}] = i;
  if (told.empty() && !room.member_apart && timeline.root_before.fingerprint == room.root_upto.fingerprint)
    co_return std::vector<rooms::StateChange>{};
  MYELIN_CO_TRY(auto changes, co_await changes_to_end(room, viewer, timeline.root_before));
  for (const auto& change : changes)
    if (auto it = told.find({change.type, change.key});
        it != told.end() && timeline.events[it->second].served.event->ref == change.ref)
      told.erase(it);
  if (told.empty()) co_return changes;
  size_t wrong = 0;
  for (const auto& [key, place] : told) wrong = std::max(wrong, place);
  timeline.events.erase(timeline.events.begin(), timeline.events.begin() + static_cast<ptrdiff_t>(wrong + 1));
  timeline.limited = timeline.cut = true;
  MYELIN_CO_CHECK(co_await begin(room, timeline));
  co_return co_await changes_to_end(room, viewer, timeline.root_before);
}

// Leaves out members whom the client does not need yet, and adds those that it needs now (client-server API,
// Lazy-loading room members). Changes of membership are always told.
Task<Result<void>> RoomSections::load_lazily(const RoomSnapshot& room, const Viewpoint& view, const Timeline& timeline,
                                             StateRoot target, std::vector<rooms::StateEntry>& entries) {
  std::set<std::string> needed(room.heroes.begin(), room.heroes.end());
  for (const auto& shown : timeline.events) needed.insert(shown.event().sender().str());
  if (room.is_new || view.full_state) {
    lazy_.forget(view.session, room.room_no);
    needed.insert(view.session.user.str());
    if (!room.is_new) {
      MYELIN_CO_TRY(auto changes, co_await rooms_.diff(room.room_no, room.root_since, target));
      for (auto& change : changes)
        if (change.type == "m.room.member") needed.insert(std::move(change.key));
    }
    std::erase_if(entries,
                  [&](const auto& entry) { return entry.type == "m.room.member" && !needed.contains(entry.key); });
  }
  auto missing = view.filter->include_redundant_members()
                     ? std::vector<std::string>(needed.begin(), needed.end())
                     : lazy_.missing(view.session, room.room_no, needed, view.since, view.position);
  std::vector<std::pair<std::string, std::string>> wanted;
  for (auto& member : missing)
    if (std::ranges::none_of(entries, [&](const auto& e) { return e.type == "m.room.member" && e.key == member; }))
      wanted.emplace_back("m.room.member", std::move(member));
  if (wanted.empty()) co_return Result<void>{};
  MYELIN_CO_TRY(auto members, co_await rooms_.state_of(room.room_no, target, std::move(wanted)));
  for (auto& member : members) entries.push_back(std::move(member));
  co_return Result<void>{};
}

Task<Result<std::vector<rooms::StateEntry>>> RoomSections::state(const RoomSnapshot& room, const Viewpoint& view,
                                                                 Timeline& timeline) {
  std::vector<rooms::StateChange> later;
  if (!view.use_state_after) {
    MYELIN_CO_TRY(later, co_await leave_to_gap(room, view.session.user, timeline));
  }
  auto target = view.use_state_after ? room.root_upto : timeline.root_before;
  std::vector<rooms::StateEntry> entries;
  if (room.is_new || view.full_state) {
    MYELIN_CO_TRY(entries, co_await rooms_.state(room.room_no, target));
  } else {
    MYELIN_CO_TRY(auto changes, co_await rooms_.diff(room.room_no, room.root_since, target));
    for (auto& change : changes)
      if (change.ref) entries.push_back({std::move(change.type), std::move(change.key), *change.ref});
  }
  if (view.filter->lazy_load_members()) MYELIN_CO_CHECK(co_await load_lazily(room, view, timeline, target, entries));
  std::map<StateKey, rooms::EventRef> told;
  for (const auto& shown : timeline.events)
    if (const auto& event = shown.event(); event.is_state())
      told[{event.type(), *event.state_key()}] = shown.served.event->ref;
  add_untold(later, told, entries);
  co_return entries;
}

// ---- the section

namespace {

std::string only(const PropertySelection& fields, std::string event) {
  auto whole = json::parse_object(event, {.depth = json::kMaxTransactionDepth});
  return whole ? json::serialize(fields.of(*whole)) : event;
}

}  // namespace

// In the format that the filter asks for.
std::vector<std::string> RoomSections::written(const std::vector<rooms::ServedEvent>& events,
                                               const Viewpoint& view) const {
  rooms::EventView event_view{view.session.user, view.session.device, ClientFormat::kSync, clock_.now()};
  if (view.filter->event_format() == EventFormat::kClient) return rooms::client_events(events, event_view);
  std::vector<std::string> out;
  for (const auto& each : events) out.push_back(federation_event(*each.event->event));
  return out;
}

// With child events where there is a gap (Aggregations of child events).
Task<Result<std::vector<std::string>>> RoomSections::texts(const Viewpoint& view, const Timeline& timeline) {
  std::vector<rooms::ServedEvent> events;
  for (const auto& shown : timeline.events) events.push_back(shown.served);
  MYELIN_CO_TRY(events, co_await with_attachments(rooms_, std::move(events), viewer_of(view)));
  if (timeline.limited && view.filter->event_format() == EventFormat::kClient) {
    MYELIN_CO_TRY(events, co_await with_children(rooms_, std::move(events), viewer_of(view)));
  }
  auto out = written(events, view);
  if (const auto& fields = view.filter->event_fields())
    for (auto& event : out) event = only(*fields, std::move(event));
  co_return out;
}

Task<Result<std::vector<std::string>>> RoomSections::texts(const RoomSnapshot& room, const Viewpoint& view,
                                                           std::vector<rooms::StateEntry> entries) {
  std::vector<rooms::EventRef> refs;
  for (const auto& entry : entries) refs.push_back(entry.ref);
  MYELIN_CO_TRY(auto events, co_await rooms_.events(std::move(refs)));
  std::erase_if(events, [&](const auto& each) { return !view.filter->state().matches(*each->event, room.room); });
  MYELIN_CO_TRY(auto served, co_await serve_state(rooms_, std::move(events), viewer_of(view)));
  co_return written(served, view);
}

Task<Result<RoomSection>> RoomSections::history(const RoomSnapshot& room, Viewpoint view) {
  Timeline shown;
  std::vector<rooms::StateEntry> entries;
  if (!room.outside) {
    MYELIN_CO_TRY(shown, co_await timeline(room, view));
    MYELIN_CO_TRY(entries, co_await state(room, view, shown));
  }
  // Of what comes after the end, who is gone learns how they stand.
  if (room.member_apart && (room.outside || view.use_state_after)) {
    const auto& user = view.session.user.str();
    std::erase_if(entries, [&](const auto& entry) { return entry.type == "m.room.member" && entry.key == user; });
    entries.push_back({"m.room.member", user, room.member_ref});
  }
  MYELIN_CO_TRY(auto state_events, co_await texts(room, view, std::move(entries)));
  MYELIN_CO_TRY(auto events, co_await texts(view, shown));
  RoomSection out;
  out.empty = events.empty() && state_events.empty() && !room.is_new && !shown.counts_hidden && !shown.cut;
  auto section = events_section(events);
  section.pop_back();
  out.fields = fmt::format(R"("timeline":{},"limited":{})", section, shown.limited);
  if (!shown.prev_batch.empty()) {
    out.fields += R"(,"prev_batch":)";
    append_quoted(out.fields, shown.prev_batch);
  }
  out.fields += view.use_state_after ? R"(},"state_after":)" : R"(},"state":)";
  out.fields += events_section(state_events);
  co_return out;
}

Task<Result<std::string>> RoomSections::stripped(const RoomSnapshot& room, Viewpoint view) {
  MYELIN_CO_TRY(auto root, co_await rooms_.root_after(room.member_ref));
  MYELIN_CO_TRY(auto own, co_await rooms_.events({room.member_ref}));
  const auto& inviter = own.front()->event->sender();
  if (viewer_of(view).ignores(inviter)) co_return std::string();
  std::vector<std::pair<std::string, std::string>> wanted;
  for (auto type : kStrippedTypes) wanted.emplace_back(type, "");
  wanted.emplace_back("m.room.member", inviter.str());  // lets a client show who asks
  MYELIN_CO_TRY(auto entries, co_await rooms_.state_of(room.room_no, root, std::move(wanted)));
  std::vector<rooms::EventRef> refs;
  for (const auto& entry : entries)
    if (entry.ref != room.member_ref) refs.push_back(entry.ref);
  refs.push_back(room.member_ref);
  MYELIN_CO_TRY(auto events, co_await rooms_.events(std::move(refs)));
  MYELIN_CO_TRY(auto served, co_await serve_state(rooms_, std::move(events), viewer_of(view)));
  rooms::EventView event_view{view.session.user, view.session.device, ClientFormat::kStripped, clock_.now()};
  co_return events_section(rooms::client_events(served, event_view));
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

std::string unread_fields(const RoomSnapshot& room, bool by_thread) {
  const auto& threads = room.unread;
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
