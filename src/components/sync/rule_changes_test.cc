// What is said after a change of rules waits for it.
#include "components/sync/rule_changes.h"

#include "components/testing/loop.h"

namespace myelin::sync {
namespace {
using namespace myelin::testing;
using namespace std::chrono_literals;

class RuleChangesTest : public ::testing::Test {
 protected:
  void settle(std::chrono::milliseconds within = 1h) {
    done = false;
    boost::asio::co_spawn(loop.executor(), changes.settle(std::chrono::steady_clock::now() + within),
                          [this](const std::exception_ptr&) { done = true; });
    loop.poll();
  }
  void applied(const UserId& user) {
    changes.applied(user);
    loop.poll();
  }
  Loop loop;
  RuleChanges changes{loop.executor()};
  UserId alice = UserId::trusted("@alice:here"), bob = UserId::trusted("@bob:here");
  bool done = false;
};

TEST_F(RuleChangesTest, WaitsForThoseSoFarAndForNoOther) {
  settle();
  EXPECT_TRUE(done);
  applied(alice);  // of another life
  changes.changed(alice);
  changes.changed(alice);
  changes.changed(bob);
  settle();
  applied(bob);
  applied(alice);
  EXPECT_FALSE(done);
  changes.changed(alice);
  applied(alice);
  EXPECT_TRUE(done);
}

TEST_F(RuleChangesTest, ForgetsWhatDoesNotCome) {
  changes.changed(alice);
  settle(1ms);
  loop.run([]() -> Task<> { co_await sleep_for(5ms); }());
  EXPECT_TRUE(done);
  settle();
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace myelin::sync
