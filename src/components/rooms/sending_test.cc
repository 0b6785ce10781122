// Commands that are repeated, that fail, and what stood on them (docs/spine.md, rules A1, A16 and B11).
#include "components/rooms/testing/world.h"

namespace myelin::rooms {
namespace {
using namespace myelin::rooms::testing;

class Sending : public OnBothDatabases {
 protected:
  World world{GetParam()};
  RoomId room = world.create(world.room_of(world.alice));

  SendEvent message(const UserId& sender, const std::string& body, std::optional<std::string> txn = {},
                    const std::string& device = "DEVICE", const std::string& path = "send/m.room.message") const {
    SendEvent out{room, sender, "m.room.message", {}, text(body)};
    if (txn) out.transaction = Transaction{sender, DeviceId::trusted(device), room.str() + path, *txn};
    return out;
  }
  Result<EventId> send(SendEvent request) { return world.loop.run(world.rooms->commands().send(std::move(request))); }
  std::vector<Result<EventId>> send_together(std::vector<SendEvent> requests) {
    std::vector<Task<Result<EventId>>> tasks;
    for (auto& request : requests) tasks.push_back(world.rooms->commands().send(std::move(request)));
    return world.loop.run_all(std::move(tasks));
  }
  // Every event stands on one that is there, the orders are dense, and each message of room.out on the one before.
  void expect_whole() {
    StateRoot root;
    int64_t order = 0;
    for (const auto& message : world.published()) {
      if (message.room != room) continue;
      const auto& added = std::get<EventAdded>(message.what);
      EXPECT_EQ(added.order, ++order);
      EXPECT_EQ(added.before, root);
      root = added.after;
      auto placed = value(world.loop.run(world.queries().events({added.ref}))).front();
      for (const auto& prev : placed->event->prev_events()) world.event(room, prev);
    }
    EXPECT_EQ(root, world.current(room));
  }
};

TEST_P(Sending, ARepeatedTransactionAnswersTheSame) {
  auto first = value(send(message(world.alice, "once", "1")));
  auto rows = world.rows();
  EXPECT_EQ(value(send(message(world.alice, "once", "1"))), first);
  world.restart();
  EXPECT_EQ(value(send(message(world.alice, "once", "1"))), first);
  EXPECT_EQ(value(send(message(world.alice, "said otherwise", "1"))), first);
  EXPECT_EQ(world.rows(), rows);
  expect_whole();
  // It is stored with the event, for the device that sent it.
  auto placed = world.event(room, first);
  ASSERT_TRUE(placed->transaction);
  EXPECT_EQ(placed->transaction->first.str(), "DEVICE");
  EXPECT_EQ(placed->transaction->second, "1");
}

// Sync and push read each event as soon as it is committed.
TEST_P(Sending, WhoReadsWhatWasJustStoredAsksTheDatabaseNothing) {
  value(send(message(world.alice, "hello", "1")));
  world.set(room, world.alice, "m.room.topic", {{"topic", "a"}});
  world.join(room, world.bob);
  std::vector<EventRef> refs;
  for (const auto& message : world.published()) refs.push_back(std::get<EventAdded>(message.what).ref);
  auto read = [&] { return value(world.loop.run(world.queries().events(refs))); };
  auto before = world.db->reads();
  auto known = read();
  EXPECT_EQ(world.db->reads(), before);
  world.restart();
  auto anew = read();
  ASSERT_EQ(known.size(), anew.size());
  for (size_t i = 0; i < known.size(); ++i) {
    const auto &a = *known[i], &b = *anew[i];
    EXPECT_EQ(a.event->event_id(), b.event->event_id());
    EXPECT_EQ(a.event->text(), b.event->text());
    EXPECT_EQ(a.event->object(), b.event->object());
    EXPECT_EQ(a.event->room_id(), b.event->room_id());
    auto rest = [](const PlacedEvent& e) {
      return std::tuple(e.ref, e.order, e.depth, e.soft_failed, e.rejected, e.redacted_by, e.replaces, e.replaces_state,
                        e.transaction);
    };
    EXPECT_EQ(rest(a), rest(b)) << a.event->text();
  }
}

TEST_P(Sending, WhatAClientMayNestAtMostCanBeRedactedAndAnnotated) {
  auto deepest =
      "{\"x\":" + std::string(json::kMaxBodyDepth - 1, '[') + std::string(json::kMaxBodyDepth - 1, ']') + "}";
  SendEvent deep{room, world.alice, "m.room.message", {}, value(json::parse_object(deepest))};
  auto id = value(send(deep));
  SendEvent in_thread = message(world.alice, "reply");
  in_thread.content["m.relates_to"] = json::Object{{"rel_type", "m.thread"}, {"event_id", id.str()}};
  value(send(in_thread));
  SendEvent redaction{room, world.alice, "m.room.redaction", {}, {}};
  redaction.redacts = id;
  auto by = value(send(redaction));
  EXPECT_EQ(world.event(room, id)->redacted_by, world.event(room, by)->ref);
}

TEST_P(Sending, TransactionsAreThoseOfADeviceAndAPath) {
  std::set<EventId> sent;
  for (const char* device : {"DEVICE", "OTHER"})
    for (const char* path : {"send/m.room.message", "send/org.example"})
      for (const char* txn : {"1", "2"}) sent.insert(value(send(message(world.alice, "x", txn, device, path))));
  EXPECT_EQ(sent.size(), 8u);
}

TEST_P(Sending, ASecondAttemptInFlightJoinsTheFirst) {
  auto before = world.rows();
  std::vector<SendEvent> attempts(7, message(world.alice, "once", "1"));
  attempts.push_back(message(world.alice, "another", "2"));
  auto answers = send_together(std::move(attempts));
  for (size_t i = 1; i < 7; ++i) EXPECT_EQ(value(answers[i]), value(answers[0]));
  EXPECT_NE(value(answers[7]), value(answers[0]));
  EXPECT_EQ(world.rows()["event"], before["event"] + 2);
  // Also when the first fails: they fail as one, and it may be tried again.
  world.db->fail_write({Code::kDiskFull, "no space"});
  answers = send_together(std::vector<SendEvent>(3, message(world.alice, "later", "3")));
  for (const auto& answer : answers) EXPECT_EQ(error_of(answer), Code::kDiskFull);
  value(send(message(world.alice, "later", "3")));
  EXPECT_EQ(world.bodies(room, world.alice), (std::vector<std::string>{"once", "another", "later"}));
  expect_whole();
}

// Of the owner: what is asked of it from another process bears a name.
TEST_P(Sending, ACommandAskedForAgainIsAnsweredTheSame) {
  auto run = [&](auto task) { return value(world.loop.run(std::move(task))); };
  auto request = message(world.alice, "once");
  request.command = "c1";
  auto first = run(world.owner().send(request));
  JoinRoom join{room, world.dave, {}};
  join.command = "c2";
  auto joined = run(world.owner().join(join));
  ChangeMembership leave{room, world.dave, world.dave, MembershipAction::kLeave};
  leave.command = "c3";
  auto left = run(world.owner().change_membership(leave));
  auto rows = world.rows();
  for (int life = 0; life < 2; ++life, world.restart()) {
    EXPECT_EQ(run(world.owner().send(request)), first);
    EXPECT_EQ(run(world.owner().join(join)), joined) << "though the user has left since";
    EXPECT_EQ(run(world.owner().change_membership(leave)), left);
  }
  EXPECT_EQ(world.rows(), rows);
  // Attempts that overlap are one.
  request.command = "c4";
  std::vector<Task<Result<EventId>>> attempts;
  for (int i = 0; i < 5; ++i) attempts.push_back(world.owner().send(request));
  auto answers = world.loop.run_all(std::move(attempts));
  for (const auto& answer : answers) EXPECT_EQ(value(answer), value(answers[0]));
  EXPECT_EQ(world.rows()["event"], rows["event"] + 1);
}

TEST_P(Sending, ARefusedTransactionIsNotDone) {
  EXPECT_EQ(error_of(send(message(world.bob, "let me in", "1"))), Code::kForbidden);
  world.join(room, world.bob);
  auto sent = value(send(message(world.bob, "let me in", "1")));
  // What was done stays done, whatever has become of the sender.
  world.change(room, world.alice, world.bob, MembershipAction::kBan);
  world.restart();
  EXPECT_EQ(value(send(message(world.bob, "let me in", "1"))), sent);
  EXPECT_EQ(error_of(send(message(world.bob, "let me in", "2"))), Code::kForbidden);
}

TEST_P(Sending, ARepeatedRedactionAnswersTheSame) {
  auto said = world.say(room, world.alice, "oops");
  SendEvent redaction{room, world.alice, "m.room.redaction", {}, {{"reason", "oops"}}};
  redaction.redacts = said;
  redaction.transaction = Transaction{world.alice, DeviceId::trusted("DEVICE"), "redact", "1"};
  auto first = value(send(redaction));
  world.restart();
  EXPECT_EQ(value(send(redaction)), first);
  EXPECT_EQ(world.served(room, said, {world.alice}).redacted_because->event_id(), first);
}

TEST_P(Sending, WhatStoodOnAFailedWriteIsBuiltAnew) {
  for (size_t failing = 0; failing < 3; ++failing) {
    world.db->fail_write({Code::kDiskFull, "no space"}, failing);
    std::vector<SendEvent> requests;
    for (int i = 0; i < 4; ++i) requests.push_back(message(world.alice, fmt::format("{}.{}", failing, i)));
    auto answers = send_together(std::move(requests));
    for (size_t i = 0; i < answers.size(); ++i) {
      if (i == failing)
        EXPECT_EQ(error_of(answers[i]), Code::kDiskFull);
      else
        value(answers[i]);
    }
    expect_whole();
  }
  std::set<std::string> bodies;
  for (auto& body : world.bodies(room, world.alice)) EXPECT_TRUE(bodies.insert(body).second) << body << " is doubled";
  EXPECT_EQ(bodies, (std::set<std::string>{"0.1", "0.2", "0.3", "1.0", "1.2", "1.3", "2.0", "2.1", "2.3"}));
}

// The connection was lost at COMMIT: the room is read again, and what was in doubt is done only then.
TEST_P(Sending, SpineRuleA12WhatIsDoneLateIsFoundOut) {
  auto& owner = world.owner();  // who asks it over the bus would repeat the command
  auto late = [&](Task<Result<EventId>> command, auto meanwhile) {
    world.db->delay_write();
    EXPECT_EQ(error_of(world.loop.run(std::move(command))), Code::kCommitUnknown);
    meanwhile();  // reads the room
    check(world.db->do_delayed_write());
  };
  auto set_topic = [&](const std::string& topic) {
    return owner.send({room, world.alice, "m.room.topic", "", json::Object{{"topic", topic}}});
  };
  auto bob_says = [&] { return world.loop.run(owner.send(message(world.bob, "hello"))); };
  auto is_refused = [&] { EXPECT_EQ(error_of(bob_says()), Code::kForbidden); };

  value(world.loop.run(set_topic("one")));
  late(set_topic("two"), is_refused);
  value(world.loop.run(set_topic("three")));
  late(owner.join({room, world.bob, {}}), is_refused);
  value(bob_says());
  auto joined = world.state_event(room, "m.room.member", world.bob.str())->event->event_id();
  late(owner.change_membership({room, world.bob, world.bob, MembershipAction::kLeave}),
       [&] { EXPECT_EQ(world.join(room, world.bob), joined); });
  EXPECT_NE(world.join(room, world.bob), joined);
  EXPECT_EQ(world.membership(room, world.bob), "join");
  expect_whole();
}

TEST_P(Sending, ARefusalRestsOnWhatIsDurable) {
  world.join(room, world.bob);
  world.db->fail_write({Code::kDiskFull, "no space"});
  std::vector<Task<Result<EventId>>> tasks;
  tasks.push_back(world.rooms->commands().change_membership({room, world.alice, world.bob, MembershipAction::kBan}));
  tasks.push_back(world.rooms->commands().send(message(world.bob, "still here")));
  auto answers = world.loop.run_all(std::move(tasks));
  EXPECT_EQ(error_of(answers[0]), Code::kDiskFull);
  value(answers[1]);
  EXPECT_EQ(world.membership(room, world.bob), "join");
  expect_whole();
}

TEST_P(Sending, RedactedStateIsRedactedWhereItIsShownAsFormerContent) {
  auto first = world.set(room, world.alice, "m.room.topic", {{"topic", "secret"}});
  auto second = world.set(room, world.alice, "m.room.topic", {{"topic", "open"}});
  EXPECT_EQ(world.served(room, second, {world.alice}).prev_content->at("topic").as_string(), "secret");
  SendEvent redaction{room, world.alice, "m.room.redaction", {}, {}};
  redaction.redacts = first;
  value(send(redaction));
  EXPECT_FALSE(world.served(room, second, {world.alice}).prev_content->contains("topic"));
  world.restart();
  EXPECT_FALSE(world.served(room, second, {world.alice}).prev_content->contains("topic"));
}

TEST_P(Sending, RedactedStateCanBeSetAgain) {
  auto redact = [&](const EventId& target) {
    SendEvent redaction{room, world.alice, "m.room.redaction", {}, {}};
    redaction.redacts = target;
    value(send(redaction));
  };
  auto first = world.set(room, world.alice, "m.room.topic", {{"topic", "t"}});
  EXPECT_EQ(world.set(room, world.alice, "m.room.topic", {{"topic", "t"}}), first);
  for (bool read_again : {false, true}) {
    redact(first);
    if (read_again) world.restart();
    auto again = world.set(room, world.alice, "m.room.topic", {{"topic", "t"}});
    EXPECT_NE(again, first);
    EXPECT_EQ(world.state_event(room, "m.room.topic")->event->content(), (json::Object{{"topic", "t"}}));
    first = again;
  }
}

TEST_P(Sending, WhatWasRedactedOfAMemberEventDoesNotComeBackWithTheNextProfile) {
  auto joined = value(world.loop.run(
      world.rooms->commands().join({room, world.bob, {"Bob", {}}, {}, {}, json::Object{{"org.example", "secret"}}})));
  SendEvent redaction{room, world.alice, "m.room.redaction", {}, {}};
  redaction.redacts = joined;
  value(send(redaction));
  ChangeMembership profile{room, world.bob, world.bob, MembershipAction::kProfile, {"Bob", {}}};
  value(world.loop.run(world.rooms->commands().change_membership(profile)));
  EXPECT_EQ(world.state_event(room, "m.room.member", world.bob.str())->event->content(),
            (json::Object{{"membership", "join"}, {"displayname", "Bob"}}));
}

MYELIN_ON_BOTH_DATABASES(Sending);

}  // namespace
}  // namespace myelin::rooms
