// Trouble of the databases themselves below a running bus.
#include <fcntl.h>
#include <libpq-fe.h>
#include <unistd.h>

#include "infra/bus/testing/world.h"
#include "infra/db/testing/cutting_proxy.h"
#include "infra/db/testing/power_cut_vfs.h"

namespace myelin::bus {
namespace {
using db::testing::Kind;
using testing::Carrier;
using testing::kTopic;
using testing::World;

constexpr Options kNoTrimming{.head_poll = std::chrono::milliseconds(30), .trim = std::chrono::hours(1)};

const db::testing::TemporaryPostgres& postgres_of(const World& world) {
  return dynamic_cast<const db::testing::TemporaryPostgres&>(*world.files);
}

// Holds apply until the test lets it go.
World::Check hold_until(const bool& open, int& held) {
  return [&](const std::vector<Message>&) -> Task<Result<void>> {
    ++held;
    while (!open) co_await sleep_for(std::chrono::milliseconds(1));
    co_return Result<void>{};
  };
}

TEST(BusTrouble, SpineRuleA11AFullDiskIsWaitedFor) {
  db::testing::PowerCutVfs disk("bus-trouble", 1);
  bool open = false;
  int held = 0;
  World world({Carrier::kMemory, Kind::kSqlite});
  auto options = world.files->options();
  options.sqlite_vfs = disk.name();
  world.open_database(options);
  auto& node = world.start_with({world.recorder("a", hold_until(open, held))});
  world.send_all({"x", "y", "x"});
  ASSERT_TRUE(world.until([&] { return held > 0; }));
  disk.fail_from(db::testing::PowerCutVfs::Fault::kDiskFull, 1);
  open = true;
  EXPECT_TRUE(world.until([&] { return held >= 3; })) << "it tries again and again";
  EXPECT_TRUE(world.applied("a").empty());
  disk.heal();
  EXPECT_TRUE(world.settles(node));
  world.expect_all_applied("a");
  world.nodes.clear();
  world.db->stop();
}

TEST(BusTrouble, SpineRuleA11ADamagedFileParksNobody) {
  World world({Carrier::kMemory, Kind::kSqlite});
  world.stop(world.start_with({world.recorder("a")}));
  auto page = world.number("SELECT rootpage FROM sqlite_schema WHERE name = 'effect'");
  world.db->stop();
  auto path = dynamic_cast<const db::testing::TemporarySqlite&>(*world.files).path();
  int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  std::string garbage(4'096, '?');
  ASSERT_EQ(::pwrite(file, garbage.data(), garbage.size(), (page - 1) * 4'096), 4'096);
  ::close(file);
  world.open_database(world.files->options());
  auto& node = world.start_with({world.recorder("a")});
  world.send_all({"x", "y"});
  EXPECT_FALSE(world.settles(node, std::chrono::milliseconds(200)));
  EXPECT_EQ(world.number("SELECT count(*) FROM parked"), 0);
}

TEST(BusTrouble, SpineRuleA11LostConnectionsAreMadeAgain) {
  bool stop = false;
  int senders = 3;
  size_t seen = 0;
  auto count = [&](const std::vector<Message>& batch) -> Task<Result<void>> {
    seen += batch.size();
    co_return Result<void>{};
  };
  World world({Carrier::kMemory, Kind::kPostgres});
  auto send = [](World& in, std::string key, const bool& until) -> Task<> {
    while (!until) {
      (void)co_await in.send(key);  // it may fail, or be in doubt
      co_await sleep_for(std::chrono::milliseconds(1));
    }
  };
  auto& node = world.start_with({world.recorder("a", count)});
  for (const char* key : {"x", "y", "z"})
    boost::asio::co_spawn(world.loop, send(world, key, stop), [&](std::exception_ptr) { --senders; });
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(world.until([&, before = seen] { return seen > before + 5; }));
    postgres_of(world).sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
        "pg_backend_pid()");
  }
  stop = true;
  EXPECT_TRUE(world.until([&] { return senders == 0; }));
  EXPECT_TRUE(world.settles(node));
  world.expect_dense("a");
  EXPECT_EQ(world.number("SELECT count(*) FROM parked"), 0);
}

// The answer to the consumer's COMMIT is lost; it looks, and does not apply again what has landed.
TEST(BusTrouble, SpineRuleA12ACommitInDoubtIsLookedUp) {
  bool open = false;
  int held = 0;
  World world({Carrier::kMemory, Kind::kPostgres});
  db::testing::CuttingProxy proxy(postgres_of(world));
  auto options = world.files->options();
  options.url = proxy.url();
  world.open_database(options);
  auto& node = world.make_node(kNoTrimming);
  node.bus->declare(world.recorder("a", hold_until(open, held)));
  world.start(node);
  world.send_all({"x", "y"});
  ASSERT_TRUE(world.until([&] { return held > 0; }));
  proxy.cut_next_commit();
  open = true;
  EXPECT_TRUE(world.settles(node));
  EXPECT_TRUE(proxy.has_cut());
  world.send_all({"x"});
  EXPECT_TRUE(world.settles(node));
  world.expect_all_applied("a");
  world.stop(node);
  world.db->stop();
}

// A registration that is held up between reading the heads and its commit. Meanwhile nobody may be given a number that
// it would miss once the outbox is trimmed.
TEST(BusTrouble, SpineRuleA10ARegistrationHoldsTheHeads) {
  std::string key = "k";
  while (partition_of(key) % 2 == 0) key += "k";  // its lane is not the one in which registrations run
  World world({Carrier::kMemory, Kind::kPostgres});
  auto& first = world.start_with({world.recorder("old")});
  world.send_all({key});
  EXPECT_TRUE(world.settles(first));

  // A rival with an open transaction has the place of the new consumer's last cursor.
  std::unique_ptr<PGconn, decltype(&PQfinish)> rival(PQconnectdb(postgres_of(world).url().c_str()), PQfinish);
  auto ask = [&](const char* sql) {
    auto result = PQexec(rival.get(), sql);
    std::string out = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "";
    PQclear(result);
    return out;
  };
  ask("BEGIN");
  ask("INSERT INTO cursor (consumer, topic, partition, seq) VALUES ('new', 'test.out', 63, 0)");
  auto& second = world.make_node();
  second.bus->declare(world.recorder("old"));
  second.bus->declare(world.recorder("new"));
  std::optional<Result<void>> started, sent;
  boost::asio::co_spawn(world.loop, second.bus->start(),
                        [&](std::exception_ptr, Result<void> result) { started = std::move(result); });
  EXPECT_TRUE(world.until([&] { return ask("SELECT count(*) FROM pg_locks WHERE NOT granted") == "1"; }));

  boost::asio::co_spawn(world.loop, world.send(key),
                        [&](std::exception_ptr, Result<void> result) { sent = std::move(result); });
  EXPECT_TRUE(world.until([&] { return sent || ask("SELECT count(*) FROM pg_locks WHERE NOT granted") == "2"; }));
  EXPECT_FALSE(sent) << "a number was given out behind the registration's back";
  if (sent) EXPECT_TRUE(world.until([&] { return world.number("SELECT count(*) FROM outbox") == 0; }));
  ask("ROLLBACK");
  EXPECT_TRUE(world.until([&] { return started && sent; }));
  ASSERT_TRUE(*started) << started->error().message;
  second.running = true;
  EXPECT_TRUE(world.settles(second));
  EXPECT_EQ(world.bodies("new", key), (std::vector<std::string>{key + "/2"}));
  world.expect_all_applied("old");
}

}  // namespace
}  // namespace myelin::bus
