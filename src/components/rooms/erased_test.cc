// What is served of erased users (client-server API, POST /account/deactivate, erase).
#include "components/rooms/client_event.h"
#include "components/rooms/testing/world.h"

namespace myelin::rooms {
namespace {
using namespace myelin::rooms::testing;
using Action = MembershipAction;

class ErasedUsers : public OnBothDatabases {
 protected:
  World world{GetParam()};
  RoomId room = world.create(world.room_of(world.alice));

  // The events as the viewer gets them.
  std::vector<json::Object> served(const std::vector<EventId>& ids, const UserId& viewer) {
    std::vector<json::Object> out;
    for (const auto& id : ids)
      out.push_back(json::parse_object(client_event(world.served(room, id, {viewer}), {.user = viewer})).value());
    return out;
  }
  static json::Object unsigned_of(const json::Object& event) {
    const auto* data = json::object_at(event, "unsigned");
    return data == nullptr ? json::Object() : *data;
  }
  std::string body(const EventId& id, const UserId& viewer) {
    auto event = served({id}, viewer).front();
    return std::string(json::string_at(event.at("content").as_object(), "body").value_or("(redacted)"));
  }
  void erase(const UserId& who) {
    world.clock.advance(1000);
    check(world.loop.run(world.rooms->commands().erase(who, world.clock.now())));
    world.clock.advance(1000);
    world.leave(room, who);
  }
};
MYELIN_ON_BOTH_DATABASES(ErasedUsers);

TEST_P(ErasedUsers, WhoJoinsLaterGetsRedactedCopiesAndWhoWasThereTheOriginals) {
  world.join(room, world.bob);
  auto said = world.say(room, world.bob, "secret");
  auto others = world.say(room, world.alice, "mine");
  world.join(room, world.dave);  // after the message, before the erasure: dave has seen it
  erase(world.bob);
  world.join(room, world.carol);
  for (bool read_again : {false, true}) {
    if (read_again) world.restart();
    EXPECT_EQ(body(said, world.alice), "secret");
    EXPECT_EQ(body(said, world.dave), "secret");
    EXPECT_EQ(body(said, world.carol), "(redacted)");
    EXPECT_EQ(body(others, world.carol), "mine");
    auto event = served({said}, world.carol).front();
    EXPECT_EQ(json::string_at(event, "sender"), world.bob.str());
    EXPECT_EQ(json::string_at(event, "event_id"), said.str());
    EXPECT_FALSE(unsigned_of(event).contains("redacted_because"));  // nobody redacted it
  }
  // Through a profile change, too.
  value(world.loop.run(
      world.rooms->commands().change_membership({room, world.dave, world.dave, Action::kProfile, {"Dave", {}}})));
  EXPECT_EQ(body(said, world.dave), "secret");
}

TEST_P(ErasedUsers, WhoWasOutWhenItWasSaidAndComesBackLaterJoinsLater) {
  world.join(room, world.bob);
  world.join(room, world.carol);
  auto before = world.say(room, world.bob, "before");
  world.leave(room, world.carol);
  auto meanwhile = world.say(room, world.bob, "meanwhile");
  erase(world.bob);
  world.join(room, world.carol);
  EXPECT_EQ(body(before, world.carol), "before");
  EXPECT_EQ(body(meanwhile, world.carol), "(redacted)");
}

TEST_P(ErasedUsers, WhatTheySetOfTheRoomStaysAndWhatTheyWereCalledGoes) {
  auto mine = world.create(world.room_of(world.bob));
  room = mine;
  world.join(room, world.alice);
  auto encrypted = world.set(room, world.bob, "m.room.encryption", {{"algorithm", "m.megolm.v1.aes-sha2"}});
  value(world.loop.run(
      world.rooms->commands().change_membership({room, world.bob, world.bob, Action::kProfile, {"Bob", {}}})));
  auto named = world.state_event(room, "m.room.member", world.bob.str())->event->event_id();
  erase(world.bob);
  auto left = world.state_event(room, "m.room.member", world.bob.str())->event->event_id();
  world.join(room, world.carol);
  auto events = served({encrypted, named, left}, world.carol);
  EXPECT_EQ(json::serialize(events[0].at("content")), R"({"algorithm":"m.megolm.v1.aes-sha2"})");
  EXPECT_EQ(json::serialize(events[1].at("content")), R"({"membership":"join"})");
  EXPECT_FALSE(unsigned_of(events[2]).contains("prev_content"));
  EXPECT_EQ(json::string_at(served({named}, world.alice).front().at("content").as_object(), "displayname"), "Bob");
}

TEST_P(ErasedUsers, WhatIsBundledIsErasedToo) {
  world.join(room, world.bob);
  auto root = world.say(room, world.alice, "root");
  auto own = world.say(room, world.bob, "teh");
  auto relates = [](const char* type, const EventId& parent) {
    return json::Object{{"rel_type", type}, {"event_id", parent.str()}};
  };
  auto answer = text("in the thread");
  answer["m.relates_to"] = relates("m.thread", root);
  value(world.try_send(room, world.bob, "m.room.message", answer));
  auto edit = text("* the");
  edit["m.new_content"] = text("the");
  edit["m.relates_to"] = relates("m.replace", own);
  value(world.try_send(room, world.bob, "m.room.message", edit));
  erase(world.bob);
  world.join(room, world.carol);
  EXPECT_NE(json::serialize(served({root, own}, world.alice)[0]).find("in the thread"), std::string::npos);
  EXPECT_NE(json::serialize(served({root, own}, world.alice)[1]).find("* the"), std::string::npos);
  auto events = served({root, own}, world.carol);
  EXPECT_EQ(json::serialize(events[0]).find("in the thread"), std::string::npos);
  EXPECT_EQ(json::serialize(events[1]).find("the\""), std::string::npos) << json::serialize(events[1]);
  EXPECT_FALSE(unsigned_of(events[1]).contains("m.relations"));
}

}  // namespace
}  // namespace myelin::rooms
