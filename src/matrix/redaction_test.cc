#include "matrix/redaction.h"

#include <gtest/gtest.h>

#include <set>

namespace myelin {
namespace {

std::set<std::string> keys(const json::Object& object) {
  std::set<std::string> all;
  for (auto& member : object) all.insert(std::string(member.key()));
  return all;
}

struct Kept {
  const char* type;
  const char* content;
  std::set<std::string> v1, v6, v8, v9, v11;  // rooms/v1, v6, v8, v9, v11, Redactions
};

const Kept kCases[] = {
    {"m.room.message", R"({"body":"x","membership":"join","creator":"y"})", {}, {}, {}, {}, {}},
    {"m.room.member",
     R"({"membership":"join","displayname":"x","join_authorised_via_users_server":"@a:x","third_party_invite":{"display_name":"d"}})",
     {"membership"},
     {"membership"},
     {"membership"},
     {"membership", "join_authorised_via_users_server"},
     {"membership", "join_authorised_via_users_server", "third_party_invite"}},
    {"m.room.member",
     R"({"membership":"invite","third_party_invite":{"display_name":"d","signed":{"token":"t"}}})",
     {"membership"},
     {"membership"},
     {"membership"},
     {"membership"},
     {"membership", "third_party_invite"}},
    {"m.room.create",
     R"({"creator":"@a:x","m.federate":false,"room_version":"1"})",
     {"creator"},
     {"creator"},
     {"creator"},
     {"creator"},
     {"creator", "m.federate", "room_version"}},
    {"m.room.join_rules",
     R"({"join_rule":"restricted","allow":[],"x":1})",
     {"join_rule"},
     {"join_rule"},
     {"join_rule", "allow"},
     {"join_rule", "allow"},
     {"join_rule", "allow"}},
    {"m.room.power_levels",
     R"({"ban":1,"events":{},"events_default":1,"invite":1,"kick":1,"notifications":{},"redact":1,"state_default":1,"users":{},"users_default":1})",
     {"ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default"},
     {"ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default"},
     {"ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default"},
     {"ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default"},
     {"ban", "events", "events_default", "invite", "kick", "redact", "state_default", "users", "users_default"}},
    {"m.room.aliases", R"({"aliases":["#a:x"],"x":1})", {"aliases"}, {}, {}, {}, {}},
    {"m.room.history_visibility",
     R"({"history_visibility":"shared","x":1})",
     {"history_visibility"},
     {"history_visibility"},
     {"history_visibility"},
     {"history_visibility"},
     {"history_visibility"}},
    {"m.room.redaction", R"({"redacts":"$x","reason":"r"})", {}, {}, {}, {}, {"redacts"}},
};

TEST(Redaction, KeepsTheContentKeysOfEachVersion) {
  for (auto& c : kCases)
    for (int i = 1; i <= 12; ++i) {
      auto& rules = *find_room_version(std::to_string(i));
      auto& kept = i < 6 ? c.v1 : i < 8 ? c.v6 : i < 9 ? c.v8 : i < 11 ? c.v9 : c.v11;
      json::Object pdu{{"type", c.type}, {"content", *json::parse(c.content)}};
      auto redacted = redact(pdu, rules);
      EXPECT_EQ(keys(redacted.at("content").as_object()), kept) << c.type << " in version " << i;
      for (auto& key : kept)
        if (key != "third_party_invite") EXPECT_EQ(redacted.at("content").at(key), pdu.at("content").at(key));
    }
}

TEST(Redaction, KeepsOnlySignedOfAThirdPartyInvite) {
  json::Object pdu{{"type", "m.room.member"},
                   {"content", {{"third_party_invite", {{"display_name", "d"}, {"signed", {{"token", "t"}}}}}}}};
  auto redacted = redact(pdu, *find_room_version("11"));
  EXPECT_EQ(json::serialize(redacted.at("content")), R"({"third_party_invite":{"signed":{"token":"t"}}})");
  // It is part of the event id, so an empty object has to stay one.
  pdu["content"].as_object()["third_party_invite"].as_object().erase("signed");
  redacted = redact(pdu, *find_room_version("11"));
  EXPECT_EQ(json::serialize(redacted.at("content")), R"({"third_party_invite":{}})");
}

TEST(Redaction, KeepsTheTopLevelKeysOfEachVersion) {
  json::Object pdu;
  for (auto key : {"auth_events", "content", "depth", "event_id", "hashes", "origin_server_ts", "prev_events",
                   "room_id", "sender", "signatures", "state_key", "type"})
    pdu[key] = json::Object();
  pdu["type"] = "m.room.message";
  auto common = keys(pdu);
  for (auto key : {"origin", "membership", "prev_state", "unsigned", "redacts", "age", "replaces_state", "x"})
    pdu[key] = 1;
  auto legacy = common;
  legacy.insert({"origin", "membership", "prev_state"});
  for (int i = 1; i <= 12; ++i)
    EXPECT_EQ(keys(redact(pdu, *find_room_version(std::to_string(i)))), i < 11 ? legacy : common) << i;
}

TEST(Redaction, TextAndObjectAgree) {
  for (auto& c : kCases)
    for (auto& rules : all_room_versions()) {
      json::Object pdu{{"type", c.type},         {"content", *json::parse(c.content)},
                       {"origin", "x"},          {"signatures", {{"x", {{"ed25519:1", "s"}}}}},
                       {"unsigned", {{"a", 1}}}, {"sender", "@a:x"},
                       {"membership", "join"},   {"prev_state", json::Array()}};
      EXPECT_EQ(*canonical_redacted(pdu, rules),
                *json::canonical_without(redact(pdu, rules), {"signatures"}, rules.format.canonical));
    }
}

TEST(Redaction, OfOddEventsDoesNotFail) {
  auto& rules = *find_room_version("11");
  EXPECT_EQ(canonical_redacted({}, rules), "{}");
  EXPECT_EQ(canonical_redacted({{"type", 5}, {"content", {{"a", 1}}}}, rules), R"({"content":{},"type":5})");
  EXPECT_EQ(canonical_redacted({{"type", "m.room.member"}, {"content", {{"third_party_invite", 5}}}}, rules),
            R"({"content":{},"type":"m.room.member"})");
  EXPECT_FALSE(canonical_redacted({{"depth", 1.5}}, rules));
}

}  // namespace
}  // namespace myelin
