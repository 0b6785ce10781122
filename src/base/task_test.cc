#include "base/task.h"

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/system_error.hpp>

namespace myelin {
namespace {
namespace asio = boost::asio;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

// Runs a coroutine on a loop of its own to its end.
template <class F>
void run(F make) {
  asio::io_context loop(1);
  std::exception_ptr problem;
  asio::co_spawn(loop, make(loop.get_executor()), [&](std::exception_ptr e) { problem = e; });
  loop.run();
  if (problem) std::rethrow_exception(problem);
}

Task<> ring_later(Doorbell& bell) {
  co_await sleep_for(5ms);
  bell.ring();
}

TEST(Doorbell, WakesWhoWaitsAndWhoCameLate) {
  run([](Executor loop) -> Task<> {
    Doorbell bell(loop);
    auto seen = bell.generation();
    asio::co_spawn(loop, ring_later(bell), asio::detached);
    EXPECT_TRUE(co_await bell.wait(seen, steady_clock::now() + 10s));
    EXPECT_TRUE(co_await bell.wait(seen, steady_clock::now() + 10s)) << "a ring before the wait counts";
  });
}

TEST(Doorbell, GivesUpAtTheDeadline) {
  run([](Executor loop) -> Task<> {
    Doorbell bell(loop);
    EXPECT_FALSE(co_await bell.wait(bell.generation(), steady_clock::now() + 2ms));
  });
}

Task<> take_turn(Mutex& mutex, std::string& order, char name) {
  auto turn = co_await mutex.lock();
  order += name;
  co_await sleep_for(1ms);
  order += name;
}

TEST(Mutex, LetsOneInAtATimeInOrder) {
  asio::io_context loop(1);
  Mutex mutex(loop.get_executor());
  std::string order;
  for (char name : {'a', 'b', 'c'}) asio::co_spawn(loop, take_turn(mutex, order, name), asio::detached);
  loop.run();
  EXPECT_EQ(order, "aabbcc");
}

TEST(WorkerPool, RunsElsewhereAndComesBack) {
  run([](Executor) -> Task<> {
    WorkerPool pool("test", 1, 10);
    auto here = std::this_thread::get_id();
    auto there = co_await pool.run([] { return std::this_thread::get_id(); });
    EXPECT_NE(*there, here);
    EXPECT_EQ(std::this_thread::get_id(), here);
    auto failed = co_await pool.run([]() -> int { throw std::runtime_error("no"); });
    EXPECT_EQ(failed.error().code, Code::kInternal);
  });
}

TEST(WorkerPool, RefusesMoreThanItsQueue) {
  run([](Executor) -> Task<> {
    WorkerPool pool("test", 1, 0);
    auto refused = co_await pool.run([] { return 1; });
    EXPECT_EQ(refused.error().code, Code::kUnavailable);
  });
}

Task<> fail_twice(int& calls) {
  if (++calls < 3) throw std::runtime_error("not yet");
  co_await sleep_for(1h);
}

TEST(TaskSet, RestartsWhatFailsAndStopsWhatRuns) {
  run([](Executor loop) -> Task<> {
    TaskSet tasks(loop);
    int calls = 0;
    tasks.supervise("flaky", [&calls] { return fail_twice(calls); });
    while (calls < 3) co_await sleep_for(5ms);
    tasks.cancel();
    co_await tasks.join();
    EXPECT_EQ(calls, 3);
  });
}

}  // namespace
}  // namespace myelin
