// What clients find bundled with an event (client-server API, Aggregations of child events).
#include <gtest/gtest.h>

#include "components/rooms/client_event.h"
#include "components/rooms/testing/world.h"

namespace myelin::rooms {
namespace {
using namespace myelin::rooms::testing;

class RelationsTest : public OnBothDatabases {
 protected:
  World world{GetParam()};
  const UserId alice = user("alice"), bob = user("bob");
  RoomId room = world.create(world.room_of(alice));
  void SetUp() override { world.join(room, bob); }

  EventId relate(const UserId& sender, const std::string& type, const EventId& parent, json::Object content = {}) {
    content["m.relates_to"] = json::Object{{"rel_type", type}, {"event_id", parent.str()}};
    return value(world.try_send(room, sender, "m.room.message", std::move(content)));
  }
  SendEvent reaction(const UserId& sender, const EventId& parent, const std::string& key) {
    json::Object relates{{"rel_type", "m.annotation"}, {"event_id", parent.str()}, {"key", key}};
    return {room, sender, "m.reaction", {}, {{"m.relates_to", std::move(relates)}}};
  }
  Result<EventId> send(SendEvent request) { return world.loop.run(world.rooms->commands().send(std::move(request))); }
  EventId edit(const UserId& sender, const EventId& parent, const std::string& body) {
    return relate(sender, "m.replace", parent, {{"body", "* " + body}, {"m.new_content", text(body)}});
  }
  void redact(const UserId& sender, const EventId& target) {
    SendEvent request{room, sender, "m.room.redaction", {}, {}};
    request.redacts = target;
    value(world.loop.run(world.rooms->commands().send(std::move(request))));
  }
  json::Object shown(const EventId& id, const UserId& viewer, const std::set<std::string>& ignored = {}) {
    auto event =
        json::parse_object(client_event(world.served(room, id, World::who_ignores(viewer, ignored)), {.user = viewer}))
            .value();
    const auto* unsigned_data = json::object_at(event, "unsigned");
    const auto* relations = unsigned_data == nullptr ? nullptr : json::object_at(*unsigned_data, "m.relations");
    return relations == nullptr ? json::Object() : *relations;
  }
  // The event shown under m.replace, "" for none.
  std::string replacement(const EventId& id) {
    auto relations = shown(id, alice);
    const auto* event = json::object_at(relations, "m.replace");
    return event == nullptr ? "" : std::string(json::string_at(*event, "event_id").value_or(""));
  }
};
MYELIN_ON_BOTH_DATABASES(RelationsTest);

TEST_P(RelationsTest, TheMostRecentValidEditIsShown) {
  auto original = world.say(room, alice, "teh");
  EXPECT_EQ(replacement(original), "");
  edit(alice, original, "the first");
  world.clock.advance(10);
  auto second = edit(alice, original, "the second");
  EXPECT_EQ(replacement(original), second.str());
  // Neither somebody else's edit, nor one without m.new_content, nor an edit of the edit hides it.
  world.clock.advance(10);
  edit(bob, original, "bob was here");
  relate(alice, "m.replace", original, text("no new content"));
  edit(alice, second, "an edit of an edit");
  EXPECT_EQ(replacement(original), second.str());
  EXPECT_EQ(replacement(second), "");
}

TEST_P(RelationsTest, EditsOfOneMomentAreDecidedByEventId) {
  auto original = world.say(room, alice, "teh");
  std::set<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.insert(edit(alice, original, std::to_string(i)).str());
  EXPECT_EQ(replacement(original), *ids.rbegin());
}

TEST_P(RelationsTest, ARedactedEditIsUndoneAndARedactedOriginalShowsNone) {
  auto original = world.say(room, alice, "teh");
  auto first = edit(alice, original, "the first");
  world.clock.advance(10);
  auto second = edit(alice, original, "the second");
  auto answer = relate(bob, "m.thread", original, text("in a thread"));
  redact(alice, second);
  EXPECT_EQ(replacement(original), first.str());
  redact(alice, original);
  auto relations = shown(original, alice);
  EXPECT_FALSE(relations.contains("m.replace"));
  EXPECT_EQ(relations.at("m.thread").at("latest_event").at("event_id").as_string(), answer.str()) << "the thread stays";
}

TEST_P(RelationsTest, AThreadShowsItsNewestEventWithWhatBelongsToIt) {
  auto root = world.say(room, alice, "root");
  relate(alice, "m.thread", root, text("one"));
  auto last = relate(alice, "m.thread", root, text("two"));
  auto of_last = edit(alice, last, "two!");
  auto thread = shown(root, bob).at("m.thread").as_object();
  EXPECT_EQ(thread.at("count"), 2);
  EXPECT_EQ(thread.at("current_user_participated"), false);
  EXPECT_EQ(thread.at("latest_event").at("event_id").as_string(), last.str());
  EXPECT_EQ(thread.at("latest_event").at("unsigned").at("m.relations").at("m.replace").at("event_id").as_string(),
            of_last.str());
  EXPECT_EQ(shown(root, alice).at("m.thread").at("current_user_participated"), true);
}

TEST_P(RelationsTest, ReferencesAreListedAndAnnotationsAreNot) {
  auto root = world.say(room, alice, "root");
  auto one = relate(bob, "m.reference", root), two = relate(alice, "m.reference", root);
  relate(bob, "m.annotation", root, {{"k", "v"}});
  EXPECT_EQ(json::serialize(shown(root, alice)),
            R"({"m.reference":{"chunk":[{"event_id":")" + one.str() + R"("},{"event_id":")" + two.str() + R"("}]}})");
}

TEST_P(RelationsTest, TheSameAnnotationTwiceIsRefused) {
  auto root = world.say(room, alice, "root");
  auto first = reaction(bob, root, "+1");
  first.transaction = Transaction{bob, DeviceId::trusted("DEVICE"), "send/m.reaction", "1"};
  auto id = value(send(first));
  EXPECT_EQ(error_of(send(reaction(bob, root, "+1"))), Code::kDuplicateAnnotation);
  // Other keys, senders, parents and types are others; and the same request again is no second one.
  value(send(reaction(bob, root, "-1")));
  value(send(reaction(alice, root, "+1")));
  value(send(reaction(bob, world.say(room, alice, "another"), "+1")));
  auto other_type = reaction(bob, root, "+1");
  other_type.type = "org.example";
  value(send(other_type));
  world.restart();
  EXPECT_EQ(value(send(first)), id);
  // It is told to members only, and forgotten with the annotation.
  world.leave(room, bob);
  EXPECT_EQ(error_of(send(reaction(bob, root, "+1"))), Code::kForbidden);
  world.join(room, bob);
  redact(bob, id);
  value(send(reaction(bob, root, "+1")));
}

TEST_P(RelationsTest, OfTwoEqualAnnotationsAtOnceOneIsSent) {
  auto root = world.say(room, alice, "root");
  std::vector<Task<Result<EventId>>> tasks;
  for (int i = 0; i < 5; ++i) tasks.push_back(world.rooms->commands().send(reaction(bob, root, "+1")));
  int sent = 0;
  for (const auto& answer : world.loop.run_all(std::move(tasks))) {
    sent += answer ? 1 : 0;
    if (!answer) EXPECT_EQ(error_of(answer), Code::kDuplicateAnnotation);
  }
  EXPECT_EQ(sent, 1);
}

// Another process, which had the room before, has stored it meanwhile.
TEST_P(RelationsTest, AnAnnotationThatIsThereWhenTheRoomIsReadAgainIsTheOnlyOne) {
  auto root = world.say(room, alice, "root");
  world.db->lose_answer(Code::kStale);
  EXPECT_EQ(error_of(world.loop.run(world.owner().send(reaction(bob, root, "+1")))), Code::kDuplicateAnnotation);
}

TEST_P(RelationsTest, AThreadCannotStartFromAChild) {
  auto root = world.say(room, alice, "root");
  auto child = relate(bob, "m.thread", root, text("in a thread"));
  json::Object relates{{"rel_type", "m.thread"}, {"event_id", child.str()}};
  SendEvent thread{room, bob, "m.room.message", {}, {{"m.relates_to", relates}}};
  EXPECT_EQ(error_of(send(thread)), Code::kUnknown);
  relates["event_id"] = "$elsewhere";  // what is not here, is not known to be one
  thread.content = {{"m.relates_to", relates}};
  value(send(thread));
  redact(bob, child);
  relate(alice, "m.thread", child, text("no child any more"));
}

TEST_P(RelationsTest, StateEventsHaveNothingBundled) {
  auto topic = world.set(room, alice, "m.room.topic", {{"topic", "t"}});
  relate(bob, "m.reference", topic);
  EXPECT_TRUE(shown(topic, alice).empty());
}

TEST_P(RelationsTest, IgnoredUsersAreLeftOut) {
  auto root = world.say(room, alice, "root");
  auto first = relate(alice, "m.thread", root, text("one"));
  auto last = relate(bob, "m.thread", root, text("two"));
  auto reference = relate(alice, "m.reference", root);
  relate(bob, "m.reference", root);
  EXPECT_EQ(shown(root, alice).at("m.thread").at("count"), 2);
  auto seen = shown(root, alice, {bob.str()});
  EXPECT_EQ(seen.at("m.thread").at("count"), 1);
  EXPECT_EQ(seen.at("m.thread").at("latest_event").at("event_id").as_string(), first.str());
  EXPECT_EQ(json::serialize(seen.at("m.reference")), R"({"chunk":[{"event_id":")" + reference.str() + R"("}]})");
  EXPECT_EQ(shown(root, bob).at("m.thread").at("latest_event").at("event_id").as_string(), last.str());
}

}  // namespace
}  // namespace myelin::rooms
