// Coroutines. One io_context thread, "the loop", runs every coroutine of the server: component state that only
// coroutines touch needs no lock (docs/decisions/0002-one-loop.md). Blocking or heavy work goes to pools.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"

namespace myelin {

template <class T = void>
using Task = boost::asio::awaitable<T>;
using Executor = boost::asio::any_io_executor;

// Owns background coroutines: cancel() asks them to stop (their waits throw operation_aborted), join() waits for the
// last. A coroutine that ends by an exception other than cancellation is logged under its name and calls on_death.
// Thread: the loop.
class TaskSet {
 public:
  explicit TaskSet(Executor loop);
  ~TaskSet();  // must be empty or cancelled and joined
  void spawn(std::string name, Task<> task);
  // Runs make() again with back-off (100 ms doubling to 10 s) whenever it throws or returns before cancel().
  void supervise(std::string name, std::function<Task<>()> make);
  void cancel();
  Task<> join();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

Task<> sleep_for(std::chrono::steady_clock::duration);  // throws boost::system::system_error when cancelled

// A one-thread-many-waiters doorbell on the loop: wait() returns true after a ring() that came after generation(),
// false at the deadline. Register by reading generation() before looking at the state that ring() announces.
class Doorbell {
 public:
  explicit Doorbell(Executor loop);
  ~Doorbell();
  uint64_t generation() const;
  void ring();
  Task<bool> wait(uint64_t seen_generation, std::chrono::steady_clock::time_point deadline);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Serialises coroutines in arrival order: `auto turn = co_await mutex.lock();` holds until turn dies.
class Mutex {
 public:
  explicit Mutex(Executor loop);
  class Turn {
   public:
    Turn() = default;
    explicit Turn(std::shared_ptr<void> held) : held_(std::move(held)) {}

   private:
    std::shared_ptr<void> held_;
  };
  Task<Turn> lock();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Runs a blocking function on a bounded pool and resumes on the caller's executor.
class WorkerPool {
 public:
  WorkerPool(std::string name, int threads, size_t queue_limit);
  ~WorkerPool();  // finishes what is queued
  // kUnavailable when queue_limit jobs already wait.
  template <class F>
  Task<Result<std::invoke_result_t<F>>> run(F work);

 private:
  bool submit(std::function<void()> job);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace myelin

#include "base/task_impl.h"
