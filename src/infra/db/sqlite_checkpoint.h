// Moves the WAL's pages into the database file without holding commits up. A thread of its own copies while commits go
// on (PASSIVE, with the file's fsync); the lane copies the few pages that came meanwhile, after which the next commit
// starts the WAL over. Only a WAL beyond `hard_pages` makes the lane wait for readers.
#pragma once
#include <sqlite3.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "infra/db/sqlite.h"

namespace myelin::db {

class SqliteCheckpointer {
 public:
  static constexpr int kStartPages = 2'000, kHardPages = 32'000;  // of 4 KiB: 8 MiB, 128 MiB

  explicit SqliteCheckpointer(SqliteHandle own);
  ~SqliteCheckpointer();  // stop()
  void stop();

  void committed(int wal_pages) { wal_pages_ = wal_pages; }  // the lane, from SQLite's WAL hook
  void after_transaction(sqlite3* lane);                     // the lane

 private:
  void loop();

  SqliteHandle own_;
  int wal_pages_ = 0;                 // the lane's
  int lane_pages_ = 0;                // the lane's: WAL pages when it last copied
  std::atomic<bool> copied_ = false;  // the thread has copied what it was asked for
  std::mutex mutex_;
  std::condition_variable wake_;
  bool asked_ = false, stopping_ = false;
  std::thread thread_;
};

}  // namespace myelin::db
