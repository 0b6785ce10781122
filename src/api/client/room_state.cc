// Client-server API, Getting events for a room: state, members, aliases.
#include "api/client/fields.h"
#include "api/client/room_access.h"

namespace myelin::api::client {
namespace {

Task<Result<std::vector<rooms::ServedEvent>>> served(Components& on, const Call& call,
                                                     std::vector<rooms::PlacedPtr> events) {
  MYELIN_CO_TRY(auto viewer, co_await viewer_of(on, call.session().user));
  co_return co_await serve_state(on.rooms.queries(), std::move(events), std::move(viewer));
}

Task<Result<std::string>> whole_state(Components& on, Call call) {
  MYELIN_CO_TRY(auto room, RoomId::parse(call.path("roomId")));
  MYELIN_CO_TRY(auto access, co_await room_access(on, room, call.session().user));
  MYELIN_CO_TRY(auto entries, co_await on.rooms.queries().state(access.info.room_no, access.root));
  std::vector<rooms::EventRef> refs;
  for (const auto& entry : entries) refs.push_back(entry.ref);
  MYELIN_CO_TRY(auto events, co_await on.rooms.queries().events(std::move(refs)));
  MYELIN_CO_TRY(auto state, co_await served(on, call, std::move(events)));
  co_return joined_text(client_events(state, view_of(on, call)));
}

Task<Result<std::string>> one_state(Components& on, Call call) {
  MYELIN_CO_TRY(auto room, RoomId::parse(call.path("roomId")));
  auto format = call.query("format").value_or("content");
  if (format != "content" && format != "event") co_return fail(Code::kInvalidParam, "format must be content or event");
  MYELIN_CO_TRY(auto access, co_await room_access(on, room, call.session().user));
  std::vector<std::pair<std::string, std::string>> key{{call.path("eventType"), call.path("stateKey")}};
  MYELIN_CO_TRY(auto events,
                co_await state_events(on.rooms.queries(), access.info.room_no, access.root, std::move(key)));
  if (events.empty()) co_return fail(Code::kNotFound, "the room has no such state");
  MYELIN_CO_TRY(auto state, co_await served(on, call, std::move(events)));
  if (format == "content") co_return json::serialize(state.front().event->event->content());
  MYELIN_CO_TRY(auto viewer, co_await viewer_of(on, call.session().user));
  MYELIN_CO_TRY(state, co_await with_attachments(on.rooms.queries(), std::move(state), std::move(viewer)));
  co_return client_event(state.front(), view_of(on, call));
}

// The state at `at`, a token of /sync or /messages, as far as the user may see; else `now`. A token before all of that,
// as the prev_batch of a timeline that holds the whole room, means its beginning: when its first member had joined.
Task<Result<StateRoot>> root_for(Components& on, const Call& call, RoomId room, StateRoot now) {
  auto at = call.query("at");
  if (!at) co_return now;
  auto place = rooms::PageToken::parse(*at);
  if (!place) {
    MYELIN_CO_TRY(place, co_await on.sync.page_token(room, *at));
  }
  auto& queries = on.rooms.queries();
  rooms::Viewer viewer{call.session().user};
  using enum rooms::Direction;
  MYELIN_CO_TRY(auto before, co_await queries.messages(room, *place, std::nullopt, kBackward, 1, viewer));
  if (!before.events.empty()) co_return co_await queries.root_after(before.events.front()->ref);
  rooms::PageToken beginning{0, INT64_MIN, 0};
  MYELIN_CO_TRY(auto first, co_await queries.messages(room, beginning, std::nullopt, kForward, 2, viewer));
  for (const auto& event : first.events)
    if (event->event->type() == "m.room.member") co_return co_await queries.root_after(event->ref);
  co_return now;
}

Task<Result<std::string>> members(Components& on, Call call) {
  MYELIN_CO_TRY(auto room, RoomId::parse(call.path("roomId")));
  auto only = call.query("membership"), without = call.query("not_membership");
  for (const auto& given : {only, without})
    if (given && !rooms::membership_from(*given)) co_return fail(Code::kInvalidParam, "there is no such membership");
  MYELIN_CO_TRY(auto access, co_await room_access(on, room, call.session().user));
  MYELIN_CO_TRY(auto root, co_await root_for(on, call, room, access.root));
  MYELIN_CO_TRY(auto entries, co_await on.rooms.queries().state(access.info.room_no, root));
  std::vector<rooms::EventRef> refs;
  for (const auto& entry : entries)
    if (entry.type == "m.room.member") refs.push_back(entry.ref);
  MYELIN_CO_TRY(auto events, co_await on.rooms.queries().events(std::move(refs)));
  std::erase_if(events, [&](const rooms::PlacedPtr& event) {
    auto membership = json::string_at(event->event->content(), "membership");
    return (only && membership != *only) || (without && membership == *without);
  });
  MYELIN_CO_TRY(auto state, co_await served(on, call, std::move(events)));
  co_return R"({"chunk":)" + joined_text(client_events(state, view_of(on, call))) + "}";
}

Task<Result<std::string>> joined_members(Components& on, Call call) {
  MYELIN_CO_TRY(auto room, RoomId::parse(call.path("roomId")));
  MYELIN_CO_TRY(auto access, co_await room_access(on, room, call.session().user));
  if (!access.is_joined) co_return fail(Code::kForbidden, "you are not in this room");
  MYELIN_CO_TRY(auto users, co_await on.rooms.queries().members(access.info.room_no, rooms::Membership::kJoin));
  std::vector<std::pair<std::string, std::string>> keys;
  for (const auto& user : users) keys.emplace_back("m.room.member", user.str());
  MYELIN_CO_TRY(auto events,
                co_await state_events(on.rooms.queries(), access.info.room_no, access.root, std::move(keys)));
  MYELIN_CO_TRY(auto state, co_await served(on, call, std::move(events)));
  json::Object joined;
  for (const auto& each : state) {
    json::Object profile{{"display_name", nullptr}, {"avatar_url", nullptr}};  // as Complement wants it
    const auto& event = *each.event->event;
    if (auto name = json::string_at(event.content(), "displayname")) profile["display_name"] = *name;
    if (auto avatar = json::string_at(event.content(), "avatar_url")) profile["avatar_url"] = *avatar;
    joined[*event.state_key()] = std::move(profile);
  }
  co_return json::serialize(json::Object{{"joined", std::move(joined)}});
}

Task<Result<std::string>> aliases(Components& on, Call call) {
  MYELIN_CO_TRY(auto room, RoomId::parse(call.path("roomId")));
  MYELIN_CO_CHECK(co_await room_access(on, room, call.session().user));
  MYELIN_CO_TRY(auto list, co_await on.directory.aliases(room));
  json::Array out;
  for (const auto& alias : list) out.emplace_back(alias.str());
  co_return json::serialize(json::Object{{"aliases", std::move(out)}});
}

}  // namespace

void add_room_state(Router& router, Components& on) {
  const std::string room = "/_matrix/client/v3/rooms/{roomId}/";
  router.add(net::Method::kGet, room + "state", Auth::kToken,
             [&on](Call call) { return whole_state(on, std::move(call)); });
  for (const char* path : {"state/{eventType}", "state/{eventType}/{stateKey}"})
    router.add(net::Method::kGet, room + path, Auth::kToken,
               [&on](Call call) { return one_state(on, std::move(call)); });
  router.add(net::Method::kGet, room + "members", Auth::kToken,
             [&on](Call call) { return members(on, std::move(call)); });
  router.add(net::Method::kGet, room + "joined_members", Auth::kToken,
             [&on](Call call) { return joined_members(on, std::move(call)); });
  router.add(net::Method::kGet, room + "aliases", Auth::kToken,
             [&on](Call call) { return aliases(on, std::move(call)); });
}

}  // namespace myelin::api::client
