#include <gtest/gtest.h>

#include "matrix/auth/scenes.h"

namespace myelin::auth::scenes {
namespace {

using myelin::testing::EventSpec;

EventSpec create(const Room& room, std::string_view content = "{}") {
  auto spec = room.spec(kAlice, "m.room.create", "", content);
  spec.prev.clear();
  if (!room.rules().auth.creator_from_sender && !spec.content.contains("creator")) spec.content["creator"] = kAlice;
  return spec;
}

// A PDU of a version 12 create event with a room id, which make_event() leaves out.
Result<void> create_with_room_id(const Room& room) {
  auto spec = create(room);
  auto pdu = testing::make_event(room.rules(), spec)->object();
  pdu["room_id"] = "!somewhere:a.example";
  auto event = Event::restore(json::serialize(pdu), EventId::trusted(spec.id), room.rules()).value();
  return authorize(room.rules(), *event, room);
}

AUTH_SCENES(AuthCreate, Scenes) {
  return {
      {"create: prev_events", 1, 12, kAllowed, "Alice makes a room",
       [](Room& room) { return room.judge(create(room)); }},
      {"create: prev_events", 1, 12, rejected("has no previous events"), "Alice makes a room in the middle of another",
       [](Room& room) {
         auto spec = create(room);
         spec.prev = {"$earlier"};
         return room.judge(spec);
       }},
      {"create: room_id's domain", 1, 11, kAllowed, "the room id is of Alice's server",
       [](Room& room) { return room.judge(create(room)); }},
      {"create: room_id's domain", 1, 11, rejected("of another server than its creator"),
       "Carol makes a room with an id of Alice's server",
       [](Room& room) {
         auto spec = create(room);
         spec.sender = kCarol;
         return room.judge(spec);
       }},
      {"create: no room_id", 12, 12, kAllowed, "the room id is the event's own hash",
       [](Room& room) { return room.judge(create(room)); }},
      {"create: no room_id", 12, 12, rejected("has no room id"), "Alice chooses a room id", create_with_room_id},
      {"create: room_version", 1, 12, kAllowed, "a version that is known",
       [](Room& room) { return room.judge(create(room, R"({"room_version":"6"})")); }},
      {"create: room_version", 1, 12, rejected("unknown room version"), "a version from the future",
       [](Room& room) { return room.judge(create(room, R"({"room_version":"9000"})")); }},
      {"create: room_version", 1, 12, rejected("unknown room version"), "a version that is no string",
       [](Room& room) { return room.judge(create(room, R"({"room_version":1})")); }},
      {"create: creator", 1, 10, kAllowed, "Alice is named as the creator",
       [](Room& room) { return room.judge(create(room)); }},
      {"create: creator", 1, 10, rejected("content.creator is missing"), "nobody is named",
       [](Room& room) {
         auto spec = create(room);
         spec.content.erase("creator");
         return room.judge(spec);
       }},
      {"create: additional_creators", 12, 12, kAllowed, "Alice and Carol make a room together",
       [](Room& room) { return room.judge(create(room, R"({"additional_creators":["@carol:b.example"]})")); }},
      {"create: additional_creators", 12, 12, kAllowed, "Alice makes it alone, and says so",
       [](Room& room) { return room.judge(create(room, R"({"additional_creators":[]})")); }},
      {"create: additional_creators", 12, 12, rejected("not a list of user ids"), "the other creators are null",
       [](Room& room) { return room.judge(create(room, R"({"additional_creators":null})")); }},
      {"create: additional_creators", 12, 12, rejected("not a list of user ids"), "the other creators are one string",
       [](Room& room) { return room.judge(create(room, R"({"additional_creators":"@carol:b.example"})")); }},
      {"create: additional_creators", 12, 12, rejected("not a list of user ids"), "one of them is no user id",
       [](Room& room) { return room.judge(create(room, R"({"additional_creators":["@carol:b.example","carol"]})")); }},
      {"create: additional_creators", 12, 12, rejected("not a list of user ids"), "one of them is a number",
       [](Room& room) { return room.judge(create(room, R"({"additional_creators":[7]})")); }},
  };
}

// Attack 1, CVE-2025-54315: Mallory makes a room under the id of Alice's, to have her events taken into it. In version
// 12 the id is the create event's hash; before, the create event must be of the server that the id names, and whoever
// has another create event in the room's state is not obeyed.
TEST(AuthCreate, Attack01ForgedRoomIdsAreRefused) {
  constexpr std::string_view kMallory = "@mallory:evil.example";
  for (auto& rules : all_room_versions()) {
    SCOPED_TRACE(rules.version);
    Room room(rules);
    auto forged = create(room);
    forged.id = "$forged:evil.example";
    forged.sender = kMallory;
    if (!rules.auth.creator_from_sender) forged.content["creator"] = kMallory;
    auto event = testing::make_event(rules, forged);
    if (!rules.auth.room_id_from_create) {
      EXPECT_EQ(event->room_id().str(), room.room_id());
      EXPECT_FALSE(authorize(rules, *event, room));
      continue;
    }
    EXPECT_NE(event->room_id().str(), room.room_id()) << "her create event makes a room of its own";
    // Her events name Alice's room, and her create event beside them.
    auto member = testing::make_event(
        rules, room.spec(kMallory, "m.room.member", std::string(kMallory), R"({"membership":"join"})"));
    EXPECT_FALSE(check_auth_events(rules, *member, {}, {event.get(), false}));
    AuthEventSet hers;
    hers.add(event.get());
    EXPECT_FALSE(authorize(rules, *member, hers));
    // Nor does a room id in the create event make it Alice's.
    auto pdu = event->object();
    pdu["room_id"] = room.room_id();
    auto renamed = Event::restore(json::serialize(pdu), event->event_id(), rules).value();
    EXPECT_FALSE(authorize(rules, *renamed, room));
  }
}

TEST(AuthCreate, AdditionalCreatorsMeanNothingBeforeVersion12) {
  for (auto& rules : all_room_versions()) {
    Room room(rules);
    auto result = room.judge(create(room, R"({"additional_creators":"nonsense"})"));
    EXPECT_EQ(result.has_value(), !rules.auth.creators_infinite) << rules.version;
  }
}

}  // namespace
}  // namespace myelin::auth::scenes
