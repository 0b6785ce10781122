// Joining, leaving, inviting, kicking, banning (client-server API, Room membership).
#include "components/rooms/owner/owner.h"
#include "infra/db/sql.h"
#include "matrix/power_levels.h"
#include "matrix/visibility.h"

namespace myelin::rooms {
namespace {

using Step = std::variant<Draft, EventId, Missing>;

void add_profile(json::Object& content, const MemberProfile& profile) {
  if (profile.displayname) content["displayname"] = *profile.displayname;
  if (profile.avatar_url) content["avatar_url"] = *profile.avatar_url;
}

Draft member_draft(const UserId& sender, const UserId& target, std::string_view membership) {
  return {sender, "m.room.member", target.str(), json::Object{{"membership", membership}}};
}

Result<Step> plan_join(const RoomState& room, const JoinRoom& request, const std::optional<UserId>& via) {
  Look look(room);
  auto member = look.event("m.room.member", request.user.str());
  if (look.lacks()) return look.take();
  auto current = membership_of(member.get());
  if (current == "join") return member->event_id();
  auto draft = member_draft(request.user, request.user, "join");
  for (const auto& [key, value] : request.more_content) draft.content.emplace(key, value);
  add_profile(draft.content, request.profile);
  if (request.reason) draft.content["reason"] = *request.reason;
  if (via && current != "invite") draft.content["join_authorised_via_users_server"] = via->str();
  return draft;
}

// What membership the target must have for an action, and gets by it.
Result<void> check_membership(MembershipAction action, std::string_view current) {
  bool inside = current == "join" || current == "invite" || current == "knock";
  switch (action) {
    case MembershipAction::kLeave:
      if (!inside) return fail(Code::kForbidden, "you are not in this room");
      return {};
    case MembershipAction::kInvite:
      if (current == "join") return fail(Code::kForbidden, "the user is in the room already");
      if (current == "ban") return fail(Code::kForbidden, "the user is banned from the room");
      return {};
    case MembershipAction::kKick:
      if (!inside) return fail(Code::kForbidden, "the user is not in the room");
      return {};
    case MembershipAction::kUnban:
      if (current != "ban") return fail(Code::kForbidden, "the user is not banned");
      return {};
    case MembershipAction::kProfile:
      if (current != "join") return fail(Code::kForbidden, "the user is not in the room");
      return {};
    case MembershipAction::kBan:
      return {};
  }
  return {};
}

json::Object new_content(const ChangeMembership& request, const json::Object& former) {
  json::Object content;
  switch (request.action) {
    case MembershipAction::kProfile:
      content = former;
      // What belongs to the event that brought the user in goes.
      for (const char* key : {"displayname", "avatar_url", "join_authorised_via_users_server", "reason", "is_direct",
                              "third_party_invite"})
        content.erase(key);
      add_profile(content, request.profile);
      break;
    case MembershipAction::kInvite:
      content["membership"] = "invite";
      add_profile(content, request.profile);
      if (request.is_direct) content["is_direct"] = true;
      break;
    case MembershipAction::kBan:
      content["membership"] = "ban";
      break;
    default:
      content["membership"] = "leave";
  }
  if (request.reason) content["reason"] = *request.reason;
  return content;
}

Result<Step> plan_change(const RoomState& room, const ChangeMembership& request) {
  Look look(room);
  const auto& held = look("m.room.member", request.target.str());
  auto target = held.event;
  auto sender = look.event("m.room.member", request.sender.str());
  if (look.lacks()) return look.take();
  auto current = membership_of(target.get());
  if (request.action == MembershipAction::kLeave) {
    if (current == "leave" && target) return target->event_id();
  } else if (membership_of(sender.get()) != "join") {
    return fail(Code::kForbidden, "you are not in this room");
  }
  MYELIN_CHECK(check_membership(request.action, current));
  auto former = room.content(held);
  auto content = new_content(request, former);
  // The same once more changes nothing.
  if (target && target->sender() == request.sender && former == content) return target->event_id();
  Draft draft = member_draft(request.sender, request.target, "");
  draft.content = std::move(content);
  return draft;
}

// The rooms that `allow` of a restricted room names.
std::vector<std::string> allowed_rooms(const Event& join_rules) {
  std::vector<std::string> out;
  if (const auto* allow = json::array_at(join_rules.content(), "allow"))
    for (const auto& item : *allow)
      if (const auto* condition = item.if_object();
          condition != nullptr && json::string_at(*condition, "type") == "m.room_membership")
        if (auto id = json::string_at(*condition, "room_id")) out.emplace_back(*id);
  return out;
}

// Who has a level of their own that suffices to invite; whether everybody has.
std::vector<std::string> inviters(const RoomRules& rules, const Event* create, const Event* levels) {
  PowerLevels power(rules, levels, create);
  std::vector<std::string> out;
  auto consider = [&](std::string_view user) {
    if (power.user_level(user) >= power.invite()) out.emplace_back(user);
  };
  if (create != nullptr) consider(create->sender().str());
  const auto* users = levels == nullptr ? nullptr : json::object_at(levels->content(), "users");
  if (users != nullptr)
    for (const auto& entry : *users) consider(entry.key());
  return out;
}

}  // namespace

Task<Result<EventId>> Owner::join(JoinRoom request) {
  Name name{{}, request.command};
  co_return co_await once_.run(std::move(name), do_join(std::move(request)));
}

Task<Result<EventId>> Owner::do_join(JoinRoom request) {
  auto id = request.room;
  Name name{{}, request.command};
  Planning planning = [this, request = std::move(request)] { return plan_to_join(request); };
  return append(std::move(id), std::move(planning), std::move(name));
}

Task<Result<Owner::Plan>> Owner::plan_to_join(JoinRoom request) {
  MYELIN_CO_TRY(auto via, co_await authoriser(request.room, request.user));
  co_return [request = std::move(request), via](const RoomState& room) { return plan_join(room, request, via); };
}

// There is no federation that could bring an invitation to another server.
Result<void> Owner::check_invitable(const UserId& user) const {
  if (user.server() == config_.server_name.str()) return {};
  return fail(Code::kForbidden, user.str() + " cannot be invited: this server does not federate");
}

Task<Result<EventId>> Owner::change_membership(ChangeMembership request) {
  if (request.action == MembershipAction::kInvite) MYELIN_CO_CHECK(check_invitable(request.target));
  auto id = request.room;
  Name name{{}, request.command};
  auto change =
      append(id, [request = std::move(request)](const RoomState& room) { return plan_change(room, request); }, name);
  co_return co_await once_.run(name, std::move(change));
}

// Who of this server lets a user into a restricted room (rooms/v8, join rules): a member who may invite, if the user is
// in one of the rooms that `allow` names. The auth rules judge the answer again.
Task<Result<std::optional<UserId>>> Owner::authoriser(RoomId id, UserId joiner) {
  MYELIN_CO_TRY(auto room, co_await this->room(id));
  if (!room->rules->auth.restricted) co_return std::nullopt;
  MYELIN_CO_TRY(auto rules, co_await state_event(room, "m.room.join_rules", ""));
  auto rule = rules ? json::string_at(rules->content(), "join_rule").value_or("") : std::string_view();
  if (rule != "restricted" && rule != "knock_restricted") co_return std::nullopt;
  MYELIN_CO_TRY(auto create, co_await state_event(room, "m.room.create", ""));
  MYELIN_CO_TRY(auto levels, co_await state_event(room, "m.room.power_levels", ""));
  PowerLevels power(*room->rules, levels.get(), create.get());
  struct Asked {
    uint32_t room_no;
    std::string joiner, rooms, inviters;
    bool everybody;
  };
  Asked asked{room->room_no, joiner.str(), db::text_set(allowed_rooms(*rules)),
              db::text_set(inviters(*room->rules, create.get(), levels.get())),
              power.users_default() >= power.invite()};
  auto members = co_await db_.read([asked](db::ReadTx& tx) -> Result<std::vector<std::string>> {
    constexpr auto kJoin = static_cast<int64_t>(Membership::kJoin);
    auto user = [](const db::Row& row) { return row.str(0); };
    auto allowed = tx.one(
        "SELECT m.user_id FROM member m JOIN room r ON r.room_no = m.room_no WHERE m.user_id = $1 AND m.membership = "
        "$2 "
        "AND r.room_id IN {texts $3} LIMIT 1",
        user, asked.joiner, kJoin, asked.rooms);
    if (!allowed) return std::vector<std::string>();
    auto out = tx.all(
        "SELECT user_id FROM member WHERE room_no = $1 AND membership = $2 AND user_id IN {texts $3} ORDER BY user_id",
        user, asked.room_no, kJoin, asked.inviters);
    if (asked.everybody)
      for (auto& member : tx.all("SELECT user_id FROM member WHERE room_no = $1 AND membership = $2 LIMIT 100", user,
                                 asked.room_no, kJoin))
        out.push_back(std::move(member));
    return out;
  });
  if (!members) co_return std::unexpected(std::move(members).error());
  for (auto& member : *members) {
    auto candidate = UserId::trusted(std::move(member));
    if (candidate.server() != config_.server_name.str()) continue;
    // The database does not know yet who is about to leave.
    MYELIN_CO_TRY(auto event, co_await state_event(room, "m.room.member", candidate.str()));
    if (membership_of(event.get()) == "join") co_return candidate;
  }
  co_return std::nullopt;
}

}  // namespace myelin::rooms
