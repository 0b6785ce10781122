// Unread counts: what counts, for whom, until when (client-server API, Receiving notifications; Threading).
#include "components/rooms/room_out.h"
#include "components/sync/notify_out.h"
#include "components/sync/testing/client.h"

namespace myelin::sync {
namespace {
using namespace myelin::sync::testing;
using rooms::MembershipAction;

class Unread : public OnBothDatabases {
 protected:
  Unread() {
    world.join(room, bob.user);
    world.join(room, carol.user);
    world.deliver();
  }
  KnownRoom known(const accounts::Session& who, bool by_thread) {
    world.deliver();
    ClientOptions options;
    options.by_thread = by_thread;
    Client client(world, who, options);
    client.sync();
    return client.rooms[room.str()];
  }
  Count of(const accounts::Session& who) { return known(who, false).unread; }
  Count main(const accounts::Session& who) { return known(who, true).unread; }
  std::map<std::string, Count> threads(const accounts::Session& who) { return known(who, true).threads; }
  int64_t exceptions() {
    world.deliver();
    return world.count("SELECT count(*) FROM unread_exception");
  }
  EventId relate(const UserId& sender, const std::string& type, const std::string& rel_type, const EventId& to) {
    auto content = text("x");
    content["m.relates_to"] = json::Object{{"rel_type", rel_type}, {"event_id", to.str()}, {"key", "+"}};
    if (rel_type == "m.replace") content["m.new_content"] = text("edited");
    return world.send(room, sender, type, std::move(content));
  }

  World world{GetParam()};
  accounts::Session alice = world.register_user("alice"), bob = world.register_user("bob"),
                    carol = world.register_user("carol");
  RoomId room = world.create(alice.user);
};

TEST_P(Unread, MessagesCountForEverybodyButTheirSender) {
  world.say(room, alice.user, "one");
  world.say(room, alice.user, "two");
  EXPECT_EQ(of(bob), (Count{2, 0}));
  EXPECT_EQ(of(carol), (Count{2, 0}));
  EXPECT_EQ(of(alice), (Count{0, 0}));
}

TEST_P(Unread, TheDefaultRulesSayWhatCounts) {
  auto first = world.say(room, alice.user, "a message");
  world.send(room, alice.user, "m.room.encrypted", {{"algorithm", "m.megolm.v1.aes-sha2"}});
  EXPECT_EQ(of(bob), (Count{2, 0}));
  auto notice = text("a notice");
  notice["msgtype"] = "m.notice";
  world.say(room, alice.user, notice);
  world.send(room, alice.user, "org.example", {{"body", "neither"}});
  relate(alice.user, "m.reaction", "m.annotation", first);
  relate(alice.user, "m.room.message", "m.replace", first);
  world.set(room, alice.user, "m.room.topic", {{"topic", "x"}});
  EXPECT_EQ(of(bob), (Count{2, 0}));
  world.set(room, alice.user, "m.room.tombstone", {{"body", "gone"}, {"replacement_room", "!x:here"}});
  EXPECT_EQ(of(bob), (Count{3, 1}));
}

TEST_P(Unread, AMentionHighlightsForWhomItNames) {
  world.say(room, alice.user, mention("bob", bob.user));
  EXPECT_EQ(of(bob), (Count{1, 1}));
  EXPECT_EQ(of(carol), (Count{1, 0}));
  auto everybody = text("all of you");
  everybody["m.mentions"] = json::Object{{"room", true}};
  world.say(room, alice.user, everybody);
  EXPECT_EQ(of(bob), (Count{2, 2}));
  EXPECT_EQ(of(carol), (Count{2, 1}));
  world.say(room, bob.user, everybody);  // who has not the level for it
  EXPECT_EQ(of(carol), (Count{3, 1}));
  auto notice = mention("quietly", bob.user);
  notice["msgtype"] = "m.notice";
  EXPECT_EQ(of(bob), (Count{0, 0}));
  world.say(room, alice.user, notice);  // the override on notices comes first
  EXPECT_EQ(of(bob), (Count{0, 0}));
  world.say(room, alice.user, mention("somebody who is not here", UserId::trusted("@nobody:here")));
  EXPECT_EQ(of(bob), (Count{1, 0}));
}

TEST_P(Unread, SpineRuleA8ReceiptsTravelOnTheirRoomsPartition) {
  auto said = world.say(room, alice.user, "hello");
  world.read(room, bob.user, said);
  std::optional<uint64_t> event_at, receipt_at;
  for (const auto& message : value(world.loop.run(world.bus->messages(rooms::kRoomOut)))) {
    auto decoded = value(rooms::decode_room_out(message.body));
    if (decoded.room != room) continue;
    EXPECT_EQ(message.partition, bus::partition_of(room.str()));
    if (std::holds_alternative<rooms::ReceiptAdded>(decoded.what))
      receipt_at = message.seq;
    else
      event_at = message.seq;  // of the newest
  }
  ASSERT_TRUE(event_at && receipt_at);
  EXPECT_GT(*receipt_at, *event_at) << "no receipt overtakes its event";
}

TEST_P(Unread, SpineRuleA8CountsAreComputedFromTheRoomsOrder) {
  std::vector<EventId> said;
  for (int i = 0; i < 5; ++i) said.push_back(world.say(room, alice.user, "hello"));
  // The newest receipt decides wherever it stands among what arrives, in one batch with it or later.
  world.read(room, bob.user, said[2]);
  world.say(room, alice.user, "another");
  EXPECT_EQ(of(bob), (Count{3, 0}));
  world.read(room, bob.user, said[0]);
  EXPECT_EQ(of(bob), (Count{3, 0})) << "an older one changes nothing";
  world.read(room, bob.user, said[4], "", "m.read.private");
  EXPECT_EQ(of(bob), (Count{1, 0}));
  world.redact(room, alice.user, said[3]);
  EXPECT_EQ(of(bob), (Count{1, 0})) << "what was read is not taken off twice";
  EXPECT_EQ(of(carol), (Count{5, 0}));
}

TEST_P(Unread, ACountIsByTheRulesOfItsTime) {
  world.say(room, alice.user, "before");
  world.deliver();
  world.mute(bob.user, room);
  EXPECT_EQ(of(bob), (Count{1, 0})) << "what has been counted stays";
  world.say(room, alice.user, mention("muted, even so", bob.user));
  EXPECT_EQ(of(bob), (Count{1, 0}));
  world.delete_rule(bob.user, PushRuleKind::kOverride, room.str());
  EXPECT_EQ(of(bob), (Count{1, 0})) << "what was not counted does not come up";
  world.say(room, alice.user, mention("back", bob.user));
  EXPECT_EQ(of(bob), (Count{2, 1}));
  world.deliver();
  world.mentions_only(bob.user, room);
  world.deliver();
  world.say(room, alice.user, "in vain");
  auto last = world.say(room, alice.user, mention("not in vain", bob.user));
  EXPECT_EQ(of(bob), (Count{3, 2}));
  EXPECT_EQ(of(carol), (Count{5, 0}));
  world.read(room, bob.user, last);
  EXPECT_EQ(of(bob), (Count{0, 0}));
  world.say(room, alice.user, "in vain again");
  EXPECT_EQ(of(bob), (Count{0, 0}));
}

TEST_P(Unread, AReceiptIntoTheTimeOfFormerRulesLeavesWhatTheyCounted) {
  auto first = world.say(room, alice.user, "counted");
  world.say(room, alice.user, "counted, too");
  world.deliver();
  world.mute(bob.user, room);
  world.deliver();
  world.say(room, alice.user, "not counted");
  EXPECT_EQ(of(bob), (Count{2, 0}));
  world.read(room, bob.user, first);
  EXPECT_EQ(of(bob), (Count{1, 0}));
}

// Events and changed rules reach sync on ways of their own: here the events come first.
TEST_P(Unread, RulesCountFromTheirAnswerOn) {
  world.mute(bob.user, room);
  world.ignore(carol.user, {alice.user});
  world.say(room, alice.user, "not for these two");
  EXPECT_EQ(of(bob), (Count{0, 0}));
  EXPECT_EQ(of(carol), (Count{0, 0}));
  world.delete_rule(bob.user, PushRuleKind::kOverride, room.str());
  world.ignore(carol.user, {});
  world.say(room, alice.user, "for both");
  EXPECT_EQ(of(bob), (Count{1, 0}));
  EXPECT_EQ(of(carol), (Count{1, 0}));
}

// Of several processes, the one that applies has not made the change; and whether its COMMIT is done it never hears.
TEST_P(Unread, RulesOfAnotherProcessCountThoughTheirCommitIsInDoubt) {
  if (GetParam() == db::testing::Kind::kSqlite) GTEST_SKIP() << "one process has the file";
  world.say(room, alice.user, "counts");
  EXPECT_EQ(of(carol), (Count{1, 0}));
  FakeBus bus(*world.db);
  auto queues = work::Queues::make(*world.db, bus, world.loop.executor(), world.clock, world.random);
  accounts::Config config;
  config.server_name = world.server;
  auto other = accounts::make_accounts(std::move(config), *world.db, bus, *queues, *world.rooms, world.loop.executor(),
                                       world.clock, world.random);
  json::Object ignored{{"ignored_users", json::Object{{alice.user.str(), json::Object()}}}};
  check(world.loop.run(
      other->put_account_data(carol.user, std::nullopt, "m.ignored_user_list", json::serialize(ignored))));
  world.bus->in_doubt = true;
  world.deliver();
  world.bus->in_doubt = false;
  world.say(room, alice.user, "does not");
  EXPECT_EQ(of(carol), (Count{1, 0}));
}

TEST_P(Unread, CommonSettingsWriteNoRows) {
  world.mute(bob.user, room);
  world.edit_rules(carol.user, [](json::Object& rules) -> Result<void> {
    for (const char* id : {".m.rule.message", ".m.rule.encrypted"})
      MYELIN_CHECK(set_push_rule_actions(rules, PushRuleKind::kUnderride, id, json::Array()));
    return {};
  });
  world.deliver();
  for (int i = 0; i < 3; ++i) world.say(room, alice.user, "hello");
  EXPECT_EQ(of(bob), (Count{0, 0}));
  EXPECT_EQ(of(carol), (Count{0, 0}));
  world.edit_rules(bob.user, [](json::Object& rules) {
    return enable_push_rule(rules, PushRuleKind::kOverride, ".m.rule.master", true);
  });
  world.delete_rule(bob.user, PushRuleKind::kOverride, room.str());
  world.deliver();
  world.say(room, alice.user, mention("both of you", bob.user));
  EXPECT_EQ(of(bob), (Count{0, 0}));
  EXPECT_EQ(exceptions(), 0);
  world.say(room, alice.user, mention("you", carol.user));
  EXPECT_EQ(of(carol), (Count{1, 1}));
  EXPECT_EQ(exceptions(), 1);
}

TEST_P(Unread, KeywordsAndRulesOnTheRoomsSizeAreEachMembersOwn) {
  world.put_rule(bob.user, PushRuleKind::kContent, "cheese",
                 {{"pattern", "cheese"},
                  {"actions", json::Array{"notify", json::Object{{"set_tweak", "highlight"}, {"value", true}}}}});
  world.edit_rules(carol.user, [](json::Object& rules) {  // messages only where two are
    return enable_push_rule(rules, PushRuleKind::kUnderride, ".m.rule.message", false);
  });
  world.deliver();
  world.say(room, alice.user, "more cheese, please");
  EXPECT_EQ(of(bob), (Count{1, 1}));
  EXPECT_EQ(of(carol), (Count{0, 0}));
  // All in one batch: each is judged by how many were there.
  world.leave(room, bob.user);
  world.say(room, alice.user, "just the two of us");
  world.join(room, bob.user);
  world.say(room, alice.user, "no longer");
  EXPECT_EQ(of(carol), (Count{1, 0}));
}

TEST_P(Unread, IgnoredUsersCountForNothing) {
  world.ignore(bob.user, {carol.user});
  world.deliver();
  world.say(room, carol.user, mention("hey", bob.user));
  world.say(room, alice.user, "hello");
  EXPECT_EQ(of(bob), (Count{1, 0}));
}

TEST_P(Unread, RedactedEventsCountNoMore) {
  auto first = world.say(room, alice.user, "first");
  auto second = world.say(room, alice.user, mention("second", bob.user));
  auto third = world.say(room, alice.user, "third");
  auto in_thread_one = world.say(room, alice.user, in_thread(text("in thread"), first));
  world.deliver();
  world.read(room, carol.user, second);
  EXPECT_EQ(of(bob), (Count{4, 1}));
  EXPECT_EQ(of(carol), (Count{2, 0}));
  world.redact(room, alice.user, second);
  EXPECT_EQ(of(bob), (Count{3, 0}));
  EXPECT_EQ(of(carol), (Count{2, 0})) << "she has read it";
  world.redact(room, alice.user, in_thread_one);
  EXPECT_EQ(of(bob), (Count{2, 0}));
  EXPECT_TRUE(threads(bob).empty());
  world.redact(room, alice.user, third);
  world.deliver();
  world.redact(room, alice.user, third);  // again: nothing more
  EXPECT_EQ(of(bob), (Count{1, 0}));
  EXPECT_EQ(of(carol), (Count{0, 0}));
  world.say(room, alice.user, "fourth");
  world.read(room, bob.user, third);
  EXPECT_EQ(of(bob), (Count{1, 0}));
  // Badges fell when what counted was redacted, and only then; push is told.
  size_t told = 0;
  for (const auto& message : value(world.loop.run(world.bus->messages(kNotifyOut))))
    told += value(decode_notify_out(message.body)).taken_back ? 1 : 0;
  EXPECT_EQ(told, 3u);
  // Redacted before it was ever judged.
  auto fifth = world.say(room, alice.user, mention("fifth", bob.user));
  world.redact(room, alice.user, fifth);
  EXPECT_EQ(of(bob), (Count{1, 0}));
}

TEST_P(Unread, ReceiptsReadUpToTheirEvent) {
  auto first = world.say(room, alice.user, "first");
  auto second = world.say(room, alice.user, mention("second", bob.user));
  world.say(room, alice.user, "third");
  EXPECT_EQ(of(bob), (Count{3, 1}));
  world.read(room, bob.user, first);
  EXPECT_EQ(of(bob), (Count{2, 1}));
  world.read(room, bob.user, second, "", "m.read.private");
  EXPECT_EQ(of(bob), (Count{1, 0}));
  world.read(room, bob.user, first, "", "m.read.private");
  EXPECT_EQ(of(bob), (Count{1, 0})) << "never backwards";
}

TEST_P(Unread, ThreadsAreReadOnTheirOwn) {
  auto root = world.say(room, alice.user, "root");
  auto other = world.say(room, alice.user, "another root");
  auto one = world.say(room, alice.user, in_thread(text("1"), root));
  auto two = world.say(room, alice.user, in_thread(mention("2", bob.user), root));
  auto three = world.say(room, alice.user, in_thread(text("3"), other));
  using Threads = std::map<std::string, Count>;
  EXPECT_EQ(of(bob), (Count{5, 1}));
  EXPECT_EQ(main(bob), (Count{2, 0}));
  EXPECT_EQ(threads(bob), (Threads{{root.str(), {2, 1}}, {other.str(), {1, 0}}}));
  world.read(room, bob.user, other, "main");
  EXPECT_EQ(main(bob), (Count{0, 0}));
  EXPECT_EQ(threads(bob), (Threads{{root.str(), {2, 1}}, {other.str(), {1, 0}}}));
  world.read(room, bob.user, one, root.str());
  EXPECT_EQ(threads(bob), (Threads{{root.str(), {1, 1}}, {other.str(), {1, 0}}}));
  world.read(room, bob.user, two);  // everything up to there
  EXPECT_EQ(threads(bob), (Threads{{other.str(), {1, 0}}}));
  world.read(room, bob.user, one, root.str(), "m.read.private");  // older than what is read: nothing comes back
  EXPECT_EQ(threads(bob), (Threads{{other.str(), {1, 0}}}));
  EXPECT_EQ(of(bob), (Count{1, 0}));
  EXPECT_EQ(error_of(world.try_receipt(room, bob.user, three, "m.read", root.str())), Code::kInvalidParam);
}

TEST_P(Unread, WhatRelatesToAThreadsEventIsInTheThread) {
  auto root = world.say(room, alice.user, "root");
  auto one = world.say(room, alice.user, in_thread(text("1"), root));
  auto content = text("see there");
  content["m.relates_to"] = json::Object{{"rel_type", "m.reference"}, {"event_id", one.str()}};
  auto reference = world.say(room, alice.user, std::move(content));
  EXPECT_EQ(main(bob), (Count{1, 0}));
  EXPECT_EQ(threads(bob).at(root.str()), (Count{2, 0}));
  world.read(room, bob.user, reference, root.str());
  EXPECT_TRUE(threads(bob).empty());
}

TEST_P(Unread, WhoSaysSomethingHasReadWhatWasSaidBefore) {
  auto root = world.say(room, alice.user, "root");
  world.say(room, alice.user, in_thread(text("1"), root));
  world.say(room, bob.user, "an answer");
  EXPECT_EQ(main(bob), (Count{0, 0}));
  EXPECT_EQ(threads(bob).at(root.str()), (Count{1, 0}));
  world.say(room, bob.user, in_thread(text("an answer"), root));
  EXPECT_TRUE(threads(bob).empty());
  // A new name in all rooms is not a word in any of them.
  rooms::ChangeMembership rename{room, carol.user, carol.user, MembershipAction::kProfile, {"Caroline", {}}};
  value(world.loop.run(world.rooms->commands().change_membership(std::move(rename))));
  EXPECT_EQ(main(carol), (Count{2, 0}));
}

TEST_P(Unread, ComingBackStartsAnew) {
  world.say(room, alice.user, "before");
  world.mute(bob.user, room);
  world.deliver();
  world.change(room, alice.user, bob.user, MembershipAction::kKick);
  world.say(room, alice.user, mention("where are you", bob.user));
  world.join(room, bob.user);
  EXPECT_EQ(of(bob), (Count{0, 0}));
  world.say(room, alice.user, "there you are");
  EXPECT_EQ(of(bob), (Count{0, 0})) << "the rule is still there";
  world.delete_rule(bob.user, PushRuleKind::kOverride, room.str());
  world.deliver();
  world.say(room, alice.user, "now");
  EXPECT_EQ(of(bob), (Count{1, 0}));
}

TEST_P(Unread, TheBadgeAddsUpTheRooms) {
  auto second = world.create(alice.user);
  world.join(second, bob.user);
  world.say(room, alice.user, "one");
  world.say(second, alice.user, "two");
  world.say(second, alice.user, in_thread(text("three"), world.say(second, alice.user, "four")));
  world.deliver();
  EXPECT_EQ(value(world.loop.run(world.sync->badge(bob.user))).unread, 4);
  world.leave(second, bob.user);
  world.deliver();
  EXPECT_EQ(value(world.loop.run(world.sync->badge(bob.user))).unread, 1);
}

TEST_P(Unread, AnEventAndItsCountComeTogether) {
  Client client(world, bob, {});
  client.sync();
  auto& known = client.rooms[room.str()];
  for (int i = 1; i <= 5; ++i) {
    world.say(room, alice.user, "hello");
    client.sync();
    EXPECT_EQ(known.unread.notify, i - 1) << "not delivered yet";
    world.deliver();
    client.sync();
    EXPECT_EQ(known.unread.notify, i);
  }
}

// A count can be told although its event is not: by a filter on the timeline.
TEST_P(Unread, AHiddenEventsCountIsTold) {
  ClientOptions options;
  options.hidden_types = {"m.room.message"};
  Client client(world, bob, options);
  client.sync();
  world.say(room, alice.user, "hello");
  world.deliver();
  client.sync();
  EXPECT_EQ(client.rooms[room.str()].unread.notify, 1);
}

MYELIN_ON_BOTH_DATABASES(Unread);

}  // namespace
}  // namespace myelin::sync
