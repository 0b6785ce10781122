#include "infra/db/sqlite_checkpoint.h"

#include "base/fault.h"
#include "base/log.h"

namespace myelin::db {
namespace {

void checkpoint(sqlite3* handle, int mode) {
  static std::atomic<bool> said = false;
  int wal_pages = 0, copied = 0;
  int code = sqlite3_wal_checkpoint_v2(handle, nullptr, mode, &wal_pages, &copied);
  bool failed = code != SQLITE_OK && code != SQLITE_BUSY && code != SQLITE_LOCKED;
  if (failed && !said.exchange(true)) {
    log::warning("checkpoint: {}: it will be tried again, the write-ahead log keeps everything",
                 sqlite3_errmsg(handle));
  }
  if (!failed) said = false;
}

}  // namespace

SqliteCheckpointer::SqliteCheckpointer(SqliteHandle own, int start_pages)
    : own_(std::move(own)), start_pages_(start_pages), thread_([this] { loop(); }) {}
SqliteCheckpointer::~SqliteCheckpointer() { stop(); }

void SqliteCheckpointer::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
  own_.reset();
}

void SqliteCheckpointer::loop() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || asked_; });
      if (stopping_) return;
    }
    crash_point("checkpoint.mid");
    checkpoint(own_.get(), SQLITE_CHECKPOINT_PASSIVE);
    std::lock_guard lock(mutex_);
    asked_ = false;
    copied_ = true;
  }
}

void SqliteCheckpointer::after_transaction(sqlite3* lane) {
  if (wal_pages_ < start_pages_) {
    lane_pages_ = 0;
    return;
  }
  if (copied_.exchange(false)) {
    lane_pages_ = wal_pages_;
    checkpoint(lane, wal_pages_ > 16 * start_pages_ ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE);
    return;
  }
  if (wal_pages_ - lane_pages_ < start_pages_ / 4) return;  // readers held the WAL: not at every commit again
  std::lock_guard lock(mutex_);
  if (asked_) return;
  asked_ = true;
  wake_.notify_one();
}

}  // namespace myelin::db
