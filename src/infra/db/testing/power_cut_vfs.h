// A file layer under SQLite that loses power. What is written stays in this process's memory, apart from the file,
// until it is synced; so killing the process is a power cut, and cut() is one inside a test. Sectors of 512 bytes are
// whole or absent; a seed decides which of the un-synced ones reached the disk all the same, in any order. It can also
// be told to run full or to fail. Thread: any.
#pragma once
#include <sqlite3.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>

namespace myelin::db::testing {

class PowerCutVfs {
 public:
  enum class Fault { kDiskFull, kWriteError, kSyncError, kSyncIgnored };  // the last: the disk says that it has synced

  // Registers the VFS under `name`. `write_through_percent`: of writes, after which one un-synced sector goes to disk.
  PowerCutVfs(std::string name, uint64_t seed, int write_through_percent = 10);
  ~PowerCutVfs();  // after every connection on it is closed
  PowerCutVfs(const PowerCutVfs&) = delete;
  const std::string& name() const { return name_; }

  // Un-synced sectors go, or stay as the seed says; files that are open now fail from here on. New ones work.
  void cut();
  // The `nth` write (kDiskFull, kWriteError) or sync from now fails, and every later one until heal().
  void fail_from(Fault, int64_t nth);
  void heal();
  int64_t writes() const { return writes_; }
  int64_t syncs() const { return syncs_; }

  struct Content;  // of one path; public for the C functions only
  std::shared_ptr<Content> content(const std::string& path, sqlite3_file* real);
  void forget(const std::string& path);
  bool powered(uint64_t boot) const { return boot == boot_; }
  uint64_t boot() const { return boot_; }
  int write_fault();  // SQLITE_OK, or what this write answers
  std::optional<Fault> sync_fault();
  bool chance(int percent);  // 0: the share of writes that go through
  uint64_t random();
  sqlite3_vfs* real() const { return real_; }

 private:
  std::string name_;
  sqlite3_vfs* real_;
  sqlite3_vfs self_{};
  int write_through_percent_;
  std::atomic<uint64_t> boot_ = 1;
  std::atomic<int64_t> writes_ = 0, syncs_ = 0, fail_write_at_ = 0, fail_sync_at_ = 0;
  std::atomic<int> write_code_ = SQLITE_OK;
  std::atomic<Fault> sync_kind_ = Fault::kSyncError;
  std::mutex mutex_;
  std::mt19937_64 random_;
  std::map<std::string, std::shared_ptr<Content>> contents_;

  friend struct Content;
};

}  // namespace myelin::db::testing
