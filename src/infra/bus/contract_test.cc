// What a bus promises, over everything that carries messages and on both databases. Tests with a rule's number hold
// docs/spine.md to its word.
#include "base/metrics.h"
#include "infra/bus/backlog.h"
#include "infra/bus/testing/world.h"
#include "infra/db/fatal.h"

namespace myelin::bus {
namespace {

using db::testing::Kind;
using testing::Carrier;
using testing::Gate;
using testing::key_of_body;
using testing::kTopic;
using Bodies = std::vector<std::string>;

// A test declares what its consumers refer to before its World, which ends first.
class BusContract : public ::testing::TestWithParam<testing::Setting> {
 protected:
  static bool has_faults() { return std::get<0>(GetParam()) == Carrier::kUnreliable; }
};
INSTANTIATE_TEST_SUITE_P(Everywhere, BusContract,
                         ::testing::Combine(::testing::Values(Carrier::kMemory, Carrier::kUnreliable,
                                                              Carrier::kEmbedded, Carrier::kExternal),
                                            ::testing::Values(Kind::kSqlite, Kind::kPostgres)),
                         testing::name_of);

TEST_P(BusContract, EveryConsumerAppliesEverythingOnceAndInOrder) {
  testing::World world(GetParam());
  auto& node = world.start_with({world.recorder("a"), world.recorder("b")});
  world.send_many(40, 8);
  EXPECT_TRUE(world.settles(node));
  world.expect_all_applied("a");
  world.expect_all_applied("b");
}

TEST_P(BusContract, ConsumersExistBeforeTheFirstMessageIsPublished) {
  testing::World world(GetParam());
  auto& node = world.make_node({.head_poll = has_faults() ? std::chrono::milliseconds(30) : std::chrono::hours(1)});
  node.bus->declare(world.recorder("a"));
  node.bus->declare(world.recorder("b"));
  world.start(node);
  world.send_all({"x", "y", "x"});
  // Nobody looks into the outbox, so the stream must have kept them for both.
  EXPECT_TRUE(world.until([&] { return world.applied("a").size() + world.applied("b").size() == 6; }));
  world.expect_all_applied("a");
  world.expect_all_applied("b");
}

TEST_P(BusContract, WhatWasNotPublishedIsReadFromTheOutbox) {
  testing::World world(GetParam());
  auto& node = world.start_with({world.recorder("a")});
  world.send_all({"x"});
  world.send_unpublished({"x", "y", "x"});
  EXPECT_TRUE(world.until([&] { return world.applied("a").size() == 4; }));
  world.expect_all_applied("a");
  EXPECT_TRUE(world.settles(node));
}

TEST_P(BusContract, WhatComesWhileItIsStoppedIsAppliedAtTheNextStart) {
  testing::World world(GetParam());
  world.stop(world.start_with({world.recorder("a")}));
  world.send_all({"x", "y", "x"});
  auto& node = world.start_with({world.recorder("a")});
  world.send_all({"x"});
  EXPECT_TRUE(world.settles(node));
  world.expect_all_applied("a");
}

TEST_P(BusContract, StopsUnderLoadAndGoesOn) {
  bool stop = false;
  int senders = 2;
  testing::World world(GetParam());
  world.stop(world.start_with({world.recorder("a")}));  // it is registered
  for (const char* key : {"x", "y"})
    boost::asio::co_spawn(world.loop, world.keep_sending(key, stop), [&](std::exception_ptr) { --senders; });
  for (int i = 0; i < 3; ++i) {
    auto& node = world.start_with({world.recorder("a")});
    auto before = world.applied("a").size();
    EXPECT_TRUE(world.until([&] { return world.applied("a").size() > before + 5; }));
    world.stop(node);
  }
  auto& node = world.start_with({world.recorder("a")});
  stop = true;
  EXPECT_TRUE(world.until([&] { return senders == 0; }));
  EXPECT_TRUE(world.settles(node));
  world.expect_all_applied("a");
}

TEST_P(BusContract, SettledTellsWhetherEverythingIsApplied) {
  Gate gate;
  testing::World world(GetParam());
  auto wait = [&](const std::vector<Message>&) -> Task<Result<void>> {
    co_await gate.pass();
    co_return Result<void>{};
  };
  auto& node = world.start_with({world.recorder("a"), world.recorder("slow", wait)});
  EXPECT_TRUE(world.settles(node));
  world.send_all({"x"});
  EXPECT_FALSE(world.settles(node, std::chrono::milliseconds(50)));
  gate.open = true;
  EXPECT_TRUE(world.settles(node));
  EXPECT_EQ(world.applied("slow").size(), 1u);
}

// A process stands still inside apply, another takes over and applies the same; the first one goes on.
TEST_P(BusContract, SpineRuleA4APausedConsumerDoesNotApplyWhatItsSuccessorHas) {
  Gate gate;
  testing::World world(GetParam());
  auto pause = [&](const std::vector<Message>&) -> Task<Result<void>> {
    co_await gate.pass();
    co_return Result<void>{};
  };
  auto& paused = world.start_with({world.recorder("a", pause)});
  world.send_all({"x", "y"});
  ASSERT_TRUE(world.until([&] { return gate.waiting > 0; }));
  auto& successor = world.start_with({world.recorder("a")});
  world.send_all({"x", "y", "z"});
  EXPECT_TRUE(world.settles(successor));
  gate.open = true;
  world.send_all({"x", "y", "z"});
  EXPECT_TRUE(world.settles(paused));
  EXPECT_TRUE(world.settles(successor));
  world.expect_all_applied("a");
}

TEST_P(BusContract, SpineRuleA4AHoleInTheOutboxStopsTheConsumer) {
  testing::World world(GetParam());
  world.stop(world.start_with({world.recorder("a")}));
  world.send_unpublished({"x", "x", "x", "x", "x"});
  ASSERT_TRUE(world.write([](db::Tx& tx) { tx.exec("DELETE FROM outbox WHERE seq = 3"); }));
  ::testing::internal::CaptureStderr();
  auto& node = world.start_with({world.recorder("a")});
  std::string log;
  EXPECT_TRUE(world.until([&] {
    log += ::testing::internal::GetCapturedStderr();
    ::testing::internal::CaptureStderr();
    return log.find("has a hole after 2") != std::string::npos;
  })) << "it says so";
  ::testing::internal::GetCapturedStderr();
  EXPECT_FALSE(world.settles(node, std::chrono::milliseconds(100)));
  EXPECT_EQ(world.bodies("a", "x"), (Bodies{"x/1", "x/2"})) << "it does not pass over the hole";
  auto filled = world.write([](db::Tx& tx) {
    tx.exec("INSERT INTO outbox (topic, partition, seq, body) SELECT topic, partition, 3, $1 FROM outbox WHERE seq = 4",
            db::Blob{"x/3"});
  });
  ASSERT_TRUE(filled) << filled.error().message;
  EXPECT_TRUE(world.settles(node));
  world.expect_all_applied("a");
}

TEST_P(BusContract, SpineRuleA10ANewConsumerStartsAtTheHead) {
  testing::World world(GetParam());
  auto& first = world.start_with({world.recorder("old")});
  world.send_all({"x", "y", "x"});
  EXPECT_TRUE(world.settles(first));
  world.stop(first);
  auto& node = world.start_with({world.recorder("old"), world.recorder("new")});
  world.send_all({"x", "z"});
  EXPECT_TRUE(world.settles(node));
  world.expect_all_applied("old");
  EXPECT_EQ(world.bodies("new", "x"), (Bodies{"x/3"}));
  EXPECT_EQ(world.bodies("new", "y"), Bodies{});
  EXPECT_EQ(world.bodies("new", "z"), (Bodies{"z/1"}));
}

TEST_P(BusContract, SpineRuleA11ABadMessageParksItsKeyAndTheOthersGoOn) {
  Bodies bad{"x/2"};
  testing::World world(GetParam());
  auto refuse = [&](const std::vector<Message>& batch) -> Task<Result<void>> {
    for (const auto& message : batch)
      if (std::ranges::find(bad, message.body) != bad.end())
        co_return fail(Code::kCorrupt, "cannot read " + message.body);
    co_return Result<void>{};
  };
  auto first = &world.start_with({world.recorder("a", refuse)});
  world.send_all({"x", "x", "y", "x", "y"});
  EXPECT_TRUE(world.settles(*first));
  EXPECT_EQ(world.bodies("a", "x"), (Bodies{"x/1"}));
  EXPECT_EQ(world.bodies("a", "y"), world.sent("y"));

  world.stop(*first);  // it is still parked after a restart
  auto& node = world.start_with({world.recorder("a", refuse)});
  world.send_all({"x", "y"});
  EXPECT_TRUE(world.settles(node));
  EXPECT_EQ(world.bodies("a", "x"), (Bodies{"x/1"}));
  EXPECT_EQ(world.bodies("a", "y"), world.sent("y"));
  auto parked = world.run(node.bus->parked());
  ASSERT_TRUE(parked);
  ASSERT_EQ(parked->size(), 1u);
  EXPECT_EQ(parked->front().consumer, "a");
  EXPECT_EQ(parked->front().key, "x");
  EXPECT_EQ(parked->front().reason, "cannot read x/2");
  EXPECT_EQ(parked->front().messages, 3u);
  BacklogMeter meter(*world.db, world.loop.get_executor());
  auto metric = [&](const std::string& name) {
    world.run(meter.measure());
    return metrics::gauge(name, "", {{"consumer", "a"}, {"topic", std::string(kTopic.name)}}).Value();
  };
  EXPECT_EQ(metric("myelin_bus_parked_keys"), 1);

  auto replayed = world.run(node.bus->unpark("a", "x"));
  ASSERT_FALSE(replayed) << "it is as bad as it was";
  EXPECT_EQ(replayed.error().message, "cannot read x/2");
  bad = {"x/4"};
  EXPECT_FALSE(world.run(node.bus->unpark("a", "x")));
  EXPECT_EQ(world.bodies("a", "x"), (Bodies{"x/1", "x/2", "x/3"}));
  bad.clear();
  EXPECT_TRUE(world.run(node.bus->unpark("a", "x")));
  EXPECT_EQ(metric("myelin_bus_parked_keys"), 0);
  EXPECT_EQ(metric("myelin_bus_lag"), 0);
  world.rest(node, "a");
  world.send_all({"x"});
  EXPECT_EQ(metric("myelin_bus_lag"), 1) << "whoever has it, if anybody does";
  node.bus->activate("a", kTopic);
  EXPECT_TRUE(world.settles(node));
  EXPECT_EQ(world.bodies("a", "x"), world.sent("x"));
  EXPECT_TRUE(world.run(node.bus->parked())->empty());
}

// Messages of the key arrive while it is replayed: none is left behind in the table, none overtakes.
TEST_P(BusContract, SpineRuleA11UnparkingUnderLoadLeavesNothingBehind) {
  bool bad = true, stop = false, stopped = false;
  testing::World world(GetParam());
  auto refuse = [&](const std::vector<Message>& batch) -> Task<Result<void>> {
    for (const auto& message : batch)
      if (bad && key_of_body(message) == "x") co_return fail(Code::kInternal, "a bug");
    co_return Result<void>{};
  };
  auto& node = world.start_with({world.recorder("a", refuse)});
  boost::asio::co_spawn(world.loop, world.keep_sending("x", stop), [&](std::exception_ptr) { stopped = true; });
  EXPECT_TRUE(world.until([&] { return world.number("SELECT count(*) FROM parked") > 20; }));
  bad = false;
  EXPECT_TRUE(world.run(node.bus->unpark("a", "x")));
  stop = true;
  EXPECT_TRUE(world.until([&] { return stopped; }));
  EXPECT_TRUE(world.settles(node));
  world.expect_all_applied("a");
}

// An administrator drops the parked messages by hand, or another process has replayed them: what comes next is applied.
TEST_P(BusContract, SpineRuleA11NothingParksBehindWhatIsGone) {
  testing::World world(GetParam());
  auto refuse = [](const std::vector<Message>& batch) -> Task<Result<void>> {
    for (const auto& message : batch)
      if (message.body == "x/1") co_return fail(Code::kInternal, "a bug");
    co_return Result<void>{};
  };
  auto& node = world.start_with({world.recorder("a", refuse)});
  world.send_all({"x", "x"});
  EXPECT_TRUE(world.settles(node));
  ASSERT_TRUE(world.write([](db::Tx& tx) { tx.exec("DELETE FROM parked"); }));
  world.send_all({"x"});
  EXPECT_TRUE(world.settles(node));
  EXPECT_EQ(world.bodies("a", "x"), (Bodies{"x/3"}));
}

TEST_P(BusContract, SpineRuleA11TroubleIsRetriedAndParksNobody) {
  testing::World world(GetParam());
  std::vector<Error> troubles{{Code::kUnavailable, "the database is away"},
                              {Code::kDiskFull, "full"},
                              {Code::kCommitUnknown, "in doubt"},
                              {Code::kTimeout, "slow"},
                              {Code::kFenced, "not the owner"},
                              {Code::kStale, "moved"}};
  auto trouble = [&](const std::vector<Message>&) -> Task<Result<void>> {
    if (troubles.empty()) co_return Result<void>{};
    auto error = troubles.back();
    troubles.pop_back();
    co_return std::unexpected(error);
  };
  auto& node = world.start_with({world.recorder("a", trouble)});
  world.send_all({"x", "y", "x"});
  EXPECT_TRUE(world.settles(node));
  EXPECT_TRUE(troubles.empty());
  world.expect_all_applied("a");
}

TEST_P(BusContract, SpineRuleA11AnExceptionIsRetriedBeforeItParks) {
  std::map<std::string, int> throws{{"x/1", 2}, {"y/2", 1'000}};
  testing::World world(GetParam());
  auto explode = [&](const std::vector<Message>& batch) -> Task<Result<void>> {
    for (const auto& message : batch)
      if (throws[message.body]-- > 0) throw std::runtime_error("a bug at " + message.body);
    co_return Result<void>{};
  };
  auto& node = world.start_with({world.recorder("a", explode)});
  world.send_all({"x"});
  EXPECT_TRUE(world.settles(node));
  EXPECT_EQ(world.bodies("a", "x"), world.sent("x")) << "two exceptions are an accident";
  world.send_all({"y", "y", "y", "z", "x"});
  EXPECT_TRUE(world.settles(node));
  EXPECT_EQ(world.bodies("a", "y"), (Bodies{"y/1"}));
  for (const char* key : {"x", "z"}) EXPECT_EQ(world.bodies("a", key), world.sent(key));
  auto parked = world.run(node.bus->parked());
  ASSERT_TRUE(parked && parked->size() == 1);
  EXPECT_EQ(parked->front().reason, "it threw: a bug at y/2");
  EXPECT_EQ(parked->front().messages, 2u);
}

TEST_P(BusContract, AConsumerThatFailsIsStartedAgain) {
  int wakes = 0;
  testing::World world(GetParam());
  auto spec = world.recorder("a");
  spec.apply = [&, apply = spec.apply](std::vector<Message> batch) -> Task<Result<Effects>> {
    MYELIN_CO_TRY(auto effects, co_await apply(std::move(batch)));
    effects.committed = [&] {
      if (++wakes == 1) throw std::runtime_error("a bug after the commit");
    };
    co_return effects;
  };
  auto& node = world.start_with({std::move(spec)});
  world.send_all({"x"});
  EXPECT_TRUE(world.until([&] { return wakes == 1; }));
  world.send_all({"x", "y"});
  EXPECT_TRUE(world.settles(node));
  world.expect_all_applied("a");
}

TEST_P(BusContract, SpineRuleA13MessagesOfAnotherGenerationAreDropped) {
  testing::World world(GetParam());
  auto& node = world.start_with({world.recorder("a")});
  auto p = partition_of("x");
  for (uint64_t seq = 1; seq <= 5; ++seq) {
    world.publish_raw(node, "former", p, seq, "x/phantom");
    world.publish_raw(node, "", p, seq, "x/phantom");
  }
  world.send_all({"x", "x", "y"});
  EXPECT_TRUE(world.settles(node));
  for (uint64_t seq = 1; seq <= 5; ++seq) world.publish_raw(node, "former", p, seq, "x/phantom");
  world.send_all({"x"});
  EXPECT_TRUE(world.settles(node));
  world.expect_all_applied("a");
}

TEST_P(BusContract, ThatAnotherDatabaseUsesTheSameNatsIsToldOnce) {
  testing::World world(GetParam());
  auto options = testing::World::kQuick;
  options.former_life = {};
  auto& node = world.make_node(options);
  node.bus->declare(world.recorder("a"));
  world.start(node);
  auto& dropped = metrics::counter("myelin_bus_foreign_total", "");
  auto before = dropped.Value();
  ::testing::internal::CaptureStderr();
  for (uint64_t seq = 1; seq <= 500 && dropped.Value() < before + 3; ++seq) {  // some may be lost
    world.publish_raw(node, "another", partition_of("x"), seq, "x/theirs");
    world.pass(std::chrono::milliseconds(5));
  }
  EXPECT_GE(dropped.Value(), before + 3);
  auto log = ::testing::internal::GetCapturedStderr();
  auto told = log.find("does another homeserver use it?");
  EXPECT_NE(told, std::string::npos) << log;
  EXPECT_EQ(log.find("does another homeserver use it?", told + 1), std::string::npos) << log;
}

// The database says that the message does not exist yet: it was numbered in a future that is gone.
TEST_P(BusContract, SpineRuleA13AMessageFromTheFutureStopsTheConsumer) {
  std::string fatal;
  testing::World world(GetParam());
  for (uint64_t ahead : {1, 7}) {
    SCOPED_TRACE(ahead);
    fatal.clear();
    db::set_fatal_handler([&](const std::string& message) { fatal = message; });
    auto& node = world.start_with({world.recorder("a")});
    world.send_all({"x", "x"});
    EXPECT_TRUE(world.settles(node));
    auto seq = static_cast<uint64_t>(world.last["x"]) + ahead;
    for (int i = 0; i < 200 && fatal.empty(); ++i) {
      world.publish_raw(node, world.db->generation(), partition_of("x"), seq, "x/phantom");
      world.pass(std::chrono::milliseconds(5));
    }
    EXPECT_NE(fatal.find("the database went back in time"), std::string::npos) << fatal;
    auto before = world.applied("a").size();
    world.send_all({"y"});
    EXPECT_FALSE(world.settles(node, std::chrono::milliseconds(100))) << "nothing more is applied";
    EXPECT_EQ(world.applied("a").size(), before);
    db::set_fatal_handler({});
    world.stop(node);
    // What the administrator does then: the database's history goes on under another name.
    if (world.carrier == Carrier::kExternal || world.carrier == Carrier::kMemory || has_faults()) {
      if (world.kind == Kind::kPostgres) ASSERT_TRUE(world.run(db::renew_history(*world.db)));
      world.open_database(world.files->options());
    }
  }
  auto& node = world.start_with({world.recorder("a")});
  EXPECT_TRUE(world.settles(node));
  world.expect_all_applied("a");
}

TEST_P(BusContract, OnlyWhatEveryConsumerHasAppliedIsTrimmed) {
  bool away = true;
  testing::World world(GetParam());
  auto wait = [&](const std::vector<Message>&) -> Task<Result<void>> {
    if (away) co_return fail(Code::kUnavailable, "not now");
    co_return Result<void>{};
  };
  auto& node = world.start_with({world.recorder("a"), world.recorder("slow", wait)});
  // A consumer of another process, which this one knows from the table only.
  ASSERT_TRUE(world.write([p = partition_of("x")](db::Tx& tx) {
    tx.exec("INSERT INTO cursor (consumer, topic, partition, seq) VALUES ('elsewhere', $1, $2, 0)", kTopic.name, p);
  }));
  ASSERT_NE(partition_of("x"), partition_of("y"));
  world.send_all({"x", "x", "x", "y", "y"});
  EXPECT_TRUE(world.until([&] { return world.applied("a").size() == 5; }));
  world.pass(std::chrono::milliseconds(100));
  EXPECT_EQ(world.number("SELECT count(*) FROM outbox"), 5) << "a slow consumer needs all of it";
  away = false;
  EXPECT_TRUE(world.settles(node));
  EXPECT_TRUE(world.until([&] { return world.number("SELECT count(*) FROM outbox") == 3; }));
  ASSERT_TRUE(world.write([](db::Tx& tx) { tx.exec("UPDATE cursor SET seq = 2 WHERE consumer = 'elsewhere'"); }));
  EXPECT_TRUE(world.until([&] { return world.number("SELECT min(seq) FROM outbox") == 3; }));
  EXPECT_EQ(world.number("SELECT count(*) FROM outbox"), 1);
  world.expect_all_applied("slow");
}

TEST_P(BusContract, HintsReachEveryProcess) {
  Bodies heard, heard_elsewhere;
  testing::World world(GetParam());
  auto& first = world.make_node();
  first.bus->on_hint("typing", [&](std::string payload) { heard.push_back(payload); });
  first.bus->on_hint("other", [&](std::string) { ADD_FAILURE(); });
  world.start(first);
  bool alone = world.carrier == Carrier::kEmbedded;  // nobody else reaches it
  auto& second = alone ? first : world.make_node();
  if (!alone) {
    second.bus->on_hint("typing", [&](std::string payload) { heard_elsewhere.push_back(payload); });
    world.start(second);
  }
  EXPECT_TRUE(world.until([&] {  // one may be lost, and listening takes a moment to reach the server
    second.bus->hint("typing", "x");
    return !heard.empty() && (alone || !heard_elsewhere.empty());
  }));
  EXPECT_EQ(heard.front(), "x");
}

}  // namespace
}  // namespace myelin::bus
