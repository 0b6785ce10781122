#include "components/accounts/identity.h"

#include <atomic>
#include <thread>

#include "components/testing/databases.h"
#include "components/testing/loop.h"

namespace myelin::accounts {
namespace {
using namespace myelin::testing;

class IdentityTest : public OnBothDatabases {
 protected:
  IdentityTest()
      : database_(db::testing::temporary_database(GetParam())), db(database_->open(loop.executor(), clock)) {}
  ~IdentityTest() override { db->stop(); }

  Result<ServerName> settle(const char* wanted, Wish wish) {
    return loop.run(settle_server_name(*db, ServerName::trusted(wanted), wish));
  }
  void insert_account(const char* user, Milliseconds created_at) {
    check(loop.run(db->write({}, [user, created_at](db::Tx& tx) {
      tx.exec("INSERT INTO account (user_id, is_admin, is_guest, created_at, profile_version) VALUES ($1, 0, 0, $2, 0)",
              user, created_at);
    })));
  }

  std::unique_ptr<db::testing::TemporaryDatabase> database_;
  Loop loop;
  ManualClock clock;
  std::unique_ptr<db::Database> db;
};

TEST_P(IdentityTest, TheFirstNameStays) {
  EXPECT_EQ(value(settle("first.test", Wish::kDemanded)).str(), "first.test");
  EXPECT_EQ(value(settle("first.test", Wish::kDemanded)).str(), "first.test");
  EXPECT_EQ(value(settle("localhost", Wish::kDefault)).str(), "first.test") << "nobody asked for another";
  auto refused = settle("second.test", Wish::kDemanded);
  EXPECT_EQ(error_of(refused), Code::kConflict);
  EXPECT_NE(refused.error().message.find("the server first.test, not of second.test"), std::string::npos);
}

TEST_P(IdentityTest, WithoutAccountsAStartMayChangeIt) {
  EXPECT_EQ(value(settle("localhost", Wish::kDefault)).str(), "localhost");
  EXPECT_EQ(error_of(settle("first.test", Wish::kDemanded)), Code::kConflict) << "a server may be running";
  EXPECT_EQ(value(settle("first.test", Wish::kAtStart)).str(), "first.test");
  insert_account("@zed:first.test", 1'000);
  EXPECT_EQ(error_of(settle("second.test", Wish::kAtStart)), Code::kConflict);
  EXPECT_EQ(value(settle("first.test", Wish::kAtStart)).str(), "first.test");
}

TEST_P(IdentityTest, TheFirstAccountKnowsTheNameOfOlderData) {
  insert_account("@wrong:localhost", 2'000);
  insert_account("@zed:first.test:8448", 1'000);
  EXPECT_EQ(error_of(settle("second.test", Wish::kDemanded)), Code::kConflict);
  EXPECT_EQ(value(settle("localhost", Wish::kDefault)).str(), "first.test:8448");
}

TEST_P(IdentityTest, AProbeIsAWrite) {
  value(settle("here", Wish::kDemanded));
  check(loop.run(probe_database(*db, 77)));
  EXPECT_EQ(value(loop.run(db->read([](db::ReadTx& tx) {
              return tx.one("SELECT probed_at FROM server", [](const db::Row& row) { return row.i64(0); });
            }))),
            77);
  db->stop();
  EXPECT_EQ(error_of(loop.run(probe_database(*db, 78))), Code::kUnavailable);
}

// The row is all processes' own: one that stands still in a transaction shall make no other unready.
class SeveralIdentityTest : public IdentityTest {};
TEST_P(SeveralIdentityTest, AProbeDoesNotWaitForAnotherProcess) {
  value(settle("here", Wish::kDemanded));
  auto other = database_->open(loop.executor(), clock);
  std::atomic<bool> is_held = false, is_probed = false, was_probed_meanwhile = false;
  auto hold = [&]() -> Task<Result<void>> {
    co_return co_await other->write({}, [&](db::Tx& tx) {
      int64_t held = tx.exec("UPDATE server SET probed_at = 1 WHERE id = 1");
      is_held = held == 1;
      for (int i = 0; i < 100 && !is_probed; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
      was_probed_meanwhile = is_probed.load();
    });
  };
  auto probe = [&]() -> Task<Result<void>> {
    while (!is_held) co_await sleep_for(std::chrono::milliseconds(1));
    auto probed = co_await probe_database(*db, 77);
    is_probed = true;
    co_return probed;
  };
  std::vector<Task<Result<void>>> both;
  both.push_back(hold());
  both.push_back(probe());
  for (auto& each : loop.run_all(std::move(both))) check(each);
  EXPECT_TRUE(was_probed_meanwhile);
  other->stop();
}

MYELIN_ON_BOTH_DATABASES(IdentityTest);
INSTANTIATE_TEST_SUITE_P(Databases, SeveralIdentityTest, ::testing::Values(db::testing::Kind::kPostgres),
                         database_name);

}  // namespace
}  // namespace myelin::accounts
