#include "infra/db/readers.h"

#include "base/log.h"

namespace myelin::db {

Readers::Readers(std::vector<std::unique_ptr<Session>> sessions)
    : read_seconds_(metrics::histogram("myelin_db_read_seconds", "Time that reads take on their thread")),
      sessions_(std::move(sessions)) {
  for (auto& session : sessions_) threads_.emplace_back([this, &session] { loop(*session); });
}

Readers::~Readers() { stop(); }

void Readers::submit(ReadJob job) {
  {
    std::lock_guard lock(mutex_);
    if (!stopping_) {
      queue_.push_back(std::move(job));
      wake_.notify_one();
      return;
    }
  }
  job.done(fail(Code::kUnavailable, "the database is stopping"));
}

void Readers::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void Readers::loop(Session& session) {
  for (;;) {
    ReadJob job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      job = std::move(queue_.front());
      queue_.pop_front();
    }
    auto start = std::chrono::steady_clock::now();
    auto result = run_read(session, job);
    read_seconds_.Observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    job.done(std::move(result));
  }
}

Result<void> run_read(Session& session, const ReadJob& job) {
  for (bool again = false;; again = true) {
    try {
      session.begin_read();
      SessionReadTx tx(session);
      job.run(tx);
      session.end_read();
      return {};
    } catch (const Failure& failure) {
      bool lost = !session.in_transaction() || session.whole_transaction_failed();
      session.rollback();
      if (!lost || again) return std::unexpected(failure.error);
    } catch (const std::exception& e) {
      session.rollback();
      log::error("a read threw: {}", e.what());
      return fail(Code::kInternal, e.what());
    }
  }
}

}  // namespace myelin::db
