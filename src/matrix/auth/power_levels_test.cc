#include "matrix/power_levels.h"

#include <gtest/gtest.h>

#include "matrix/auth/scenes.h"

namespace myelin::auth::scenes {
namespace {

using myelin::testing::object;

// Mod, who has 50 and may change power levels, replaces them.
Result<void> mod_changes(Room& room, std::string_view before, std::string_view after) {
  auto content = object(before);
  if (!content.contains("users")) content["users"] = json::Object{{kMod, 50}};
  room.levels(json::serialize(content));
  auto changed = object(after);
  if (!changed.contains("users")) {
    changed["users"] = room.find("m.room.power_levels", "")->content().at("users");
  } else if (!room.rules().auth.creators_infinite && changed["users"].is_object()) {
    changed["users"].get_object()[kAlice] = 100;
  }
  return room.state(kMod, "m.room.power_levels", "", json::serialize(changed));
}

// Alice sets levels where there are none.
Result<void> first_levels(Room& room, std::string_view content) {
  return room.remove("m.room.power_levels", "").state(kAlice, "m.room.power_levels", "", content);
}

constexpr std::string_view kSingleLevels[] = {"users_default", "events_default", "state_default", "ban",
                                              "redact",        "kick",           "invite"};

Scene change(std::string_view rule, int first, int last, Outcome outcome, std::string_view story,
             std::string_view before, std::string_view after) {
  return {rule, first, last, outcome, story, [=](Room& room) { return mod_changes(room, before, after); }};
}

AUTH_SCENES(AuthPowerLevels, Form) {
  return {
      change("levels: single values are integers", 10, 12, kAllowed, "numbers", "{}", R"({"ban":50})"),
      change("levels: single values are integers", 10, 12, rejected("ban is not an integer"), "a string", "{}",
             R"({"ban":"50"})"),
      change("levels: single values are integers", 10, 12, rejected("invite is not an integer"), "null", "{}",
             R"({"invite":null})"),
      change("levels: single values are integers", 10, 12, rejected("users_default is not an integer"), "a list", "{}",
             R"({"users_default":[]})"),
      change("levels: events are integers", 10, 12, kAllowed, "numbers", "{}", R"({"events":{"m.room.name":10}})"),
      change("levels: events are integers", 10, 12, rejected("m.room.name of events is not an integer"), "a string",
             "{}", R"({"events":{"m.room.name":"10"}})"),
      change("levels: events are integers", 10, 12, rejected("events is not an object"), "no object", "{}",
             R"({"events":[]})"),
      change("levels: notifications are integers", 10, 12, kAllowed, "numbers", "{}",
             R"({"notifications":{"room":10}})"),
      change("levels: notifications are integers", 10, 12, rejected("room of notifications is not an integer"),
             "a string", "{}", R"({"notifications":{"room":"10"}})"),
      change("levels: notifications are integers", 10, 12, rejected("notifications is not an object"), "no object",
             "{}", R"({"notifications":"room"})"),
      change("levels: users", 1, 12, kAllowed, "Bob gets 10", "{}",
             R"({"users":{"@mod:a.example":50,"@bob:a.example":10}})"),
      {"levels: users", 1, 12, kAllowed, "the first levels name no users",
       [](Room& room) { return first_levels(room, "{}"); }},
      {"levels: users", 1, 12, kAllowed, "Alice names users no longer",
       [](Room& room) { return room.state(kAlice, "m.room.power_levels", "", "{}"); }},
      change("levels: users", 1, 12, rejected("users is not an object"), "no object", "{}",
             R"({"users":["@bob:a.example"]})"),
      change("levels: users", 1, 12, rejected("not a user id"), "a key that is no user id", "{}",
             R"({"users":{"@mod:a.example":50,"bob":10}})"),
      change("levels: users", 1, 12, rejected("the level of @bob:a.example is not an integer"),
             "a level that is no number", "{}", R"({"users":{"@mod:a.example":50,"@bob:a.example":"many"}})"),
      change("levels: users", 1, 12, rejected("the level of @bob:a.example is not an integer"), "a level that is null",
             "{}", R"({"users":{"@mod:a.example":50,"@bob:a.example":null}})"),
      change("levels: integers in strings", 1, 9, kAllowed, "with spaces, sign and zeros", "{}",
             R"({"users":{"@mod:a.example":" +0050 ","@bob:a.example":"-7"},"ban":"50"})"),
      change("levels: integers in strings", 1, 9, rejected("the level of @bob:a.example is not an integer"),
             "with a fraction", "{}", R"({"users":{"@mod:a.example":50,"@bob:a.example":"7.5"}})"),
      change("levels: integers in strings", 1, 9, rejected("the level of @bob:a.example is not an integer"),
             "two signs", "{}", R"({"users":{"@mod:a.example":50,"@bob:a.example":"+-7"}})"),
      change("levels: integers in strings", 1, 9, rejected("ban is not a power level"), "nothing but spaces", "{}",
             R"({"ban":"  "})"),
      change("levels: floats", 1, 5, kAllowed, "cut off at the point", "{}",
             R"({"users":{"@mod:a.example":50.9,"@bob:a.example":5.09E1}})"),
      change("levels: floats", 1, 5, rejected("@bob:a.example would be 52"), "52.3 is 52 and above Mod's 50", "{}",
             R"({"users":{"@mod:a.example":50,"@bob:a.example":52.3}})"),
      change("levels: no creators among users", 12, 12, kAllowed, "only others", "{}",
             R"({"users":{"@mod:a.example":50,"@carol:b.example":0}})"),
      change("levels: no creators among users", 12, 12, rejected("has no place among the users"), "Alice made the room",
             "{}", R"({"users":{"@mod:a.example":50,"@alice:a.example":0}})"),
      {"levels: no creators among users", 12, 12, rejected("has no place among the users"),
       "Carol is one of the creators",
       [](Room& room) {
         room.create_content(R"({"additional_creators":["@carol:b.example"]})");
         return mod_changes(room, "{}", R"({"users":{"@mod:a.example":50,"@carol:b.example":0}})");
       }},
      {"levels: no creators among users", 12, 12, rejected("@alice:a.example is a creator"),
       "Alice names herself in the first levels",
       [](Room& room) { return first_levels(room, R"({"users":{"@alice:a.example":100}})"); }},
      {"levels: no creators among users", 12, 12, rejected("@carol:b.example is a creator"),
       "Alice names Carol, one of the creators, in the first levels",
       [](Room& room) {
         room.create_content(R"({"additional_creators":["@carol:b.example"]})");
         return first_levels(room, R"({"users":{"@bob:a.example":50,"@carol:b.example":100}})");
       }},
      {"levels: the first", 1, 12, kAllowed, "Alice sets levels that nobody could set later",
       [](Room& room) { return first_levels(room, R"({"ban":1000,"users":{"@bob:a.example":1000}})"); }},
      {"levels: the first", 1, 12, rejected("m.room.power_levels needs 50"),
       "Bob sets the first levels: without any, that needs 50",
       [](Room& room) {
         room.remove("m.room.power_levels", "");
         return room.state(kBob, "m.room.power_levels", "", R"({"users":{"@bob:a.example":100}})");
       }},
  };
}

AUTH_SCENES(AuthPowerLevels, Alterations) {
  std::vector<Scene> scenes{
      change("levels: events, changed or removed", 1, 12, kAllowed, "what needed 50", R"({"events":{"m.x":50}})", "{}"),
      change("levels: events, changed or removed", 1, 12, kAllowed, "what needs 60 stays as it is",
             R"({"events":{"m.x":60}})", R"({"events":{"m.x":60}})"),
      change("levels: events, changed or removed", 1, 12, rejected("m.x is 51"), "what needed 51 is removed",
             R"({"events":{"m.x":51}})", "{}"),
      change("levels: events, changed or removed", 1, 12, rejected("m.x is 51"), "what needed 51 needs 0",
             R"({"events":{"m.x":51}})", R"({"events":{"m.x":0}})"),
      change("levels: events, added or changed", 1, 12, kAllowed, "to what Mod has", R"({"events":{"m.x":0}})",
             R"({"events":{"m.x":50,"m.y":50}})"),
      change("levels: events, added or changed", 1, 12, rejected("m.y would be 51"), "added above Mod", "{}",
             R"({"events":{"m.y":51}})"),
      change("levels: events, added or changed", 1, 12, rejected("m.y would be 51"), "raised above Mod",
             R"({"events":{"m.y":1}})", R"({"events":{"m.y":51}})"),
      change("levels: notifications, changed or removed", 6, 12, kAllowed, "what needed 50",
             R"({"notifications":{"room":50}})", "{}"),
      change("levels: notifications, changed or removed", 6, 12, rejected("room is 51"), "what needed 51",
             R"({"notifications":{"room":51}})", "{}"),
      change("levels: notifications, added or changed", 6, 12, kAllowed, "to what Mod has", "{}",
             R"({"notifications":{"room":50}})"),
      change("levels: notifications, added or changed", 6, 12, rejected("room would be 51"), "above Mod", "{}",
             R"({"notifications":{"room":51}})"),
      change("levels: users, changed or removed", 1, 12, kAllowed, "Bob, who had 49, has nothing",
             R"({"users":{"@mod:a.example":50,"@bob:a.example":49}})", R"({"users":{"@mod:a.example":50}})"),
      change("levels: users, changed or removed", 1, 12, kAllowed, "Mod steps down", "{}", R"({"users":{}})"),
      change("levels: users, changed or removed", 1, 12, rejected("has power level 50, not below"),
             "Bob, who had 50 like Mod, has 49", R"({"users":{"@mod:a.example":50,"@bob:a.example":50}})",
             R"({"users":{"@mod:a.example":50,"@bob:a.example":49}})"),
      change("levels: users, changed or removed", 1, 12, rejected("has power level 50, not below"),
             "Bob, who had 50 like Mod, is removed", R"({"users":{"@mod:a.example":50,"@bob:a.example":50}})",
             R"({"users":{"@mod:a.example":50}})"),
      change("levels: users, added or changed", 1, 12, kAllowed, "Bob gets what Mod has", "{}",
             R"({"users":{"@mod:a.example":50,"@bob:a.example":50}})"),
      change("levels: users, added or changed", 1, 12, rejected("@bob:a.example would be 51"),
             "Bob gets more than Mod has", "{}", R"({"users":{"@mod:a.example":50,"@bob:a.example":51}})"),
      change("levels: users, added or changed", 1, 12, rejected("@mod:a.example would be 51"), "Mod raises himself",
             "{}", R"({"users":{"@mod:a.example":51}})"),
  };
  for (auto key : kSingleLevels) {
    // Levels that let Mod send the event whatever else they say.
    auto content = [key](std::optional<int> level) {
      json::Object object{{"events", json::Object{{"m.room.power_levels", 50}}}};
      if (level) object[key] = *level;
      return json::serialize(object);
    };
    auto add = [&](Outcome outcome, std::string_view story, std::optional<int> before, std::optional<int> after) {
      scenes.push_back(
          {key, 1, 12, outcome, story, [=](Room& room) { return mod_changes(room, content(before), content(after)); }});
    };
    add(kAllowed, "added at Mod's level", std::nullopt, 50);
    add(kAllowed, "lowered from Mod's level", 50, 0);
    add(kAllowed, "removed at Mod's level", 50, std::nullopt);
    add(kAllowed, "above Mod, and left alone", 60, 60);
    add(rejected("would be 51"), "added above Mod", std::nullopt, 51);
    add(rejected("would be 51"), "raised above Mod", 0, 51);
    add(rejected("is 51"), "lowered from above Mod", 51, 0);
    add(rejected("is 51"), "removed from above Mod", 51, std::nullopt);
  }
  return scenes;
}

// Before version 10, strings and floats are levels too, and in the first event only those of users are looked at.
TEST(AuthPowerLevels, TheFirstAreIntegersFromVersion10On) {
  for (auto& rules : all_room_versions()) {
    for (auto& level : {json::Value(50), json::Value("50"), json::Value(50.5)}) {
      std::vector<json::Object> contents;
      for (auto key : kSingleLevels) contents.push_back(json::Object{{key, level}});
      for (auto table : {"events", "notifications"})
        contents.push_back(json::Object{{table, json::Object{{"m.x", level}}}});
      for (auto& content : contents) {
        auto text = json::serialize(content);
        SCOPED_TRACE(fmt::format("version {}: {}", rules.version, text));
        Room room(rules);
        auto result = first_levels(room, text);
        EXPECT_EQ(result.has_value(), level.is_int64() || !rules.auth.integer_power_levels);
        if (!result) EXPECT_TRUE(result.error().message.contains("is not an integer")) << result.error().message;
      }
    }
  }
}

TEST(AuthPowerLevels, NotificationsAreFreeBeforeVersion6) {
  for (auto& rules : all_room_versions()) {
    Room room(rules);
    EXPECT_EQ(mod_changes(room, "{}", R"({"notifications":{"room":99}})").has_value(), !rules.auth.notification_levels)
        << rules.version;
  }
}

// Decision 0006, tables of power levels: before version 10 no rule asks for an object, and what is none has no levels.
TEST(AuthPowerLevels, TablesAreObjectsBeforeVersion10Too) {
  for (auto& rules : all_room_versions()) {
    if (rules.auth.integer_power_levels) continue;
    // "If there is no previous m.room.power_levels event in the room, allow": the first may say anything, and has no
    // levels there.
    for (auto first :
         {R"({"events":""})", R"({"events":5,"state_default":0})", R"({"ban":"abc","events_default":true})"}) {
      Room room(rules);
      room.remove("m.room.power_levels", "");
      EXPECT_TRUE(room.state(kAlice, "m.room.power_levels", "", first)) << rules.version << first;
      room.levels(first);
      EXPECT_TRUE(room.message(kBob, "m.x")) << rules.version << first;
      EXPECT_EQ(room.state(kBob, "m.room.topic", "", "{}").has_value(),
                std::string_view(first).contains("default\":0"));
    }
    for (auto table : {R"("")", "[]", "5", "null", R"("m.x")"}) {
      Room room(rules);
      EXPECT_FALSE(mod_changes(room, "{}", fmt::format(R"({{"events":{}}})", table))) << rules.version << table;
    }
  }
}

TEST(PowerLevels, AViewOfWhatTheEventSays) {
  auto& rules = *find_room_version("9");
  Room room(rules);
  room.levels(R"({"users":{"@mod:a.example":"50","@bob:a.example":"x"},"users_default":3,"events":{"m.x":7},
    "events_default":1,"state_default":40,"ban":41,"kick":42,"redact":43,"invite":44,"notifications":{"room":45}})");
  PowerLevels levels(rules, room.find("m.room.power_levels", ""), room.find("m.room.create", ""));
  EXPECT_EQ(levels.user_level(kAlice), 100);
  EXPECT_EQ(levels.user_level(kMod), 50);
  EXPECT_EQ(levels.user_level(kBob), 3) << "what is no level counts as absent";
  EXPECT_EQ(levels.user_level(kCarol), 3);
  EXPECT_EQ(levels.event_level("m.x", true), 7);
  EXPECT_EQ(levels.event_level("m.y", true), 40);
  EXPECT_EQ(levels.event_level("m.y", false), 1);
  EXPECT_EQ(levels.ban(), 41);
  EXPECT_EQ(levels.kick(), 42);
  EXPECT_EQ(levels.redact(), 43);
  EXPECT_EQ(levels.invite(), 44);
  EXPECT_EQ(levels.notification("room"), 45);
  EXPECT_EQ(levels.notification("other"), 50);
}

TEST(PowerLevels, DefaultsWithoutAnEvent) {
  for (auto& rules : all_room_versions()) {
    Room room(rules);
    PowerLevels levels(rules, nullptr, room.find("m.room.create", ""));
    EXPECT_EQ(levels.user_level(kAlice), rules.auth.creators_infinite ? kInfiniteLevel : 100) << rules.version;
    EXPECT_EQ(levels.user_level(kBob), 0);
    EXPECT_EQ(levels.event_level("m.x", true), 50);
    EXPECT_EQ(levels.event_level("m.x", false), 0);
    EXPECT_EQ(levels.ban(), 50);
    EXPECT_EQ(levels.invite(), 0);
  }
}

TEST(PowerLevels, UntilVersion10TheCreatorIsWhomTheCreateEventNames) {
  for (auto& rules : all_room_versions()) {
    SCOPED_TRACE(rules.version);
    Room room(rules);
    auto create = room.create_content(R"({"creator":"@carol:b.example"})").find("m.room.create", "");
    auto [creator, other] = rules.auth.creator_from_sender ? std::pair{kAlice, kCarol} : std::pair{kCarol, kAlice};
    PowerLevels levels(rules, nullptr, create);
    EXPECT_EQ(levels.user_level(creator), rules.auth.creators_infinite ? kInfiniteLevel : 100);
    EXPECT_EQ(levels.user_level(other), 0);
    EXPECT_EQ(room_creators(rules, *create), std::vector{creator});
    EXPECT_TRUE(is_room_creator(rules, *create, creator));
    EXPECT_FALSE(is_room_creator(rules, *create, other));
  }
}

TEST(PowerLevels, CreatorsOfVersion12OutrankEveryNumber) {
  auto& rules = *find_room_version("12");
  Room room(rules);
  room.create_content(R"({"additional_creators":["@carol:b.example"]})")
      .levels(R"({"users_default":9007199254740991})");
  PowerLevels levels(rules, room.find("m.room.power_levels", ""), room.find("m.room.create", ""));
  EXPECT_GT(levels.user_level(kAlice), levels.user_level(kBob));
  EXPECT_EQ(levels.user_level(kCarol), kInfiniteLevel);
  EXPECT_TRUE(levels.is_creator(kCarol));
  EXPECT_FALSE(levels.is_creator(kBob));
}

TEST(PowerLevels, CreatorsOfVersion12StandInAnyOrder) {
  auto& rules = *find_room_version("12");
  auto spec = Room(rules).spec(
      kAlice, "m.room.create", "",
      R"({"additional_creators":["@zoe:b.example","@mod:a.example","@erin:b.example","@carol:b.example","@bob:a.example"]})");
  auto ours = testing::make_hashed_event(rules, spec), theirs = Event::parse(ours->text(), rules).value();
  for (auto& create : {ours, theirs}) {
    PowerLevels levels(rules, nullptr, create.get());
    for (auto creator : {std::string_view("@zoe:b.example"), kMod, std::string_view("@erin:b.example"), kCarol, kBob})
      EXPECT_EQ(levels.user_level(creator), kInfiniteLevel) << creator;
    EXPECT_EQ(levels.user_level(kDave), 0);
  }
}

// Attack 2: levels that two servers could read differently.
TEST(PowerLevels, Attack02OneReadingOfEveryOddLevel) {
  AuthRules old = find_room_version("1")->auth, strict = find_room_version("10")->auth;
  auto read = [](std::string_view text, const AuthRules& rules) {
    return parse_level(json::parse(text).value(), rules);
  };
  EXPECT_EQ(read("7", strict), 7);
  EXPECT_EQ(read("\"7\"", strict), std::nullopt);
  EXPECT_EQ(read("7.5", strict), std::nullopt);
  EXPECT_EQ(read("true", strict), std::nullopt);
  EXPECT_EQ(read("\"\\t 007\\n\"", old), 7);
  EXPECT_EQ(read("\"1_000\"", old), std::nullopt);
  EXPECT_EQ(read("\"0x10\"", old), std::nullopt);
  EXPECT_EQ(read("\"1e3\"", old), std::nullopt);
  EXPECT_EQ(read("\"\"", old), std::nullopt);
  EXPECT_EQ(read("\"+\"", old), std::nullopt);
  EXPECT_EQ(read("\"99999999999999999999999999\"", old), kInfiniteLevel - 1);
  EXPECT_EQ(read("\"-99999999999999999999999999\"", old), -(kInfiniteLevel - 1));
  EXPECT_EQ(read("-7.9", old), -7);
  EXPECT_EQ(read("1e300", old), kInfiniteLevel - 1);
  EXPECT_EQ(read("-1e300", old), -(kInfiniteLevel - 1));
  EXPECT_EQ(read("9.21e18", old), 9'210'000'000'000'000'000) << "order is kept";
  EXPECT_EQ(read("true", old), std::nullopt);
  EXPECT_EQ(read("null", old), std::nullopt);
  EXPECT_EQ(read("[7]", old), std::nullopt);
}

// Attack 2, the divergence itself: is a power levels event allowed in which Mod has this level, and does Mod have 50
// then? As Synapse's event_auth decides (1.163.2, asked once for versions 1, 6 and 10); what Python takes beside these
// is in decision 0006.
TEST(PowerLevels, Attack02StringsAndFloatsAreDecidedAsSynapseDecidesThem) {
  struct {
    std::string_view level;
    bool until_v9, from_v10, reaches_50;
  } decisions[] = {
      {"50", true, true, true},
      {"49", true, true, false},
      {"50.9", true, false, true},
      {"49.9", true, false, false},
      {"-50.5", true, false, false},
      {"5.09E1", true, false, true},
      {"1e300", true, false, true},
      {R"("50")", true, false, true},
      {R"("49")", true, false, false},
      {R"(" 50 ")", true, false, true},
      {R"("+50")", true, false, true},
      {R"("-50")", true, false, false},
      {R"("0050")", true, false, true},
      {R"("\t50\n")", true, false, true},
      {R"("\u000b50")", true, false, true},
      {R"("\u00a050\u3000")", true, false, true},
      {R"("\u200b50")", false, false, false},
      {R"("99999999999999999999")", true, false, true},
      {R"("50.0")", false, false, false},
      {R"("5e1")", false, false, false},
      {R"("0x32")", false, false, false},
      {R"("")", false, false, false},
      {R"("  ")", false, false, false},
      {R"("+-50")", false, false, false},
      {R"("+ 50")", false, false, false},
      {R"("50\u0000")", false, false, false},
      {R"("\u001c50")", false, false, false},
      {R"("fifty")", false, false, false},
      {"null", false, false, false},
      {"[50]", false, false, false},
      {"{}", false, false, false},
      {"9007199254740992", true, true, true},
      {"9223372036854775808", true, true, true},
  };
  for (auto& rules : all_room_versions()) {
    for (auto& decision : decisions) {
      SCOPED_TRACE(fmt::format("version {}, level {}", rules.version, decision.level));
      Room room(rules);
      auto content = fmt::format(R"({{"events_default":50,"users":{{"@mod:a.example":{}}}}})", decision.level);
      bool allowed = first_levels(room, content).has_value();
      EXPECT_EQ(allowed, rules.auth.integer_power_levels ? decision.from_v10 : decision.until_v9);
      if (allowed) EXPECT_EQ(room.levels(content).message(kMod, "m.x").has_value(), decision.reaches_50);
    }
  }
}

}  // namespace
}  // namespace myelin::auth::scenes
