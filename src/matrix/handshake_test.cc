#include "matrix/handshake.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "matrix/verify.h"

namespace myelin {
namespace {

const ServerName kOurs = ServerName::trusted("ours.example"), kTheirs = ServerName::trusted("theirs.example");
const RoomId kRoom = RoomId::trusted("!room:theirs.example");
const UserId kUser = UserId::trusted("@bob:ours.example"), kAda = UserId::trusted("@ada:theirs.example");
constexpr int64_t kNow = 1'700'000'000'000;

SigningKey make_key(uint64_t seed) {
  SeededRandom random(seed);
  return SigningKey::generate(random, "k");
}
const SigningKey kOurKey = make_key(1), kTheirKey = make_key(2);

bool with_hashes(const RoomRules& rules) { return rules.format.event_references_with_hashes; }

json::Object make_template(const RoomRules& rules, std::string_view membership = "join") {
  auto ids = [&](std::initializer_list<const char*> names) {
    json::Array list;
    for (auto name : names) {
      if (with_hashes(rules))
        list.push_back(json::Array{name, json::Object{{"sha256", base64(sha256(name))}}});
      else
        list.emplace_back(name);
    }
    return list;
  };
  return {{"type", "m.room.member"},
          {"room_id", kRoom.str()},
          {"sender", kUser.str()},
          {"state_key", kUser.str()},
          {"content", json::Object{{"membership", membership}}},
          {"prev_events", ids({"$p:x", "$q:x"})},
          {"auth_events", ids({"$create:x", "$levels:x"})},
          {"depth", 12},
          {"origin_server_ts", 1},
          {"origin", "theirs.example"}};
}
TemplateRequest asked(Handshake handshake = Handshake::kJoin) {
  return {kRoom, kUser, handshake, {{"displayname", "Bob"}}, kNow};
}
constexpr std::array kHandshakes{Handshake::kJoin, Handshake::kKnock, Handshake::kLeave};

TEST(Handshake, ATemplateGivesOnlyItsPlaceInTheRoom) {
  for (auto& rules : all_room_versions()) {
    for (auto handshake : kHandshakes) {
      auto membership = membership_of(handshake);
      auto draft = draft_from_template(make_template(rules, membership), rules, asked(handshake));
      ASSERT_TRUE(draft) << rules.version << draft.error().message;
      EXPECT_EQ(draft->prev_events.size(), 2u);
      EXPECT_EQ(draft->auth_events.size(), 2u);
      EXPECT_EQ(draft->depth, 12);
      EXPECT_EQ(draft->origin_server_ts, kNow);
      EXPECT_EQ(draft->content, (json::Object{{"displayname", "Bob"}, {"membership", membership}}));
      auto event = OwnEvent::build(*draft, rules, kOurs, kOurKey);
      ASSERT_TRUE(event) << rules.version << event.error().message;
      auto parsed = Event::parse(event->event()->text(), rules);
      ASSERT_TRUE(parsed) << rules.version << parsed.error().message;
      for (auto sent : kHandshakes)
        EXPECT_EQ(check_sent_membership(**parsed, sent, {kRoom, (*parsed)->event_id(), kOurs}).has_value(),
                  sent == handshake)
            << membership << " as " << membership_of(sent);
    }
  }
}

TEST(Handshake, MembershipsAreThoseOfTheirRequests) {
  EXPECT_EQ(membership_of(Handshake::kJoin), "join");
  EXPECT_EQ(membership_of(Handshake::kKnock), "knock");
  EXPECT_EQ(membership_of(Handshake::kLeave), "leave");
}

TEST(Handshake, ARoomAtTheLimitOfDepthCanBeJoined) {
  for (auto& rules : all_room_versions()) {
    auto event = make_template(rules);
    for (int64_t depth : {kMaxDepth, max_depth(rules) - 1, max_depth(rules)}) {
      event["depth"] = depth;
      auto draft = draft_from_template(event, rules, asked());
      ASSERT_TRUE(draft) << rules.version << " " << depth;
      auto built = OwnEvent::build(*draft, rules, kOurs, kOurKey);
      ASSERT_TRUE(built) << rules.version << " " << built.error().message;
      EXPECT_EQ((*Event::parse(built->event()->text(), rules))->depth(), depth);
    }
  }
}

TEST(Handshake, ARestrictedJoinNamesWhoAuthorisesIt) {
  for (auto& rules : all_room_versions()) {
    auto event = make_template(rules);
    event["content"].as_object()["join_authorised_via_users_server"] = kAda.str();
    auto content = draft_from_template(event, rules, asked())->content;
    EXPECT_EQ(content.contains("join_authorised_via_users_server"), rules.auth.restricted) << rules.version;
    event["content"].as_object()["join_authorised_via_users_server"] = "ada";
    EXPECT_EQ(draft_from_template(event, rules, asked()).has_value(), !rules.auth.restricted);
    event = make_template(rules, "knock");
    event["content"].as_object()["join_authorised_via_users_server"] = kAda.str();
    EXPECT_FALSE(draft_from_template(event, rules, asked(Handshake::kKnock))
                     ->content.contains("join_authorised_via_users_server"));
  }
}

// Attack 4: a hostile server answers make_join, make_knock or make_leave with something else to sign, CVE-2026-24471.
class HostileTemplates : public ::testing::TestWithParam<Handshake> {
 protected:
  json::Object make() const { return make_template(rules, membership_of(GetParam())); }
  Result<EventDraft> draft(const json::Object& event) const {
    return draft_from_template(event, rules, asked(GetParam()));
  }
  const RoomRules& rules = *find_room_version("11");
};
INSTANTIATE_TEST_SUITE_P(Handshake, HostileTemplates, ::testing::ValuesIn(kHandshakes),
                         [](auto& info) { return std::string(membership_of(info.param)); });

TEST_P(HostileTemplates, Attack04OfAnotherEventAreRefused) {
  struct {
    const char *field, *value;
  } changes[] = {{"type", "\"m.room.power_levels\""},
                 {"type", "5"},
                 {"room_id", "\"!other:theirs.example\""},
                 {"sender", "\"@ada:theirs.example\""},
                 {"sender", "\"@admin:ours.example\""},
                 {"state_key", "\"\""},
                 {"state_key", "\"@admin:ours.example\""},
                 {"content", R"({"membership":"ban"})"},
                 {"content", R"({"membership":"invite"})"},
                 {"content", R"({"membership":["join"]})"},
                 {"content", "{}"},
                 {"content", "[]"},
                 {"prev_events", "{}"},
                 {"prev_events", "[5]"},
                 {"prev_events", "[\"p\"]"},
                 {"auth_events", "null"},
                 {"depth", "-1"},
                 {"depth", "9223372036854775808"},
                 {"depth", "\"1\""}};
  for (auto& change : changes) {
    auto event = make();
    event[change.field] = *json::parse(change.value);
    EXPECT_EQ(draft(event).error().code, Code::kBadJson) << change.field << " " << change.value;
    event.erase(change.field);
    EXPECT_FALSE(draft(event)) << change.field;
  }
  for (auto other : kHandshakes)
    EXPECT_EQ(draft(make_template(rules, membership_of(other))).has_value(), other == GetParam());
  auto deep = make();
  deep["depth"] = kMaxDepth + 1;
  EXPECT_FALSE(draft(deep));
}

TEST_P(HostileTemplates, Attack04WhatElseTheyHoldIsNotSigned) {
  auto event = make();
  auto& content = event["content"].as_object();
  content["displayname"] = "Mallory";
  content["users"] = json::Object{{"@mallory:theirs.example", 100}};
  content["third_party_invite"] = json::Object();
  event["redacts"] = "$victim";
  event["unsigned"] = json::Object{{"x", 1}};
  event["hashes"] = json::Object{{"sha256", "x"}};
  event["signatures"] = json::Object{{"ours.example", json::Object{{"ed25519:k", "x"}}}};
  auto built = OwnEvent::build(draft(event).value(), rules, kOurs, kOurKey)->event();
  std::set<std::string> keys;
  for (auto& member : built->object()) keys.emplace(member.key());
  EXPECT_EQ(keys, (std::set<std::string>{"auth_events", "content", "depth", "hashes", "origin", "origin_server_ts",
                                         "prev_events", "room_id", "sender", "signatures", "state_key", "type"}));
  EXPECT_EQ(json::string_at(built->object(), "origin"), kOurs.str());
  EXPECT_EQ(built->text(), json::canonical(built->object(), rules.format.canonical));
  EXPECT_EQ(built->content(), (json::Object{{"displayname", "Bob"}, {"membership", membership_of(GetParam())}}));
  EXPECT_EQ(built->origin_server_ts(), kNow);
}

TEST(Handshake, OldVersionsHaveNoLimitOfDepth) {
  for (auto& rules : all_room_versions()) {
    auto deep = make_template(rules);
    deep["depth"] = kMaxDepth + 1;
    EXPECT_EQ(draft_from_template(deep, rules, asked()).has_value(), !rules.format.strict_depth) << rules.version;
  }
}

TEST(Handshake, Attack04HugeTemplatesAreRefused) {
  for (auto& rules : all_room_versions()) {
    for (auto [field, limit] : {std::pair{"prev_events", kMaxPrevEvents}, {"auth_events", kMaxAuthEvents}}) {
      auto event = make_template(rules);
      auto& list = event[field].as_array();
      while (list.size() <= limit) list.push_back(json::Value(list.front()));
      EXPECT_FALSE(draft_from_template(event, rules, asked())) << rules.version << field;
    }
    if (!with_hashes(rules)) continue;
    for (auto reference : {R"(["$x:x"])", R"(["$x:x",{}])", R"(["$x:x",{"sha256":"short"}])", R"(["$x:x",{},{}])",
                           R"([5,{"sha256":""}])", R"("$x:x")"}) {
      auto event = make_template(rules);
      event["prev_events"].as_array()[0] = *json::parse(reference);
      EXPECT_FALSE(draft_from_template(event, rules, asked())) << reference;
    }
  }
}

// An event of another server, as it arrives.
VerifiedEvent received(const RoomRules& rules, EventDraft draft, const ServerName& origin = kTheirs,
                       const SigningKey& key = kTheirKey) {
  return OwnEvent::build(std::move(draft), rules, origin, key).value();
}
EventDraft member(std::string_view sender, std::string_view target, std::string_view membership) {
  EventDraft draft;
  draft.room_id = kRoom;
  draft.sender = UserId::trusted(std::string(sender));
  draft.type = "m.room.member";
  draft.state_key = std::string(target);
  draft.content["membership"] = membership;
  return draft;
}

// Attack 10: the room of the path is not the room of the event, CVE-2020-26257; and what else may differ. Of send_join,
// send_knock and send_leave.
TEST(Handshake, Attack10TheEventIsTheOneOfThePath) {
  auto& rules = *find_room_version("11");
  for (auto handshake : kHandshakes) {
    auto check = [&](EventDraft draft, auto change) {
      auto event = received(rules, std::move(draft)).event();
      SentEvent sent{kRoom, event->event_id(), kTheirs};
      change(sent);
      auto result = check_sent_membership(*event, handshake, sent);
      if (!result) EXPECT_EQ(result.error().code, Code::kInvalidParam);
      return result.has_value();
    };
    auto nothing = [](SentEvent&) {};
    auto membership = membership_of(handshake);
    SCOPED_TRACE(membership);
    auto own = member(kAda.str(), kAda.str(), membership);
    EXPECT_TRUE(check(own, nothing));
    EXPECT_FALSE(check(own, [](SentEvent& sent) { sent.room = RoomId::trusted("!other:theirs.example"); }));
    EXPECT_FALSE(check(own, [](SentEvent& sent) { sent.id = EventId::trusted("$other"); }));
    EXPECT_FALSE(check(own, [](SentEvent& sent) { sent.origin = kOurs; }));
    for (auto other : {"join", "knock", "leave", "invite", "ban", ""})
      EXPECT_EQ(check(member(kAda.str(), kAda.str(), other), nothing), other == membership) << other;
    EXPECT_FALSE(check(member(kAda.str(), "@eve:theirs.example", membership), nothing)) << "a kick, say";
    EXPECT_FALSE(check(member(kUser.str(), kUser.str(), membership), nothing));
    auto message = own;
    message.state_key.reset();
    EXPECT_FALSE(check(message, nothing));
    message.type = "m.room.power_levels";
    message.state_key = "";
    EXPECT_FALSE(check(message, nothing));
  }
}

TEST(Handshake, Attack10AnInviteIsForAUserOfOurs) {
  auto& rules = *find_room_version("11");
  auto check = [&](EventDraft draft, const RoomId& room = kRoom) {
    auto event = received(rules, std::move(draft)).event();
    return check_sent_invite(*event, {room, event->event_id(), kTheirs}, kOurs).has_value();
  };
  EXPECT_TRUE(check(member(kAda.str(), kUser.str(), "invite")));
  EXPECT_FALSE(check(member(kAda.str(), kUser.str(), "invite"), RoomId::trusted("!other:theirs.example")));
  EXPECT_FALSE(check(member(kAda.str(), "@eve:third.example", "invite")));
  EXPECT_FALSE(check(member(kAda.str(), "nobody", "invite")));
  EXPECT_FALSE(check(member(kUser.str(), kUser.str(), "invite")));
  EXPECT_FALSE(check(member(kAda.str(), kUser.str(), "join")));
  auto levels = member(kAda.str(), kUser.str(), "invite");
  levels.type = "m.room.power_levels";
  EXPECT_FALSE(check(levels));
}

// ---- two signatures

// As it comes from theirs.example.
EventPtr arrives(const RoomRules& rules, EventDraft draft) {
  return Event::parse(received(rules, std::move(draft)).event()->text(), rules).value();
}
Result<VerifiedCopy> countersign(EventPtr event, const RoomRules& rules) {
  static const ServerKey kKnown{kTheirKey.public_key(), kNow};
  auto lookup = [](const ServerName& server, const SigningKeyId&) { return server == kTheirs ? &kKnown : nullptr; };
  return Verification::countersign(std::move(event), rules, kOurs, kOurKey, lookup);
}
EventDraft authorised_join() {
  auto join = member(kAda.str(), kAda.str(), "join");
  join.content["join_authorised_via_users_server"] = kUser.str();
  return join;
}

// Attack 4: /invite as a signing oracle. Only an invite of ours, or a join of ours to vouch for, gets a second
// signature.
TEST(Handshake, Attack04OnlyWhatNeedsOurSignatureGetsIt) {
  for (auto& rules : all_room_versions()) {
    auto invite = arrives(rules, member(kAda.str(), kUser.str(), "invite"));
    auto ours = countersign(invite, rules);
    ASSERT_TRUE(ours) << rules.version << ours.error().message;
    auto& event = *ours->event.event();
    EXPECT_EQ(event.event_id(), invite->event_id());
    EXPECT_EQ(event.content(), invite->content());
    auto object = redact(event.object(), rules);
    auto mode = rules.format.canonical;
    EXPECT_TRUE(verify_json(object, kOurs.str(), "ed25519:k", kOurKey.public_key(), mode)) << rules.version;
    EXPECT_TRUE(verify_json(object, kTheirs.str(), "ed25519:k", kTheirKey.public_key(), mode)) << rules.version;

    auto levels = member(kAda.str(), kUser.str(), "invite");
    levels.type = "m.room.power_levels";
    for (auto& draft : {levels, member(kAda.str(), "@eve:third.example", "invite"),
                        member(kAda.str(), kAda.str(), "join"), member(kAda.str(), kUser.str(), "ban"),
                        member(kAda.str(), kUser.str(), "leave"), member(kUser.str(), "@eve:ours.example", "invite")})
      EXPECT_EQ(countersign(arrives(rules, draft), rules).error().code, Code::kForbidden);
    // "Ours", that somebody else made.
    auto own_join = authorised_join();
    own_join.sender = UserId::trusted("@eve:ours.example");
    own_join.state_key = "@eve:ours.example";
    EXPECT_EQ(countersign(arrives(rules, own_join), rules).error().code, Code::kForbidden);
  }
}

// rooms/v8: "the signature must be added before sending or persisting the event": send_join has it without ours.
TEST(Handshake, ARestrictedJoinIsCountersignedAsItArrives) {
  for (auto& rules : all_room_versions()) {
    auto join = arrives(rules, authorised_join());
    auto ours = countersign(join, rules);
    EXPECT_EQ(ours.has_value(), rules.auth.restricted) << rules.version;
    if (!ours) continue;
    EXPECT_EQ(ours->event.event()->event_id(), join->event_id());
    EXPECT_EQ(Verification::required_keys(join, rules).error().code, Code::kInvalidSignature) << "without ours";
    auto keys = Verification::required_keys(join, rules, &kOurs);
    ASSERT_TRUE(keys) << keys.error().message;
    ASSERT_EQ(keys->size(), 1u);
    EXPECT_EQ(keys->front().server, kTheirs);
    // What everybody else sees now.
    ServerKey own{kOurKey.public_key(), kNow}, their{kTheirKey.public_key(), kNow};
    auto lookup = [&](const ServerName& server, const SigningKeyId&) { return server == kOurs ? &own : &their; };
    auto parsed = Event::parse(ours->event.event()->text(), rules).value();
    EXPECT_TRUE(Verification::verify(parsed, rules, lookup)) << rules.version;

    // What others wrote under our name does not go out with ours.
    auto with_more = join->object();
    with_more["signatures"].as_object()["ours.example"] = json::Object{{"ed25519:old", "AAAA"}, {"ed25519:k", "x"}};
    auto cleaned = countersign(Event::parse(json::serialize(with_more), rules).value(), rules);
    ASSERT_TRUE(cleaned) << cleaned.error().message;
    EXPECT_EQ(cleaned->event.event()->text(), ours->event.event()->text());

    auto unsigned_join = join->object();
    unsigned_join["signatures"].as_object().clear();
    auto refused = countersign(Event::parse(json::serialize(unsigned_join), rules).value(), rules);
    EXPECT_EQ(refused.error().code, Code::kInvalidSignature) << "ours alone is none";
    auto changed = join->object();
    changed["content"].as_object()["displayname"] = "Ada";  // its hash is wrong now
    auto redacted = countersign(Event::parse(json::serialize(changed), rules).value(), rules);
    bool keeps_authoriser = redact(join->object(), rules).at("content").as_object().size() == 2;
    ASSERT_EQ(redacted.has_value(), keeps_authoriser) << rules.version;
    if (redacted) EXPECT_TRUE(redacted->redacted && !redacted->event.event()->content().contains("displayname"));
  }
}

}  // namespace
}  // namespace myelin
