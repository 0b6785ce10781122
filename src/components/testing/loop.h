// Runs coroutines to their end from a plain test body. Thread: the test's.
#pragma once
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <optional>
#include <vector>

#include "base/task.h"

namespace myelin::testing {

class Loop {
 public:
  Executor executor() { return context_.get_executor(); }

  // Runs until the task is done; what else runs on the loop goes on meanwhile.
  template <class T>
  T run(Task<T> task) {
    std::vector<Task<T>> one;
    one.push_back(std::move(task));
    return std::move(run_all(std::move(one)).front());
  }
  void run(Task<> task) {
    bool done = false;
    boost::asio::co_spawn(context_, std::move(task), [&](std::exception_ptr error) {
      if (error) std::rethrow_exception(error);
      done = true;
    });
    drive([&] { return done; });
  }

  // All at once; the results in the order of the tasks.
  template <class T>
  std::vector<T> run_all(std::vector<Task<T>> tasks) {
    std::vector<std::optional<T>> results(tasks.size());
    size_t left = tasks.size();
    for (size_t i = 0; i < tasks.size(); ++i)
      boost::asio::co_spawn(context_, std::move(tasks[i]), [&, i](std::exception_ptr error, T result) {
        if (error) std::rethrow_exception(error);
        results[i] = std::move(result);
        --left;
      });
    drive([&] { return left == 0; });
    std::vector<T> out;
    for (auto& result : results) out.push_back(std::move(*result));
    return out;
  }

  // Runs what is ready, without waiting for timers.
  void poll() {
    context_.restart();
    context_.poll();
  }

 private:
  template <class F>
  void drive(F done) {
    context_.restart();
    auto work = boost::asio::make_work_guard(context_);
    while (!done()) context_.run_one();
  }
  boost::asio::io_context context_;
};

// The value, or a failed test that says why not.
template <class T>
T value(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << errcode(result.error().code) << ": " << result.error().message;
    throw std::runtime_error(result.error().message);
  }
  return std::move(*result);
}
inline void check(Result<void> result) {
  if (!result) ADD_FAILURE() << errcode(result.error().code) << ": " << result.error().message;
}
template <class T>
Code error_of(const Result<T>& result) {
  EXPECT_FALSE(result.has_value());
  return result ? Code::kInternal : result.error().code;
}

}  // namespace myelin::testing
