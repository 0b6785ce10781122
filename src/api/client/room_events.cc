// Client-server API, Getting events for a room: one event, history, context.
#include <set>

#include "api/client/fields.h"
#include "api/client/room_access.h"
#include "matrix/filter.h"

namespace myelin::api::client {
namespace {
using rooms::Direction;
using rooms::PageToken;
using rooms::ServedEvent;
using rooms::Viewer;

constexpr size_t kDefaultLimit = 10;
constexpr int kPages = 10;  // looked through for one answer when a filter lets little pass

// With what is attached to them and bundled with them.
Task<Result<std::vector<std::string>>> texts(Components& on, const Call& call, std::vector<ServedEvent> events,
                                             Viewer viewer) {
  auto& queries = on.rooms.queries();
  MYELIN_CO_TRY(events, co_await with_attachments(queries, std::move(events), viewer));
  MYELIN_CO_TRY(events, co_await with_children(queries, std::move(events), viewer));
  co_return client_events(events, view_of(on, call));
}

Result<EventFilter> filter_of(const Call& call) {
  auto text = call.query("filter");
  if (!text || text->empty()) return EventFilter();
  MYELIN_TRY(auto content, json::parse_object(*text));
  return EventFilter::parse(content);
}

// The event that is asked for by its id: what the viewer may not have is as good as not there, messages of ignored
// users too (client-server API, Ignoring Users: "the client will no longer receive events sent by that user").
Task<Result<ServedEvent>> asked_event(Components& on, const Call& call, Viewer viewer) {
  MYELIN_CO_TRY(auto room, RoomId::parse(call.path("roomId")));
  MYELIN_CO_TRY(auto id, EventId::parse(call.path("eventId")));
  auto& queries = on.rooms.queries();
  auto missing = [] { return fail(Code::kNotFound, "there is no such event, or you may not see it"); };
  auto event = co_await queries.event(room, id);
  if (!event && event.error().code == Code::kNotFound) co_return missing();
  if (!event) co_return std::unexpected(event.error());
  std::vector<rooms::PlacedPtr> events{*event};
  MYELIN_CO_TRY(auto served, co_await serve(queries, std::move(events), viewer));
  MYELIN_CO_TRY(auto membership, co_await queries.membership(room, viewer.user));
  bool forgotten = membership && membership->forgotten;  // with the room its history is gone
  if ((*event)->rejected || (*event)->soft_failed || !served.front().event || forgotten) co_return missing();
  co_return std::move(served.front());
}

// The member events of those who sent the given events, where the filter asks for no others.
Task<Result<std::string>> state_for(Components& on, const Call& call, const RoomAccess& access,
                                    const EventFilter& filter, const std::vector<ServedEvent>& shown, Viewer viewer,
                                    bool whole) {
  std::set<std::string> senders;
  for (const auto& each : shown) senders.insert(each.event->event->sender().str());
  std::vector<rooms::PlacedPtr> events;
  if (whole) {
    MYELIN_CO_TRY(auto entries, co_await on.rooms.queries().state(access.info.room_no, access.root));
    std::vector<rooms::EventRef> refs;
    for (const auto& entry : entries)
      if (!filter.lazy_load_members() || entry.type != "m.room.member" || senders.contains(entry.key))
        refs.push_back(entry.ref);
    MYELIN_CO_TRY(events, co_await on.rooms.queries().events(std::move(refs)));
  } else if (filter.lazy_load_members()) {
    std::vector<std::pair<std::string, std::string>> keys;
    for (const auto& sender : senders) keys.emplace_back("m.room.member", sender);
    MYELIN_CO_TRY(events, co_await state_events(on.rooms.queries(), access.info.room_no, access.root, std::move(keys)));
  }
  MYELIN_CO_TRY(auto served, co_await serve_state(on.rooms.queries(), std::move(events), std::move(viewer)));
  co_return joined_text(client_events(served, view_of(on, call)));
}

Task<Result<std::string>> one_event(Components& on, Call call) {
  MYELIN_CO_TRY(auto viewer, co_await viewer_of(on, call.session().user));
  MYELIN_CO_TRY(auto event, co_await asked_event(on, call, viewer));
  std::vector<ServedEvent> events{std::move(event)};
  MYELIN_CO_TRY(auto out, co_await texts(on, call, std::move(events), std::move(viewer)));
  co_return out.front();
}

Task<Result<std::optional<PageToken>>> token_of(Components& on, const Call& call, RoomId room, std::string name) {
  auto text = call.query(name);
  if (!text || text->empty()) co_return std::nullopt;
  if (auto token = PageToken::parse(*text)) co_return token;
  co_return co_await on.sync.page_token(room, *text);
}

struct History {
  std::vector<ServedEvent> events;
  std::optional<PageToken> end;
};

// Up to `limit` events that are for the viewer and pass the filter.
Task<Result<History>> read_history(Components& on, RoomId room, std::optional<PageToken> from,
                                   std::optional<PageToken> to, Direction direction, size_t limit, EventFilter filter,
                                   Viewer viewer) {
  History out;
  out.end = from;
  auto& queries = on.rooms.queries();
  for (int page_no = 0; page_no < kPages && out.events.size() < limit; ++page_no) {
    MYELIN_CO_TRY(auto page,
                  co_await queries.messages(room, out.end, to, direction, limit - out.events.size(), viewer));
    std::vector<std::optional<rooms::Seen>> known;
    for (auto& membership : page.memberships) known.emplace_back(rooms::Seen{true, std::move(membership)});
    MYELIN_CO_TRY(auto events, co_await serve(queries, std::move(page.events), std::move(known), viewer));
    for (auto& each : events)
      if (each.event && filter.matches(*each.event->event)) out.events.push_back(std::move(each));
    out.end = page.end;
    if (!page.end) break;
  }
  co_return out;
}

// Behind the last event that the user may see: a former member's is the one with which they left, unless the world
// reads the room.
Task<Result<PageToken>> visible_end(Components& on, RoomId room, const RoomAccess& access) {
  if (access.left) {
    MYELIN_CO_TRY(auto visibility, co_await current_content(on.rooms.queries(), room, "m.room.history_visibility"));
    if (json::string_at(visibility, "history_visibility") != "world_readable") {
      std::vector<rooms::EventRef> left{*access.left};
      MYELIN_CO_TRY(auto events, co_await on.rooms.queries().events(std::move(left)));
      co_return PageToken{events.front()->depth, events.front()->order + 1, 0};
    }
  }
  co_return co_await on.rooms.queries().live_end(access.info.room_no);
}

Task<Result<std::string>> messages(Components& on, Call call) {
  MYELIN_CO_TRY(auto room, RoomId::parse(call.path("roomId")));
  MYELIN_CO_TRY(auto access, co_await room_access(on, room, call.session().user));
  auto dir = call.query("dir");
  if (!dir) co_return fail(Code::kMissingParam, "dir is required");
  if (*dir != "b" && *dir != "f") co_return fail(Code::kInvalidParam, "dir must be b or f");
  auto direction = *dir == "b" ? Direction::kBackward : Direction::kForward;
  MYELIN_CO_TRY(auto filter, filter_of(call));
  MYELIN_CO_TRY(auto limit, limit_of(call, filter.given_limit().value_or(kDefaultLimit)));
  MYELIN_CO_TRY(auto from, co_await token_of(on, call, room, "from"));
  MYELIN_CO_TRY(auto to, co_await token_of(on, call, room, "to"));
  if (!from && direction == Direction::kBackward) {
    MYELIN_CO_TRY(from, co_await visible_end(on, room, access));
  }
  // Forward from nothing begins before everything, also what was backfilled.
  if (!from) from = PageToken{0, INT64_MIN, 0};
  MYELIN_CO_TRY(auto viewer, co_await viewer_of(on, call.session().user));
  MYELIN_CO_TRY(auto history, co_await read_history(on, room, from, to, direction, limit, filter, viewer));
  MYELIN_CO_TRY(auto state, co_await state_for(on, call, access, filter, history.events, viewer, false));
  MYELIN_CO_TRY(auto chunk, co_await texts(on, call, std::move(history.events), std::move(viewer)));
  json::Object tokens{{"start", call.query("from").value_or(from->str())}};
  if (history.end) tokens["end"] = history.end->str();
  auto head = json::serialize(tokens);
  head.pop_back();
  co_return fmt::format(R"({},"chunk":{},"state":{}}})", head, joined_text(chunk), state);
}

Task<Result<std::string>> context(Components& on, Call call) {
  MYELIN_CO_TRY(auto room, RoomId::parse(call.path("roomId")));
  MYELIN_CO_TRY(auto filter, filter_of(call));
  MYELIN_CO_TRY(auto limit, limit_of(call, kDefaultLimit));
  MYELIN_CO_TRY(auto viewer, co_await viewer_of(on, call.session().user));
  MYELIN_CO_TRY(auto event, co_await asked_event(on, call, viewer));
  MYELIN_CO_TRY(auto access, co_await room_access(on, room, viewer.user));
  auto place = [](const ServedEvent& at, int64_t by) { return PageToken{at.event->depth, at.event->order + by, 0}; };
  auto here = place(event, 0), next = place(event, 1);
  MYELIN_CO_TRY(auto before,
                co_await read_history(on, room, here, std::nullopt, Direction::kBackward, limit / 2, filter, viewer));
  MYELIN_CO_TRY(auto after, co_await read_history(on, room, next, std::nullopt, Direction::kForward, limit - limit / 2,
                                                  filter, viewer));
  auto shown = before.events;
  shown.insert(shown.end(), after.events.begin(), after.events.end());
  shown.push_back(event);
  // The state at the last event that is shown.
  auto last = after.events.empty() ? event.event->ref : after.events.back().event->ref;
  MYELIN_CO_TRY(access.root, co_await on.rooms.queries().root_after(last));
  MYELIN_CO_TRY(auto state, co_await state_for(on, call, access, filter, shown, viewer, true));
  json::Object tokens{{"start", before.end.value_or(here).str()}, {"end", after.end.value_or(next).str()}};
  if (!after.end && !after.events.empty()) tokens["end"] = place(after.events.back(), 1).str();
  auto head = json::serialize(tokens);
  head.pop_back();
  std::vector<ServedEvent> one{std::move(event)};
  MYELIN_CO_TRY(auto middle, co_await texts(on, call, std::move(one), viewer));
  MYELIN_CO_TRY(auto earlier, co_await texts(on, call, std::move(before.events), viewer));
  MYELIN_CO_TRY(auto later, co_await texts(on, call, std::move(after.events), viewer));
  co_return fmt::format(R"({},"event":{},"events_before":{},"events_after":{},"state":{}}})", head, middle.front(),
                        joined_text(earlier), joined_text(later), state);
}

}  // namespace

void add_room_events(Router& router, Components& on) {
  const std::string room = "/_matrix/client/v3/rooms/{roomId}/";
  router.add(net::Method::kGet, room + "event/{eventId}", Auth::kToken,
             [&on](Call call) { return one_event(on, std::move(call)); });
  router.add(net::Method::kGet, room + "messages", Auth::kToken,
             [&on](Call call) { return messages(on, std::move(call)); });
  router.add(net::Method::kGet, room + "context/{eventId}", Auth::kToken,
             [&on](Call call) { return context(on, std::move(call)); });
}

}  // namespace myelin::api::client
