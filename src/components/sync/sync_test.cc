// What one answer of /sync tells, beyond what the model test compares: gone and invited rooms, gaps, lazy loading,
// waiting (client-server API, Syncing).
#include "components/sync/sync.h"

#include <numeric>

#include "components/rooms/testing/remote_server.h"
#include "components/sync/notify_out.h"
#include "components/sync/testing/client.h"
#include "components/sync/testing/syncing.h"

namespace myelin::sync {
namespace {
using namespace myelin::sync::testing;
using rooms::MembershipAction;

constexpr const char* kLazy = R"({"room":{"state":{"lazy_load_members":true},"timeline":{"limit":2}}})";

// ---- rooms that are left

TEST_P(Syncing, WhoRejectsAnInviteLearnsNothingOfTheRoom) {
  auto room = world.create(alice.user, "private_chat");
  world.set(room, alice.user, "m.room.topic", {{"topic", "secret"}});
  auto since = token(bob);
  world.invite(room, alice.user, bob.user);
  auto invited = sync(bob, since);
  EXPECT_FALSE(room_in(invited, "invite", room).empty());
  world.set(room, alice.user, "org.example", {{"secret", true}});
  auto left = world.leave(room, bob.user);
  for (const auto& answer : {sync(bob, World::next_batch(invited)), sync(bob, since),
                             sync(bob, std::nullopt, R"({"room":{"include_leave":true}})")}) {
    auto gone = room_in(answer, "leave", room);
    ASSERT_FALSE(gone.empty());
    EXPECT_TRUE(ids(gone, "timeline").empty());
    EXPECT_EQ(ids(gone, "state"), (std::vector<std::string>{left.str()}));
  }
}

TEST_P(Syncing, WhoIsBannedLearnsNothingOfTheTimeAfterLeaving) {
  auto room = world.create(alice.user);
  world.join(room, bob.user);
  auto since = token(bob);
  auto before = world.say(room, alice.user, "before");
  auto left = world.leave(room, bob.user);
  auto middle = token(bob);
  world.set(room, alice.user, "m.room.topic", {{"topic", "after"}});
  auto ban = world.change(room, alice.user, bob.user, MembershipAction::kBan);
  auto gone = room_in(sync(bob, since), "leave", room);
  EXPECT_EQ(ids(gone, "timeline"), (std::vector<std::string>{before.str(), left.str(), ban.str()}));
  EXPECT_TRUE(ids(gone, "state").empty());
  gone = room_in(sync(bob, middle), "leave", room);
  EXPECT_TRUE(ids(gone, "timeline").empty());
  EXPECT_EQ(ids(gone, "state"), (std::vector<std::string>{ban.str()}));
  // One by one or at once, a client comes to the same.
  Client client(world, bob, {});
  client.sync();
  EXPECT_EQ((client.rooms[room.str()].state[{"m.room.member", bob.user.str()}]), ban.str());
  // Who never was there is banned all the same, and told so.
  auto banned = world.change(room, alice.user, carol.user, MembershipAction::kBan);
  gone = room_in(sync(carol, since), "leave", room);
  EXPECT_TRUE(ids(gone, "timeline").empty());
  EXPECT_EQ(ids(gone, "state"), (std::vector<std::string>{banned.str()}));
}

TEST_P(Syncing, WhoLeftGetsNothingLaterAttachedToWhatTheyMaySee) {
  for (const char* setting : {"shared", "joined"}) {
    SCOPED_TRACE(setting);
    auto room = world.create(alice.user);
    world.set(room, alice.user, "m.room.history_visibility", {{"history_visibility", setting}});
    world.join(room, bob.user);
    auto topic = world.set(room, alice.user, "m.room.topic", {{"topic", "a topic"}});
    auto root = world.say(room, alice.user, "root");
    auto said = world.say(room, alice.user, "said");
    auto since = token(bob);
    world.leave(room, bob.user);
    world.say(room, alice.user, in_thread(text("hidden"), root));
    auto edit = text("hidden");
    edit["m.new_content"] = text("hidden");
    edit["m.relates_to"] = json::Object{{"rel_type", "m.replace"}, {"event_id", root.str()}};
    world.say(room, alice.user, edit);
    auto first = world.redact(room, alice.user, said), second = world.redact(room, alice.user, topic);
    for (const auto& answer : {sync(bob, std::nullopt, R"({"room":{"include_leave":true,"timeline":{"limit":3}}})"),
                               sync(bob, std::nullopt, R"({"room":{"include_leave":true,"timeline":{"limit":9}}})"),
                               sync(bob, since, R"({"room":{"timeline":{"limit":1}}})")}) {
      auto gone = json::serialize(room_in(answer, "leave", room));
      EXPECT_NE(gone, "{}");
      EXPECT_EQ(gone.find("hidden"), std::string::npos) << gone;
      EXPECT_EQ(gone.find(first.str()), std::string::npos) << gone;
      EXPECT_EQ(gone.find(second.str()), std::string::npos) << gone;
      EXPECT_EQ(gone.find("a topic"), std::string::npos) << "redacted for everybody: " << gone;
    }
  }
}

TEST_P(Syncing, AForgottenRoomIsNoLongerAmongTheLeftOnes) {
  auto room = world.create(alice.user);
  world.join(room, bob.user);
  world.leave(room, bob.user);
  const char* filter = R"({"room":{"include_leave":true}})";
  EXPECT_FALSE(room_in(sync(bob, std::nullopt, filter), "leave", room).empty());
  EXPECT_TRUE(room_in(sync(bob), "leave", room).empty());
  check(world.loop.run(world.rooms->commands().forget(room, bob.user)));
  EXPECT_TRUE(room_in(sync(bob, std::nullopt, filter), "leave", room).empty());
}

TEST_P(Syncing, ComingBackIsAGap) {
  auto room = world.create(alice.user);
  world.join(room, bob.user);
  world.leave(room, bob.user);
  auto since = token(bob);
  world.join(room, bob.user);
  auto again = room_in(sync(bob, since), "join", room);
  EXPECT_TRUE(again.at("timeline").at("limited").as_bool());
  // A room that is new to the client, as a whole, has none.
  since = token(bob);
  auto fresh = world.create(bob.user);
  EXPECT_FALSE(room_in(sync(bob, since), "join", fresh).at("timeline").at("limited").as_bool());
}

// ---- state

TEST_P(Syncing, AGapTellsLazyClientsWhoLeft) {
  auto room = world.create(alice.user);
  world.join(room, bob.user);
  world.join(room, carol.user);
  auto since = World::next_batch(sync(bob, std::nullopt, kLazy));
  auto left = world.leave(room, carol.user);
  for (int i = 0; i < 5; ++i) world.say(room, alice.user, "hello");
  auto answer = room_in(sync(bob, since, kLazy), "join", room);
  EXPECT_TRUE(answer.at("timeline").at("limited").as_bool());
  EXPECT_TRUE(has(ids(answer, "state"), left));
}

TEST_P(Syncing, LazyMembersAreToldAgainWhenTheAnswerWasLost) {
  auto room = world.create(alice.user);
  world.join(room, bob.user);
  for (int i = 0; i < 5; ++i) world.join(room, UserId::trusted(fmt::format("@hero{}:here", i)));
  auto joined = world.join(room, carol.user);
  for (int i = 0; i < 5; ++i) world.say(room, alice.user, "hello");
  auto since = World::next_batch(sync(bob, std::nullopt, kLazy));
  world.say(room, carol.user, "hello from carol");
  for (int attempt = 0; attempt < 2; ++attempt)
    EXPECT_TRUE(has(ids(room_in(sync(bob, since, kLazy), "join", room), "state"), joined)) << attempt;
  auto arrived = sync(bob, since, kLazy);
  world.say(room, carol.user, "another");
  auto next = sync(bob, World::next_batch(arrived), kLazy);
  EXPECT_FALSE(has(ids(room_in(next, "join", room), "state"), joined)) << "the client has her";
}

TEST_P(Syncing, NewHeroesComeWithTheirMemberEvents) {
  auto room = world.create(alice.user);
  world.join(room, bob.user);
  auto since = World::next_batch(sync(alice, std::nullopt, kLazy));
  world.change(room, alice.user, carol.user, MembershipAction::kInvite);
  for (int i = 0; i < 5; ++i) world.say(room, alice.user, "hello");
  auto answer = room_in(sync(alice, since, kLazy), "join", room);
  EXPECT_EQ(answer.at("summary").at("m.heroes"), (json::Array{"@bob:here", "@carol:here"}));
  EXPECT_EQ(answer.at("summary").at("m.invited_member_count").as_int64(), 1);
}

TEST_P(Syncing, StateThatTheTimelineHidesIsTold) {
  auto room = world.create(alice.user);
  const char* filter = R"({"room":{"timeline":{"not_types":["m.room.topic"]}}})";
  auto since = World::next_batch(sync(alice, std::nullopt, filter));
  world.say(room, alice.user, "one");
  auto topic = world.set(room, alice.user, "m.room.topic", {{"topic", "x"}});
  world.say(room, alice.user, "two");
  auto answer = room_in(sync(alice, since, filter), "join", room);
  EXPECT_EQ(ids(answer, "timeline").size(), 2u);
  EXPECT_EQ(ids(answer, "state"), (std::vector<std::string>{topic.str()}));
}

TEST_P(Syncing, FullStateTellsLazyClientsWhoseMembershipChanged) {
  auto room = world.create(alice.user);
  world.join(room, bob.user);
  world.join(room, carol.user);
  auto since = World::next_batch(sync(bob, std::nullopt, kLazy));
  auto left = world.leave(room, carol.user);
  for (int i = 0; i < 5; ++i) world.say(room, alice.user, "hello");
  world.deliver();
  SyncRequest request{bob};
  request.since = since;
  request.filter = kLazy;
  request.full_state = true;
  EXPECT_TRUE(has(ids(room_in(world.sync_now(request), "join", room), "state"), left));
}

// What a client cannot see may overtake what it can: the timeline begins after that, and the rest is in the gap.
TEST_P(Syncing, AStateEventOvertakenByAHiddenOneIsLeftToTheGap) {
  auto room = world.create(alice.user);
  auto seen = world.set(room, alice.user, "m.room.topic", {{"topic", "seen"}});
  world.set(room, alice.user, "m.room.history_visibility", {{"history_visibility", "joined"}});
  auto hidden = world.set(room, alice.user, "m.room.topic", {{"topic", "hidden"}});
  world.set(room, alice.user, "m.room.history_visibility", {{"history_visibility", "shared"}});
  auto said = world.say(room, alice.user, "hello");
  auto joined = world.join(room, bob.user);
  world.deliver();
  ClientOptions options;
  options.limit = 20;
  Client client(world, bob, options);
  auto answer = world.sync_now(client.request());
  auto timeline = ids(room_in(answer, "join", room), "timeline");
  EXPECT_FALSE(has(timeline, seen));
  EXPECT_TRUE(has(timeline, said) && has(timeline, joined));
  EXPECT_TRUE(room_in(answer, "join", room).at("timeline").at("limited").as_bool());
  client.take(answer);
  EXPECT_EQ((client.rooms[room.str()].state[{"m.room.topic", ""}]), hidden.str());
  EXPECT_TRUE(client.rooms[room.str()].in_timeline.contains(seen.str()));
  EXPECT_FALSE(client.rooms[room.str()].in_timeline.contains(hidden.str()));
}

class SyncingForks : public Syncing {
 protected:
  SyncingForks() {
    there.join(room, "eve", head());
    there.join(room, "mallory", head());
    world.set(
        room, alice.user, "m.room.power_levels",
        {{"users",
          json::Object{{alice.user.str(), 100}, {there.user("eve").str(), 90}, {there.user("mallory").str(), 50}}}});
    ours = world.set(room, alice.user, "m.room.topic", {{"topic", "ours"}});
    world.deliver();
    plain.sync();
    modern.sync();
  }
  std::vector<EventId> head() {
    return rooms::testing::extremities_of(rooms::testing::head_of(world.loop, *world.db, room));
  }
  EventId topic(std::vector<EventId> prev, int64_t later) {
    return there.send(room, {.sender = "mallory",
                             .type = "m.room.topic",
                             .content = {{"topic", "theirs"}},
                             .state_key = "",
                             .prev = std::move(prev),
                             .ts = world.clock.now() + later});
  }
  void expect_topic(const EventId& topic) {
    world.deliver();
    for (auto* client : {&plain, &modern}) {
      client->sync();
      EXPECT_EQ((client->rooms[room.str()].state[{"m.room.topic", ""}]), topic.str());
    }
  }
  static ClientOptions with_state_after() {
    ClientOptions out;
    out.state_after = true;
    return out;
  }

  rooms::testing::RemoteServer there{world.loop, world.rooms, world.clock};
  RoomId room = world.create(alice.user, "public_chat", "11");
  EventId ours;
  Client plain{world, alice, {}}, modern{world, alice, with_state_after()};
};

TEST_P(SyncingForks, AStateEventThatLosesChangesNothing) {
  auto base = world.event_before(room, ours);
  auto theirs = topic({base}, -10'000);
  world.deliver();
  auto timeline = room_in(world.sync_now(plain.request()), "join", room);
  EXPECT_TRUE(ids(timeline, "timeline").empty());
  EXPECT_TRUE(timeline.at("timeline").at("limited").as_bool());
  expect_topic(ours);
  EXPECT_TRUE(plain.rooms[room.str()].in_timeline.contains(theirs.str())) << "found in the gap";
  theirs = topic({base}, 10'000);
  expect_topic(theirs);
}

// A state changes by an event that changes something else.
TEST_P(SyncingForks, StateThatNoEventChangedIsTold) {
  auto base = head();
  auto theirs = topic(base, 0);
  expect_topic(theirs);
  there.send(room, {.sender = "eve",
                    .type = "m.room.member",
                    .content = {{"membership", "ban"}},
                    .state_key = there.user("mallory").str(),
                    .prev = base});
  expect_topic(ours);
}

MYELIN_ON_BOTH_DATABASES(SyncingForks);

TEST_P(Syncing, EventsOnAForkAreSeenByTheirOwnState) {
  rooms::testing::RemoteServer there(world.loop, world.rooms, world.clock);
  auto room = world.create(alice.user, "public_chat", "11");
  auto head = [&] { return rooms::testing::extremities_of(rooms::testing::head_of(world.loop, *world.db, room)); };
  there.join(room, "eve", head());
  world.set(room, alice.user, "m.room.history_visibility", {{"history_visibility", "joined"}});
  auto base = head();
  world.join(room, bob.user);
  auto since = token(bob);
  auto hidden = there.send(room, {.sender = "eve", .content = text("before bob came"), .prev = base});
  auto open = there.send(room, {.sender = "eve", .content = text("to bob, too"), .prev = head()});
  auto timeline = ids(room_in(sync(bob, since), "join", room), "timeline");
  EXPECT_EQ(timeline, (std::vector<std::string>{open.str()}));
  EXPECT_TRUE(has(ids(room_in(sync(alice, since), "join", room), "timeline"), hidden));
}

TEST_P(Syncing, EventsSayWhatTheViewerWasAndWhatBelongsToThem) {
  auto room = world.create(alice.user);
  auto said = world.say(room, alice.user, "before");
  auto edit = text("* after");
  edit["m.relates_to"] = json::Object{{"rel_type", "m.replace"}, {"event_id", said.str()}};
  edit["m.new_content"] = text("after");
  auto edited = world.say(room, alice.user, std::move(edit));
  world.join(room, bob.user);
  auto timeline = room_in(sync(bob), "join", room).at("timeline").as_object();
  ASSERT_TRUE(timeline.at("limited").as_bool() || timeline.at("events").as_array().size() > 3);
  std::map<std::string, json::Object> by_id;
  for (const auto& event : timeline.at("events").as_array())
    by_id[std::string(event.at("event_id").as_string())] = event.at("unsigned").as_object();
  EXPECT_EQ(by_id[said.str()].at("membership").as_string(), "leave");
  EXPECT_EQ(timeline.at("events").as_array().back().at("unsigned").at("membership").as_string(), "join");
  // With a gap, child events come along.
  auto gap = room_in(sync(bob, std::nullopt, R"({"room":{"timeline":{"limit":3}}})"), "join", room);
  const auto& events = gap.at("timeline").at("events").as_array();
  EXPECT_EQ(events.front().at("event_id").as_string(), said.str());
  EXPECT_EQ(events.front().at("unsigned").at("m.relations").at("m.replace").at("event_id").as_string(), edited.str());
}

TEST_P(Syncing, AFilterMayAskForSomeFieldsOnly) {
  auto room = world.create(alice.user);
  auto content = text("hello");
  content["a.b"] = 1;
  auto said = world.say(room, alice.user, std::move(content));
  auto answer =
      sync(alice, std::nullopt, R"({"event_fields":["event_id","content.body","content.a\\.b","content.none.x"]})");
  auto events = room_in(answer, "join", room).at("timeline").at("events").as_array();
  EXPECT_EQ(events.back().as_object(),
            (json::Object{{"event_id", said.str()}, {"content", json::Object{{"body", "hello"}, {"a.b", 1}}}}));
}

// ---- waiting

TEST_P(Syncing, WaitsForWhatConcernsTheDevice) {
  auto second = world.log_in(bob.user, "TWO");
  auto room = world.create(alice.user);
  world.deliver();
  std::map<std::string, std::optional<json::Object>> answers;
  auto park = [&](const accounts::Session& who) {
    SyncRequest request{who};
    request.since = World::next_batch(world.sync_now(who));
    request.timeout = std::chrono::hours(1);
    auto name = who.user.str() + who.device.str();
    answers[name].reset();
    boost::asio::co_spawn(world.loop.executor(), world.sync->wait(std::move(request)),
                          [&answers, name](std::exception_ptr, Result<std::string> answer) {
                            answers[name] = object(value(std::move(answer)));
                          });
  };
  auto one = bob.user.str() + "ONE", two = bob.user.str() + "TWO";
  auto answered = [&](const std::string& device) { return world.until([&] { return answers[device].has_value(); }); };
  park(bob);
  park(second);
  for (int i = 0; i < 5; ++i) world.idle();
  world.say(room, alice.user, "not theirs");
  world.deliver();
  send_to(bob, 1);
  world.deliver();
  ASSERT_TRUE(answered(one));
  EXPECT_EQ(numbers(*answers[one]), (std::vector<int64_t>{1}));
  EXPECT_FALSE(answers[two]);
  park(bob);
  world.invite(room, alice.user, bob.user);
  world.deliver();
  for (const auto& device : {one, two}) {
    ASSERT_TRUE(answered(device)) << device;
    EXPECT_FALSE(room_in(*answers[device], "invite", room).empty());
  }
  world.join(room, bob.user);
  world.deliver();
  park(bob);
  check(world.loop.run(world.presence->set_typing(room, alice.user, true, std::chrono::seconds(30))));
  ASSERT_TRUE(answered(one));
  EXPECT_EQ(users_typing(*answers[one], room), json::Array{alice.user.str()});
}

TEST_P(Syncing, ParkedRequestsAreAnsweredWhenTheServerIsAboutToStop) {
  world.create(bob.user);
  auto since = token(bob);
  std::optional<json::Object> answer;
  SyncRequest request{bob};
  request.since = since;
  request.timeout = std::chrono::hours(1);
  boost::asio::co_spawn(world.loop.executor(), world.sync->wait(request),
                        [&](std::exception_ptr, Result<std::string> got) { answer = object(value(std::move(got))); });
  for (int i = 0; i < 5; ++i) world.idle();
  EXPECT_FALSE(answer);
  world.sync->release();
  ASSERT_TRUE(world.until([&] { return answer.has_value(); }));
  EXPECT_EQ(World::next_batch(*answer), since);
  EXPECT_EQ(World::next_batch(world.sync_now(request)), since) << "who comes later does not wait";
}

TEST_P(Syncing, WhoHasWrittenSeesItInTheNextAnswer) {
  World own(GetParam(), std::chrono::hours(1));
  auto dave = own.register_user("dave"), erin = own.register_user("erin");
  std::optional<json::Object> answer;
  auto begin = [&](const accounts::Session& who) {
    answer.reset();
    boost::asio::co_spawn(own.loop.executor(), own.sync->wait(SyncRequest{who}),
                          [&](std::exception_ptr, Result<std::string> got) { answer = object(value(std::move(got))); });
    for (int i = 0; i < 5; ++i) own.idle();
  };
  auto room = own.create(dave.user);
  begin(dave);
  EXPECT_FALSE(answer);
  own.deliver();
  ASSERT_TRUE(own.until([&] { return answer.has_value(); }));
  EXPECT_FALSE(room_in(*answer, "join", room).empty());
  own.say(room, dave.user, "one");
  auto last = own.say(room, dave.user, "two");
  begin(erin);
  EXPECT_TRUE(own.until([&] { return answer.has_value(); })) << "nobody waits for others";
  begin(dave);
  EXPECT_FALSE(answer);
  own.deliver();
  ASSERT_TRUE(own.until([&] { return answer.has_value(); }));
  EXPECT_TRUE(has(ids(room_in(*answer, "join", room), "timeline"), last));
}

TEST_P(Syncing, WhoIsOutOfARoomTypesThereNoLonger) {
  auto room = world.create(alice.user);
  for (const auto& who : {bob, carol}) {
    world.join(room, who.user);
    world.deliver();
    check(world.loop.run(world.presence->set_typing(room, who.user, true, std::chrono::seconds(30))));
  }
  auto since = token(alice);
  EXPECT_EQ(world.presence->typing_now(room).size(), 2u);
  world.leave(room, bob.user);
  world.change(room, alice.user, carol.user, MembershipAction::kKick);
  world.deliver();
  EXPECT_TRUE(world.presence->typing_now(room).empty());
  world.idle();
  auto ephemeral = room_in(sync(alice, since), "join", room).at("ephemeral").at("events").as_array();
  ASSERT_EQ(ephemeral.size(), 1u);
  EXPECT_TRUE(ephemeral.front().at("content").at("user_ids").as_array().empty());
}

TEST_P(Syncing, AnInvitationIsJudgedByTheRulesOfWhomItInvites) {
  auto notified = [&] {
    world.deliver();
    std::set<rooms::EventRef> out;
    for (const auto& message : value(world.loop.run(world.bus->messages(kNotifyOut))))
      out.insert(value(decode_notify_out(message.body)).ref);
    return out;
  };
  auto ref_of = [&](const RoomId& room, const EventId& event) {
    return value(world.loop.run(world.queries().event(room, event)))->ref;
  };
  auto room = world.create(alice.user, "private_chat");
  world.deliver();
  world.edit_rules(carol.user, [](json::Object& rules) {
    return enable_push_rule(rules, PushRuleKind::kOverride, ".m.rule.invite_for_me", false);
  });
  world.deliver();
  auto to_bob = world.invite(room, alice.user, bob.user), to_carol = world.invite(room, alice.user, carol.user);
  EXPECT_TRUE(notified().contains(ref_of(room, to_bob)));
  EXPECT_FALSE(notified().contains(ref_of(room, to_carol)));
  EXPECT_EQ(world.count("SELECT count(*) FROM unread_exception"), 0) << "nothing is unread in a room one is not in";
}

TEST_P(Syncing, SpineRuleA6AProcessThatIsBehindCatchesUpFirst) {
  auto room = world.create(alice.user);
  auto since = token(alice);
  world.say(room, alice.user, "hello");
  // A client that has seen the position in the database, or elsewhere, comes before this process knows of it.
  auto ahead = SyncToken::parse(since).value();
  ahead.position += 1;
  std::optional<Result<std::string>> answer;
  world.bus->after_commit = [&]() -> Task<> {
    SyncRequest request{alice};
    request.since = ahead.str();
    boost::asio::co_spawn(world.loop.executor(), world.sync->wait(std::move(request)),
                          [&](std::exception_ptr, Result<std::string> got) { answer = std::move(got); });
    for (int i = 0; i < 20; ++i) check(co_await world.db->read([](db::ReadTx&) -> Result<void> { return {}; }));
    EXPECT_FALSE(answer);
    world.bus->after_commit = nullptr;
  };
  world.deliver();
  ASSERT_TRUE(world.until([&] { return answer.has_value(); }));
  auto next = SyncToken::parse(World::next_batch(object(value(std::move(*answer))))).value();
  EXPECT_GE(next.position, ahead.position) << "next_batch never goes back";
  for (const char* bad : {"", "s", "x1", "s-1", "s1_", "s99999999999999999999"})
    EXPECT_EQ(error_of(world.try_sync([&] {
                SyncRequest wrong{alice};
                wrong.since = bad;
                return wrong;
              }())),
              Code::kInvalidParam)
        << bad;
}

TEST_P(Syncing, ATokenOfTheFutureIsRefusedAtOnce) {
  auto future = SyncToken::parse(token(alice)).value();
  future.position += 1;  // as after a database was restored
  SyncRequest request{alice};
  request.since = future.str();
  std::optional<Result<std::string>> answer;
  boost::asio::co_spawn(world.loop.executor(), world.sync->wait(std::move(request)),
                        [&](std::exception_ptr, Result<std::string> got) { answer = std::move(got); });
  ASSERT_TRUE(world.until([&] { return answer.has_value(); })) << "the clock stands still";
  EXPECT_EQ(error_of(*answer), Code::kInvalidParam);
}

TEST_P(Syncing, SurvivesARestart) {
  auto room = world.create(alice.user);
  world.join(room, bob.user);
  auto since = token(bob);
  auto first = world.say(room, alice.user, "one");
  world.deliver();
  world.restart();
  auto answer = sync(bob, since);
  EXPECT_TRUE(has(ids(room_in(answer, "join", room), "timeline"), first));
}

MYELIN_ON_BOTH_DATABASES(Syncing);

}  // namespace
}  // namespace myelin::sync
