// From committed outbox rows to the stream. What cannot be published is dropped, and `missed` called on the loop:
// consumers read it from the outbox.
#pragma once
#include <mutex>
#include <set>
#include <span>
#include <vector>

#include "base/metrics.h"
#include "base/task.h"
#include "infra/bus/transport.h"
#include "infra/db/db.h"

namespace myelin::bus {

class Publisher : public std::enable_shared_from_this<Publisher> {
 public:
  Publisher(Transport&, Executor loop, std::string generation, std::function<void()> missed);
  void committed(std::vector<db::OutboxRow>);  // any thread; never waits
  void stop();                                 // the loop; before the transport goes

 private:
  void flush();                                  // the loop
  void publish(std::span<const db::OutboxRow>);  // of one topic
  std::vector<Outgoing> packed(std::span<const db::OutboxRow>) const;
  void drop(size_t rows);
  void note(std::string_view topic, const Result<void>& stored);  // in the log, when it changes
  Transport& transport_;
  Executor loop_;
  std::string generation_;
  std::function<void()> missed_;
  std::mutex mutex_;
  std::vector<db::OutboxRow> queue_;  // guarded by mutex_
  size_t overflow_ = 0;               // rows that did not fit; guarded by mutex_
  bool scheduled_ = false;            // guarded by mutex_
  int under_way_ = 0;                 // batches of a topic that the transport has not answered; the loop
  bool stopped_ = false;
  std::set<std::string_view> refused_;  // topics whose messages NATS does not take
  prometheus::Counter& published_;
  prometheus::Counter& dropped_;
};

}  // namespace myelin::bus
