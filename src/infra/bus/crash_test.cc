// The process is killed at each named point of the bus. Afterwards every message that was acknowledged is applied once,
// in order.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "infra/bus/testing/world.h"

namespace myelin::bus {
namespace {
using db::testing::Kind;
using testing::Carrier;
using testing::World;

class BusCrash : public ::testing::TestWithParam<Kind> {
 protected:
  testing::Setting setting() const { return {Carrier::kUnreliable, GetParam()}; }

  // In a process of its own: sends, applies, parks, replays and trims until it is killed, and tells which were
  // acknowledged.
  std::map<std::string, int> work_until_killed(const testing::Files& files, const std::string& point) {
    int pipe[2];
    EXPECT_EQ(::pipe(pipe), 0);
    auto child = ::fork();
    if (child == 0) {
      ::setenv("MYELIN_CRASH_AT", point.c_str(), 1);
      fault::arm_from_environment();
      ::alarm(60);  // instead of hanging
      work(files, pipe[1]);
      ::_exit(3);
    }
    ::close(pipe[1]);
    std::map<std::string, int> acknowledged;
    for (char key; ::read(pipe[0], &key, 1) == 1;) ++acknowledged[std::string(1, key)];
    ::close(pipe[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << point << " was not reached";
    return acknowledged;
  }
  void work(const testing::Files& files, int tell) {
    World world(setting(), files, 7);
    auto refuse = [](const std::vector<Message>& batch) -> Task<Result<void>> {
      for (const auto& message : batch)
        if (message.body == "x/3") co_return fail(Code::kInternal, "a bug");
      co_return Result<void>{};
    };
    for (int round = 0; round < 20; ++round) {
      auto& node = world.start_with({world.recorder("r", round % 2 == 0 ? World::Check(refuse) : World::Check())});
      for (int i = 0; i < 10; ++i)
        for (const char* key : {"x", "y", "z"})
          if (world.run(world.send(key)) && ::write(tell, key, 1) != 1) ::_exit(4);
      world.settles(node);
      if (round % 2 == 1 && !world.run(node.bus->unpark("r", "x"))) ::_exit(6);
      if (!world.until([&] { return world.number("SELECT count(*) FROM outbox") == 0; })) ::_exit(5);  // not trimmed
      world.stop(node);
    }
  }
  void audit(const testing::Files& files, const std::map<std::string, int>& acknowledged) {
    World world(setting(), files, 8);
    auto& node = world.start_with({world.recorder("r")});
    EXPECT_TRUE(world.settles(node));
    EXPECT_TRUE(world.run(node.bus->unpark("r", "x")));
    for (const char* key : {"x", "y", "z"}) {
      auto bodies = world.bodies("r", key);
      auto it = acknowledged.find(key);
      if (it != acknowledged.end()) EXPECT_GE(bodies.size(), static_cast<size_t>(it->second)) << key;
      world.last[key] = static_cast<int>(bodies.size());
    }
    world.send_all({"x", "y"});
    EXPECT_TRUE(world.settles(node));
    for (const char* key : {"x", "y", "z"}) EXPECT_EQ(world.bodies("r", key), world.sent(key));
    EXPECT_EQ(static_cast<int64_t>(world.applied("r").size()),
              world.number("SELECT sum(next_seq - 1) FROM outbox_head"));
  }
};
INSTANTIATE_TEST_SUITE_P(Databases, BusCrash, ::testing::Values(Kind::kSqlite, Kind::kPostgres),
                         [](const auto& info) { return info.param == Kind::kSqlite ? "Sqlite" : "Postgres"; });

TEST_P(BusCrash, AtEveryPoint) {
  for (const char* point : {"register.head_read", "publish.before", "publish.after:7", "publish.unacked:7",
                            "consume.fetched:7", "consume.gap_read:3", "consume.cursor_moved:5", "consume.applied:5",
                            "consume.committed_before_ack:5", "consume.acked_before_wake:5", "park.written",
                            "park.written:3", "unpark.half", "unpark.half:3", "trim.min_read", "trim.deleted"}) {
    SCOPED_TRACE(point);
    auto files = testing::empty_database(GetParam());
    if (std::string_view(point) != "register.head_read") {  // registered before, so that what is sent is applied
      World world(setting(), files);
      world.stop(world.start_with({world.recorder("r")}));
    }
    audit(files, work_until_killed(files, point));
  }
}

}  // namespace
}  // namespace myelin::bus
