// Whose /sync waits for what, and how long.
#include "components/sync/own_writes.h"

#include "components/testing/loop.h"

namespace myelin::sync {
namespace {
using namespace myelin::testing;
using namespace std::chrono_literals;

class OwnWritesTest : public ::testing::Test {
 protected:
  void settle(const UserId& user) {
    done = false;
    boost::asio::co_spawn(loop.executor(), writes.settle(user, std::chrono::steady_clock::now() + 1h),
                          [this](const std::exception_ptr&) { done = true; });
    loop.poll();
  }
  void applied(const UserId& user, uint32_t room_no, int64_t order) {
    writes.applied(user, room_no, order);
    loop.poll();
  }
  Loop loop;
  OwnWrites writes{loop.executor()};
  UserId alice = UserId::trusted("@alice:here"), bob = UserId::trusted("@bob:here");
  bool done = false;
};

TEST_F(OwnWritesTest, WaitsForAllThatTheUserHasWritten) {
  writes.written(alice, 1, 5);
  writes.written(alice, 1, 4);
  writes.written(alice, 2, 1);
  settle(bob);
  EXPECT_TRUE(done);
  settle(alice);
  applied(alice, 1, 4);
  applied(bob, 1, 6);
  applied(alice, 2, 1);
  EXPECT_FALSE(done);
  applied(alice, 1, 6);
  EXPECT_TRUE(done);
  settle(alice);
  EXPECT_TRUE(done);
}

TEST_F(OwnWritesTest, GivesUpAtTheDeadlineAndForgets) {
  writes.written(alice, 1, 5);
  loop.run(writes.settle(alice, std::chrono::steady_clock::now() + 20ms));
  settle(alice);
  EXPECT_TRUE(done);
}

TEST_F(OwnWritesTest, ForgetsWhenOthersWroteMeanwhile) {
  writes.written(alice, 1, 5);
  settle(alice);
  EXPECT_FALSE(done);
  writes.forget_all();
  loop.poll();
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace myelin::sync
