// Client-server API, Listing rooms: GET and POST /publicRooms.
#include <algorithm>

#include "api/client/fields.h"
#include "api/client/room_access.h"
#include "base/bytes.h"
#include "matrix/tokens.h"

namespace myelin::api::client {
namespace {

struct Query {
  size_t limit = 100, offset = 0;
  std::string term;                                                     // lower case; "" = every room
  std::optional<std::vector<std::optional<std::string>>> room_types{};  // nullopt inside: rooms without a type
};

struct Listed {
  json::Object chunk;
  int64_t members = 0;
};

std::string text_in(const json::Object& content, std::string_view key) {
  return std::string(json::string_at(content, key).value_or(""));
}

// One entry, from the room's state of these types.
Task<Result<Listed>> describe(Components& on, RoomId room) {
  auto& queries = on.rooms.queries();
  MYELIN_CO_TRY(auto info, co_await queries.room(room));
  MYELIN_CO_TRY(auto root, co_await queries.current_root(info.room_no));
  std::vector<std::pair<std::string, std::string>> keys;
  for (const char* type : {"m.room.create", "m.room.name", "m.room.topic", "m.room.canonical_alias", "m.room.avatar",
                           "m.room.join_rules", "m.room.guest_access", "m.room.history_visibility"})
    keys.emplace_back(type, "");
  MYELIN_CO_TRY(auto events, co_await state_events(queries, info.room_no, root, std::move(keys)));
  MYELIN_CO_TRY(auto members, co_await queries.members(info.room_no, rooms::Membership::kJoin));
  Listed out;
  out.members = static_cast<int64_t>(members.size());
  auto& chunk = out.chunk;
  chunk = {{"room_id", room.str()},
           {"num_joined_members", out.members},
           {"world_readable", false},
           {"guest_can_join", false}};
  for (const auto& placed : events) {
    const auto& type = placed->event->type();
    const auto& content = placed->event->content();
    auto take = [&](const char* from, const char* to) {
      if (auto text = text_in(content, from); !text.empty()) chunk[to] = text;
    };
    if (type == "m.room.create") take("type", "room_type");
    if (type == "m.room.name") take("name", "name");
    if (type == "m.room.topic") take("topic", "topic");
    if (type == "m.room.canonical_alias") take("alias", "canonical_alias");
    if (type == "m.room.avatar") take("url", "avatar_url");
    if (type == "m.room.join_rules") take("join_rule", "join_rule");
    if (type == "m.room.guest_access") chunk["guest_can_join"] = text_in(content, "guest_access") == "can_join";
    if (type == "m.room.history_visibility")
      chunk["world_readable"] = text_in(content, "history_visibility") == "world_readable";
  }
  co_return out;
}

bool passes(const Listed& room, const Query& query) {
  if (query.room_types) {
    std::optional<std::string> type;
    if (auto text = json::string_at(room.chunk, "room_type")) type = *text;
    if (std::ranges::find(*query.room_types, type) == query.room_types->end()) return false;
  }
  if (query.term.empty()) return true;
  return std::ranges::any_of(
      std::initializer_list<const char*>{"name", "topic", "canonical_alias"},
      [&](const char* key) { return ascii_lower(text_in(room.chunk, key)).find(query.term) != std::string::npos; });
}

Task<Result<std::string>> list(Components& on, Query query) {
  MYELIN_CO_TRY(auto ids, co_await on.directory.published_rooms());
  std::vector<Listed> rooms;
  for (const auto& id : ids) {
    MYELIN_CO_TRY(auto room, co_await describe(on, id));
    if (room.members > 0 && passes(room, query)) rooms.push_back(std::move(room));
  }
  std::ranges::sort(rooms, std::greater(),
                    [](const Listed& room) { return std::pair(room.members, text_in(room.chunk, "room_id")); });
  json::Array chunk;
  size_t begin = std::min(query.offset, rooms.size()), end = std::min(begin + query.limit, rooms.size());
  for (size_t i = begin; i < end; ++i) chunk.push_back(std::move(rooms[i].chunk));
  json::Object answer{{"chunk", std::move(chunk)}, {"total_room_count_estimate", rooms.size()}};
  if (end < rooms.size()) answer["next_batch"] = OffsetToken{static_cast<uint32_t>(end)}.str();
  if (begin > 0) answer["prev_batch"] = OffsetToken{static_cast<uint32_t>(begin - std::min(begin, query.limit))}.str();
  co_return json::serialize(answer);
}

Result<size_t> offset_of(std::string_view since) {
  auto token = OffsetToken::parse(since);
  if (!token) return fail(Code::kInvalidParam, "since is not a token of this list");
  return token->offset;
}

Result<void> check_server(const Components& on, const Call& call) {
  auto server = call.query("server");
  if (!server || *server == on.server_name.str()) return {};
  return fail(Code::kNotFound, "the rooms of other servers cannot be listed yet");
}

Task<Result<std::string>> get(Components& on, Call call) {
  MYELIN_CO_CHECK(check_server(on, call));
  Query query;
  MYELIN_CO_TRY(query.limit, limit_of(call, query.limit));
  if (auto since = call.query("since"); since && !since->empty()) {
    MYELIN_CO_TRY(query.offset, offset_of(*since));
  }
  co_return co_await list(on, std::move(query));
}

Result<Query> query_of(const json::Object& body) {
  Query out;
  MYELIN_TRY(auto limit, optional_count(body, "limit"));
  if (limit) out.limit = static_cast<size_t>(std::min<int64_t>(*limit, 1000));
  MYELIN_CHECK(optional_flag(body, "include_all_networks", false));  // there are no other networks here
  MYELIN_CHECK(optional_text(body, "third_party_instance_id"));
  MYELIN_TRY(auto since, optional_text(body, "since"));
  if (since && !since->empty()) {
    MYELIN_TRY(out.offset, offset_of(*since));
  }
  MYELIN_TRY(auto filter, optional_object(body, "filter"));
  MYELIN_TRY(auto term, optional_text(filter, "generic_search_term"));
  out.term = ascii_lower(term.value_or(""));
  if (!filter.contains("room_types") || filter.at("room_types").is_null()) return out;
  MYELIN_TRY(auto types, optional_array(filter, "room_types"));
  out.room_types.emplace();
  for (const auto& type : types) {
    if (!type.is_null() && !type.is_string()) return fail(Code::kBadJson, "room_types must hold strings and null");
    out.room_types->push_back(type.is_null() ? std::optional<std::string>() : std::string(type.as_string()));
  }
  return out;
}

Task<Result<std::string>> post(Components& on, Call call) {
  MYELIN_CO_CHECK(check_server(on, call));
  MYELIN_CO_TRY(auto body, call.body_or_empty());
  MYELIN_CO_TRY(auto query, query_of(body));
  co_return co_await list(on, std::move(query));
}

}  // namespace

void add_public_rooms(Router& router, Components& on) {
  const std::string path = "/_matrix/client/v3/publicRooms";
  router.add(net::Method::kGet, path, Auth::kNone, [&on](Call call) { return get(on, std::move(call)); });
  router.add(net::Method::kPost, path, Auth::kToken, [&on](Call call) { return post(on, std::move(call)); });
}

}  // namespace myelin::api::client
