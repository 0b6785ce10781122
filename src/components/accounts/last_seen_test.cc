// When devices were last used, while somebody else changes a device.
#include "components/accounts/last_seen.h"

#include <future>

#include "components/testing/databases.h"
#include "components/testing/loop.h"

namespace myelin::accounts {
namespace {
using namespace myelin::testing;

constexpr const char* kAddress = "SELECT last_seen_ip FROM device WHERE user_id = $1";

TEST(LastSeenOnPostgres, SpineRuleA2ItWaitsForNoRow) {
  db::testing::TemporaryPostgres server;
  Loop loop;
  ManualClock clock;
  auto db = server.open(loop.executor(), clock);
  auto alice = UserId::trusted("@alice:here"), bob = UserId::trusted("@bob:here");
  auto device = DeviceId::trusted("D");
  auto address = [&](const UserId& user) {
    return value(loop.run(db->read([&](db::ReadTx& tx) {
      return tx.one(
                   kAddress, [](const db::Row& row) { return row.null(0) ? std::string() : row.str(0); }, user.str())
          .value();
    })));
  };
  check(loop.run(db->write({}, [&](db::Tx& tx) {
    for (const auto& user : {alice, bob})
      tx.exec("INSERT INTO device (user_id, device_id) VALUES ($1, 'D')", user.str());
  })));
  LastSeen last_seen(*db);
  auto note = [&] {
    for (const auto& user : {alice, bob}) last_seen.note(user, device, "::1", clock.now());
  };
  note();

  std::promise<void> locked, go;
  auto release = go.get_future().share();
  std::optional<Result<int64_t>> renamed;
  boost::asio::co_spawn(
      loop.executor(),
      db->write({.lane = 1},
                [&locked, release, first = true](db::Tx& tx) mutable -> Result<int64_t> {
                  int64_t rows = tx.exec("UPDATE device SET display_name = 'phone' WHERE user_id = '@alice:here'");
                  if (std::exchange(first, false)) locked.set_value();
                  release.wait();
                  return rows;
                }),
      [&](std::exception_ptr, Result<int64_t> result) { renamed = std::move(result); });
  loop.poll();
  locked.get_future().wait();
  check(loop.run(last_seen.write()));
  EXPECT_EQ(address(bob), "::1");
  EXPECT_EQ(address(alice), "");
  go.set_value();
  while (!renamed) loop.poll();
  EXPECT_EQ(*renamed, 1);

  note();
  check(loop.run(last_seen.write()));
  EXPECT_EQ(address(alice), "::1");
  db->stop();
}

}  // namespace
}  // namespace myelin::accounts
