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
  // A living process that is connected to `server`; one that `is_heard` answers over NATS.
  void another(std::string name, std::string server, bool is_heard) {
    database.sql(
        fmt::format("INSERT INTO process (id, life, host, roles, version, nats, wants, started_at, alive_until) "
                    "VALUES ('{}', 'life', 'host', 'all', '1', '{}', '', 0, 9000000000000000)",
                    name, server));
    if (is_heard) bus.serve("process." + name, [](const std::string&) -> Task<std::string> { co_return "same"; });
  }
  void all_on(std::string server, std::initializer_list<const char*> names, bool are_heard) {
    for (const char* name : names) another(name, server, are_heard);
  }
  int servers_left_after(std::chrono::milliseconds time) {
    bus.connected_to = "n1";
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

TEST_F(NeighboursTest, WhoHearsAllStays) {
  all_on("n1", {"a"}, true);
  all_on("n2", {"b"}, true);
  EXPECT_EQ(servers_left_after(kLong), 0);
}

TEST_F(NeighboursTest, WhoDoesNotHearOneOfItsOwnServerStays) {
  all_on("n1", {"a", "b"}, false);
  EXPECT_EQ(servers_left_after(kLong), 0);
}

TEST_F(NeighboursTest, WhoIsOnAServerThatIsCutOffGoesOverThoughMostProcessesAreThere) {
  all_on("n1", {"a", "b", "c", "d"}, true);
  all_on("n2", {"e"}, false);
  all_on("n3", {"f"}, false);
  EXPECT_GE(servers_left_after(kLong), 1);
}

TEST_F(NeighboursTest, WhoIsOnTheSideOfMostServersStaysThoughFewProcessesAreThere) {
  all_on("n3", {"a"}, true);
  all_on("n2", {"b", "c", "d", "e"}, false);
  EXPECT_EQ(servers_left_after(kLong), 0);
}

TEST_F(NeighboursTest, OfTwoServersThatOfFewerProcessesIsLeft) {
  all_on("n1", {"a"}, true);
  all_on("n2", {"b", "c", "d"}, false);
  EXPECT_GE(servers_left_after(kLong), 1);
}

TEST_F(NeighboursTest, OfTwoServersWithAsManyProcessesTheFirstIsKept) {
  all_on("n2", {"a"}, false);
  EXPECT_EQ(servers_left_after(kLong), 0);
}

TEST_F(NeighboursTest, OfTwoServersWithAsManyProcessesTheSecondIsLeft) {
  all_on("n0", {"a"}, false);
  EXPECT_GE(servers_left_after(kLong), 1);
}

TEST_F(NeighboursTest, WhoDoesNotHearItselfLetsGoAndStays) {
  all_on("n0", {"a"}, false);
  bus.is_silent = true;
  EXPECT_EQ(servers_left_after(kLong), 0);
}

}  // namespace
}  // namespace myelin::app
