#include "components/presence/typing.h"

#include <gtest/gtest.h>

namespace myelin::presence {
namespace {

using std::chrono::milliseconds;

class TypingTest : public ::testing::Test {
 protected:
  Typing::Time in(int ms) { return clock.steady() + milliseconds(ms); }
  ManualClock clock;
  Typing typing{clock};
  RoomId room = RoomId::trusted("!a:here"), other = RoomId::trusted("!b:here");
  UserId alice = UserId::trusted("@alice:here"), bob = UserId::trusted("@bob:here");
};

TEST_F(TypingTest, ExpiresWhenTheTimeIsOver) {
  EXPECT_TRUE(typing.start(room, alice, in(5'000)));
  EXPECT_TRUE(typing.start(room, bob, in(9'000)));
  EXPECT_EQ(typing.next_expiry(), in(5'000));
  clock.advance(4'999);
  EXPECT_TRUE(typing.expire().empty());
  EXPECT_EQ(typing.now(room), (std::vector{alice, bob}));
  clock.advance(1);
  EXPECT_EQ(typing.now(room), std::vector{bob}) << "also before anybody calls expire()";
  EXPECT_EQ(typing.expire(), std::vector{room});
  clock.advance(4'000);
  EXPECT_EQ(typing.expire(), std::vector{room});
  EXPECT_FALSE(typing.next_expiry());
}

TEST_F(TypingTest, TypingOnMovesTheEndAndIsNoChange) {
  EXPECT_TRUE(typing.start(room, alice, in(5'000)));
  EXPECT_FALSE(typing.start(room, alice, in(9'000)));
  clock.advance(6'000);
  EXPECT_TRUE(typing.expire().empty());
  EXPECT_EQ(typing.now(room), std::vector{alice});
  EXPECT_FALSE(typing.start(room, alice, in(1'000))) << "an earlier end is taken too";
  clock.advance(1'000);
  EXPECT_EQ(typing.expire(), std::vector{room});
}

TEST_F(TypingTest, StoppingIsAChangeOnce) {
  typing.start(room, alice, in(5'000));
  EXPECT_TRUE(typing.stop(room, alice));
  EXPECT_FALSE(typing.stop(room, alice));
  EXPECT_FALSE(typing.stop(other, alice));
  EXPECT_TRUE(typing.now(room).empty());
  EXPECT_FALSE(typing.next_expiry());
}

TEST_F(TypingTest, RoomsAreApartAndEachIsNamedOnce) {
  typing.start(room, alice, in(1'000));
  typing.start(room, bob, in(1'000));
  typing.start(other, alice, in(1'000));
  clock.advance(1'000);
  EXPECT_EQ(typing.expire().size(), 2u);
  EXPECT_TRUE(typing.now(other).empty());
}

TEST_F(TypingTest, ARoomHoldsABoundedNumber) {
  for (int i = 0; i < 150; ++i) typing.start(room, UserId::trusted("@u" + std::to_string(i) + ":here"), in(1'000));
  EXPECT_EQ(typing.now(room).size(), 100u);
}

}  // namespace
}  // namespace myelin::presence
