// From committed outbox rows to the stream. What cannot be published is dropped: consumers read it from the outbox.
#pragma once
#include <mutex>
#include <vector>

#include "base/metrics.h"
#include "base/task.h"
#include "engine/engine.h"
#include "infra/db/db.h"

namespace myelin::bus {

class Publisher : public std::enable_shared_from_this<Publisher> {
 public:
  Publisher(engine::Engine&, Executor loop, std::string generation);
  void committed(std::vector<db::OutboxRow>);  // any thread; never waits
  void stop();                                 // the loop

 private:
  void flush();  // the loop
  engine::Engine& engine_;
  Executor loop_;
  std::string generation_;
  std::mutex mutex_;
  std::vector<db::OutboxRow> queue_;  // guarded by mutex_
  bool scheduled_ = false;            // guarded by mutex_
  int under_way_ = 0;                 // batches that the engine has not answered; the loop
  bool stopped_ = false;
  prometheus::Counter& published_;
  prometheus::Counter& dropped_;
};

}  // namespace myelin::bus
