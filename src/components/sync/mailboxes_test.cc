// Messages to devices, as /sync gives them (client-server API, Send-to-Device messaging).
#include "components/sync/testing/syncing.h"

namespace myelin::sync {
namespace {
using namespace myelin::sync::testing;

class MailboxTest : public Syncing {};

TEST_P(MailboxTest, MessagesToADeviceGoUntilTheyAreAcknowledged) {
  auto second = world.log_in(bob.user, "TWO");
  auto since = token(bob);
  send_to(bob, 1, 2);
  EXPECT_EQ(numbers(sync(bob, since)), (std::vector<int64_t>{1, 2}));
  auto answer = sync(bob, since);  // the first answer was lost
  EXPECT_EQ(numbers(answer), (std::vector<int64_t>{1, 2}));
  EXPECT_TRUE(numbers(sync(second)).empty());
  send_to(bob, 3);
  auto next = sync(bob, World::next_batch(answer));
  EXPECT_EQ(numbers(next), (std::vector<int64_t>{3}));
  EXPECT_EQ(world.count("SELECT count(*) FROM to_device"), 1);
  sync(bob, World::next_batch(next));
  EXPECT_EQ(world.count("SELECT count(*) FROM to_device"), 0);
}

TEST_P(MailboxTest, AcknowledgedMessagesToADeviceNeverComeAgain) {
  auto since = token(bob);
  send_to(bob, 1, 2);
  auto answer = sync(bob, since);
  EXPECT_EQ(numbers(answer), (std::vector<int64_t>{1, 2}));
  auto acknowledged = World::next_batch(answer);
  EXPECT_TRUE(numbers(sync(bob, acknowledged)).empty()) << "nothing is new, and that is an acknowledgement";
  EXPECT_TRUE(numbers(sync(bob)).empty());
  EXPECT_TRUE(numbers(sync(bob, since)).empty());
  // Memory forgets, the table does not.
  send_to(bob, 3, 150);
  world.deliver();
  world.restart();
  answer = sync(bob, acknowledged);
  EXPECT_EQ(numbers(answer).size(), 100u);
  answer = sync(bob, World::next_batch(answer));
  EXPECT_EQ(numbers(answer).size(), 50u);
  sync(bob, World::next_batch(answer));
  EXPECT_EQ(world.count("SELECT count(*) FROM to_device"), 0);
}

TEST_P(MailboxTest, ManyMessagesComeInPieces) {
  auto since = token(bob);
  send_to(bob, 1, 250);
  std::vector<int64_t> got;
  for (int round = 0; round < 5; ++round) {
    auto lost = sync(bob, since);
    EXPECT_LE(numbers(lost).size(), 100u);
    auto answer = sync(bob, since);
    EXPECT_EQ(numbers(answer), numbers(lost));
    for (auto n : numbers(answer)) got.push_back(n);
    since = World::next_batch(answer);
  }
  std::vector<int64_t> all(250);
  std::iota(all.begin(), all.end(), 1);
  EXPECT_EQ(got, all);
}

MYELIN_ON_BOTH_DATABASES(MailboxTest);

}  // namespace
}  // namespace myelin::sync
