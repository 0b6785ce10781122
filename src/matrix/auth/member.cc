// m.room.member (rule 5; 4 in versions 6 to 11), one function per membership. Its second rule, on the signature of the
// server of join_authorised_via_users_server, is checked with the other signatures: add_signers() in verify.cc.
#include "matrix/auth/rules.h"

namespace myelin::auth {
namespace {

// "If the only previous event is an m.room.create and the state_key is the creator, allow." From v11: "… the state_key
// is the sender of the m.room.create, allow."
bool is_creators_first_join(const Case& the, std::string_view target) {
  auto& previous = the.event.prev_events();
  if (previous.size() != 1 || previous.front() != the.create.event_id()) return false;
  return the.rules.auth.creator_from_sender ? the.create.sender().str() == target : the.levels.is_creator(target);
}

// "If the join_authorised_via_users_server key in content is not a user with sufficient permission to invite other
// users or is not a joined member of the room, reject."
Result<void> check_authoriser(const Case& the) {
  auto authoriser = json::string_at(the.event.content(), "join_authorised_via_users_server");
  if (!authoriser) return reject("nobody authorised the restricted join of {}", the.sender);
  if (the.membership(*authoriser) != "join")
    return reject("{}, who authorised the join, is not in the room", *authoriser);
  if (the.levels.user_level(*authoriser) < the.levels.invite())
    return reject("{}, who authorised the join, may not invite", *authoriser);
  return {};
}

Result<void> check_join(const Case& the, std::string_view target) {
  // "If the sender does not match state_key, reject."
  if (the.sender != target) return reject("{} cannot join for {}", the.sender, target);
  // "If the sender is banned, reject."
  auto membership = the.membership(target);
  if (membership == "ban") return reject("{} is banned", target);

  auto& rules = the.rules.auth;
  auto join_rule = the.join_rule();
  bool invited = membership == "invite" || membership == "join";
  // v1: "If the join_rule is invite then allow if membership state is invite or join." v7: "If the join_rule is invite
  // or knock then allow if membership state is invite or join."
  if (join_rule == "invite" || (join_rule == "knock" && rules.knocking)) {
    if (invited) return {};
    return reject("{} is not invited to a room that asks for it", target);
  }
  // v8: "If the join_rule is restricted:" v10: "If the join_rule is restricted or knock_restricted:" "If membership
  // state is join or invite, allow." … "Otherwise, allow."
  if ((join_rule == "restricted" && rules.restricted) || (join_rule == "knock_restricted" && rules.knock_restricted))
    return invited ? Result<void>() : check_authoriser(the);
  // "If the join_rule is public, allow." "Otherwise, reject."
  if (join_rule == "public") return {};
  return reject("the room's join rule \"{}\" lets nobody in", join_rule);
}

Result<void> check_invite(const Case& the, std::string_view target) {
  if (auto third_party_invite = the.event.content().if_contains("third_party_invite")) {
    auto object = third_party_invite->if_object();
    if (!object) return reject("content.third_party_invite is malformed");
    return check_member_by_third_party_invite(the, *object);
  }
  // "If the sender's current membership state is not join, reject."
  if (!the.sender_joined()) return reject("{} is not in the room", the.sender);
  // "If target user's current membership state is join or ban, reject."
  auto membership = the.membership(target);
  if (membership == "join" || membership == "ban")
    return reject("{} cannot be invited: membership is {}", target, membership);
  // "If the sender's power level is greater than or equal to the invite level, allow."
  if (the.sender_level() >= the.levels.invite()) return {};
  return reject("{} may not invite: power level {} is below {}", the.sender, the.sender_level(), the.levels.invite());
}

Result<void> check_leave(const Case& the, std::string_view target) {
  auto membership = the.membership(target);
  // v1: "If the sender matches state_key, allow if and only if that user's current membership state is invite or join."
  // v7: "… is invite, join, or knock."
  if (the.sender == target) {
    if (membership == "invite" || membership == "join" || (membership == "knock" && the.rules.auth.knocking)) return {};
    return reject("{} is not in the room", target);
  }
  // "If the sender's current membership state is not join, reject."
  if (!the.sender_joined()) return reject("{} is not in the room", the.sender);
  // "If the target user's current membership state is ban, and the sender's power level is less than the ban level,
  // reject."
  int64_t level = the.sender_level();
  if (membership == "ban" && level < the.levels.ban())
    return reject("{} may not unban: power level {} is below {}", the.sender, level, the.levels.ban());
  // "If the sender's power level is greater than or equal to the kick level, and the target user's power level is less
  // than the sender's power level, allow."
  if (level < the.levels.kick())
    return reject("{} may not kick: power level {} is below {}", the.sender, level, the.levels.kick());
  if (the.levels.user_level(target) >= level)
    return reject("{} may not kick {}, whose power level is not lower", the.sender, target);
  return {};
}

Result<void> check_ban(const Case& the, std::string_view target) {
  // "If the sender's current membership state is not join, reject."
  if (!the.sender_joined()) return reject("{} is not in the room", the.sender);
  // "If the sender's power level is greater than or equal to the ban level, and the target user's power level is less
  // than the sender's power level, allow."
  int64_t level = the.sender_level();
  if (level < the.levels.ban())
    return reject("{} may not ban: power level {} is below {}", the.sender, level, the.levels.ban());
  if (the.levels.user_level(target) >= level)
    return reject("{} may not ban {}, whose power level is not lower", the.sender, target);
  return {};
}

// v7.
Result<void> check_knock(const Case& the, std::string_view target) {
  // v7: "If the join_rule is anything other than knock, reject." v10: "If the join_rule is anything other than knock or
  // knock_restricted, reject."
  auto join_rule = the.join_rule();
  if (join_rule != "knock" && !(join_rule == "knock_restricted" && the.rules.auth.knock_restricted))
    return reject("the room's join rule \"{}\" does not allow knocking", join_rule);
  // "If sender does not match state_key, reject."
  if (the.sender != target) return reject("{} cannot knock for {}", the.sender, target);
  // "If the sender's current membership is not ban, invite, or join, allow."
  auto membership = the.membership(target);
  if (membership == "ban" || membership == "invite" || membership == "join")
    return reject("{} cannot knock: membership is {}", target, membership);
  return {};
}

}  // namespace

Result<void> check_member(const Case& the) {
  // "If there is no state_key property, or no membership property in content, reject."
  auto membership = json::string_at(the.event.content(), "membership");
  if (!the.event.is_state()) return reject("a member event has a state key");
  if (!membership) return reject("a member event has a membership");
  std::string_view target = *the.event.state_key();
  if (*membership == "join" && is_creators_first_join(the, target)) return {};
  // No rule of the specification (decision 0006, Both leave the letter).
  if (!target.contains(':')) return reject("\"{}\" is no user", target);

  if (*membership == "join") return check_join(the, target);
  if (*membership == "invite") return check_invite(the, target);
  if (*membership == "leave") return check_leave(the, target);
  if (*membership == "ban") return check_ban(the, target);
  if (*membership == "knock" && the.rules.auth.knocking) return check_knock(the, target);
  // "Otherwise, the membership is unknown. Reject."
  return reject("unknown membership \"{}\"", *membership);
}

}  // namespace myelin::auth
