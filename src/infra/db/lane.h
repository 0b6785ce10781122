// A lane: one thread, one writing connection, group commit of every closure that is queued.
//
// A closure that finds the lane idle is committed at once if recent batches had one closure. If they had more, their
// senders are likely on their way with the next: the lane waits for most of them, at most a quarter of a commit's time.
#pragma once
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "infra/db/group_commit.h"

namespace myelin::db {

class Lane {
 public:
  Lane(std::unique_ptr<Session>, LaneLimits, Committed&, Witness*);  // nobody remembers: a null witness
  ~Lane();                                                           // stop()
  void submit(Job);
  void stop();  // finishes what is queued

 private:
  void loop();
  std::vector<Job> take();

  GroupCommit group_;  // the lane's thread, as usual_size_
  LaneLimits limits_;
  prometheus::Gauge& queue_depth_;
  size_t usual_size_ = 1;  // of recent batches

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> queue_;
  size_t wake_at_ = 1;  // the lane wants to be woken when so many are queued
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace myelin::db
