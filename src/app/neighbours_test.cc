// When a process believes that its nats-server is cut off from the others.
#include "app/neighbours.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "components/testing/fake_bus.h"
#include "components/testing/loop.h"
#include "infra/db/testing/databases.h"

namespace myelin::app {
namespace {
using namespace myelin::testing;

class NeighboursTest : public ::testing::Test {
 protected:
  ~NeighboursTest() override {
    loop.run(neighbours.stop());
    db->stop();
  }
  // A living process; one that `is_heard` answers over NATS.
  void another(std::string name, bool is_heard) {
    database.sql(
        fmt::format("INSERT INTO process (id, life, host, roles, version, wants, started_at, alive_until) "
                    "VALUES ('{}', 'life', 'host', 'all', '1', '', 0, 9000000000000000)",
                    name));
    if (is_heard) bus.serve("process." + name, [](const std::string&) -> Task<std::string> { co_return "same"; });
  }
  int servers_left_after(std::chrono::milliseconds time) {
    neighbours.watch();
    loop.run(sleep_for(time));
    return bus.servers_left;
  }

  Loop loop;
  SystemClock clock;
  SystemRandom random;
  db::testing::TemporaryPostgres database;
  std::unique_ptr<db::Database> db = database.open(loop.executor(), clock);
  FakeBus bus{*db};
  std::unique_ptr<lease::Leases> leases =
      lease::Leases::make(*db, bus, loop.executor(), clock, random, "me", {"host", "all", "1"});
  Neighbours neighbours{*db, bus, *leases, loop.executor(), clock, random, "me", "same"};
};
constexpr std::chrono::milliseconds kLong{3'000};

TEST_F(NeighboursTest, WhoIsAloneStays) { EXPECT_EQ(servers_left_after(kLong), 0); }

TEST_F(NeighboursTest, WhoHearsHalfOfTheOthersStays) {
  for (const char* name : {"a", "b"}) another(name, true);
  for (const char* name : {"c", "d"}) another(name, false);
  EXPECT_EQ(servers_left_after(kLong), 0);
}

TEST_F(NeighboursTest, WhoHearsOnlyThoseThatShareItsServerGoesOver) {
  for (const char* name : {"a", "b"}) another(name, true);
  for (const char* name : {"c", "d", "e"}) another(name, false);
  EXPECT_GE(servers_left_after(kLong), 1);
}

TEST_F(NeighboursTest, WhoDoesNotHearItselfLetsGoAndStays) {
  another("a", false);
  bus.is_silent = true;
  EXPECT_EQ(servers_left_after(kLong), 0);
}

}  // namespace
}  // namespace myelin::app
