// Client-server API, Creation: POST /createRoom.
#include "api/client/fields.h"
#include "api/client/routes.h"

namespace myelin::api::client {
namespace {

constexpr size_t kMaxFirstEvents = 500;  // they are made at once; everybody waits for that

Result<std::vector<UserId>> invited(const json::Object& body) {
  std::vector<UserId> out;
  MYELIN_TRY(auto list, optional_array(body, "invite"));
  if (list.size() > kMaxFirstEvents) return fail(Code::kTooLarge, "invite names too many users");
  for (const auto& item : list) {
    if (!item.is_string()) return fail(Code::kBadJson, "invite must hold user ids");
    MYELIN_TRY(auto user, UserId::parse(item.as_string()));
    out.push_back(std::move(user));
  }
  return out;
}

Result<std::optional<RoomAlias>> alias_of(const json::Object& body, const ServerName& server) {
  MYELIN_TRY(auto name, optional_text(body, "room_alias_name"));
  if (!name) return std::nullopt;
  return RoomAlias::make(*name, server);
}

Result<bool> is_listed(const json::Object& body) {
  MYELIN_TRY(auto visibility, optional_text(body, "visibility"));
  if (!visibility || *visibility == "private") return false;
  if (*visibility == "public") return true;
  return fail(Code::kInvalidParam, "visibility must be public or private");
}

Result<rooms::CreateRoom> request_of(const json::Object& body, bool listed, const std::string& default_version) {
  rooms::CreateRoom out;
  MYELIN_TRY(auto version, optional_text(body, "room_version"));
  out.version = version.value_or(default_version);
  MYELIN_TRY(auto preset, optional_text(body, "preset"));
  out.preset = preset.value_or(listed ? "public_chat" : "private_chat");
  MYELIN_TRY(out.name, optional_text(body, "name"));
  MYELIN_TRY(out.topic, optional_text(body, "topic"));
  MYELIN_TRY(out.invite, invited(body));
  MYELIN_TRY(auto third_party, optional_array(body, "invite_3pid"));
  if (!third_party.empty()) return fail(Code::kThreepidDenied, "invitations by third-party id are not offered here");
  MYELIN_TRY(out.is_direct, optional_flag(body, "is_direct", false));
  MYELIN_TRY(out.creation_content, optional_object(body, "creation_content"));
  MYELIN_TRY(out.initial_state, optional_array(body, "initial_state"));
  if (out.initial_state.size() > kMaxFirstEvents) return fail(Code::kTooLarge, "initial_state has too many events");
  MYELIN_TRY(out.power_level_content_override, optional_object(body, "power_level_content_override"));
  return out;
}

Task<Result<rooms::MemberProfile>> profile_of(Components& on, UserId user) {
  if (user.server() != on.server_name.str()) co_return rooms::MemberProfile{};
  co_return co_await on.accounts.member_profile(user);
}

Task<Result<std::string>> create(Components& on, Call call) {
  auto creator = call.session().user;
  MYELIN_CO_TRY(auto body, call.body());
  MYELIN_CO_TRY(bool listed, is_listed(body));
  MYELIN_CO_TRY(auto request, request_of(body, listed, on.default_room_version));
  MYELIN_CO_TRY(auto alias, alias_of(body, on.server_name));
  request.creator = creator;
  MYELIN_CO_TRY(request.profile, co_await profile_of(on, creator));
  for (const auto& user : request.invite) {
    MYELIN_CO_TRY(auto profile, co_await profile_of(on, user));
    request.invite_profiles.push_back(std::move(profile));
  }
  if (alias) {
    MYELIN_CO_CHECK(co_await on.directory.reserve(*alias, creator));
    request.alias = alias->str();
  }
  auto room = co_await on.rooms.commands().create(std::move(request));
  if (!room) {
    if (alias) co_await on.directory.release(*alias);
    co_return std::unexpected(room.error());
  }
  if (alias) MYELIN_CO_CHECK(co_await on.directory.bind(*alias, *room, creator));
  if (listed) MYELIN_CO_CHECK(co_await on.directory.publish(*room, true));
  json::Object answer{{"room_id", room->str()}};
  if (alias) answer["room_alias"] = alias->str();
  co_return json::serialize(answer);
}

}  // namespace

void add_room_creation(Router& router, Components& on) {
  router.add(net::Method::kPost, "/_matrix/client/v3/createRoom", Auth::kToken,
             [&on](Call call) { return create(on, std::move(call)); });
}

}  // namespace myelin::api::client
