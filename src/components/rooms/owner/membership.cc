// Joining, leaving, inviting, kicking, banning (client-server API, Room membership).
#include "components/rooms/owner/owner.h"
#include "matrix/power_levels.h"

namespace myelin::rooms {
namespace {

using Out = std::variant<Draft, EventId>;

std::string_view membership_in(const EventPtr& member) {
  return member ? json::string_at(member->content(), "membership").value_or("leave") : std::string_view("leave");
}

void add_profile(json::Object& content, const MemberProfile& profile) {
  if (profile.displayname) content["displayname"] = *profile.displayname;
  if (profile.avatar_url) content["avatar_url"] = *profile.avatar_url;
}

Draft member_draft(const UserId& sender, const UserId& target, std::string_view membership) {
  return {sender, "m.room.member", target.str(), json::Object{{"membership", membership}}};
}

}  // namespace

Task<Result<EventId>> Owner::join(JoinRoom request) {
  co_return co_await append(request.room, [this, request](RoomStatePtr room) { return draft_join(std::move(room), request); });
}

Task<Result<EventId>> Owner::change_membership(ChangeMembership request) {
  co_return co_await append(request.room,
                            [this, request](RoomStatePtr room) { return draft_change(std::move(room), request); });
}

// Of a restricted room: a local member who may invite, if the user is in one of the rooms that `allow` names.
Task<Result<std::optional<UserId>>> Owner::authoriser(RoomStatePtr room, const Event& join_rules, UserId user) {
  std::vector<std::string> allowed_rooms;
  if (const auto* allow = json::array_at(join_rules.content(), "allow"))
    for (const auto& condition : *allow)
      if (const auto* object = condition.if_object(); object != nullptr && json::string_at(*object, "type") == "m.room_membership")
        if (auto id = json::string_at(*object, "room_id")) allowed_rooms.emplace_back(*id);
  MYELIN_CO_TRY(auto create, co_await state_event(room, "m.room.create", ""));
  MYELIN_CO_TRY(auto levels, co_await state_event(room, "m.room.power_levels", ""));
  struct Found {
    bool allowed = false;
    std::vector<std::string> members;
  };
  MYELIN_CO_TRY(auto found, co_await db_.read([room_no = room->room_no, allowed_rooms, user](db::ReadTx& tx) {
    constexpr auto kJoin = static_cast<int64_t>(Membership::kJoin);
    Found out;
    for (const auto& id : allowed_rooms)
      out.allowed |= tx.one("SELECT 1 FROM member m JOIN room r ON r.room_no = m.room_no WHERE m.user_id = $1 AND r.room_id = $2 "
                            "AND m.membership = $3",
                            [](const db::Row&) { return true; }, user.str(), id, kJoin)
                         .has_value();
    if (out.allowed)
      out.members = tx.all("SELECT user_id FROM member WHERE room_no = $1 AND membership = $2",
                           [](const db::Row& row) { return row.str(0); }, room_no, kJoin);
    return out;
  }));
  if (!found.allowed) co_return std::optional<UserId>();
  PowerLevels power(*room->rules, levels.get(), create.get());
  for (auto& member : found.members)
    if (power.user_level(member) >= power.invite() && UserId::trusted(member).server() == config_.server_name.str())
      co_return UserId::trusted(std::move(member));
  co_return fail(Code::kUnableToGrantJoin, "nobody here may let you in");
}

Task<Result<Out>> Owner::draft_join(RoomStatePtr room, JoinRoom request) {
  MYELIN_CO_TRY(auto member, co_await state_event(room, "m.room.member", request.user.str()));
  auto current = membership_in(member);
  if (current == "join") co_return Out(member->event_id());
  auto draft = member_draft(request.user, request.user, "join");
  add_profile(draft.content, request.profile);
  if (request.reason) draft.content["reason"] = *request.reason;
  if (current != "invite" && room->rules->auth.restricted) {
    MYELIN_CO_TRY(auto rules, co_await state_event(room, "m.room.join_rules", ""));
    auto rule = rules ? json::string_at(rules->content(), "join_rule").value_or("") : std::string_view();
    if (rule == "restricted" || rule == "knock_restricted") {
      MYELIN_CO_TRY(auto via, co_await authoriser(room, *rules, request.user));
      if (via) draft.content["join_authorised_via_users_server"] = via->str();
    }
  }
  co_return Out(std::move(draft));
}

Task<Result<Out>> Owner::draft_change(RoomStatePtr room, ChangeMembership request) {
  MYELIN_CO_TRY(auto target, co_await state_event(room, "m.room.member", request.target.str()));
  MYELIN_CO_TRY(auto sender, co_await state_event(room, "m.room.member", request.sender.str()));
  auto current = membership_in(target);
  bool sender_joined = membership_in(sender) == "join";
  auto not_joined = [] { return fail(Code::kForbidden, "you are not in this room"); };
  Draft draft = member_draft(request.sender, request.target, "leave");
  switch (request.action) {
    case MembershipAction::kLeave:
      if (current == "leave" && target) co_return Out(target->event_id());
      if (current != "join" && current != "invite" && current != "knock")
        co_return fail(Code::kForbidden, "you are not in this room");
      break;
    case MembershipAction::kInvite:
      if (!sender_joined) co_return not_joined();
      if (current == "join") co_return fail(Code::kForbidden, "the user is in the room already");
      if (current == "ban") co_return fail(Code::kForbidden, "the user is banned from the room");
      draft.content["membership"] = "invite";
      add_profile(draft.content, request.profile);
      if (request.is_direct) draft.content["is_direct"] = true;
      break;
    case MembershipAction::kKick:
      if (!sender_joined) co_return not_joined();
      if (current != "join" && current != "invite" && current != "knock")
        co_return fail(Code::kForbidden, "the user is not in the room");
      break;
    case MembershipAction::kBan:
      if (!sender_joined) co_return not_joined();
      draft.content["membership"] = "ban";
      break;
    case MembershipAction::kUnban:
      if (!sender_joined) co_return not_joined();
      if (current != "ban") co_return fail(Code::kForbidden, "the user is not banned");
      break;
    case MembershipAction::kProfile: {
      if (current != "join") co_return fail(Code::kForbidden, "the user is not in the room");
      draft.content = target->content();
      draft.content.erase("displayname");
      draft.content.erase("avatar_url");
      draft.content.erase("join_authorised_via_users_server");
      add_profile(draft.content, request.profile);
      if (draft.content == target->content()) co_return Out(target->event_id());
      break;
    }
  }
  if (request.reason) draft.content["reason"] = *request.reason;
  co_return Out(std::move(draft));
}

}  // namespace myelin::rooms
