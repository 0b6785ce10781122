// Client-server API, Getting events for a room: one event, history, context.
#include <set>

#include "api/client/fields.h"
#include "api/client/room_access.h"
#include "components/accounts/ignored_users.h"
#include "components/rooms/client_event.h"
#include "matrix/filter.h"

namespace myelin::api::client {
namespace {
using rooms::Direction;
using rooms::PageToken;
using rooms::PlacedPtr;

constexpr size_t kDefaultLimit = 10;
constexpr int kPages = 10;  // looked through for one answer when a filter lets little pass

rooms::EventView view_of(const Components& on, const Call& call) {
  return {.user = call.session().user, .device = call.session().device, .now = on.clock.now()};
}

// For events with what is bundled with them.
Task<Result<rooms::EventView>> bundling_view_of(Components& on, const Call& call) {
  auto view = view_of(on, call);
  MYELIN_CO_TRY(view.ignored, co_await accounts::ignored_users(on.accounts, view.user));
  co_return view;
}

std::string joined_text(const std::vector<std::string>& events) { return fmt::format("[{}]", fmt::join(events, ",")); }

Result<EventFilter> filter_of(const Call& call) {
  auto text = call.query("filter");
  if (!text || text->empty()) return EventFilter();
  MYELIN_TRY(auto content, json::parse_object(*text));
  return EventFilter::parse(content);
}

Task<Result<PlacedPtr>> visible_event(Components& on, const Call& call, RoomId room, EventId id) {
  auto event = co_await on.rooms.queries().event(room, id);
  if (!event) {
    if (event.error().code != Code::kNotFound) co_return event;
    co_return fail(Code::kNotFound, "there is no such event, or you may not see it");
  }
  std::vector<rooms::EventRef> refs{(*event)->ref};
  MYELIN_CO_TRY(auto visible, co_await on.rooms.queries().visible(std::move(refs), {call.session().user}));
  MYELIN_CO_TRY(auto membership, co_await on.rooms.queries().membership(room, call.session().user));
  bool forgotten = membership && membership->forgotten;  // with the room its history is gone
  if ((*event)->rejected || (*event)->soft_failed || !visible.front() || forgotten)
    co_return fail(Code::kNotFound, "there is no such event, or you may not see it");
  co_return event;
}

// The member events of those who sent the given events, where the filter asks for no others.
Task<Result<std::string>> state_for(Components& on, const Call& call, const RoomAccess& access,
                                    const EventFilter& filter, std::vector<PlacedPtr> shown, bool whole) {
  std::set<std::string> senders;
  for (const auto& event : shown) senders.insert(event->event->sender().str());
  std::vector<PlacedPtr> events;
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
  auto view = view_of(on, call);
  MYELIN_CO_TRY(events, co_await on.rooms.queries().served(std::move(events), {view.user}));
  std::vector<std::string> out;
  for (const auto& event : events) out.push_back(client_event(*event, view));
  co_return joined_text(out);
}

Task<Result<std::string>> one_event(Components& on, Call call) {
  MYELIN_CO_TRY(auto room, RoomId::parse(call.path("roomId")));
  MYELIN_CO_TRY(auto id, EventId::parse(call.path("eventId")));
  MYELIN_CO_TRY(auto event, co_await visible_event(on, call, room, id));
  std::vector<PlacedPtr> events{event};
  MYELIN_CO_TRY(auto seen, co_await on.rooms.queries().seen({event->ref}, {call.session().user}));
  std::vector<std::string> memberships{seen.front().membership};
  MYELIN_CO_TRY(auto view, co_await bundling_view_of(on, call));
  MYELIN_CO_TRY(auto texts,
                co_await client_events(on.rooms.queries(), std::move(events), std::move(memberships), view));
  co_return texts.front();
}

Task<Result<std::optional<PageToken>>> token_of(Components& on, const Call& call, RoomId room, std::string name) {
  auto text = call.query(name);
  if (!text || text->empty()) co_return std::nullopt;
  if (auto token = PageToken::parse(*text)) co_return token;
  co_return co_await on.sync.page_token(room, *text);
}

struct History {
  std::vector<PlacedPtr> events;
  std::vector<std::string> memberships;
  std::optional<PageToken> end;
};

// Up to `limit` events that pass the filter.
Task<Result<History>> read_history(Components& on, RoomId room, std::optional<PageToken> from,
                                   std::optional<PageToken> to, Direction direction, size_t limit, EventFilter filter,
                                   UserId user) {
  History out;
  out.end = from;
  for (int page_no = 0; page_no < kPages && out.events.size() < limit; ++page_no) {
    MYELIN_CO_TRY(auto page, co_await on.rooms.queries().messages(room, out.end, to, direction,
                                                                  limit - out.events.size(), {user}));
    for (size_t i = 0; i < page.events.size(); ++i) {
      if (!filter.matches(*page.events[i]->event)) continue;
      out.events.push_back(page.events[i]);
      out.memberships.push_back(page.memberships[i]);
    }
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
  auto user = call.session().user;
  MYELIN_CO_TRY(auto access, co_await room_access(on, room, user));
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
  MYELIN_CO_TRY(auto history, co_await read_history(on, room, from, to, direction, limit, filter, user));
  MYELIN_CO_TRY(auto state, co_await state_for(on, call, access, filter, history.events, false));
  MYELIN_CO_TRY(auto view, co_await bundling_view_of(on, call));
  MYELIN_CO_TRY(auto chunk, co_await client_events(on.rooms.queries(), std::move(history.events),
                                                   std::move(history.memberships), view));
  json::Object tokens{{"start", call.query("from").value_or(from->str())}};
  if (history.end) tokens["end"] = history.end->str();
  auto head = json::serialize(tokens);
  head.pop_back();
  co_return fmt::format(R"({},"chunk":{},"state":{}}})", head, joined_text(chunk), state);
}

Task<Result<std::string>> context(Components& on, Call call) {
  MYELIN_CO_TRY(auto room, RoomId::parse(call.path("roomId")));
  MYELIN_CO_TRY(auto id, EventId::parse(call.path("eventId")));
  MYELIN_CO_TRY(auto filter, filter_of(call));
  MYELIN_CO_TRY(auto limit, limit_of(call, kDefaultLimit));
  auto user = call.session().user;
  MYELIN_CO_TRY(auto event, co_await visible_event(on, call, room, id));
  MYELIN_CO_TRY(auto access, co_await room_access(on, room, user));
  PageToken here{event->depth, event->order, 0}, next{event->depth, event->order + 1, 0};
  MYELIN_CO_TRY(auto before,
                co_await read_history(on, room, here, std::nullopt, Direction::kBackward, limit / 2, filter, user));
  MYELIN_CO_TRY(auto after, co_await read_history(on, room, next, std::nullopt, Direction::kForward, limit - limit / 2,
                                                  filter, user));
  auto shown = before.events;
  shown.insert(shown.end(), after.events.begin(), after.events.end());
  shown.push_back(event);
  // The state at the last event that is shown.
  auto last = after.events.empty() ? event->ref : after.events.back()->ref;
  MYELIN_CO_TRY(access.root, co_await on.rooms.queries().root_after(last));
  MYELIN_CO_TRY(auto state, co_await state_for(on, call, access, filter, std::move(shown), true));
  MYELIN_CO_TRY(auto view, co_await bundling_view_of(on, call));
  auto& queries = on.rooms.queries();
  MYELIN_CO_TRY(auto seen, co_await queries.seen({event->ref}, {user}));
  std::vector<PlacedPtr> one{event};
  std::vector<std::string> membership{seen.front().membership};
  MYELIN_CO_TRY(auto middle, co_await client_events(queries, std::move(one), std::move(membership), view));
  json::Object tokens{{"start", before.end.value_or(here).str()}, {"end", after.end.value_or(next).str()}};
  if (!after.end && !after.events.empty()) {
    const auto& newest = *after.events.back();
    tokens["end"] = PageToken{newest.depth, newest.order + 1, 0}.str();
  }
  auto head = json::serialize(tokens);
  head.pop_back();
  MYELIN_CO_TRY(auto earlier,
                co_await client_events(queries, std::move(before.events), std::move(before.memberships), view));
  MYELIN_CO_TRY(auto later,
                co_await client_events(queries, std::move(after.events), std::move(after.memberships), view));
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
