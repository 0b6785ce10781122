// What memory knows of changes: it never says less than has happened, and wakes whom it concerns.
#include "components/sync/feed.h"

#include <gtest/gtest.h>

#include "components/testing/loop.h"

namespace myelin::sync {
namespace {

class FeedTest : public ::testing::Test {
 protected:
  myelin::testing::Loop loop;
  Feed feed{loop.executor(), 1u << 20};
  const UserId alice = UserId::trusted("@alice:here"), bob = UserId::trusted("@bob:here");

  SubscriberPtr load(const UserId& user, std::vector<uint32_t> rooms) {
    auto ticket = feed.begin_load(user);
    return feed.finish_load(user, ticket, std::move(rooms));
  }
  std::vector<uint32_t> changed(const SubscriberPtr& subscriber, int64_t since) {
    auto out = feed.changed_rooms(*subscriber, since);
    EXPECT_TRUE(out) << since;
    return out ? out->rooms : std::vector<uint32_t>{};
  }
};

TEST_F(FeedTest, ThePositionPassesNothingThatIsNotNoted) {
  feed.jump(10);
  auto subscriber = load(alice, {1});
  feed.complete(13, 14);  // 11 and 12 are somebody else's, and not told yet
  EXPECT_EQ(feed.position(), 10);
  feed.complete(12, 12);
  EXPECT_EQ(feed.position(), 10);
  feed.room_changed(1, 11);
  feed.complete(11, 11);
  EXPECT_EQ(feed.position(), 14);
  EXPECT_EQ(metrics::gauge("myelin_sync_position", "").Value(), 14);
  EXPECT_EQ(changed(subscriber, 10), (std::vector<uint32_t>{1}));
  EXPECT_EQ(changed(subscriber, 11), (std::vector<uint32_t>{}));
  feed.complete(11, 12);  // once more
  EXPECT_EQ(feed.position(), 14);
}

TEST_F(FeedTest, NewsThatComeOutOfOrderTakeNothingBack) {
  feed.jump(10);
  auto subscriber = load(alice, {1});
  feed.user_changed(alice, 12);
  feed.room_changed(1, 12);
  feed.room_changed(1, 11);
  feed.user_changed(alice, 11);
  EXPECT_EQ(subscriber->last_change, 12);
  feed.complete(11, 12);
  EXPECT_EQ(changed(subscriber, 11), (std::vector<uint32_t>{1}));
}

TEST_F(FeedTest, WhatWasBeforeTheLoadIsNotKnown) {
  feed.jump(10);
  auto subscriber = load(alice, {1, 2});
  EXPECT_FALSE(feed.changed_rooms(*subscriber, 9));
  EXPECT_TRUE(changed(subscriber, 10).empty());
}

// Between what came first and what fills the gap before it, somebody loads: nobody noted for them what came first.
TEST_F(FeedTest, WhatIsBehindAGapIsNotKnownToWhoLoadsNow) {
  feed.jump(10);
  feed.room_changed(1, 13);
  feed.complete(13, 14);
  auto subscriber = load(alice, {1});
  feed.complete(11, 12);
  EXPECT_EQ(feed.position(), 14);
  EXPECT_FALSE(feed.changed_rooms(*subscriber, 10));
  feed.room_changed(1, 17);
  feed.complete(17, 17);
  feed.jump(15);  // what the database had said a while ago
  subscriber = load(alice, {1});
  feed.complete(16, 16);
  EXPECT_EQ(feed.position(), 17);
  EXPECT_FALSE(feed.changed_rooms(*subscriber, 15));
}

TEST_F(FeedTest, WhatIsBehindAGapInARoomIsNewsToWhoEntersItNow) {
  feed.jump(10);
  auto subscriber = load(alice, {1});
  feed.room_changed(2, 13);
  feed.complete(13, 14);
  feed.joined(alice, 2);
  feed.user_changed(alice, 12);
  feed.complete(11, 12);
  EXPECT_EQ(feed.position(), 14);
  EXPECT_EQ(changed(subscriber, 12), (std::vector<uint32_t>{2}));
}

TEST_F(FeedTest, RingsForRoomsUsersAndTyping) {
  auto subscriber = load(alice, {1});
  auto heard = [&, seen = subscriber->bell.generation()]() mutable {
    auto before = std::exchange(seen, subscriber->bell.generation());
    return seen != before;
  };
  feed.room_changed(2, 1);
  feed.user_changed(bob, 1);
  feed.typing_changed(2);
  EXPECT_FALSE(heard());
  feed.room_changed(1, 1);
  EXPECT_TRUE(heard());
  feed.user_changed(alice, 2);
  EXPECT_TRUE(heard());
  feed.typing_changed(1);
  EXPECT_TRUE(heard());
  feed.joined(alice, 2);
  feed.joined(alice, 2);
  feed.room_changed(2, 3);
  EXPECT_TRUE(heard());
  feed.left(alice, 2);
  feed.room_changed(2, 4);
  EXPECT_FALSE(heard());
}

TEST_F(FeedTest, ALoadThatMembershipOvertookIsDoneAgain) {
  auto ticket = feed.begin_load(alice);
  feed.joined(alice, 7);
  EXPECT_EQ(feed.finish_load(alice, ticket, {}), nullptr);
  ticket = feed.begin_load(alice);
  auto loaded = feed.finish_load(alice, ticket, {7});
  ASSERT_NE(loaded, nullptr);
  EXPECT_EQ(loaded->rooms, (std::vector<uint32_t>{7}));
  EXPECT_EQ(feed.find(alice), loaded);
  // Two loads side by side end with one subscriber.
  auto first = feed.begin_load(bob), second = feed.begin_load(bob);
  auto one = feed.finish_load(bob, first, {1});
  EXPECT_EQ(feed.finish_load(bob, second, {1}), one);
}

TEST_F(FeedTest, WhatOtherProcessesDidMakesEverybodyLoadAnew) {
  auto subscriber = load(alice, {1});
  auto ticket = feed.begin_load(bob);
  auto seen = subscriber->bell.generation();
  feed.jump(5);
  EXPECT_EQ(feed.position(), 5);
  EXPECT_TRUE(subscriber->stale);
  EXPECT_FALSE(feed.changed_rooms(*subscriber, 4)) << "its rooms are not watched any more";
  EXPECT_NE(subscriber->bell.generation(), seen);
  EXPECT_EQ(feed.find(alice), nullptr);
  EXPECT_EQ(feed.finish_load(bob, ticket, {}), nullptr) << "what it read may be of before";
  feed.jump(3);
  EXPECT_EQ(feed.position(), 5);
  feed.room_changed(1, 6);  // nobody is here any more
}

TEST_F(FeedTest, IsBoundedAndKeepsWhatIsInUse) {
  Feed small(loop.executor(), 10'000);
  auto held = [&] {
    auto ticket = small.begin_load(alice);
    return small.finish_load(alice, ticket, std::vector<uint32_t>{1, 2, 3});
  }();
  for (int i = 0; i < 100; ++i) {
    auto user = UserId::trusted("@user" + std::to_string(i) + ":here");
    auto ticket = small.begin_load(user);
    small.finish_load(user, ticket, std::vector<uint32_t>{1, 2, 3});
  }
  EXPECT_EQ(small.find(alice), held);
  EXPECT_EQ(small.find(UserId::trusted("@user0:here")), nullptr);
  EXPECT_NE(small.find(UserId::trusted("@user99:here")), nullptr);
  auto seen = held->bell.generation();
  small.room_changed(2, 1);
  EXPECT_NE(held->bell.generation(), seen);
}

}  // namespace
}  // namespace myelin::sync
