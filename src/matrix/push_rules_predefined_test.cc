// The predefined rules to the letter, and what a condition on power levels asks for.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "matrix/push_rules.h"
#include "matrix/testing/event.h"

namespace myelin {
namespace {

const UserId kUser = UserId::trusted("@bob:x");

// Client-server API v1.19, Predefined Rules: all of them, as @bob:x has them.
constexpr std::string_view kOverride = R"([
  {"rule_id": ".m.rule.master", "default": true, "enabled": false, "conditions": [], "actions": []},
  {"rule_id": ".m.rule.suppress_notices", "default": true, "enabled": true,
    "conditions": [{"kind": "event_match", "key": "content.msgtype", "pattern": "m.notice"}],
    "actions": []},
  {"rule_id": ".m.rule.invite_for_me", "default": true, "enabled": true,
    "conditions": [
      {"kind": "event_match", "key": "type", "pattern": "m.room.member"},
      {"kind": "event_match", "key": "content.membership", "pattern": "invite"},
      {"kind": "event_match", "key": "state_key", "pattern": "@bob:x"}],
    "actions": ["notify", {"set_tweak": "sound", "value": "default"}]},
  {"rule_id": ".m.rule.member_event", "default": true, "enabled": true,
    "conditions": [{"kind": "event_match", "key": "type", "pattern": "m.room.member"}],
    "actions": []},
  {"rule_id": ".m.rule.is_user_mention", "default": true, "enabled": true,
    "conditions": [{"kind": "event_property_contains", "key": "content.m\\.mentions.user_ids", "value": "@bob:x"}],
    "actions": ["notify", {"set_tweak": "sound", "value": "default"}, {"set_tweak": "highlight"}]},
  {"rule_id": ".m.rule.is_room_mention", "default": true, "enabled": true,
    "conditions": [
      {"kind": "event_property_is", "key": "content.m\\.mentions.room", "value": true},
      {"kind": "sender_notification_permission", "key": "room"}],
    "actions": ["notify", {"set_tweak": "highlight"}]},
  {"rule_id": ".m.rule.tombstone", "default": true, "enabled": true,
    "conditions": [
      {"kind": "event_match", "key": "type", "pattern": "m.room.tombstone"},
      {"kind": "event_match", "key": "state_key", "pattern": ""}],
    "actions": ["notify", {"set_tweak": "highlight"}]},
  {"rule_id": ".m.rule.reaction", "default": true, "enabled": true,
    "conditions": [{"kind": "event_match", "key": "type", "pattern": "m.reaction"}],
    "actions": []},
  {"rule_id": ".m.rule.room.server_acl", "default": true, "enabled": true,
    "conditions": [
      {"kind": "event_match", "key": "type", "pattern": "m.room.server_acl"},
      {"kind": "event_match", "key": "state_key", "pattern": ""}],
    "actions": []},
  {"rule_id": ".m.rule.suppress_edits", "default": true, "enabled": true,
    "conditions": [{"kind": "event_property_is", "key": "content.m\\.relates_to.rel_type", "value": "m.replace"}],
    "actions": []}
])";

constexpr std::string_view kUnderride = R"([
  {"rule_id": ".m.rule.call", "default": true, "enabled": true,
    "conditions": [{"kind": "event_match", "key": "type", "pattern": "m.call.invite"}],
    "actions": ["notify", {"set_tweak": "sound", "value": "ring"}]},
  {"rule_id": ".m.rule.encrypted_room_one_to_one", "default": true, "enabled": true,
    "conditions": [
      {"kind": "room_member_count", "is": "2"},
      {"kind": "event_match", "key": "type", "pattern": "m.room.encrypted"}],
    "actions": ["notify", {"set_tweak": "sound", "value": "default"}]},
  {"rule_id": ".m.rule.room_one_to_one", "default": true, "enabled": true,
    "conditions": [
      {"kind": "room_member_count", "is": "2"},
      {"kind": "event_match", "key": "type", "pattern": "m.room.message"}],
    "actions": ["notify", {"set_tweak": "sound", "value": "default"}]},
  {"rule_id": ".m.rule.message", "default": true, "enabled": true,
    "conditions": [{"kind": "event_match", "key": "type", "pattern": "m.room.message"}],
    "actions": ["notify"]},
  {"rule_id": ".m.rule.encrypted", "default": true, "enabled": true,
    "conditions": [{"kind": "event_match", "key": "type", "pattern": "m.room.encrypted"}],
    "actions": ["notify"]}
])";

TEST(PredefinedPushRules, HaveTheConditionsAndActionsOfTheSpecification) {
  auto rules = default_push_rules(kUser);
  EXPECT_EQ(rules.size(), 1U);
  auto& global = rules.at("global").as_object();
  EXPECT_EQ(global.size(), 5U);
  for (auto [kind, text] : {std::pair{"override", kOverride},
                            {"underride", kUnderride},
                            {"content", "[]"},
                            {"room", "[]"},
                            {"sender", "[]"}}) {
    auto& found = global.at(kind).as_array();
    auto expected = json::parse(text)->as_array();
    ASSERT_EQ(found.size(), expected.size()) << kind;
    for (size_t i = 0; i < found.size(); ++i)
      EXPECT_EQ(*json::canonical(found[i], json::CanonicalMode::kStrict),
                *json::canonical(expected[i], json::CanonicalMode::kStrict));
  }
}

// May Alice, who has this level, make a notification of the kind `key` in a room with these power levels?
bool may_notify(std::string_view key, int64_t alice, std::string_view notifications) {
  auto levels = testing::make_event(
      fmt::format(R"({{"type":"m.room.power_levels","state_key":"","content":{{"users":{{"@alice:x":{}}}{}}}}})", alice,
                  notifications.empty() ? "" : fmt::format(R"(,"notifications":{})", notifications)));
  auto rules = json::parse_object(fmt::format(
      R"({{"global":{{"override":[{{"rule_id":"r","actions":["notify"],
           "conditions":[{{"kind":"sender_notification_permission","key":"{}"}}]}}]}}}})",
      key));
  PushContext context;
  context.user = kUser;
  context.power_levels.emplace(*find_room_version("11"), levels.get(), nullptr);
  return PushRules::compile(*rules).evaluate(*testing::make_event("{}"), context).notify;
}

// The key names an entry of `notifications`; without one 50 is needed.
TEST(PushConditions, SenderNotificationPermissionOfAnyKey) {
  struct {
    const char *key, *notifications;
    int64_t needed;
  } cases[] = {
      {"x", R"({"x":60})", 60},
      {"x", R"({"x":0})", 0},
      {"x", R"({"x":-5,"room":70})", -5},
      {"x", R"({"room":70})", 50},
      {"x", "{}", 50},
      {"x", "", 50},
      {"room", R"({"x":60})", 50},
      {"", R"({"":60})", 60},
      {"", R"({"x":60})", 50},
      {"a.b", R"({"a":{"b":60}})", 50},
      {"a.b", R"({"a.b":60})", 60},
  };
  for (auto& c : cases) {
    EXPECT_TRUE(may_notify(c.key, c.needed, c.notifications)) << c.key << " " << c.notifications;
    EXPECT_FALSE(may_notify(c.key, c.needed - 1, c.notifications)) << c.key << " " << c.notifications;
  }
}

}  // namespace
}  // namespace myelin
