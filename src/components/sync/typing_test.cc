// Who types, and whose status has changed, to a client that goes from one process to another: what the other one has
// shown is not shown again, and a stop is not missed.
#include "components/sync/typing.h"

#include <gtest/gtest.h>

#include "components/sync/presence_news.h"
#include "components/testing/loop.h"

namespace myelin::sync {
namespace {

const UserId kAlice = UserId::trusted("@alice:here"), kBob = UserId::trusted("@bob:here"),
             kCarol = UserId::trusted("@carol:here");
const RoomId kRoom = RoomId::trusted("!one:here"), kOther = RoomId::trusted("!two:here");
constexpr uint32_t kRoomNo = 1, kOtherNo = 2;

// What presence knows in one process.
class Known final : public presence::Presence {
 public:
  void set_status(UserId, presence::State, std::optional<std::string>) override {}
  void seen(UserId, presence::State, std::chrono::milliseconds) override {}
  std::optional<presence::Status> status(const UserId&) const override { return presence::Status{}; }
  void on_status_changed(std::function<void(UserId)>) override {}
  Task<Result<void>> set_typing(RoomId, UserId, bool, std::chrono::milliseconds) override { co_return Result<void>{}; }
  void left(const RoomId&, const UserId&) override {}
  std::vector<UserId> typing_now(const RoomId& room) const override {
    auto it = typing.find(room);
    return it == typing.end() ? std::vector<UserId>{} : it->second;
  }
  void on_typing_changed(std::function<void(RoomId)>) override {}
  Task<Result<void>> receipt(RoomId, UserId, std::string, EventId, std::string) override { co_return Result<void>{}; }
  Task<Result<void>> fully_read(RoomId, UserId, EventId) override { co_return Result<void>{}; }
  Task<Result<void>> start() override { co_return Result<void>{}; }
  Task<> stop() override { co_return; }

  std::map<RoomId, std::vector<UserId>> typing;
};

struct Process {
  Process(Random& random, const Clock& clock) : typing(known, random, clock), statuses(known, typing, clock) {}
  void types(uint32_t room_no, const RoomId& room, std::vector<UserId> users) {
    known.typing[room] = std::move(users);
    typing.changed(room_no, room);
  }
  Token give(const Subscriber& to) {  // the token of an answer
    Token token;
    typing.mark(token, to);
    return token;
  }
  bool has_news(const Subscriber& of, const Token& since) {  // that must be told at once
    typing.heard_of(since);
    return typing.news(of, since) || statuses.news(of, since);
  }
  Known known;
  Typing typing;
  PresenceNews statuses;
};

class TypingTest : public ::testing::Test {
 protected:
  TypingTest() { client.rooms = {kRoomNo, kOtherNo}; }
  myelin::testing::Loop loop;
  ManualClock clock;
  SeededRandom random{7};
  Process here{random, clock}, there{random, clock};
  Subscriber client{kBob, loop.executor()};
};

TEST_F(TypingTest, WhatAnotherProcessHasShownIsNoNews) {
  for (auto users : {std::vector{kAlice}, {kAlice, kCarol}, {}}) {
    here.types(kRoomNo, kRoom, users);
    auto since = here.give(client);
    EXPECT_FALSE(there.has_news(client, since));
    EXPECT_TRUE(there.typing.differs(client, since));
    clock.advance(2);
    there.types(kRoomNo, kRoom, users);
    EXPECT_FALSE(there.has_news(client, since));
    EXPECT_FALSE(there.typing.differs(client, since));
    EXPECT_FALSE(here.has_news(client, there.give(client)));
    EXPECT_TRUE(there.typing.changed_rooms(client, here.give(client)).empty());
    EXPECT_FALSE(there.typing.event(kRoomNo, kRoom, client, here.give(client)));
  }
}

TEST_F(TypingTest, WhatItHasNotShownIs) {
  here.types(kOtherNo, kOther, {});
  there.types(kRoomNo, kRoom, {kAlice});
  auto nobody = here.give(client);
  EXPECT_TRUE(there.typing.differs(client, nobody));
  EXPECT_EQ(there.typing.changed_rooms(client, nobody), (std::vector{kRoomNo}));
  EXPECT_TRUE(there.typing.event(kRoomNo, kRoom, client, nobody));
  EXPECT_FALSE(there.typing.event(kOtherNo, kOther, client, nobody));
  // Alice has stopped, and another one begun, before the client came here: all may have changed.
  auto alice = there.give(client);
  here.types(kRoomNo, kRoom, {});
  here.types(kOtherNo, kOther, {kCarol});
  EXPECT_TRUE(here.has_news(client, alice));
  EXPECT_EQ(here.typing.changed_rooms(client, alice), client.rooms);
  EXPECT_EQ(here.typing.event(kRoomNo, kRoom, client, alice), R"({"type":"m.typing","content":{"user_ids":[]}})");
}

TEST_F(TypingTest, AnotherUsersRoomsAreNoNews) {
  client.rooms = {kRoomNo};
  here.types(kRoomNo, kRoom, {kAlice});
  there.types(kRoomNo, kRoom, {kAlice});
  there.types(kOtherNo, kOther, {kCarol});
  EXPECT_FALSE(there.has_news(client, here.give(client)));
}

TEST_F(TypingTest, WhoTypesWhenTheProcessEndsIsTakenBackByTheNext) {
  here.types(kRoomNo, kRoom, {kAlice});
  EXPECT_TRUE(there.typing.differs(client, here.give(client)));
  EXPECT_EQ(there.typing.changed_rooms(client, here.give(client)), client.rooms);
}

// While an answer is made, somebody begins; it may or may not be in the answer.
TEST_F(TypingTest, WhatChangesWhileAnAnswerIsMadeIsDoubted) {
  here.types(kRoomNo, kRoom, {});
  there.types(kRoomNo, kRoom, {});
  auto token = here.give(client);
  here.typing.doubt(token);
  EXPECT_FALSE(there.typing.differs(client, token));
  here.types(kRoomNo, kRoom, {kAlice});
  here.typing.doubt(token);
  EXPECT_TRUE(there.typing.differs(client, token));
  EXPECT_TRUE(here.has_news(client, token));
}

// One of them has lost a hint. What neither has told is told at once; what they disagree about never is.
TEST_F(TypingTest, TwoProcessesThatDisagreeDoNotAnswerInTurnsAtOnce) {
  there.types(kRoomNo, kRoom, {});
  clock.advance(5);
  auto token = there.give(client);
  here.types(kRoomNo, kRoom, {kAlice});
  EXPECT_TRUE(here.has_news(client, token));
  for (auto* process : {&there, &here, &there, &here}) {
    token = (process == &there ? here : there).give(client);
    EXPECT_FALSE(process->has_news(client, token));
    EXPECT_TRUE(process->typing.differs(client, token));
    EXPECT_TRUE(process->typing.event(kRoomNo, kRoom, client, token)) << "in an answer that is made anyway";
  }
}

TEST_F(TypingTest, AStatusIsToldByEachProcessOnceAtMost) {
  here.statuses.changed(kAlice, {kRoomNo});
  EXPECT_TRUE(here.has_news(client, Token{}));
  clock.advance(3);
  there.statuses.changed(kAlice, {kRoomNo});
  EXPECT_TRUE(there.has_news(client, here.give(client)));
  auto token = there.give(client);
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(here.has_news(client, token));
    token = here.give(client);
    EXPECT_FALSE(there.has_news(client, token));
    token = there.give(client);
  }
  // A process whose clock is behind tells what happens after the client came.
  for (int i = 0; i < 9; ++i) there.statuses.changed(kCarol, {kRoomNo});
  token = there.give(client);
  EXPECT_FALSE(here.has_news(client, token));
  here.statuses.changed(kAlice, {kRoomNo});
  EXPECT_TRUE(here.has_news(client, token));
}

TEST_F(TypingTest, ATokenOfTheFarFutureMovesNothing) {
  Token token{5, -1, 77, UINT64_MAX};
  here.typing.heard_of(token);
  here.types(kRoomNo, kRoom, {kAlice});
  EXPECT_EQ(here.typing.seen_by(here.give(client)), static_cast<uint64_t>(clock.now()));
}

}  // namespace
}  // namespace myelin::sync
