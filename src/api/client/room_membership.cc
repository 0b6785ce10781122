// Client-server API, Room membership.
#include "api/client/fields.h"
#include "api/client/routes.h"

namespace myelin::api::client {
namespace {
using rooms::MembershipAction;

Task<Result<std::string>> joined_rooms(Components& on, Call call) {
  MYELIN_CO_TRY(auto memberships, co_await on.rooms.queries().memberships(call.session().user));
  json::Array list;
  for (const auto& entry : memberships)
    if (entry.membership == rooms::Membership::kJoin) list.emplace_back(entry.room.str());
  co_return json::serialize(json::Object{{"joined_rooms", std::move(list)}});
}

// The profile that a member event carries: what this server knows of the user.
Task<Result<rooms::MemberProfile>> profile_of(Components& on, UserId user) {
  if (user.server() != on.server_name.str()) co_return rooms::MemberProfile{};
  co_return co_await on.accounts.member_profile(user);
}

Task<Result<std::string>> join(Components& on, Call call, RoomId room) {
  MYELIN_CO_TRY(auto body, call.body_or_empty());
  rooms::JoinRoom request{.room = room, .user = call.session().user};
  MYELIN_CO_TRY(request.reason, optional_text(body, "reason"));
  MYELIN_CO_TRY(request.third_party_signed, optional_object(body, "third_party_signed"));
  if (has(body, "third_party_signed"))
    for (const char* key : {"sender", "mxid", "token"}) MYELIN_CO_CHECK(required_text(request.third_party_signed, key));
  for (const char* key :
       {"reason", "third_party_signed", "membership", "displayname", "avatar_url", "join_authorised_via_users_server"})
    body.erase(key);
  request.more_content = std::move(body);
  MYELIN_CO_TRY(request.profile, co_await profile_of(on, request.user));
  MYELIN_CO_CHECK(co_await on.rooms.commands().join(std::move(request)));
  co_return json::serialize(json::Object{{"room_id", room.str()}});
}

Task<Result<std::string>> join_by_id(Components& on, Call call) {
  MYELIN_CO_TRY(auto room, RoomId::parse(call.path("roomId")));
  co_return co_await join(on, std::move(call), room);
}

Task<Result<std::string>> join_by_id_or_alias(Components& on, Call call) {
  const auto& name = call.path("roomIdOrAlias");
  if (!name.starts_with('#')) {
    MYELIN_CO_TRY(auto room, RoomId::parse(name));
    co_return co_await join(on, std::move(call), room);
  }
  MYELIN_CO_TRY(auto alias, RoomAlias::parse(name));
  MYELIN_CO_TRY(auto resolved, co_await on.directory.resolve(alias));
  co_return co_await join(on, std::move(call), resolved.room);
}

Task<Result<std::string>> change(Components& on, Call call, MembershipAction action) {
  MYELIN_CO_TRY(auto room, RoomId::parse(call.path("roomId")));
  MYELIN_CO_TRY(auto body, call.body_or_empty());
  auto sender = call.session().user;
  rooms::ChangeMembership request{.room = room, .sender = sender, .target = sender, .action = action};
  MYELIN_CO_TRY(request.reason, optional_text(body, "reason"));
  if (action != MembershipAction::kLeave) {
    if (action == MembershipAction::kInvite && !body.contains("user_id") && body.contains("medium"))
      co_return fail(Code::kThreepidDenied, "invitations by third-party id are not offered here");
    MYELIN_CO_TRY(auto target, required_text(body, "user_id"));
    MYELIN_CO_TRY(request.target, UserId::parse(target));
  }
  if (action == MembershipAction::kInvite) {
    MYELIN_CO_TRY(request.profile, co_await profile_of(on, request.target));
  }
  MYELIN_CO_CHECK(co_await on.rooms.commands().change_membership(std::move(request)));
  co_return ok();
}

Task<Result<std::string>> forget(Components& on, Call call) {
  MYELIN_CO_TRY(auto room, RoomId::parse(call.path("roomId")));
  MYELIN_CO_CHECK(co_await on.rooms.commands().forget(room, call.session().user));
  co_return ok();
}

}  // namespace

void add_room_membership(Router& router, Components& on) {
  router.add(net::Method::kGet, "/_matrix/client/v3/joined_rooms", Auth::kToken,
             [&on](Call call) { return joined_rooms(on, std::move(call)); });
  router.add(net::Method::kPost, "/_matrix/client/v3/join/{roomIdOrAlias}", Auth::kToken,
             [&on](Call call) { return join_by_id_or_alias(on, std::move(call)); });
  const std::string room = "/_matrix/client/v3/rooms/{roomId}/";
  router.add(net::Method::kPost, room + "join", Auth::kToken,
             [&on](Call call) { return join_by_id(on, std::move(call)); });
  router.add(net::Method::kPost, room + "forget", Auth::kToken,
             [&on](Call call) { return forget(on, std::move(call)); });
  for (auto [name, action] :
       {std::pair("leave", MembershipAction::kLeave), std::pair("invite", MembershipAction::kInvite),
        std::pair("kick", MembershipAction::kKick), std::pair("ban", MembershipAction::kBan),
        std::pair("unban", MembershipAction::kUnban)})
    router.add(net::Method::kPost, room + name, Auth::kToken,
               [&on, action](Call call) { return change(on, std::move(call), action); });
}

}  // namespace myelin::api::client
