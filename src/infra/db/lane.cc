#include "infra/db/lane.h"

#include <algorithm>
#include <utility>

#include "base/timer.h"

namespace myelin::db {

Lane::Lane(std::unique_ptr<Session> session, LaneLimits limits, Committed& committed, Witness* witness)
    : group_(std::move(session), limits, committed, witness),
      limits_(limits),
      queue_depth_(metrics::gauge("myelin_db_queue_depth", "Closures that wait for a lane")),
      thread_([this] { loop(); }) {}

Lane::~Lane() { stop(); }

void Lane::submit(Job job) {
  {
    std::lock_guard lock(mutex_);
    if (!stopping_) {
      job.submitted = steady_now();
      queue_.push_back(std::move(job));
      queue_depth_.Increment();
      if (queue_.size() == wake_at_) wake_.notify_one();
      return;
    }
  }
  job.done(fail(Code::kUnavailable, "the database is stopping"));
}

void Lane::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Lane::loop() {
  std::vector<Job> left;  // of a batch that took too long; newcomers wait, lest they come before it for ever
  for (;;) {
    auto jobs = left.empty() ? take() : std::exchange(left, {});
    if (jobs.empty()) return;
    left = group_.commit(std::move(jobs));
    group_.session().maintain();
  }
}

std::vector<Job> Lane::take() {
  std::unique_lock lock(mutex_);
  auto wait_for = [&](size_t count) {
    wake_at_ = count;
    return [this, count] { return stopping_ || queue_.size() >= count; };
  };
  wake_.wait(lock, wait_for(1));
  if (auto most = usual_size_ - usual_size_ / 4; most > queue_.size()) {
    wake_.wait_for(lock, group_.usual_time() / 4, wait_for(most));
  }
  auto count = std::min(queue_.size(), static_cast<size_t>(limits_.batch_closures));
  std::vector<Job> jobs(std::make_move_iterator(queue_.begin()),
                        std::make_move_iterator(queue_.begin() + static_cast<std::ptrdiff_t>(count)));
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(count));
  queue_depth_.Decrement(static_cast<double>(count));
  usual_size_ = std::max<size_t>((usual_size_ + count) / 2, 1);
  return jobs;
}

}  // namespace myelin::db
