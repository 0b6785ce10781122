#include "matrix/handling_redactions.h"

#include <gtest/gtest.h>

#include "matrix/testing/events.h"

namespace myelin {
namespace {

using testing::EventSpec;

// Alice's room, where she has the level to redact and Bob and Carol have not.
struct Room {
  explicit Room(const RoomRules& its_rules) : rules(its_rules) {
    EventSpec spec{.sender = "@alice:a.example", .type = "m.room.create", .state_key = ""};
    spec.content = {{"creator", "@alice:a.example"}, {"room_version", rules.version}};
    create = testing::make_event(rules, spec);
    spec = {.sender = "@alice:a.example", .type = "m.room.power_levels", .state_key = ""};
    if (rules.auth.room_id_from_create) spec.room_id = create->room_id().str();
    json::Object users{{"@mod:c.example", 50}, {"@bob:b.example", 49}};
    if (!rules.auth.creators_infinite) users["@alice:a.example"] = 100;
    spec.content = {{"users", users}};
    levels = testing::make_event(rules, spec);
    state.add(create.get());
    state.add(levels.get());
  }
  EventPtr event(const std::string& sender, const std::string& type = "m.room.message") const {
    EventSpec spec{.sender = sender, .type = type};
    if (rules.auth.room_id_from_create) spec.room_id = create->room_id().str();
    return testing::make_event(rules, spec);
  }
  bool takes_effect(const std::string& redacter, const std::string& author) const {
    return myelin::takes_effect(rules, *event(redacter, "m.room.redaction"), *event(author), state);
  }

  const RoomRules& rules;
  EventPtr create, levels;
  AuthEventSet state;
};

TEST(Redactions, TakeEffectByLevelOrByServer) {
  for (auto& rules : all_room_versions()) {
    Room room(rules);
    EXPECT_TRUE(room.takes_effect("@alice:a.example", "@bob:b.example")) << rules.version;
    EXPECT_TRUE(room.takes_effect("@mod:c.example", "@bob:b.example"));
    EXPECT_TRUE(room.takes_effect("@bob:b.example", "@bob:b.example"));
    EXPECT_TRUE(room.takes_effect("@bob:b.example", "@eve:b.example")) << "of the same server";
    // In versions 1 and 2 the auth rules have decided.
    EXPECT_EQ(room.takes_effect("@bob:b.example", "@carol:c.example"), rules.auth.redaction_rule) << rules.version;
    EXPECT_EQ(room.takes_effect("@bob:b.example", "@alice:a.example"), rules.auth.redaction_rule) << rules.version;
    EXPECT_FALSE(takes_effect(rules, *room.event("@alice:a.example", "m.room.redaction"), *room.create, room.state));
  }
}

TEST(Redactions, TakeEffectByTheLevelsOfTheirState) {
  auto& rules = *find_room_version("11");
  Room room(rules);
  AuthEventSet before_the_levels;
  before_the_levels.add(room.create.get());
  auto redaction = room.event("@mod:c.example", "m.room.redaction"), said = room.event("@bob:b.example");
  EXPECT_TRUE(takes_effect(rules, *redaction, *said, room.state));
  EXPECT_FALSE(takes_effect(rules, *redaction, *said, before_the_levels));
}

TEST(Redactions, UsersOfOursRedactTheirOwnOrByLevel) {
  for (auto& rules : all_room_versions()) {
    Room room(rules);
    PowerLevels levels(rules, room.levels.get(), room.create.get());
    auto may = [&](std::string_view user, std::string_view author, std::string_view type = "m.room.message") {
      auto allowed = check_may_redact(levels, user, author, type);
      EXPECT_TRUE(allowed || allowed.error().code == Code::kForbidden);
      return allowed.has_value();
    };
    EXPECT_TRUE(may("@bob:b.example", "@bob:b.example"));
    EXPECT_TRUE(may("@mod:c.example", "@bob:b.example"));
    EXPECT_TRUE(may("@alice:a.example", "@mod:c.example"));
    EXPECT_FALSE(may("@bob:b.example", "@eve:b.example")) << "of the same server, but not his own";
    EXPECT_FALSE(may("@alice:a.example", "@alice:a.example", "m.room.create"));
  }
}

}  // namespace
}  // namespace myelin
