#include <gtest/gtest.h>

#include "base/bytes.h"
#include "matrix/auth/scenes.h"
#include "matrix/signing.h"

namespace myelin::auth::scenes {
namespace {

constexpr std::string_view kAlone = R"({"m.federate":false,"creator":"@alice:a.example"})";

AUTH_SCENES(Authorize, RulesForEveryEvent) {
  return {
      {"create event", 1, 12, kAllowed, "the room has one", [](Room& room) { return room.message(kBob, "m.x"); }},
      {"create event", 1, 12, rejected("the room has no create event"), "the room has none",
       [](Room& room) { return room.remove("m.room.create", "").message(kBob, "m.x"); }},
      {"room id", 12, 12, kAllowed, "it is the create event's", [](Room& room) { return room.message(kBob, "m.x"); }},
      {"room id", 12, 12, rejected("does not name the create event"), "it is another",
       [](Room& room) {
         auto spec = room.spec(kBob, "m.x", std::nullopt, "{}");
         spec.room_id = "!other";
         return room.judge(spec);
       }},
      {"m.federate", 1, 12, kAllowed, "Carol joins a room that federates",
       [](Room& room) { return room.join_rule("public").membership(kCarol, kCarol, "join"); }},
      {"m.federate", 1, 12, kAllowed, "Bob, of Alice's server, talks where nobody else may",
       [](Room& room) { return room.create_content(kAlone).message(kBob, "m.x"); }},
      {"m.federate", 1, 12, kAllowed, "only false means no",
       [](Room& room) {
         room.create_content(R"({"m.federate":"false","creator":"@alice:a.example"})").join_rule("public");
         return room.membership(kCarol, kCarol, "join");
       }},
      {"m.federate", 1, 12, rejected("does not federate"), "Carol joins a room that does not federate",
       [](Room& room) { return room.create_content(kAlone).join_rule("public").membership(kCarol, kCarol, "join"); }},
      {"m.federate", 1, 5, rejected("does not federate"), "Carol sets her server's aliases there",
       [](Room& room) { return room.create_content(kAlone).state(kCarol, "m.room.aliases", "b.example", "{}"); }},
      {"sender joined", 1, 12, kAllowed, "Bob talks", [](Room& room) { return room.message(kBob, "m.room.message"); }},
      {"sender joined", 1, 12, rejected("is not in the room"), "Carol, who is not there, talks",
       [](Room& room) { return room.message(kCarol, "m.room.message"); }},
      {"sender joined", 1, 12, rejected("is not in the room"), "Carol, who is only invited, talks",
       [](Room& room) { return room.member(kCarol, "invite").message(kCarol, "m.room.message"); }},
      {"sender joined", 1, 12, rejected("is not in the room"), "Dave, who is banned, talks",
       [](Room& room) { return room.message(kDave, "m.room.message"); }},
      {"required level: state", 1, 12, kAllowed, "Mod sets the topic",
       [](Room& room) { return room.state(kMod, "m.room.topic", "", "{}"); }},
      {"required level: state", 1, 12, rejected("m.room.topic needs 50"), "Bob sets the topic",
       [](Room& room) { return room.state(kBob, "m.room.topic", "", "{}"); }},
      {"required level: messages", 1, 12, kAllowed, "Mod talks in a room of announcements",
       [](Room& room) {
         return room.levels(R"({"events_default":50,"users":{"@mod:a.example":50}})").message(kMod, "m.room.message");
       }},
      {"required level: messages", 1, 12, rejected("m.room.message needs 50"), "Bob talks in a room of announcements",
       [](Room& room) { return room.levels(R"({"events_default":50})").message(kBob, "m.room.message"); }},
      {"required level: one type", 1, 12, kAllowed, "Bob may set the topic, if nothing else",
       [](Room& room) {
         return room.levels(R"({"events":{"m.room.topic":0}})").state(kBob, "m.room.topic", "", "{}");
       }},
      {"required level: one type", 1, 12, rejected("m.reaction needs 10"), "reactions need 10",
       [](Room& room) { return room.levels(R"({"events":{"m.reaction":10}})").message(kBob, "m.reaction"); }},
      {"state keys of users", 1, 12, kAllowed, "Bob's own",
       [](Room& room) { return room.levels(R"({"state_default":0})").state(kBob, "m.x", kBob, "{}"); }},
      {"state keys of users", 1, 12, rejected("a user other than the sender"), "even Alice's is not Bob's to set",
       [](Room& room) { return room.levels(R"({"state_default":0})").state(kBob, "m.x", kAlice, "{}"); }},
      {"state keys of users", 1, 12, rejected("a user other than the sender"), "nor is Bob's Alice's",
       [](Room& room) { return room.state(kAlice, "m.x", kBob, "{}"); }},
  };
}

AUTH_SCENES(Authorize, Aliases) {
  return {
      {"aliases: of one's own server", 1, 5, kAllowed, "Carol, who is not even there, sets her server's aliases",
       [](Room& room) { return room.state(kCarol, "m.room.aliases", "b.example", "{}"); }},
      {"aliases: of one's own server", 1, 5, rejected("of another server than the sender"),
       "Alice sets Carol's server's",
       [](Room& room) { return room.state(kAlice, "m.room.aliases", "b.example", "{}"); }},
      {"aliases: state key", 1, 5, kAllowed, "Bob, without rights, sets his server's aliases",
       [](Room& room) { return room.state(kBob, "m.room.aliases", "a.example", "{}"); }},
      {"aliases: state key", 1, 5, rejected("an aliases event has a state key"), "without a state key",
       [](Room& room) { return room.message(kAlice, "m.room.aliases"); }},
      {"aliases: as any state", 6, 12, kAllowed, "Alice, who may set state, sets any server's",
       [](Room& room) { return room.state(kAlice, "m.room.aliases", "b.example", "{}"); }},
      {"aliases: as any state", 6, 12, rejected("m.room.aliases needs 50"),
       "Bob may not set state, not even his server's aliases",
       [](Room& room) { return room.state(kBob, "m.room.aliases", "a.example", "{}"); }},
  };
}

Result<void> redaction(Room& room, std::string_view sender, std::string_view redacts) {
  auto spec = room.spec(sender, "m.room.redaction", std::nullopt, "{}");
  if (room.rules().format.redacts_in_content) {
    spec.content["redacts"] = redacts;
  } else {
    spec.redacts = std::string(redacts);
  }
  return room.judge(spec);
}

AUTH_SCENES(Authorize, Redactions) {
  return {
      {"redaction: level", 1, 2, kAllowed, "Mod redacts what Carol's server sent",
       [](Room& room) { return redaction(room, kMod, "$x:b.example"); }},
      {"redaction: level", 1, 2, rejected("may not redact events of other servers"),
       "Bob redacts what Carol's server sent", [](Room& room) { return redaction(room, kBob, "$x:b.example"); }},
      {"redaction: of one's own server", 1, 2, kAllowed, "Bob redacts what his server sent",
       [](Room& room) { return redaction(room, kBob, "$x:a.example"); }},
      {"redaction: of one's own server", 1, 2, rejected("may not redact events of other servers"),
       "Carol, joined, redacts what Bob's server sent",
       [](Room& room) { return redaction(room.member(kCarol, "join"), kCarol, "$x:a.example"); }},
      {"redaction: as any event", 3, 12, kAllowed, "Bob may send it; whether it takes effect is seen later",
       [](Room& room) { return redaction(room, kBob, "$x"); }},
      {"redaction: as any event", 3, 12, rejected("m.room.redaction needs 50"),
       "the levels say who may send redactions",
       [](Room& room) { return redaction(room.levels(R"({"events":{"m.room.redaction":50}})"), kBob, "$x"); }},
  };
}

// An identity server that signs, and what a third party invite is made of.
class ThirdParty {
 public:
  std::string key() const { return base64(key_.public_key()); }
  std::string invite(std::string_view key) const { return json::serialize(json::Object{{"public_key", key}}); }
  std::string signed_content(std::string_view mxid, std::string_view token) const {
    json::Object object{{"mxid", mxid}, {"token", token}};
    EXPECT_TRUE(sign_json(object, "id.example", key_, json::CanonicalMode::kStrict));
    return json::serialize(json::Object{{"third_party_invite", json::Object{{"signed", object}}}});
  }

 private:
  static SigningKey make() {
    SeededRandom random(7);
    return SigningKey::generate(random, "0");
  }
  SigningKey key_ = make();
};

constexpr std::string_view kInviteType = "m.room.third_party_invite";

AUTH_SCENES(Authorize, ThirdPartyInvites) {
  static const ThirdParty third;
  static const std::string other_key = base64(std::string(32, 'k'));
  static const auto invite_carol = [](Room& room, std::string_view more) {
    return room.membership(kBob, kCarol, "invite", more);
  };
  static const auto carol_had_the_address = [](Room& room) {
    room.put(kInviteType, "token", kBob, third.invite(third.key()));
    return invite_carol(room, third.signed_content(kCarol, "token"));
  };
  std::vector<Scene> scenes{
      {"third party invite: level", 1, 12, kAllowed, "Bob invites an e-mail address: everybody may invite",
       [](Room& room) { return room.levels(R"({"state_default":50})").state(kBob, kInviteType, "token", "{}"); }},
      {"third party invite: level", 1, 12, rejected("may not invite"), "inviting needs 50",
       [](Room& room) { return room.levels(R"({"invite":50})").state(kBob, kInviteType, "token", "{}"); }},
      {"taken up: key", 1, 12, kAllowed, "the key is one of several",
       [](Room& room) {
         room.put(kInviteType, "token", kBob,
                  R"({"public_key":")" + other_key + R"(","public_keys":[{"public_key":")" + other_key +
                      R"("},{"public_key":")" + third.key() + R"("}]})");
         return invite_carol(room, third.signed_content(kCarol, "token"));
       }},
      {"taken up: banned", 1, 12, rejected("is banned"), "Carol is banned by now",
       [](Room& room) {
         room.put(kInviteType, "token", kBob, third.invite(third.key())).member(kCarol, "ban");
         return invite_carol(room, third.signed_content(kCarol, "token"));
       }},
      {"taken up: signed", 1, 12, rejected("is not signed"), "nothing is signed",
       [](Room& room) { return invite_carol(room, R"({"third_party_invite":{}})"); }},
      {"taken up: signed", 1, 12, rejected("third_party_invite is malformed"), "it is no object",
       [](Room& room) { return invite_carol(room, R"({"third_party_invite":null})"); }},
      {"taken up: mxid and token", 1, 12, rejected("no mxid or no token"), "the token is missing",
       [](Room& room) {
         return invite_carol(room, R"({"third_party_invite":{"signed":{"mxid":"@carol:b.example"}}})");
       }},
      {"taken up: mxid and token", 1, 12, rejected("no mxid or no token"), "the mxid is missing",
       [](Room& room) {
         room.put(kInviteType, "token", kBob, third.invite(third.key()));
         return invite_carol(room, R"({"third_party_invite":{"signed":{"token":"token"}}})");
       }},
      {"taken up: mxid is state_key", 1, 12, rejected("is for another user"), "it is Dave's invitation",
       [](Room& room) {
         room.put(kInviteType, "token", kBob, third.invite(third.key()));
         return invite_carol(room, third.signed_content(kDave, "token"));
       }},
      {"taken up: token", 1, 12, rejected("no third party invite with that token"), "the room knows no such token",
       [](Room& room) {
         room.put(kInviteType, "other", kBob, third.invite(third.key()));
         return invite_carol(room, third.signed_content(kCarol, "token"));
       }},
      {"taken up: sender", 1, 12, rejected("was made by @mod"), "Mod invited the address, not Bob",
       [](Room& room) {
         room.put(kInviteType, "token", kMod, third.invite(third.key()));
         return invite_carol(room, third.signed_content(kCarol, "token"));
       }},
      {"taken up: key", 1, 12, rejected("not signed with any of its keys"), "it is signed with another key",
       [](Room& room) {
         room.put(kInviteType, "token", kBob, third.invite(other_key));
         return invite_carol(room, third.signed_content(kCarol, "token"));
       }},
  };
  for (auto rule : {"taken up: banned", "taken up: signed", "taken up: mxid and token", "taken up: mxid is state_key",
                    "taken up: token", "taken up: sender", "taken up: key"})
    scenes.push_back({rule, 1, 12, kAllowed, "Carol had the address that Bob invited", carol_had_the_address});
  return scenes;
}

// An event full of keys and one full of signatures multiply; only so many pairs are tried.
TEST(Authorize, Attack08OfAThirdPartyInviteOnlySoManyKeysAreTried) {
  auto& rules = *find_room_version("11");
  Room room(rules);
  json::Array keys;
  json::Object signatures;
  for (int i = 0; i < 700; ++i) {
    keys.push_back(json::Object{{"public_key", base64(sha256(std::to_string(i)))}});
    signatures["ed25519:" + std::to_string(i)] = base64(sha256(std::to_string(i)) + std::string(32, '\0'));
  }
  room.put(kInviteType, "token", kBob, json::serialize(json::Object{{"public_keys", keys}}));
  json::Object content{
      {"third_party_invite",
       json::Object{{"signed", json::Object{{"mxid", kCarol},
                                            {"token", "token"},
                                            {"signatures", json::Object{{"id.example", signatures}}}}}}}};
  EXPECT_FALSE(room.membership(kBob, kCarol, "invite", json::serialize(content)));

  // The right key is found among a few hundred, and not looked for among more. One that is there often counts once.
  ThirdParty third;
  json::Array same(700, json::Object{{"public_key", base64(std::string(32, 'k'))}});
  same.push_back(json::Object{{"public_key", third.key()}});
  room.put(kInviteType, "token", kBob, json::serialize(json::Object{{"public_keys", same}}));
  EXPECT_TRUE(room.membership(kBob, kCarol, "invite", third.signed_content(kCarol, "token")));
  for (auto [others, found] : {std::pair{200, true}, {300, false}}) {
    json::Array list;
    for (int i = 0; i < others; ++i) list.push_back(json::Object{{"public_key", base64(sha256(std::to_string(i)))}});
    list.push_back(json::Object{{"public_key", third.key()}});
    room.put(kInviteType, "token", kBob, json::serialize(json::Object{{"public_keys", list}}));
    EXPECT_EQ(room.membership(kBob, kCarol, "invite", third.signed_content(kCarol, "token")).has_value(), found);
  }
}

}  // namespace
}  // namespace myelin::auth::scenes
