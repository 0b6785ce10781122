// Readers: threads with a connection each; a read is one snapshot.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/metrics.h"
#include "infra/db/session.h"

namespace myelin::db {

struct ReadJob {  // Database::Read, outside of Database
  std::function<void(ReadTx&)> run;
  std::function<void(Result<void>)> done;
};

// In one snapshot. A read that lost its connection, or its snapshot, is run a second time.
Result<void> run_read(Session&, const ReadJob&);

class Readers {
 public:
  explicit Readers(std::vector<std::unique_ptr<Session>>);
  ~Readers();  // stop()
  void submit(ReadJob);
  void stop();  // finishes what is queued

 private:
  void loop(Session&);

  prometheus::Histogram& read_seconds_;
  std::vector<std::unique_ptr<Session>> sessions_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<ReadJob> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace myelin::db
