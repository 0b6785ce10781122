// The process is killed at each named point of a lane, of a migration and of a checkpoint. What was acknowledged is
// there afterwards, once; what was refused is not; numbers are dense.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "base/fault.h"
#include "infra/db/testing/contract.h"

namespace myelin::db {
namespace {

using testing::Kind;

class Crash : public testing::DatabaseTest {
 protected:
  void SetUp() override {
    migrations_ = migrations_of({});
    migrations_.push_back(testing::kItemTable);
    start_over();
  }
  void start_over() {
    if (db_) db_->stop();
    db_.reset();
    files_ = make_files();
    options_ = files_->options();
    options_.migrations = migrations_;
    options_.checkpoint_pages = 20;
  }
  static Closure send(int64_t id) {
    return [id](Tx& tx) -> Result<int64_t> {
      tx.exec("INSERT INTO item (id, version_no, body) VALUES ($1, 0, $2)", id, Blob{std::string(3'000, 'b')});
      tx.publish("t", id % 3 == 0 ? 1 : 0, std::to_string(id));
      tx.at_position(1, [id](Tx& later, int64_t position) {
        later.exec("UPDATE item SET version_no = $1 WHERE id = $2", position, id);
      });
      if (id % 5 == 0) return fail(Code::kForbidden);
      return id;
    };
  }
  // In a process of its own: opens the database, writes until it is killed, and tells what was acknowledged.
  std::set<int64_t> write_until_killed(const std::string& point) {
    int pipe[2];
    EXPECT_EQ(::pipe(pipe), 0);
    auto child = ::fork();
    if (child == 0) {
      ::setenv("MYELIN_CRASH_AT", point.c_str(), 1);
      fault::arm_from_environment();
      reopen();
      for (int64_t id = 1; id <= 400; id += 4) {
        for (const auto& result : write_together({{send(id)}, {send(id + 1)}, {send(id + 2)}, {send(id + 3)}})) {
          if (result && ::write(pipe[1], &*result, sizeof(*result)) < 0) ::_exit(2);
        }
      }
      ::_exit(3);
    }
    ::close(pipe[1]);
    std::set<int64_t> acked;
    for (int64_t id = 0; ::read(pipe[0], &id, sizeof(id)) == sizeof(id);) acked.insert(id);
    ::close(pipe[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << point << ": the point was not reached";
    return acked;
  }
  void audit(const std::set<int64_t>& acked) {
    auto found = ids();
    std::set<int64_t> there(found.begin(), found.end());
    for (auto id : acked) EXPECT_TRUE(there.contains(id)) << "acknowledged and lost: " << id;
    for (auto id : there) EXPECT_NE(id % 5, 0) << "refused and there: " << id;
    auto rows = static_cast<int64_t>(there.size());
    EXPECT_EQ(number("SELECT COUNT(*) FROM outbox"), rows);
    EXPECT_EQ(number("SELECT COALESCE(SUM(next_seq - 1), 0) FROM outbox_head"), rows);
    EXPECT_EQ(number("SELECT COUNT(*) FROM outbox_head h WHERE next_seq - 1 <> (SELECT COUNT(*) FROM outbox o WHERE "
                     "o.topic = h.topic AND o.partition = h.partition)"),
              0);
    EXPECT_EQ(number("SELECT COUNT(DISTINCT version_no) FROM item"), rows);
    EXPECT_EQ(number("SELECT COUNT(*) FROM item WHERE version_no > (SELECT pos FROM sync_head)"), 0);
  }
};
INSTANTIATE_TEST_SUITE_P(Engines, Crash, ::testing::Values(Kind::kSqlite, Kind::kPostgres),
                         [](const auto& info) { return info.param == Kind::kSqlite ? "Sqlite" : "Postgres"; });

TEST_P(Crash, AtEveryPointOfALane) {
  std::vector<std::string> points{"lane.begin",          "lane.fence_taken",     "lane.closure_done",
                                  "lane.closure_failed", "lane.before_position", "lane.before_heads",
                                  "lane.commit_sent",    "lane.commit_known",    "lane.completed"};
  if (GetParam() == Kind::kSqlite) points.push_back("checkpoint.mid");
  for (const auto& point : points) {
    for (int nth : {1, 9}) {
      if (nth == 1 && GetParam() == Kind::kPostgres) continue;  // to save time
      if (nth == 1 && point == "lane.commit_sent") continue;    // that of a migration
      auto spec = fmt::format("{}:{}", point, nth);
      SCOPED_TRACE(spec);
      start_over();
      auto acked = write_until_killed(spec);
      reopen();
      audit(acked);
      EXPECT_TRUE(write([](Tx& tx) -> Result<int64_t> {
        tx.publish("t", 0, "after");
        return 0;
      }));
    }
  }
}

TEST_P(Crash, BetweenMigrations) {
  for (int nth : {1, 2}) {
    start_over();
    write_until_killed(fmt::format("migrate.between:{}", nth));
    reopen();
    EXPECT_EQ(number("SELECT COUNT(*) FROM schema_version"), static_cast<int64_t>(migrations_.size()));
    EXPECT_TRUE(ids().empty());
  }
}

}  // namespace
}  // namespace myelin::db
