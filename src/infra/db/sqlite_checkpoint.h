// Moves the WAL's pages into the database file without holding commits up. A thread of its own copies while commits go
// on (PASSIVE, with the file's fsync); the lane copies the few pages that came meanwhile, after which the next commit
// starts the WAL over. Only a far longer WAL makes the lane wait for readers.
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
  // Begins at `start_pages`; at 16 times as many the lane waits for readers.
  SqliteCheckpointer(SqliteHandle own, int start_pages);
  ~SqliteCheckpointer();  // stop()
  void stop();            // closes its connection

  void committed(int wal_pages) { wal_pages_ = wal_pages; }  // the lane, from SQLite's WAL hook
  void after_transaction(sqlite3* lane);                     // the lane

 private:
  void loop();

  SqliteHandle own_;
  int start_pages_;
  int wal_pages_ = 0;                 // the lane's
  int lane_pages_ = 0;                // the lane's: WAL pages when it last copied
  std::atomic<bool> copied_ = false;  // the thread has copied what it was asked for
  std::mutex mutex_;
  std::condition_variable wake_;
  bool asked_ = false, stopping_ = false;
  std::thread thread_;
};

}  // namespace myelin::db
