#include <gtest/gtest.h>

#include "matrix/auth/scenes.h"

namespace myelin::auth::scenes {
namespace {

using myelin::testing::EventSpec;

constexpr std::string_view kByMod = R"({"join_authorised_via_users_server":"@mod:a.example"})";
constexpr std::string_view kByCarol = R"({"join_authorised_via_users_server":"@carol:b.example"})";

// The first join: right after the create event.
EventSpec first_join(const Room& room, std::string_view user) {
  auto spec = room.spec(user, "m.room.member", std::string(user), R"({"membership":"join"})");
  spec.prev = {"$create"};
  return spec;
}

// Nothing has happened in the room yet.
Result<void> enters_first(Room& room, std::string_view user) {
  room.remove("m.room.member", kAlice).remove("m.room.join_rules", "").remove("m.room.power_levels", "");
  return room.judge(first_join(room, user));
}

constexpr std::string_view kInCarolsName = R"({"creator":"@carol:b.example"})";

// Alice, banned, joins after these.
Result<void> banned_alice_joins(Room& room, std::vector<std::string> previous) {
  auto spec = first_join(room, kAlice);
  spec.prev = std::move(previous);
  return room.member(kAlice, "ban").judge(spec);
}

Result<void> mod_vouches_for_carol(Room& room) {
  return room.join_rule("restricted").membership(kCarol, kCarol, "join", kByMod);
}

AUTH_SCENES(AuthMember, Shape) {
  return {
      {"member: state_key and membership", 1, 12, kAllowed, "Bob leaves",
       [](Room& room) { return room.membership(kBob, kBob, "leave"); }},
      {"member: state_key and membership", 1, 12, rejected("a member event has a state key"),
       "a member event that is no state event",
       [](Room& room) { return room.message(kBob, "m.room.member", R"({"membership":"leave"})"); }},
      {"member: state_key and membership", 1, 12, rejected("a member event has a membership"),
       "a member event without a membership", [](Room& room) { return room.state(kBob, "m.room.member", kBob, "{}"); }},
      {"member: state_key and membership", 1, 12, rejected("a member event has a membership"),
       "a membership that is a number",
       [](Room& room) { return room.state(kBob, "m.room.member", kBob, R"({"membership":1})"); }},
      {"member: state_key and membership", 1, 12, rejected("\"nobody\" is no user"),
       "Mod bans a state key that is no user", [](Room& room) { return room.membership(kMod, "nobody", "ban"); }},
      {"member: state_key and membership", 1, 12, rejected("\"\" is no user"), "Mod invites nobody",
       [](Room& room) { return room.membership(kMod, "", "invite"); }},
      {"member: state_key and membership", 1, 10, kAllowed, "the creator, who is no user of any server, enters first",
       [](Room& room) {
         room.create_content(R"({"creator":"nobody"})");
         return room.judge(first_join(room, "nobody"));
       }},
      {"member: unknown membership", 1, 12, rejected("unknown membership"), "Bob's membership is \"sleeping\"",
       [](Room& room) { return room.membership(kBob, kBob, "sleeping"); }},
      {"member: unknown membership", 1, 12, kAllowed, "Bob joins again, as when his name changes",
       [](Room& room) { return room.membership(kBob, kBob, "join"); }},
  };
}

AUTH_SCENES(AuthMember, Join) {
  return {
      {"join: the creator's first", 1, 12, kAllowed, "Alice enters the room she has just made",
       [](Room& room) { return enters_first(room, kAlice); }},
      {"join: the creator's first", 1, 12, rejected("is not invited"), "Carol enters the room Alice has just made",
       [](Room& room) { return enters_first(room, kCarol); }},
      {"join: the creator's first", 1, 10, kAllowed, "Carol enters the room Alice has just made in her name",
       [](Room& room) { return enters_first(room.create_content(kInCarolsName), kCarol); }},
      {"join: the creator's first", 1, 10, rejected("is not invited"), "Alice enters the room made in Carol's name",
       [](Room& room) { return enters_first(room.create_content(kInCarolsName), kAlice); }},
      {"join: the creator's first", 11, 12, kAllowed, "Alice enters the room she has just made, whomever it names",
       [](Room& room) { return enters_first(room.create_content(kInCarolsName), kAlice); }},
      {"join: the creator's first", 11, 12, rejected("is not invited"), "Carol's name in it no longer means anything",
       [](Room& room) { return enters_first(room.create_content(kInCarolsName), kCarol); }},
      {"join: the creator's first", 1, 12, rejected("is banned"), "the create event is the first of two before it",
       [](Room& room) { return banned_alice_joins(room, {"$create", "$before"}); }},
      {"join: the creator's first", 1, 12, rejected("is banned"), "the create event is the second of two before it",
       [](Room& room) { return banned_alice_joins(room, {"$before", "$create"}); }},
      {"m.federate", 1, 10, rejected("does not federate"),
       "Carol enters the room Alice has just made in her name, but not for her server",
       [](Room& room) {
         return enters_first(room.create_content(R"({"m.federate":false,"creator":"@carol:b.example"})"), kCarol);
       }},
      {"m.federate", 1, 12, rejected("does not federate"), "Carol sends Alice's first join",
       [](Room& room) {
         auto spec = first_join(room, kAlice);
         spec.sender = kCarol;
         return room.create_content(R"({"m.federate":false,"creator":"@alice:a.example"})").judge(spec);
       }},
      {"join: the creator's first", 12, 12, rejected("is not invited"),
       "Carol is one of the creators, but not who made the room",
       [](Room& room) {
         room.create_content(R"({"additional_creators":["@carol:b.example"]})");
         return room.judge(first_join(room, kCarol));
       }},
      {"join: the creator's first", 1, 12, rejected("is not invited"),
       "Alice comes back to her private room without an invitation",
       [](Room& room) { return room.member(kAlice, "leave").membership(kAlice, kAlice, "join"); }},
      {"join: sender is state_key", 1, 12, kAllowed, "Carol joins a public room",
       [](Room& room) { return room.join_rule("public").membership(kCarol, kCarol, "join"); }},
      {"join: sender is state_key", 1, 12, rejected("cannot join for"), "Alice joins for Carol",
       [](Room& room) { return room.join_rule("public").membership(kAlice, kCarol, "join"); }},
      {"join: banned", 1, 12, kAllowed, "Dave was unbanned and joins",
       [](Room& room) { return room.join_rule("public").member(kDave, "leave").membership(kDave, kDave, "join"); }},
      {"join: banned", 1, 12, rejected("is banned"), "Dave is banned and joins",
       [](Room& room) { return room.join_rule("public").membership(kDave, kDave, "join"); }},
      {"join: rule invite", 1, 12, kAllowed, "Carol was invited",
       [](Room& room) { return room.member(kCarol, "invite").membership(kCarol, kCarol, "join"); }},
      {"join: rule invite", 1, 12, rejected("is not invited"), "Carol was not invited",
       [](Room& room) { return room.membership(kCarol, kCarol, "join"); }},
      {"join: rule invite", 1, 12, rejected("is not invited"), "without join rules, a room is invite only",
       [](Room& room) { return room.remove("m.room.join_rules", "").membership(kCarol, kCarol, "join"); }},
      {"join: rule invite", 7, 12, rejected("is not invited"), "Carol only knocked",
       [](Room& room) { return room.member(kCarol, "knock").membership(kCarol, kCarol, "join"); }},
      {"join: rule knock", 7, 12, kAllowed, "Carol knocked and was invited",
       [](Room& room) { return room.join_rule("knock").member(kCarol, "invite").membership(kCarol, kCarol, "join"); }},
      {"join: rule knock", 7, 12, rejected("is not invited"), "Carol knocked and nobody answered",
       [](Room& room) { return room.join_rule("knock").member(kCarol, "knock").membership(kCarol, kCarol, "join"); }},
      {"join: rule restricted", 8, 12, kAllowed, "Carol is invited to a restricted room",
       [](Room& room) {
         return room.join_rule("restricted").member(kCarol, "invite").membership(kCarol, kCarol, "join");
       }},
      {"join: rule restricted", 8, 12, kAllowed, "Mod vouches for Carol", mod_vouches_for_carol},
      {"join: rule restricted", 8, 12, rejected("nobody authorised"), "nobody vouches for Carol",
       [](Room& room) { return room.join_rule("restricted").membership(kCarol, kCarol, "join"); }},
      {"join: rule restricted", 8, 12, rejected("is banned"), "Mod vouches for Dave, who is banned",
       [](Room& room) { return room.join_rule("restricted").membership(kDave, kDave, "join", kByMod); }},
      {"join: authoriser may invite", 8, 12, kAllowed, "Mod may", mod_vouches_for_carol},
      {"join: authoriser may invite", 8, 12, rejected("may not invite"), "Mod vouches, but may not invite himself",
       [](Room& room) {
         room.levels(R"({"invite":60,"users":{"@mod:a.example":50}})");
         return mod_vouches_for_carol(room);
       }},
      {"join: authoriser joined", 8, 12, kAllowed, "Mod is in the room", mod_vouches_for_carol},
      {"join: authoriser joined", 8, 12, rejected("who authorised the join, is not in the room"),
       "Mod vouches, but has left", [](Room& room) { return mod_vouches_for_carol(room.member(kMod, "leave")); }},
      {"join: authoriser joined", 8, 12, rejected("who authorised the join, is not in the room"),
       "Carol vouches for herself",
       [](Room& room) { return room.join_rule("restricted").membership(kCarol, kCarol, "join", kByCarol); }},
      {"join: rule knock_restricted", 10, 12, kAllowed, "Mod vouches for Carol",
       [](Room& room) { return room.join_rule("knock_restricted").membership(kCarol, kCarol, "join", kByMod); }},
      {"join: rule knock_restricted", 10, 12, rejected("nobody authorised"), "nobody vouches for Carol",
       [](Room& room) { return room.join_rule("knock_restricted").membership(kCarol, kCarol, "join"); }},
      {"join: rule public", 1, 12, kAllowed, "everybody may join",
       [](Room& room) { return room.join_rule("public").membership(kCarol, kCarol, "join"); }},
      {"join: rule public", 1, 12, rejected("lets nobody in"), "a private room lets nobody in",
       [](Room& room) {
         return room.join_rule("private").member(kCarol, "invite").membership(kCarol, kCarol, "join");
       }},
      {"join: rule unknown to the version", 1, 12, kAllowed, "the rule is known: public",
       [](Room& room) { return room.join_rule("public").membership(kCarol, kCarol, "join"); }},
      {"join: rule unknown to the version", 1, 6, rejected("lets nobody in"), "knock, before rooms could be knocked at",
       [](Room& room) { return room.join_rule("knock").member(kCarol, "invite").membership(kCarol, kCarol, "join"); }},
      {"join: rule unknown to the version", 1, 7, rejected("lets nobody in"), "restricted, before rooms could be",
       [](Room& room) { return room.join_rule("restricted").membership(kCarol, kCarol, "join", kByMod); }},
      {"join: rule unknown to the version", 1, 9, rejected("lets nobody in"), "knock_restricted, before rooms could be",
       [](Room& room) {
         room.join_rule("knock_restricted").member(kCarol, "invite");
         return room.membership(kCarol, kCarol, "join", kByMod);
       }},
      {"join: rule unknown to the version", 1, 12, rejected("lets nobody in"), "a rule nobody knows",
       [](Room& room) {
         return room.join_rule("friends").member(kCarol, "invite").membership(kCarol, kCarol, "join");
       }},
  };
}

AUTH_SCENES(AuthMember, Invite) {
  return {
      {"invite: sender joined", 1, 12, kAllowed, "Bob invites Carol: everybody may",
       [](Room& room) { return room.membership(kBob, kCarol, "invite"); }},
      {"invite: sender joined", 1, 12, rejected("is not in the room"), "Carol, who is not there, invites Bob's friend",
       [](Room& room) { return room.membership(kCarol, "@erin:b.example", "invite"); }},
      {"invite: sender joined", 1, 12, rejected("is not in the room"), "Carol, invited herself, invites on",
       [](Room& room) { return room.member(kCarol, "invite").membership(kCarol, "@erin:b.example", "invite"); }},
      {"invite: target's membership", 1, 12, kAllowed, "Carol left and is invited again",
       [](Room& room) { return room.member(kCarol, "leave").membership(kBob, kCarol, "invite"); }},
      {"invite: target's membership", 1, 12, rejected("membership is join"), "Mod is there already",
       [](Room& room) { return room.membership(kBob, kMod, "invite"); }},
      {"invite: target's membership", 1, 12, rejected("membership is ban"), "Dave is banned",
       [](Room& room) { return room.membership(kAlice, kDave, "invite"); }},
      {"invite: level", 1, 12, kAllowed, "Mod invites where 50 is needed",
       [](Room& room) {
         return room.levels(R"({"invite":50,"users":{"@mod:a.example":50}})").membership(kMod, kCarol, "invite");
       }},
      {"invite: level", 1, 12, rejected("may not invite"), "Bob invites where 50 is needed",
       [](Room& room) { return room.levels(R"({"invite":50})").membership(kBob, kCarol, "invite"); }},
  };
}

AUTH_SCENES(AuthMember, Leave) {
  return {
      {"leave: one's own", 1, 12, kAllowed, "Bob leaves",
       [](Room& room) { return room.membership(kBob, kBob, "leave"); }},
      {"leave: one's own", 1, 12, kAllowed, "Carol declines an invitation",
       [](Room& room) { return room.member(kCarol, "invite").membership(kCarol, kCarol, "leave"); }},
      {"leave: one's own", 1, 12, rejected("is not in the room"), "Carol was never there",
       [](Room& room) { return room.membership(kCarol, kCarol, "leave"); }},
      {"leave: one's own", 1, 12, rejected("is not in the room"), "Dave leaves, to be rid of his ban",
       [](Room& room) { return room.membership(kDave, kDave, "leave"); }},
      {"leave: one's own", 1, 6, rejected("is not in the room"), "Carol's membership is \"knock\", as yet unknown",
       [](Room& room) { return room.member(kCarol, "knock").membership(kCarol, kCarol, "leave"); }},
      {"leave: one's own knock", 7, 12, kAllowed, "Carol takes her knock back",
       [](Room& room) { return room.member(kCarol, "knock").membership(kCarol, kCarol, "leave"); }},
      {"leave: one's own knock", 7, 12, rejected("is not in the room"), "Carol has left already",
       [](Room& room) { return room.member(kCarol, "leave").membership(kCarol, kCarol, "leave"); }},
      {"leave: sender joined", 1, 12, kAllowed, "Mod kicks Bob",
       [](Room& room) { return room.membership(kMod, kBob, "leave"); }},
      {"leave: sender joined", 1, 12, rejected("is not in the room"), "Mod has left and kicks Bob",
       [](Room& room) { return room.member(kMod, "leave").membership(kMod, kBob, "leave"); }},
      {"leave: unban", 1, 12, kAllowed, "Mod unbans Dave",
       [](Room& room) { return room.membership(kMod, kDave, "leave"); }},
      {"leave: unban", 1, 12, rejected("may not unban"), "Mod may kick but not ban, so not unban",
       [](Room& room) {
         return room.levels(R"({"ban":60,"users":{"@mod:a.example":50}})").membership(kMod, kDave, "leave");
       }},
      {"leave: unban", 1, 12, rejected("may not kick: power level"), "Mod may ban but not kick: unbanning needs both",
       [](Room& room) {
         return room.levels(R"({"kick":60,"users":{"@mod:a.example":50}})").membership(kMod, kDave, "leave");
       }},
      {"leave: kick level", 1, 12, kAllowed, "Mod, with just the level",
       [](Room& room) {
         return room.levels(R"({"kick":50,"users":{"@mod:a.example":50}})").membership(kMod, kBob, "leave");
       }},
      {"leave: kick level", 1, 12, rejected("may not kick: power level"), "Mod, with one less",
       [](Room& room) {
         return room.levels(R"({"kick":50,"users":{"@mod:a.example":49}})").membership(kMod, kBob, "leave");
       }},
      {"leave: target's level", 1, 12, kAllowed, "Bob's level is one lower than Mod's",
       [](Room& room) {
         room.levels(R"({"users":{"@mod:a.example":50,"@bob:a.example":49}})");
         return room.membership(kMod, kBob, "leave");
       }},
      {"leave: target's level", 1, 12, rejected("whose power level is not lower"), "Bob's level is Mod's",
       [](Room& room) {
         room.levels(R"({"users":{"@mod:a.example":50,"@bob:a.example":50}})");
         return room.membership(kMod, kBob, "leave");
       }},
      {"leave: target's level", 1, 12, rejected("whose power level is not lower"), "Mod kicks Alice",
       [](Room& room) { return room.membership(kMod, kAlice, "leave"); }},
      {"leave: a creator's level", 12, 12, kAllowed, "Alice kicks Mod, whose level is the highest a number can be",
       [](Room& room) {
         room.levels(R"({"users":{"@mod:a.example":9007199254740991}})");
         return room.membership(kAlice, kMod, "leave");
       }},
      {"leave: a creator's level", 12, 12, rejected("whose power level is not lower"),
       "Mod, whose level is the highest a number can be, kicks Alice",
       [](Room& room) {
         room.levels(R"({"users":{"@mod:a.example":9007199254740991}})");
         return room.membership(kMod, kAlice, "leave");
       }},
      {"leave: a creator's level", 12, 12, rejected("whose power level is not lower"),
       "Alice kicks Carol, a creator like her",
       [](Room& room) {
         room.create_content(R"({"additional_creators":["@carol:b.example"]})").member(kCarol, "join");
         return room.membership(kAlice, kCarol, "leave");
       }},
  };
}

AUTH_SCENES(AuthMember, Ban) {
  return {
      {"ban: sender joined", 1, 12, kAllowed, "Mod bans Bob",
       [](Room& room) { return room.membership(kMod, kBob, "ban"); }},
      {"ban: sender joined", 1, 12, rejected("is not in the room"), "Mod has left and bans Bob",
       [](Room& room) { return room.member(kMod, "leave").membership(kMod, kBob, "ban"); }},
      {"ban: level", 1, 12, kAllowed, "Mod bans Carol, who was never there",
       [](Room& room) { return room.membership(kMod, kCarol, "ban"); }},
      {"ban: level", 1, 12, rejected("may not ban: power level"), "Bob bans Carol",
       [](Room& room) { return room.membership(kBob, kCarol, "ban"); }},
      {"ban: target's level", 1, 12, kAllowed, "Alice bans Mod",
       [](Room& room) { return room.membership(kAlice, kMod, "ban"); }},
      {"ban: target's level", 1, 12, rejected("whose power level is not lower"), "Mod bans Alice",
       [](Room& room) { return room.membership(kMod, kAlice, "ban"); }},
      {"ban: target's level", 1, 12, rejected("whose power level is not lower"), "Mod bans himself",
       [](Room& room) { return room.membership(kMod, kMod, "ban"); }},
  };
}

AUTH_SCENES(AuthMember, Knock) {
  return {
      {"knock: join rule", 7, 12, kAllowed, "Carol knocks",
       [](Room& room) { return room.join_rule("knock").membership(kCarol, kCarol, "knock"); }},
      {"knock: join rule", 7, 12, rejected("does not allow knocking"), "the room is invite only",
       [](Room& room) { return room.membership(kCarol, kCarol, "knock"); }},
      {"knock: join rule", 7, 9, rejected("does not allow knocking"), "knock_restricted, before rooms could be",
       [](Room& room) { return room.join_rule("knock_restricted").membership(kCarol, kCarol, "knock"); }},
      {"knock: rule knock_restricted", 10, 12, kAllowed, "Carol knocks at a restricted room",
       [](Room& room) { return room.join_rule("knock_restricted").membership(kCarol, kCarol, "knock"); }},
      {"knock: rule knock_restricted", 10, 12, rejected("does not allow knocking"),
       "the room is restricted, and not to be knocked at",
       [](Room& room) { return room.join_rule("restricted").membership(kCarol, kCarol, "knock"); }},
      {"knock: sender is state_key", 7, 12, kAllowed, "Carol knocks again",
       [](Room& room) { return room.join_rule("knock").member(kCarol, "knock").membership(kCarol, kCarol, "knock"); }},
      {"knock: sender is state_key", 7, 12, rejected("cannot knock for"), "Bob knocks for Carol",
       [](Room& room) { return room.join_rule("knock").membership(kBob, kCarol, "knock"); }},
      {"knock: membership", 7, 12, kAllowed, "Carol left and knocks",
       [](Room& room) { return room.join_rule("knock").member(kCarol, "leave").membership(kCarol, kCarol, "knock"); }},
      {"knock: membership", 7, 12, rejected("membership is ban"), "Dave is banned",
       [](Room& room) { return room.join_rule("knock").membership(kDave, kDave, "knock"); }},
      {"knock: membership", 7, 12, rejected("membership is invite"), "Carol is invited",
       [](Room& room) { return room.join_rule("knock").member(kCarol, "invite").membership(kCarol, kCarol, "knock"); }},
      {"knock: membership", 7, 12, rejected("membership is join"), "Bob is in the room",
       [](Room& room) { return room.join_rule("knock").membership(kBob, kBob, "knock"); }},
  };
}

TEST(AuthMember, NobodyKnocksBeforeVersion7) {
  for (auto& rules : all_room_versions()) {
    Room room(rules);
    EXPECT_EQ(room.join_rule("knock").membership(kCarol, kCarol, "knock").has_value(), rules.auth.knocking)
        << rules.version;
  }
}

}  // namespace
}  // namespace myelin::auth::scenes
