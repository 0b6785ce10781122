#include <gtest/gtest.h>

#include "matrix/auth/scenes.h"

namespace myelin::auth::scenes {
namespace {

using myelin::testing::EventSpec;
using enum Outcome;

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
      {"create: prev_events", 1, 12, kRejected, "Alice makes a room in the middle of another",
       [](Room& room) {
         auto spec = create(room);
         spec.prev = {"$earlier"};
         return room.judge(spec);
       }},
      {"create: room_id's domain", 1, 11, kAllowed, "the room id is of Alice's server",
       [](Room& room) { return room.judge(create(room)); }},
      {"create: room_id's domain", 1, 11, kRejected, "Carol makes a room with an id of Alice's server",
       [](Room& room) {
         auto spec = create(room);
         spec.sender = kCarol;
         return room.judge(spec);
       }},
      {"create: no room_id", 12, 12, kAllowed, "the room id is the event's own hash",
       [](Room& room) { return room.judge(create(room)); }},
      {"create: no room_id", 12, 12, kRejected, "Alice chooses a room id", create_with_room_id},
      {"create: room_version", 1, 12, kAllowed, "a version that is known",
       [](Room& room) { return room.judge(create(room, R"({"room_version":"6"})")); }},
      {"create: room_version", 1, 12, kRejected, "a version from the future",
       [](Room& room) { return room.judge(create(room, R"({"room_version":"9000"})")); }},
      {"create: room_version", 1, 12, kRejected, "a version that is no string",
       [](Room& room) { return room.judge(create(room, R"({"room_version":1})")); }},
      {"create: creator", 1, 10, kAllowed, "Alice is named as the creator",
       [](Room& room) { return room.judge(create(room)); }},
      {"create: creator", 1, 10, kRejected, "nobody is named",
       [](Room& room) {
         auto spec = create(room);
         spec.content.erase("creator");
         return room.judge(spec);
       }},
      {"create: additional_creators", 12, 12, kAllowed, "Alice and Carol make a room together",
       [](Room& room) { return room.judge(create(room, R"({"additional_creators":["@carol:b.example"]})")); }},
      {"create: additional_creators", 12, 12, kRejected, "the other creators are one string",
       [](Room& room) { return room.judge(create(room, R"({"additional_creators":"@carol:b.example"})")); }},
      {"create: additional_creators", 12, 12, kRejected, "one of them is no user id",
       [](Room& room) { return room.judge(create(room, R"({"additional_creators":["@carol:b.example","carol"]})")); }},
      {"create: additional_creators", 12, 12, kRejected, "one of them is a number",
       [](Room& room) { return room.judge(create(room, R"({"additional_creators":[7]})")); }},
  };
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
