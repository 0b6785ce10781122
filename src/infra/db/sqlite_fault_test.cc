// SQLite with trouble below it: power cuts, a full disk, I/O errors.
#include <filesystem>
#include <random>

#include "infra/db/fatal.h"
#include "infra/db/testing/contract.h"
#include "infra/db/testing/power_cut_vfs.h"

namespace myelin::db {
namespace {

using testing::code_of;
using testing::Kind;
using testing::PowerCutVfs;

class SqliteFaults : public testing::DatabaseTest {
 protected:
  SqliteFaults() {
    set_fatal_handler([this](const std::string& message) { fatal_ = message; });
  }
  ~SqliteFaults() override {
    db_.reset();
    set_fatal_handler({});
  }
  std::unique_ptr<testing::TemporaryDatabase> make_files() override {
    return testing::temporary_database(Kind::kSqlite);
  }
  void SetUp() override {
    migrations_ = migrations_of({});
    migrations_.push_back(testing::kItemTable);
    start_over(1);
  }
  // A fresh database on a fresh disk.
  void start_over(uint64_t seed) {
    if (db_) db_->stop();
    files_ = make_files();
    vfs_.reset();
    vfs_ = std::make_unique<PowerCutVfs>("power-cut", seed, 20);
    options_ = files_->options();
    options_.migrations = migrations_;
    options_.sqlite_vfs = vfs_->name();
    options_.checkpoint_pages = 40;
    fatal_.clear();
    delivered_.clear();
    reopen();
  }
  void power_cut() {
    vfs_->cut();
    db_->stop();
    reopen();
  }
  static Closure send(int64_t id, size_t bytes = 100) {
    return [id, bytes](Tx& tx) -> Result<int64_t> {
      tx.exec("INSERT INTO item (id, version_no, body) VALUES ($1, 0, $2)", id,
              Blob{std::string(bytes, static_cast<char>('a' + id % 26))});
      tx.publish("t", 0, std::to_string(id));
      return id;
    };
  }
  // Everything acknowledged is there and whole, what was refused is not, and the outbox agrees with the table.
  void audit(const std::set<int64_t>& acked, const std::set<int64_t>& refused) {
    auto found = ids();
    std::set<int64_t> there(found.begin(), found.end());
    for (auto id : acked) EXPECT_TRUE(there.contains(id)) << "acknowledged and lost: " << id;
    for (auto id : refused) EXPECT_FALSE(there.contains(id)) << "refused and there: " << id;
    EXPECT_EQ(number("SELECT COUNT(*) FROM outbox"), static_cast<int64_t>(there.size()));
    EXPECT_EQ(number("SELECT COALESCE(MAX(seq), 0) FROM outbox"), static_cast<int64_t>(there.size()));
    EXPECT_EQ(number("SELECT COALESCE(SUM(next_seq - 1), 0) FROM outbox_head"), static_cast<int64_t>(there.size()));
    auto check = read([](ReadTx& tx) {
      return tx.one("SELECT * FROM pragma_integrity_check", [](const Row& row) { return row.str(0); });
    });
    EXPECT_EQ(**check, "ok");
  }
  std::string fatal_;
  std::unique_ptr<PowerCutVfs> vfs_;
};

TEST_F(SqliteFaults, ManyPowerCutsLoseNothing) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    start_over(seed);
    std::mt19937_64 dice(seed);
    std::set<int64_t> acked;
    int64_t next = 1;
    for (int cut = 0; cut < 3; ++cut) {
      // Closures in flight when the power goes; their answers may or may not be known.
      for (int rounds = static_cast<int>(dice() % 12); rounds > 0; --rounds) {
        std::vector<Wish> wishes;
        auto from = next;
        for (auto n = dice() % 8; n > 0; --n) wishes.push_back({send(next++, dice() % 6'000)});
        auto results = write_together(std::move(wishes));
        for (const auto& result : results) {
          if (result) acked.insert(from);
          ++from;
        }
      }
      std::vector<std::pair<int64_t, std::optional<Result<int64_t>>>> in_flight;
      for (int n = 0; n < 20; ++n) in_flight.emplace_back(next++, std::nullopt);
      size_t left = in_flight.size();
      for (auto& [id, result] : in_flight) {
        boost::asio::co_spawn(loop_, db_->write({}, send(id, 3'000)), [&](std::exception_ptr, Result<int64_t> r) {
          result = std::move(r);
          --left;
        });
      }
      loop_.restart();
      loop_.poll();
      for (auto spin = dice() % 2'000'000; spin > 0; --spin) asm volatile("");
      vfs_->cut();
      loop_.restart();
      while (left > 0) loop_.run_one();
      db_->stop();
      reopen();
      for (auto& [id, result] : in_flight) {
        if (*result) acked.insert(id);
      }
      audit(acked, {});
    }
  }
}

TEST_F(SqliteFaults, AFullDiskRefusesAndRecovers) {
  std::set<int64_t> acked, refused;
  int64_t next = 1;
  for (int64_t nth = 1; nth <= 60; ++nth) {
    SCOPED_TRACE(nth);
    vfs_->fail_from(PowerCutVfs::Fault::kDiskFull, nth);
    for (int round = 0; round < 4; ++round) {
      std::vector<Wish> wishes;
      auto from = next;
      for (int n = 0; n < 5; ++n) wishes.push_back({send(next++, 2'000)});
      for (const auto& result : write_together(std::move(wishes))) {
        if (!result) EXPECT_EQ(result.error().code, Code::kDiskFull) << result.error().message;
        (result ? acked : refused).insert(from++);
      }
    }
    vfs_->heal();
    auto id = next++;
    EXPECT_EQ(write(send(id)), id);
    acked.insert(id);
  }
  EXPECT_FALSE(refused.empty());
  EXPECT_TRUE(fatal_.empty());
  audit(acked, refused);
  power_cut();
  audit(acked, refused);
}

// The commit frame may come back after a crash: nobody may say that it is done, nor that it is not.
TEST_F(SqliteFaults, SpineRuleA12AnIoErrorAtCommitEndsTheProcess) {
  for (auto fault : {PowerCutVfs::Fault::kSyncError, PowerCutVfs::Fault::kWriteError}) {
    for (uint64_t seed = 1; seed <= 15; ++seed) {
      SCOPED_TRACE(seed);
      start_over(seed);
      std::set<int64_t> acked;
      for (int64_t id = 1; id <= 5; ++id) {
        if (write(send(id))) acked.insert(id);
      }
      EXPECT_EQ(acked.size(), 5u);
      delivered_.clear();
      vfs_->fail_from(fault, 1);
      auto results = write_together({{send(6)}, {send(7)}});
      EXPECT_NE(fatal_.find("COMMIT failed with an I/O error"), std::string::npos) << fatal_;
      for (const auto& result : results) EXPECT_FALSE(result);
      EXPECT_EQ(code_of(write(send(8))), Code::kUnavailable);  // the handler of this test does not end the process
      EXPECT_TRUE(delivered_.empty());
      vfs_->heal();
      power_cut();
      audit(acked, {8});
    }
  }
}

// A refusal may rest on what an earlier closure of the batch wrote: it waits for the commit as well.
TEST_F(SqliteFaults, SpineRuleA16ARefusalWaitsForTheCommit) {
  auto refuse_if_seen = [](Tx& tx) -> Result<int64_t> {
    auto seen = tx.one("SELECT 1 FROM item WHERE id = 1", [](const Row& row) { return row.i64(0); });
    if (seen) return fail(Code::kForbidden, "taken");
    return 0;
  };
  auto go = [&] { return write_together({{send(1)}, {refuse_if_seen}}); };
  vfs_->fail_from(PowerCutVfs::Fault::kDiskFull, 1);
  auto results = go();
  EXPECT_EQ(code_of(results[0]), Code::kDiskFull);
  EXPECT_EQ(code_of(results[1]), Code::kDiskFull);
  EXPECT_TRUE(delivered_.empty());
  vfs_->heal();
  results = go();
  EXPECT_EQ(results[0], 1);
  EXPECT_EQ(code_of(results[1]), Code::kForbidden);
}

// Commits go on while the write-ahead log is copied, and it does not grow with what was written.
TEST_F(SqliteFaults, CheckpointsKeepTheLogShort) {
  for (int64_t id = 1; id <= 600; ++id) ASSERT_EQ(write(send(id, 4'000)), id);
  auto log = std::filesystem::path(static_cast<testing::TemporarySqlite&>(*files_).path() + "-wal");
  power_cut();  // the layer above holds what is not synced: the file is what the disk has
  EXPECT_LT(std::filesystem::file_size(log), 2'000'000u);  // 600 commits wrote over 8 MB
  EXPECT_EQ(ids().size(), 600u);
}

TEST_F(SqliteFaults, ADirectoryThatIsNotThereIsAnError) {
  auto options = options_;
  options.sqlite_vfs.clear();
  options.url = "sqlite:/no/such/directory/x.db";
  auto db = Database::open(options, loop_.get_executor(), clock_);
  ASSERT_FALSE(db);
  EXPECT_NE(db.error().message.find("/no/such/directory/x.db"), std::string::npos) << db.error().message;
}

}  // namespace
}  // namespace myelin::db
