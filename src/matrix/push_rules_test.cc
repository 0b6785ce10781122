#include "matrix/push_rules.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "matrix/testing/event.h"

namespace myelin {
namespace {

using testing::make_event;

const UserId kUser = UserId::trusted("@bob:x");

PushContext context(int64_t members = 5) {
  PushContext c;
  c.user = kUser;
  c.member_count = members;
  return c;
}
PushVerdict by_default(std::string_view event, const PushContext& c = context()) {
  return PushRules::compile(default_push_rules(kUser)).evaluate(*make_event(event), c);
}

// Predefined Rules: what each decides, and its near misses.
TEST(DefaultPushRules, EachDecides) {
  struct {
    const char* event;
    int64_t members;
    const char* rule;
    bool notify, highlight;
    const char* sound;
  } cases[] = {
      {R"({"content":{"msgtype":"m.notice","body":"x"}})", 5, ".m.rule.suppress_notices", false, false, ""},
      {R"({"content":{"msgtype":"m.text","body":"x"}})", 5, ".m.rule.message", true, false, ""},
      {R"({"type":"m.room.member","state_key":"@bob:x","content":{"membership":"invite"}})", 5, ".m.rule.invite_for_me",
       true, false, "default"},
      {R"({"type":"m.room.member","state_key":"@eve:x","content":{"membership":"invite"}})", 5, ".m.rule.member_event",
       false, false, ""},
      {R"({"type":"m.room.member","state_key":"@bob:x","content":{"membership":"join"}})", 5, ".m.rule.member_event",
       false, false, ""},
      {R"({"content":{"m.mentions":{"user_ids":["@eve:x","@bob:x"]}}})", 5, ".m.rule.is_user_mention", true, true,
       "default"},
      {R"({"content":{"m.mentions":{"user_ids":["@bob:x.org"]}}})", 5, ".m.rule.message", true, false, ""},
      {R"({"content":{"m.mentions":{"user_ids":"@bob:x"}}})", 5, ".m.rule.message", true, false, ""},
      {R"({"content":{"m.mentions":{"room":true}}})", 5, ".m.rule.message", true, false,
       ""},  // sender without the power
      {R"({"type":"m.room.tombstone","state_key":"","content":{}})", 5, ".m.rule.tombstone", true, true, ""},
      {R"({"type":"m.room.tombstone","state_key":"x","content":{}})", 5, "", false, false, ""},
      {R"({"type":"m.room.tombstone","content":{}})", 5, "", false, false, ""},
      {R"({"type":"m.reaction","content":{}})", 2, ".m.rule.reaction", false, false, ""},
      {R"({"type":"m.room.server_acl","state_key":"","content":{}})", 5, ".m.rule.room.server_acl", false, false, ""},
      {R"({"type":"m.room.server_acl","content":{}})", 5, "", false, false, ""},
      {R"({"content":{"body":"* x","m.relates_to":{"rel_type":"m.replace"}}})", 5, ".m.rule.suppress_edits", false,
       false, ""},
      {R"({"content":{"body":"x","m.relates_to":{"rel_type":"m.thread"}}})", 5, ".m.rule.message", true, false, ""},
      {R"({"type":"m.call.invite","content":{}})", 5, ".m.rule.call", true, false, "ring"},
      {R"({"type":"m.call.hangup","content":{}})", 5, "", false, false, ""},
      {R"({"type":"m.room.encrypted","content":{}})", 2, ".m.rule.encrypted_room_one_to_one", true, false, "default"},
      {R"({"type":"m.room.encrypted","content":{}})", 3, ".m.rule.encrypted", true, false, ""},
      {R"({"content":{"body":"hi"}})", 2, ".m.rule.room_one_to_one", true, false, "default"},
      {R"({"content":{"body":"hi"}})", 1, ".m.rule.message", true, false, ""},
      {R"({"type":"org.example.other","content":{"body":"bob"}})", 2, "", false, false, ""},
      {R"({"type":"m.room.topic","state_key":"","content":{"topic":"t"}})", 2, "", false, false, ""},
  };
  for (auto& c : cases) {
    auto verdict = by_default(c.event, context(c.members));
    EXPECT_EQ(verdict.rule_id, c.rule) << c.event;
    EXPECT_EQ(verdict.notify, c.notify) << c.event;
    EXPECT_EQ(verdict.highlight, c.highlight) << c.event;
    EXPECT_EQ(json::string_at(verdict.tweaks, "sound").value_or(""), c.sound) << c.event;
  }
}

TEST(DefaultPushRules, AreThoseOfTheSpecificationInOrder) {
  auto rules = default_push_rules(kUser);
  auto ids = [&](const char* kind) {
    std::vector<std::string> out;
    for (auto& rule : rules.at("global").at(kind).as_array()) {
      out.emplace_back(rule.at("rule_id").as_string());
      EXPECT_EQ(rule.at("default"), true);
      EXPECT_EQ(rule.at("enabled"), out.back() != ".m.rule.master");
    }
    return out;
  };
  EXPECT_EQ(ids("override"),
            (std::vector<std::string>{".m.rule.master", ".m.rule.suppress_notices", ".m.rule.invite_for_me",
                                      ".m.rule.member_event", ".m.rule.is_user_mention", ".m.rule.is_room_mention",
                                      ".m.rule.tombstone", ".m.rule.reaction", ".m.rule.room.server_acl",
                                      ".m.rule.suppress_edits"}));
  EXPECT_EQ(ids("underride"),
            (std::vector<std::string>{".m.rule.call", ".m.rule.encrypted_room_one_to_one", ".m.rule.room_one_to_one",
                                      ".m.rule.message", ".m.rule.encrypted"}));
  for (auto kind : {"content", "room", "sender"}) EXPECT_TRUE(ids(kind).empty());
}

// Which rule decides on a mention of the room by Alice, who has this level, in a room with these `notifications`.
std::string room_mention(int64_t alice, std::string_view notifications, std::string_view version = "11") {
  auto levels = make_event(fmt::format(R"({{"type":"m.room.power_levels","state_key":"",
                                           "content":{{"users":{{"@alice:x":{}}},"notifications":{}}}}})",
                                       alice, notifications),
                           version);
  auto c = context();
  c.power_levels.emplace(*find_room_version(version), levels.get(), nullptr);
  return by_default(R"({"content":{"m.mentions":{"room":true}}})", c).rule_id;
}

TEST(DefaultPushRules, RoomMentionNeedsThePower) {
  EXPECT_EQ(room_mention(49, "{}"), ".m.rule.message");
  EXPECT_EQ(room_mention(50, "{}"), ".m.rule.is_room_mention");
  auto c = context();
  EXPECT_EQ(by_default(R"({"content":{"m.mentions":{"room":true}}})", c).rule_id, ".m.rule.message");
  auto create = make_event(R"({"type":"m.room.create","state_key":"","content":{}})");
  c.power_levels.emplace(*find_room_version("11"), nullptr, create.get());
  auto verdict = by_default(R"({"content":{"m.mentions":{"room":true}}})", c);
  EXPECT_EQ(verdict.rule_id, ".m.rule.is_room_mention") << "a creator without power levels";
  EXPECT_TRUE(verdict.highlight);
  for (auto not_true : {R"({"content":{"m.mentions":{"room":"true"}}})", R"({"content":{"m.mentions":{"room":1}}})"})
    EXPECT_EQ(by_default(not_true, c).rule_id, ".m.rule.message");
}

// Attack 2: the level that a notification needs is read as every other level of the room.
TEST(DefaultPushRules, Attack02RoomMentionsReadOddLevelsAsAuthRulesDo) {
  struct {
    const char *version, *notifications;
    int64_t needed;
  } cases[] = {
      {"11", R"({"room":60})", 60},    {"11", R"({"room":"60"})", 50},   {"10", R"({"room":" +60 "})", 50},
      {"9", R"({"room":"60"})", 60},   {"9", R"({"room":" +60 "})", 60}, {"1", R"({"room":" +60 "})", 60},
      {"9", R"({"room":"-60"})", -60}, {"9", R"({"room":"60x"})", 50},   {"9", R"({"room":""})", 50},
      {"5", R"({"room":60.0})", 60},   {"5", R"({"room":60.9})", 60},    {"1", R"({"room":-0.5})", 0},
      {"5", R"({"room":true})", 50},   {"5", R"({"room":null})", 50},    {"5", R"([60])", 50},
      {"5", R"({"other":60})", 50},    {"9", R"({"room":"0x10"})", 50},  {"9", R"({"room":"\t60\n"})", 60},
  };
  for (auto& c : cases) {
    EXPECT_EQ(room_mention(c.needed, c.notifications, c.version), ".m.rule.is_room_mention")
        << c.notifications << " in version " << c.version;
    EXPECT_EQ(room_mention(c.needed - 1, c.notifications, c.version), ".m.rule.message")
        << c.notifications << " in version " << c.version;
  }
}

TEST(DefaultPushRules, MasterSilencesEverything) {
  auto rules = default_push_rules(kUser);
  ASSERT_TRUE(enable_push_rule(rules, PushRuleKind::kOverride, ".m.rule.master", true));
  auto verdict = PushRules::compile(rules).evaluate(
      *make_event(R"({"content":{"m.mentions":{"user_ids":["@bob:x"]}}})"), context());
  EXPECT_EQ(verdict.rule_id, ".m.rule.master");
  EXPECT_FALSE(verdict.notify);
}

TEST(PushRules, OwnEventsNeverNotify) {
  EXPECT_FALSE(by_default(R"({"sender":"@bob:x","content":{"body":"hi"}})").notify);
}

// One override rule with one condition; does it match?
bool holds(std::string_view condition, std::string_view event, const PushContext& c = context()) {
  json::Object rule{{"rule_id", "r"}, {"enabled", true}};
  json::Array conditions;
  conditions.push_back(*json::parse(condition));
  rule["conditions"] = conditions;
  json::Array actions;
  actions.emplace_back("notify");
  rule["actions"] = actions;
  json::Array rules;
  rules.push_back(rule);
  json::Object content{{"global", json::Object{{"override", rules}}}};
  return PushRules::compile(content).evaluate(*make_event(event), c).notify;
}

TEST(PushConditions, EventMatch) {
  struct {
    const char *key, *pattern, *event;
    bool matches;
  } cases[] = {
      {"content.topic", "lunc?*", R"({"content":{"topic":"Lunch plans"}})", true},
      {"content.topic", "lunc?*", R"({"content":{"topic":"LUNCH"}})", true},
      {"content.topic", "lunc?*", R"({"content":{"topic":" lunch"}})", false},
      {"content.topic", "lunc?*", R"({"content":{"topic":"lunc"}})", false},
      {"content.topic", "lunc?*", R"({"content":{"topic":null}})", false},
      {"content.topic", "*", R"({"content":{}})", false},
      {"content.topic", "*", R"({"content":{"topic":5}})", false},
      {"content.body", "ex*ple", R"({"content":{"body":"An example event."}})", true},
      {"content.body", "ex*ple", R"({"content":{"body":"exple"}})", true},
      {"content.body", "ex*ple", R"({"content":{"body":"An exciting triple-whammy"}})", true},
      {"content.body", "example", R"({"content":{"body":"examples"}})", false},
      {"content\\\\.body", "x", R"({"content":{"body":"x"}})", false},
      {"content.m\\\\.relates_to.rel_type", "m.*", R"({"content":{"m.relates_to":{"rel_type":"m.thread"}}})", true},
      {"content.m.relates_to.rel_type", "m.*", R"({"content":{"m.relates_to":{"rel_type":"m.thread"}}})", false},
      {"content.a\\\\\\\\b", "x", R"({"content":{"a\\b":"x"}})", true},
      {"content.a\\\\xb", "x", R"({"content":{"a\\xb":"x"}})", true},  // other escapes stay as they are
      {"content.a\\\\", "x", R"({"content":{"a\\":"x"}})", true},
      {"room_id", "!r:x", "{}", true},
      {"sender", "@ALICE:x", "{}", true},
      {"state_key", "", R"({"state_key":""})", true},
      {"state_key", "", "{}", false},
      {"type", "m.room.*", "{}", true},
      {"", "*", "{}", false},
      {"content.", "x", R"({"content":{"":"x"}})", true},
      {"content.list.0", "x", R"({"content":{"list":["x"]}})", false},
  };
  for (auto& c : cases)
    EXPECT_EQ(holds(std::string(R"({"kind":"event_match","key":")") + c.key + R"(","pattern":")" + c.pattern + "\"}",
                    c.event),
              c.matches)
        << c.key << " " << c.pattern << " " << c.event;
}

// A thousand conditions on one property fold it once: a second and a half before, for 64 KB.
TEST(PushConditions, Attack18APropertyIsReadOnceForAllConditions) {
  std::string text;
  for (int i = 0; i < 16'000; ++i) text += "ß";
  json::Object content{{"x", text}, {"y", "Y"}, {"body", "bob"}};
  auto event = make_event(json::serialize(json::Object{{"content", content}}));
  json::Array conditions;
  for (int i = 0; i < 20'000; ++i)
    conditions.push_back(json::Object{{"kind", "event_match"}, {"key", "content.x"}, {"pattern", "*"}});
  for (auto key : {"content.y", "content.x"})
    conditions.push_back(json::Object{{"kind", "event_match"}, {"key", key}, {"pattern", key[8] == 'y' ? "y" : "ß*"}});
  for (int i = 0; i < 2; ++i) conditions.push_back(json::Object{{"kind", "contains_display_name"}});
  json::Object rule{
      {"rule_id", "r"}, {"enabled", true}, {"conditions", conditions}, {"actions", json::Array{"notify"}}};
  auto rules = PushRules::compile({{"global", json::Object{{"override", json::Array{rule}}}}});
  auto bob = context();
  bob.display_name = "Bob";
  EXPECT_TRUE(rules.evaluate(*event, bob).notify);
  for (auto& condition : conditions)
    condition = json::Object{{"kind", "event_match"}, {"key", "content.x"}, {"pattern", "?"}};
  rule["conditions"] = conditions;
  auto larger = PushRules::compile({{"global", json::Object{{"override", json::Array{rule}}}}});
  EXPECT_GT(larger.memory_bytes(), rules.memory_bytes() + 20'000 * 150) << "tables for the question marks";
}

TEST(PushConditions, EventPropertyIs) {
  struct {
    const char *value, *event;
    bool matches;
  } cases[] = {
      {"true", R"({"content":{"m.federate":true}})", true}, {"true", R"({"content":{"m.federate":"true"}})", false},
      {"true", R"({"content":{"m.federate":1}})", false},   {"true", R"({"content":{}})", false},
      {"null", R"({"content":{"m.federate":null}})", true}, {"null", R"({"content":{}})", false},
      {"5", R"({"content":{"m.federate":5}})", true},       {"5", R"({"content":{"m.federate":"5"}})", false},
      {"\"a\"", R"({"content":{"m.federate":"a"}})", true}, {"\"a\"", R"({"content":{"m.federate":"A"}})", false},
      {"[]", R"({"content":{"m.federate":[]}})", false},    {"{}", R"({"content":{"m.federate":{}}})", false},
  };
  for (auto& c : cases)
    EXPECT_EQ(holds(std::string(R"({"kind":"event_property_is","key":"content.m\\.federate","value":)") + c.value + "}",
                    c.event),
              c.matches)
        << c.value << " " << c.event;
  // Ids that the event may not carry itself.
  auto event = make_event("{}");
  for (auto [key, id] : {std::pair("event_id", event->event_id().str()), {"room_id", event->room_id().str()}}) {
    json::Object condition{{"kind", "event_property_is"}, {"key", key}, {"value", id}};
    EXPECT_TRUE(holds(json::serialize(condition), "{}")) << key;
    condition["value"] = id + "x";
    EXPECT_FALSE(holds(json::serialize(condition), "{}")) << key;
  }
}

TEST(PushConditions, EventPropertyContains) {
  auto with = [](std::string_view value, std::string_view list) {
    return holds(R"({"kind":"event_property_contains","key":"content.l","value":)" + std::string(value) + "}",
                 R"({"content":{"l":)" + std::string(list) + "}}");
  };
  EXPECT_TRUE(with("\"#myroom:example.com\"", R"(["#somewhere:example.org","#myroom:example.com"])"));
  EXPECT_FALSE(with("\":example.com\"", R"(["#myroom:example.com"])"));
  EXPECT_TRUE(with("1", R"([{},[],1])"));
  EXPECT_FALSE(with("1", R"(["1",true])"));
  EXPECT_FALSE(with("\"a\"", "\"a\""));
  EXPECT_FALSE(with("{}", "[{}]"));
  EXPECT_TRUE(with("null", "[null]"));
}

TEST(PushConditions, ContainsDisplayName) {
  auto condition = R"({"kind":"contains_display_name"})";
  auto c = context();
  auto says = [&](std::string_view body) {
    json::Object content{{"body", body}};
    return holds(condition, json::serialize(json::Object{{"content", content}}), c);
  };
  EXPECT_FALSE(says("anything"));  // no name
  c.display_name = "Bob*";
  EXPECT_TRUE(says("hi bob*!"));
  EXPECT_FALSE(says("hi bobby"));  // no wildcard
  c.display_name = "Élodie";
  EXPECT_TRUE(says("salut, élodie."));
  for (int i = 0; i < 80; ++i) c.display_name += "字";
  EXPECT_TRUE(says("salut, " + c.display_name)) << "256 bytes and more";
  EXPECT_FALSE(holds(condition, R"({"content":{"body":5}})", c));
}

TEST(PushConditions, RoomMemberCount) {
  struct {
    const char* is;
    bool one, two, three;
  } cases[] = {
      {"2", false, true, false},
      {"==2", false, true, false},
      {"<2", true, false, false},
      {">2", false, false, true},
      {"<=2", true, true, false},
      {">=2", false, true, true},
      {"=2", false, false, false},
      {"!2", false, false, false},
      {"2 ", false, false, false},
      {"", false, false, false},
      {"two", false, false, false},
      {"2.0", false, false, false},
      {"99999999999999999999", false, false, false},
  };
  for (auto& c : cases) {
    auto condition = std::string(R"({"kind":"room_member_count","is":")") + c.is + "\"}";
    EXPECT_EQ(holds(condition, "{}", context(1)), c.one) << c.is;
    EXPECT_EQ(holds(condition, "{}", context(2)), c.two) << c.is;
    EXPECT_EQ(holds(condition, "{}", context(3)), c.three) << c.is;
  }
}

TEST(PushConditions, UnknownOrMalformedNeverMatch) {
  for (auto condition : {R"({"kind":"org.example.new"})", R"({"kind":"device"})", R"({})", R"("x")", R"({"kind":5})",
                         R"({"kind":"event_match"})", R"({"kind":"event_match","key":"type"})",
                         R"({"kind":"event_match","key":"type","pattern":5})",
                         R"({"kind":"event_property_is","key":"type"})", R"({"kind":"room_member_count"})",
                         R"({"kind":"room_member_count","is":2})", R"({"kind":"sender_notification_permission"})"})
    EXPECT_FALSE(holds(condition, "{}", context(2))) << condition;
}

json::Object user_rules() { return default_push_rules(kUser); }
json::Object body(std::string_view text) { return *json::parse_object(text); }
PushVerdict evaluate(const json::Object& rules, std::string_view event) {
  return PushRules::compile(rules).evaluate(*make_event(event), context());
}

TEST(PushRules, KindsAreTriedInOrder) {
  auto rules = user_rules();
  auto event = R"({"content":{"body":"tea time"}})";
  auto notify = R"({"actions":["notify"]})";
  EXPECT_EQ(evaluate(rules, event).rule_id, ".m.rule.message");
  ASSERT_TRUE(put_push_rule(rules, PushRuleKind::kUnderride, "under", body(notify)));
  EXPECT_EQ(evaluate(rules, event).rule_id, "under");
  ASSERT_TRUE(put_push_rule(rules, PushRuleKind::kSender, "@alice:x", body(notify)));
  EXPECT_EQ(evaluate(rules, event).rule_id, "@alice:x");
  ASSERT_TRUE(put_push_rule(rules, PushRuleKind::kRoom, "!r:x", body(notify)));
  EXPECT_EQ(evaluate(rules, event).rule_id, "!r:x");
  ASSERT_TRUE(put_push_rule(rules, PushRuleKind::kContent, "tea", body(R"({"pattern":"tea","actions":["notify"]})")));
  EXPECT_EQ(evaluate(rules, event).rule_id, "tea");
  ASSERT_TRUE(
      put_push_rule(rules, PushRuleKind::kOverride, "over", body(R"({"conditions":[],"actions":["dont_notify"]})")));
  EXPECT_EQ(evaluate(rules, event).rule_id, "over");
  EXPECT_FALSE(evaluate(rules, event).notify);
  ASSERT_TRUE(enable_push_rule(rules, PushRuleKind::kOverride, "over", false));
  EXPECT_EQ(evaluate(rules, event).rule_id, "tea");
}

TEST(PushRules, ActionsAndTweaks) {
  auto rules = user_rules();
  auto set = [&](std::string_view actions) {
    EXPECT_TRUE(put_push_rule(rules, PushRuleKind::kRoom, "!r:x", {{"actions", *json::parse(actions)}}));
    return evaluate(rules, "{}");
  };
  EXPECT_TRUE(set(R"(["notify",{"set_tweak":"highlight"}])").highlight);
  EXPECT_FALSE(set(R"(["notify",{"set_tweak":"highlight","value":false}])").highlight);
  EXPECT_FALSE(set(R"([{"set_tweak":"highlight"}])").highlight);
  EXPECT_FALSE(set(R"([{"set_tweak":"highlight"}])").notify);
  EXPECT_FALSE(set(R"(["coalesce"])").notify);
  EXPECT_FALSE(set("[]").notify);
  EXPECT_EQ(json::serialize(
                set(R"(["notify",{"set_tweak":"sound","value":"ping.wav"},{"set_tweak":"x","value":{"y":1}}])").tweaks),
            R"({"sound":"ping.wav","x":{"y":1}})");
}

TEST(PushRules, MalformedContentNeverMatches) {
  for (auto content :
       {"{}", R"({"global":5})", R"({"global":{"override":5,"room":{}}})",
        R"({"global":{"override":[5,{},{"rule_id":1}],"content":[{"rule_id":"x","actions":["notify"]}]}})",
        R"({"global":{"override":[{"rule_id":"x","conditions":{},"actions":["notify"]}]}})",
        R"({"global":{"override":[{"rule_id":"x","enabled":false,"actions":["notify"]}]}})"})
    EXPECT_FALSE(evaluate(*json::parse_object(content), R"({"content":{"body":"x"}})").notify) << content;
}

std::vector<std::string> own_ids(const json::Object& rules, const char* kind) {
  std::vector<std::string> out;
  for (auto& rule : rules.at("global").at(kind).as_array())
    if (rule.at("default") == false) out.emplace_back(rule.at("rule_id").as_string());
  return out;
}

TEST(PushRuleEdits, PlacesRules) {
  auto rules = user_rules();
  auto put = [&](std::string_view id, PushRulePlace place = {}) {
    return put_push_rule(rules, PushRuleKind::kOverride, id, body(R"({"conditions":[],"actions":[]})"), place);
  };
  using Ids = std::vector<std::string>;
  ASSERT_TRUE(put("a"));
  ASSERT_TRUE(put("b"));
  EXPECT_EQ(own_ids(rules, "override"), (Ids{"b", "a"}));  // the newest is the most important
  ASSERT_TRUE(put("c", {.before = "a"}));
  EXPECT_EQ(own_ids(rules, "override"), (Ids{"b", "c", "a"}));
  ASSERT_TRUE(put("d", {.after = "a"}));
  EXPECT_EQ(own_ids(rules, "override"), (Ids{"b", "c", "a", "d"}));
  ASSERT_TRUE(put("e", {.before = "d", .after = "b"}));  // before wins
  EXPECT_EQ(own_ids(rules, "override"), (Ids{"b", "c", "a", "e", "d"}));
  ASSERT_TRUE(put("b", {.after = "d"}));  // moves
  EXPECT_EQ(own_ids(rules, "override"), (Ids{"c", "a", "e", "d", "b"}));
  ASSERT_TRUE(put("a"));  // stays
  EXPECT_EQ(own_ids(rules, "override"), (Ids{"c", "a", "e", "d", "b"}));
  auto& list = rules.at("global").at("override").as_array();
  EXPECT_EQ(list.front().at("rule_id"), ".m.rule.master");
  EXPECT_EQ(list[6].at("rule_id"), ".m.rule.suppress_notices");

  auto before = rules;
  for (auto place :
       {PushRulePlace{.before = "none"}, PushRulePlace{.after = "none"}, PushRulePlace{.before = ".m.rule.master"},
        PushRulePlace{.after = ".m.rule.reaction"}, PushRulePlace{.before = "a"}, PushRulePlace{.after = ""}}) {
    auto result = put("a", place);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::kUnknown);
  }
  ASSERT_TRUE(put("a", {.after = "c"}));
  EXPECT_EQ(rules, before);
}

TEST(PushRuleEdits, KeepsWhatTheSpecificationSays) {
  auto rules = user_rules();
  ASSERT_TRUE(
      put_push_rule(rules, PushRuleKind::kContent, "cake",
                    body(R"({"pattern":"cake*lie","actions":["notify","dont_notify"],"extra":1,"enabled":false})")));
  EXPECT_EQ(
      json::serialize(**find_push_rule(rules, PushRuleKind::kContent, "cake")),
      R"({"rule_id":"cake","default":false,"enabled":true,"actions":["notify","dont_notify"],"pattern":"cake*lie"})");
  ASSERT_TRUE(enable_push_rule(rules, PushRuleKind::kContent, "cake", false));
  ASSERT_TRUE(put_push_rule(rules, PushRuleKind::kContent, "cake", body(R"({"pattern":"pie","actions":[]})")));
  EXPECT_EQ(json::serialize(**find_push_rule(rules, PushRuleKind::kContent, "cake")),
            R"({"rule_id":"cake","default":false,"enabled":false,"actions":[],"pattern":"pie"})");
  ASSERT_TRUE(set_push_rule_actions(rules, PushRuleKind::kContent, "cake", *json::parse(R"(["notify"])")));
  EXPECT_EQ((*find_push_rule(rules, PushRuleKind::kContent, "cake"))->at("actions").as_array().size(), 1u);
  ASSERT_TRUE(set_push_rule_actions(rules, PushRuleKind::kUnderride, ".m.rule.message", json::Array()));
  EXPECT_FALSE(evaluate(rules, R"({"content":{"body":"x"}})").notify);
}

TEST(PushRuleEdits, RefusesWhatIsWrong) {
  auto rules = user_rules();
  auto before = rules;
  auto put = [&](PushRuleKind kind, std::string_view id, std::string_view text) {
    auto result = put_push_rule(rules, kind, id, body(text));
    return result ? Code::kInternal : result.error().code;
  };
  auto ok = R"({"actions":["notify"],"conditions":[],"pattern":"x"})";
  for (auto id : {"", ".m.rule.master", ".mine", "a/b", "a\\b", "\xff"})
    EXPECT_EQ(put(PushRuleKind::kOverride, id, ok), Code::kInvalidParam) << id;
  EXPECT_EQ(put(PushRuleKind::kOverride, std::string(256, 'i'), ok), Code::kInvalidParam);
  for (auto text : {"{}", R"({"actions":"notify"})", R"({"actions":[5]})", R"({"actions":["shout"]})",
                    R"({"actions":[{"value":1}]})", R"({"actions":[],"conditions":5})",
                    R"({"actions":[],"conditions":[5]})", R"({"actions":[],"conditions":[{}]})"})
    EXPECT_EQ(put(PushRuleKind::kOverride, "r", text), Code::kBadJson) << text;
  EXPECT_EQ(put(PushRuleKind::kContent, "r", R"({"actions":[]})"), Code::kBadJson);
  EXPECT_EQ(delete_push_rule(rules, PushRuleKind::kOverride, ".m.rule.master").error().code, Code::kInvalidParam);
  EXPECT_EQ(delete_push_rule(rules, PushRuleKind::kRoom, "!r:x").error().code, Code::kNotFound);
  EXPECT_EQ(enable_push_rule(rules, PushRuleKind::kRoom, "!r:x", true).error().code, Code::kNotFound);
  EXPECT_EQ(set_push_rule_actions(rules, PushRuleKind::kRoom, "!r:x", json::Array()).error().code, Code::kNotFound);
  EXPECT_EQ(set_push_rule_actions(rules, PushRuleKind::kOverride, ".m.rule.master", 5).error().code, Code::kBadJson);
  EXPECT_EQ(find_push_rule(rules, PushRuleKind::kRoom, "").error().code, Code::kNotFound);
  EXPECT_EQ(rules, before);
  ASSERT_TRUE(put_push_rule(rules, PushRuleKind::kRoom, "!r:x", body(ok)));
  ASSERT_TRUE(delete_push_rule(rules, PushRuleKind::kRoom, "!r:x"));
  EXPECT_EQ(rules, before);
}

TEST(PushRuleEdits, AreCapped) {
  auto rules = user_rules();
  std::string pattern(30000, 'x');
  auto big = json::Object{{"actions", json::Array()}, {"pattern", pattern}};
  ASSERT_TRUE(put_push_rule(rules, PushRuleKind::kContent, "1", big));
  ASSERT_TRUE(put_push_rule(rules, PushRuleKind::kContent, "2", big));
  auto before = rules;
  EXPECT_EQ(put_push_rule(rules, PushRuleKind::kContent, "3", big).error().code, Code::kTooLarge);
  EXPECT_EQ(rules, before);
  auto& rooms = rules["global"].as_object()["room"].as_array();
  for (size_t i = 0; i < kMaxRoomAndSenderRules; ++i)
    rooms.push_back(
        json::Object{{"rule_id", "!" + std::to_string(i) + ":x"}, {"default", false}, {"actions", json::Array()}});
  EXPECT_EQ(put_push_rule(rules, PushRuleKind::kSender, "@a:x", body(R"({"actions":[]})")).error().code,
            Code::kTooLarge);
}

TEST(PushRuleEdits, Attack18WhatIsAcceptedCanBeReadAgain) {
  auto tweak = [](json::Value value) {
    return json::Value(json::Object{{"set_tweak", "x"}, {"value", std::move(value)}});
  };
  auto deep = [&](size_t depth) { return tweak(*json::parse(std::string(depth, '[') + std::string(depth, ']'))); };
  auto rules = user_rules();
  auto put = [&](PushRuleKind kind, std::string_view id, json::Value action) {
    return put_push_rule(rules, kind, id, {{"actions", json::Array{std::move(action)}}});
  };
  auto set = [&](json::Value action) {
    return set_push_rule_actions(rules, PushRuleKind::kOverride, ".m.rule.master", json::Array{std::move(action)});
  };
  constexpr size_t kAround = 6;  // content, global, a kind, a rule, actions, the action
  auto refused = deep(json::kMaxBodyDepth - kAround + 1);
  EXPECT_EQ(put(PushRuleKind::kRoom, "!a:x", refused).error().code, Code::kBadJson);
  EXPECT_EQ(set(refused).error().code, Code::kBadJson);
  ASSERT_TRUE(put(PushRuleKind::kRoom, "!a:x", deep(json::kMaxBodyDepth - kAround)));
  ASSERT_TRUE(set(deep(json::kMaxBodyDepth - kAround)));

  auto large = tweak(json::Value(std::string(kMaxActionsBytes, 'x')));
  EXPECT_EQ(put(PushRuleKind::kSender, "@a:x", large).error().code, Code::kTooLarge);
  EXPECT_EQ(set(large).error().code, Code::kTooLarge);
  auto allowed = tweak(json::Value(std::string(kMaxActionsBytes - 100, 'x')));
  size_t count = 0;
  while (put(PushRuleKind::kSender, "@" + std::to_string(count) + ":x", allowed)) ++count;
  EXPECT_EQ(count, kMaxPushRulesBytes / kMaxActionsBytes - 1) << "the predefined ones take the rest";
  EXPECT_EQ(json::parse_object(json::serialize(rules)), rules);
  ASSERT_TRUE(delete_push_rule(rules, PushRuleKind::kSender, "@0:x"));
  EXPECT_TRUE(put(PushRuleKind::kSender, "@0:x", allowed));
}

TEST(PushRuleEdits, StoredRulesAreBroughtUpToDate) {
  auto rules = user_rules();
  ASSERT_TRUE(put_push_rule(rules, PushRuleKind::kOverride, "mine", body(R"({"conditions":[],"actions":[]})")));
  ASSERT_TRUE(put_push_rule(rules, PushRuleKind::kRoom, "!r:x", body(R"({"actions":[]})")));
  ASSERT_TRUE(enable_push_rule(rules, PushRuleKind::kOverride, ".m.rule.reaction", false));
  ASSERT_TRUE(set_push_rule_actions(rules, PushRuleKind::kUnderride, ".m.rule.call", json::Array()));
  EXPECT_EQ(with_default_push_rules(rules, kUser), rules);

  auto stored = rules;
  auto& list = stored["global"].as_object()["override"].as_array();
  list.erase(list.begin());  // a rule that came later
  list.push_back(json::Object{{"rule_id", ".m.rule.contains_display_name"}, {"enabled", true}});  // one that is gone
  EXPECT_EQ(with_default_push_rules(stored, kUser), rules);
  EXPECT_EQ(with_default_push_rules({}, kUser), user_rules());
  EXPECT_EQ(with_default_push_rules(*json::parse_object(R"({"global":{"override":[5,{}],"room":5}})"), kUser),
            user_rules());
}

TEST(PushRuleKinds, HaveNames) {
  for (auto name : {"override", "content", "room", "sender", "underride"})
    EXPECT_EQ(name_of(*push_rule_kind(name)), name);
  EXPECT_EQ(push_rule_kind("device"), std::nullopt);
}

}  // namespace
}  // namespace myelin
