// What is attached to an event is served to those only who could have it by itself.
#include "components/rooms/served.h"

#include "components/rooms/client_event.h"
#include "components/rooms/testing/world.h"

namespace myelin::rooms {
namespace {
using namespace myelin::rooms::testing;
using Action = MembershipAction;

class ServedEvents : public OnBothDatabases {
 protected:
  World world{GetParam()};
  const UserId alice = world.alice, bob = world.bob, carol = world.carol;
  RoomId room = world.create(world.room_of(alice));

  EventId set_visibility(const std::string& setting) {
    return world.set(room, alice, "m.room.history_visibility", {{"history_visibility", setting}});
  }
  EventId relate(const UserId& sender, const char* type, const EventId& parent, const std::string& body) {
    auto content = text(body);
    content["m.relates_to"] = json::Object{{"rel_type", type}, {"event_id", parent.str()}};
    if (type == std::string("m.replace")) content["m.new_content"] = text(body);
    return value(world.try_send(room, sender, "m.room.message", std::move(content)));
  }
  EventId redact(const UserId& sender, const EventId& target, const std::string& reason) {
    SendEvent request{room, sender, "m.room.redaction", {}, {{"reason", reason}}};
    request.redacts = target;
    return value(world.loop.run(world.rooms->commands().send(std::move(request))));
  }
  // The event as a client reads it; {} when it is not for the viewer.
  json::Object read(const EventId& id, const Viewer& viewer) {
    auto served = world.served(room, id, viewer);
    if (!served.event) return {};
    return value(json::parse_object(client_event(served, {.user = viewer.user, .now = world.clock.now()})));
  }
  json::Object unsigned_of(const EventId& id, const Viewer& viewer) {
    return read(id, viewer).at("unsigned").as_object();
  }
  // The room's state of this key, as in a list of state.
  json::Object state(const std::string& type, const std::string& key, const UserId& viewer) {
    auto served = value(world.loop.run(serve_state(world.queries(), {world.state_event(room, type, key)}, {viewer})));
    return value(json::parse_object(client_event(served.front(), {.user = viewer, .now = world.clock.now()})));
  }
};
MYELIN_ON_BOTH_DATABASES(ServedEvents);

// What has happened around the time that bob went out.
struct Scene {
  EventId root, original, reply, said;
};

class FormerMembers : public ServedEvents {
 protected:
  Scene play(const std::string& setting, Action exit) {
    room = world.create(world.room_of(alice));
    set_visibility(setting);
    world.join(room, bob);
    Scene scene;
    scene.root = world.say(room, alice, "root");
    scene.original = world.say(room, alice, "original");
    scene.said = world.say(room, alice, "said");
    scene.reply = relate(alice, "m.thread", scene.root, "a reply");
    relate(alice, "m.replace", scene.original, "first edit");
    world.clock.advance(1000);
    world.change(room, exit == Action::kLeave ? bob : alice, bob, exit);
    relate(alice, "m.thread", scene.root, "hidden reply");
    relate(alice, "m.replace", scene.original, "hidden edit");
    relate(alice, "m.reference", scene.original, "hidden reference");
    redact(alice, scene.said, "hidden reason");
    return scene;
  }
  // All that the viewer gets of it.
  std::string all(const Scene& scene, const UserId& viewer) {
    std::string out;
    for (const auto& id : {scene.root, scene.original, scene.said, scene.reply})
      out += json::serialize(read(id, {viewer}));
    return out;
  }
};
MYELIN_ON_BOTH_DATABASES(FormerMembers);

TEST_P(FormerMembers, GetNothingThatCameAfterThem) {
  for (const char* setting : {"shared", "invited", "joined"})
    for (auto exit : {Action::kLeave, Action::kKick, Action::kBan}) {
      SCOPED_TRACE(fmt::format("{}, {}", setting, static_cast<int>(exit)));
      auto scene = play(setting, exit);
      EXPECT_EQ(all(scene, bob).find("hidden"), std::string::npos) << all(scene, bob);
      auto thread = unsigned_of(scene.root, {bob}).at("m.relations").at("m.thread").as_object();
      EXPECT_EQ(thread.at("count"), 1);
      EXPECT_EQ(thread.at("latest_event").at("event_id").as_string(), scene.reply.str());
      auto original = unsigned_of(scene.original, {bob}).at("m.relations").as_object();
      EXPECT_EQ(original.at("m.replace").at("content").at("body").as_string(), "first edit");
      EXPECT_FALSE(original.contains("m.reference"));
      auto said = read(scene.said, {bob});
      EXPECT_EQ(said.at("content"), json::Object()) << "it is redacted for everybody";
      EXPECT_FALSE(said.at("unsigned").as_object().contains("redacted_because"));
    }
}

TEST_P(FormerMembers, MembersAndReadersOfOpenRoomsGetAll) {
  for (auto [setting, viewer] : {std::pair("joined", alice), std::pair("world_readable", bob),
                                 std::pair("world_readable", carol), std::pair("shared", alice)}) {
    SCOPED_TRACE(fmt::format("{}, {}", setting, viewer.str()));
    auto scene = play(setting, Action::kBan);
    EXPECT_EQ(unsigned_of(scene.root, {viewer}).at("m.relations").at("m.thread").at("count"), 2);
    auto original = unsigned_of(scene.original, {viewer}).at("m.relations").as_object();
    EXPECT_EQ(original.at("m.replace").at("content").at("body").as_string(), "hidden edit");
    EXPECT_EQ(original.at("m.reference").at("chunk").as_array().size(), 1u);
    EXPECT_EQ(unsigned_of(scene.said, {viewer}).at("redacted_because").at("content").at("reason"), "hidden reason");
  }
}

TEST_P(FormerMembers, WhoComesBackGetsWhatTheSettingSays) {
  auto scene = play("shared", Action::kLeave);
  world.join(room, bob);
  EXPECT_EQ(unsigned_of(scene.root, {bob}).at("m.relations").at("m.thread").at("count"), 2);
  EXPECT_TRUE(unsigned_of(scene.said, {bob}).contains("redacted_because"));
  scene = play("joined", Action::kLeave);
  world.join(room, bob);
  relate(alice, "m.thread", scene.root, "back again");
  EXPECT_EQ(all(scene, bob).find("hidden"), std::string::npos) << all(scene, bob);
  auto thread = unsigned_of(scene.root, {bob}).at("m.relations").at("m.thread").as_object();
  EXPECT_EQ(thread.at("count"), 2) << "one before, one after";
  EXPECT_EQ(thread.at("latest_event").at("content").at("body").as_string(), "back again");
}

TEST_P(ServedEvents, ARedactionThatIsRedactedHasNoReasonAnywhere) {
  world.join(room, bob);
  auto said = world.say(room, bob, "said");
  auto redaction = redact(alice, said, "slander");
  EXPECT_EQ(unsigned_of(said, {bob}).at("redacted_because").at("content").at("reason"), "slander");
  redact(alice, redaction, "never mind");
  for (bool read_again : {false, true}) {
    if (read_again) world.restart();
    auto because = unsigned_of(said, {bob}).at("redacted_because").as_object();
    EXPECT_EQ(because.at("event_id").as_string(), redaction.str());
    EXPECT_FALSE(because.at("content").as_object().contains("reason"));
    EXPECT_EQ(read(said, {bob}).at("content"), json::Object());
  }
}

TEST_P(ServedEvents, WhatStateReplacedIsForThoseWhoMaySeeThat) {
  set_visibility("joined");
  auto hidden = world.set(room, alice, "m.room.topic", {{"topic", "hidden"}});
  set_visibility("world_readable");
  auto open = world.set(room, alice, "m.room.topic", {{"topic", "open"}});
  EXPECT_EQ(unsigned_of(open, {alice}).at("prev_content").at("topic").as_string(), "hidden");
  for (const auto& stranger : {bob, carol}) {
    auto data = unsigned_of(open, {stranger});
    EXPECT_FALSE(data.contains("prev_content"));
    EXPECT_EQ(data.at("replaces_state").as_string(), hidden.str());
  }
  auto newer = world.set(room, alice, "m.room.topic", {{"topic", "newer"}});
  EXPECT_EQ(unsigned_of(newer, {bob}).at("prev_content").at("topic").as_string(), "open");
}

TEST_P(ServedEvents, ListsOfStateTellOnesOwnFormerMembershipOnly) {
  world.change(room, alice, bob, Action::kInvite);
  world.join(room, bob);
  world.set(room, alice, "m.room.topic", {{"topic", "one"}});
  auto replaced = world.set(room, alice, "m.room.topic", {{"topic", "two"}});
  EXPECT_EQ(state("m.room.member", bob.str(), bob).at("unsigned").at("prev_content").at("membership"), "invite");
  EXPECT_FALSE(state("m.room.member", bob.str(), alice).at("unsigned").as_object().contains("prev_content"));
  EXPECT_FALSE(state("m.room.topic", "", bob).at("unsigned").as_object().contains("prev_content"));
  auto gone = redact(alice, replaced, "hidden reason");
  EXPECT_EQ(state("m.room.topic", "", bob).at("unsigned").at("redacted_because").at("event_id").as_string(),
            gone.str());
  world.leave(room, bob);
  auto topic = world.set(room, alice, "m.room.topic", {{"topic", "three"}});
  EXPECT_TRUE(read(topic, {bob}).empty());
}

// What an erased user did to others tells what these were called no more than their own events do.
TEST_P(ServedEvents, WhatIsAttachedIsErasedToo) {
  world.join(room, bob);
  auto said = world.say(room, alice, "said");
  world.set(room, alice, "m.room.power_levels", {{"users", json::Object{{bob.str(), 50}}}});
  redact(bob, said, "a reason");
  value(world.loop.run(world.rooms->commands().change_membership({room, bob, bob, Action::kProfile, {"Robert", {}}})));
  auto kicked = world.change(room, alice, bob, Action::kKick);
  world.clock.advance(1000);
  check(world.loop.run(world.rooms->commands().erase(bob, world.clock.now())));
  world.clock.advance(1000);
  world.join(room, carol);
  EXPECT_FALSE(unsigned_of(said, {carol}).at("redacted_because").at("content").as_object().contains("reason"));
  EXPECT_EQ(unsigned_of(kicked, {carol}).at("prev_content"), (json::Object{{"membership", "join"}}));
  EXPECT_EQ(unsigned_of(said, {alice}).at("redacted_because").at("content").at("reason"), "a reason");
  EXPECT_EQ(unsigned_of(kicked, {alice}).at("prev_content").at("displayname"), "Robert");
}

TEST_P(ServedEvents, OfIgnoredUsersThereIsStateOnly) {
  world.join(room, bob);
  world.set(room, alice, "m.room.power_levels", {{"users", json::Object{{bob.str(), 50}}}});
  auto spam = world.say(room, bob, "spam");
  auto topic = world.set(room, bob, "m.room.topic", {{"topic", "by bob"}});
  auto said = world.say(room, alice, "said");
  auto redaction = redact(bob, said, "spam");
  auto viewer = World::who_ignores(alice, {bob.str()});
  EXPECT_TRUE(read(spam, viewer).empty());
  EXPECT_TRUE(read(redaction, viewer).empty());
  EXPECT_EQ(read(topic, viewer).at("content").at("topic").as_string(), "by bob");
  EXPECT_EQ(read(said, viewer).at("content"), json::Object());
  auto because = unsigned_of(said, viewer).at("redacted_because").as_object();
  EXPECT_EQ(because.at("event_id").as_string(), redaction.str());
  EXPECT_EQ(because.at("content"), (json::Object{{"redacts", said.str()}})) << "without what bob says about it";
  EXPECT_EQ(unsigned_of(said, {alice}).at("redacted_because").at("content").at("reason"), "spam");
}

}  // namespace
}  // namespace myelin::rooms
