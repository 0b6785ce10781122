#include <gtest/gtest.h>

#include "matrix/auth/scenes.h"

namespace myelin::auth::scenes {
namespace {

using testing::make_event;

struct Citation {
  std::string_view type;
  std::string state_key;
  std::string room_id = {};
  bool rejected = false;
};

// Bob says something, citing these.
Result<void> cite(const Room& room, std::vector<Citation> citations, AuthEvent create, std::string_view type = "m.x") {
  auto spec = room.spec(kBob, type, std::nullopt, "{}");
  std::vector<EventPtr> events;
  std::vector<AuthEvent> auth_events;
  for (auto& citation : citations) {
    auto cited = room.spec(kAlice, citation.type, citation.state_key, "{}");
    cited.id = "$" + std::to_string(events.size());
    if (!citation.room_id.empty()) cited.room_id = citation.room_id;
    spec.auth.push_back(cited.id);
    events.push_back(make_event(room.rules(), cited));
    auth_events.push_back({events.back().get(), citation.rejected});
  }
  return check_auth_events(room.rules(), *make_event(room.rules(), spec), auth_events, create);
}

// With the create event in front, where the version cites it; the room's own is given beside them.
Scene scene(std::string_view rule, int first, int last, Outcome outcome, std::string_view story,
            std::vector<Citation> citations) {
  return {rule, first, last, outcome, story, [=](Room& room) {
            auto all = citations;
            if (!room.rules().auth.room_id_from_create) all.insert(all.begin(), {"m.room.create", ""});
            return cite(room, all, {room.find("m.room.create", ""), false});
          }};
}

AUTH_SCENES(AuthEvents, Scenes) {
  const std::string bob(kBob), carol(kCarol);
  return {
      scene("auth events: duplicates", 1, 12, kAllowed, "one of each",
            {{"m.room.power_levels", ""}, {"m.room.member", bob}}),
      scene("auth events: duplicates", 1, 12, rejected("two events of one type and state key"),
            "Bob's membership twice", {{"m.room.power_levels", ""}, {"m.room.member", bob}, {"m.room.member", bob}}),
      scene("auth events: duplicates", 1, 12, rejected("two events of type m.room.member"),
            "Bob's membership twice, in a list that is not too long", {{"m.room.member", bob}, {"m.room.member", bob}}),
      scene("auth events: selection", 1, 12, kAllowed, "fewer than could be", {{"m.room.member", bob}}),
      scene("auth events: selection", 1, 12, rejected("does not belong there"),
            "Carol's membership is not Bob's business", {{"m.room.member", bob}, {"m.room.member", carol}}),
      scene("auth events: selection", 1, 12, rejected("does not belong there"), "a topic authorises nothing",
            {{"m.room.topic", ""}}),
      scene("auth events: selection", 1, 12, rejected("does not belong there"), "power levels with a state key",
            {{"m.room.power_levels", "x"}}),
      scene("auth events: rejected", 1, 12, kAllowed, "all were accepted", {{"m.room.member", bob}}),
      scene("auth events: rejected", 1, 12, rejected("was rejected"), "Bob's membership was rejected",
            {{"m.room.member", bob, "", true}}),
      scene("auth events: same room", 1, 12, kAllowed, "all of this room", {{"m.room.member", bob}}),
      scene("auth events: same room", 1, 12, rejected("is of another room"), "Bob's membership of another room",
            {{"m.room.member", bob, "!other:a.example"}}),
      {"auth events: create", 1, 11, kAllowed, "it is there",
       [](Room& room) { return cite(room, {{"m.room.create", ""}}, {}); }},
      {"auth events: create", 1, 11, rejected("has no create event"), "it is not there",
       [bob](Room& room) { return cite(room, {{"m.room.member", bob}}, {}); }},
      {"auth events: room id", 12, 12, kAllowed, "the room id is an accepted create event's",
       [](Room& room) { return cite(room, {}, {room.find("m.room.create", ""), false}); }},
      {"auth events: room id", 12, 12, rejected("the create event is not known"), "the create event is not known",
       [](Room& room) { return cite(room, {}, {}); }},
      {"auth events: room id", 12, 12, rejected("the create event was rejected"), "the create event was rejected",
       [](Room& room) { return cite(room, {}, {room.find("m.room.create", ""), true}); }},
      {"auth events: room id", 12, 12, rejected("the create event is not known"),
       "it is the id of an event that is no create event",
       [](Room& room) { return cite(room, {}, {room.find("m.room.member", kBob), false}); }},
      {"auth events: room id", 12, 12, rejected("does not name the create event"), "it is the id of another room",
       [](Room& room) {
         auto spec = room.spec(kAlice, "m.room.create", "", "{}");
         spec.id = "$another";
         auto another = make_event(room.rules(), spec);
         return cite(room, {}, {another.get(), false});
       }},
      {"auth events: room id", 12, 12, rejected("does not belong there"), "version 12 does not cite the create event",
       [](Room& room) { return cite(room, {{"m.room.create", ""}}, {room.find("m.room.create", ""), false}); }},
  };
}

// Attack 8: an event that is no state event, in auth_events.
TEST(AuthEvents, Attack08AMessageAmongAuthEventsIsRefused) {
  for (auto& rules : all_room_versions()) {
    Room room(rules);
    auto message = make_event(rules, room.spec(kBob, "m.room.member", std::nullopt, "{}"));
    auto event = make_event(rules, room.spec(kBob, "m.x", std::nullopt, "{}"));
    auto result = check_auth_events(rules, *event, std::array{AuthEvent{message.get(), false}},
                                    {room.find("m.room.create", ""), false});
    EXPECT_EQ(result.error().code, Code::kForbidden) << rules.version;
  }
}

TEST(AuthEvents, AnEventThatIsNotKnownIsRefused) {
  for (auto& rules : all_room_versions()) {
    Room room(rules);
    auto event = make_event(rules, room.spec(kBob, "m.x", std::nullopt, "{}"));
    EXPECT_FALSE(check_auth_events(rules, *event, std::array{AuthEvent{}}, {room.find("m.room.create", ""), false}));
  }
}

TEST(AuthEvents, AnEventNamedTwiceIsADuplicate) {
  auto& rules = *find_room_version("11");
  Room room(rules);
  auto create = room.find("m.room.create", "");
  auto spec = room.spec(kBob, "m.x", std::nullopt, "{}");
  spec.auth = {create->event_id().str(), create->event_id().str()};
  EXPECT_FALSE(check_auth_events(rules, *make_event(rules, spec), std::array{AuthEvent{create, false}}));
}

std::vector<TypeAndKey> keys(std::string_view version, std::string_view type, std::optional<std::string> state_key,
                             std::string_view content) {
  return auth_event_keys(*find_room_version(version), type, kBob, state_key, testing::object(content));
}

TEST(AuthEventSelection, EveryEvent) {
  const TypeAndKey create{"m.room.create", ""}, levels{"m.room.power_levels", ""},
      bob{"m.room.member", std::string(kBob)};
  using Keys = std::vector<TypeAndKey>;
  EXPECT_EQ(keys("11", "m.room.message", std::nullopt, "{}"), (Keys{create, levels, bob}));
  EXPECT_EQ(keys("12", "m.room.message", std::nullopt, "{}"), (Keys{levels, bob}));
  EXPECT_EQ(keys("11", "m.room.create", "", "{}"), Keys());
}

TEST(AuthEventSelection, MemberEvents) {
  const TypeAndKey create{"m.room.create", ""}, levels{"m.room.power_levels", ""},
      bob{"m.room.member", std::string(kBob)}, carol{"m.room.member", std::string(kCarol)},
      rules{"m.room.join_rules", ""};
  using Keys = std::vector<TypeAndKey>;
  EXPECT_EQ(keys("11", "m.room.member", std::string(kBob), R"({"membership":"join"})"),
            (Keys{create, levels, bob, rules}));
  EXPECT_EQ(keys("11", "m.room.member", std::string(kBob), R"({"membership":"knock"})"),
            (Keys{create, levels, bob, rules}));
  EXPECT_EQ(keys("11", "m.room.member", std::string(kCarol), R"({"membership":"ban"})"),
            (Keys{create, levels, bob, carol}));
  EXPECT_EQ(keys("11", "m.room.member", std::string(kCarol),
                 R"({"membership":"invite","third_party_invite":{"signed":{"token":"t"}}})"),
            (Keys{create, levels, bob, carol, rules, {"m.room.third_party_invite", "t"}}));
  auto vouched = R"({"membership":"join","join_authorised_via_users_server":"@carol:b.example"})";
  EXPECT_EQ(keys("8", "m.room.member", std::string(kBob), vouched), (Keys{create, levels, bob, rules, carol}));
  EXPECT_EQ(keys("7", "m.room.member", std::string(kBob), vouched), (Keys{create, levels, bob, rules}));
  EXPECT_EQ(keys("12", "m.room.member", std::nullopt, R"({"membership":"join"})"), (Keys{levels, bob}));
}

TEST(AuthEventSelection, JudgingNeedsTheCreateEventAlways) {
  auto& rules = *find_room_version("12");
  Room room(rules);
  auto event = make_event(rules, room.spec(kBob, "m.x", std::nullopt, "{}"));
  auto all = authorizing_keys(rules, *event);
  EXPECT_NE(std::ranges::find(all, TypeAndKey{"m.room.create", ""}), all.end());
}

}  // namespace
}  // namespace myelin::auth::scenes
