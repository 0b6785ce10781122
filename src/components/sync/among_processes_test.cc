// Who types, and whose status has changed, to a client that comes from another process, or while the database is away.
// Whole processes with faults: tests/simulate.
#include "base/bytes.h"
#include "components/sync/sync.h"
#include "components/sync/testing/syncing.h"

namespace myelin::sync {
namespace {
using namespace myelin::sync::testing;

class AmongProcesses : public Syncing {};

// Behind a proxy that takes turns, each request comes with the token of another process.
TEST_P(AmongProcesses, WhoComesFromAnotherProcessWaitsForNews) {
  auto room = world.create(bob.user);
  world.join(room, alice.user);
  auto typing = [&](bool types) {
    check(world.loop.run(world.presence->set_typing(room, alice.user, types, std::chrono::seconds(30))));
    world.idle();
  };
  auto live = [&] {
    typing(true);
    typing(false);
    auto before = token(bob);
    world.presence->seen(alice.user, presence::State::kOnline, std::chrono::seconds(30));
    EXPECT_TRUE(world.until([&] {  // whom it concerns is read first
      return world.sync_now(bob, before).contains("presence");
    }));
  };
  live();
  SyncRequest request{bob};
  request.since = token(bob);
  request.timeout = std::chrono::hours(1);
  world.restart();
  live();
  std::optional<json::Object> answer;
  boost::asio::co_spawn(world.loop.executor(), world.sync->wait(request),
                        [&](std::exception_ptr, Result<std::string> got) { answer = object(value(std::move(got))); });
  for (int i = 0; i < 5; ++i) world.idle();
  EXPECT_FALSE(answer) << json::serialize(*answer);
  typing(true);
  ASSERT_TRUE(world.until([&] { return answer.has_value(); }));
  EXPECT_FALSE(room_in(*answer, "join", room).at("ephemeral").at("events").as_array().empty());
}

TEST_P(AmongProcesses, WhatProcessesDisagreeAboutIsToldAfterAWhile) {
  auto room = world.create(bob.user);
  world.join(room, alice.user);
  world.deliver();
  SyncRequest request{bob};
  request.since = token(bob);
  check(world.loop.run(world.presence->set_typing(room, alice.user, true, std::chrono::seconds(30))));
  ASSERT_TRUE(world.until([&] { return token(bob) != request.since; }));
  auto foreign = SyncToken::parse(token(bob)).value();
  ++foreign.process;
  foreign.typing &= ~uint64_t{0xffff};  // it has shown nobody
  request.since = foreign.str();
  EXPECT_EQ(users_typing(world.sync_now(request), room), json::Array{alice.user.str()}) << "who does not wait";
  request.timeout = std::chrono::hours(1);
  std::optional<json::Object> answer;
  boost::asio::co_spawn(world.loop.executor(), world.sync->wait(request),
                        [&](std::exception_ptr, Result<std::string> got) { answer = object(value(std::move(got))); });
  for (int i = 0; i < 5; ++i) world.idle();
  EXPECT_FALSE(answer) << json::serialize(*answer);
  world.clock.advance(1'000);
  world.presence->seen(bob.user, presence::State::kOnline, std::chrono::seconds(30));  // no news to himself
  ASSERT_TRUE(world.until([&] { return answer.has_value(); }));
  EXPECT_EQ(users_typing(*answer, room), json::Array{alice.user.str()});
}

// Whom a change concerns is read; the change is told nevertheless, when the database is there again.
TEST_P(AmongProcesses, WhoTypesWhileTheDatabaseIsAwayIsToldAfterwards) {
  auto room = world.create(bob.user);
  world.join(room, alice.user);
  world.deliver();
  world.restart();
  auto since = token(bob);
  auto while_away = [&](const std::function<void()>& change) {
    world.db->fail_reads(Error{Code::kUnavailable, "the connection to the database is lost"});
    change();
    world.loop.poll();
    world.db->fail_reads({});
  };
  while_away([&] { world.presence->seen(alice.user, presence::State::kOnline, std::chrono::seconds(30)); });
  EXPECT_TRUE(world.until([&] { return world.sync_now(bob, since).contains("presence"); }));

  std::string hint;
  append_varint(hint, 77);  // another process
  append_string(hint, room.str());
  append_string(hint, alice.user.str());
  append_varint(hint, 30'000);
  while_away([&] { world.bus->hint("typing", hint); });
  EXPECT_TRUE(
      world.until([&] { return users_typing(world.sync_now(bob, since), room) == json::Array{alice.user.str()}; }));
}

MYELIN_ON_BOTH_DATABASES(AmongProcesses);

}  // namespace
}  // namespace myelin::sync
