#include "base/task.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/system/system_error.hpp>
#include <list>

#include "base/log.h"
#include "base/timer.h"

namespace myelin {
namespace asio = boost::asio;
using std::chrono::steady_clock;

namespace {
bool is_cancellation(const std::exception_ptr& e) {
  try {
    std::rethrow_exception(e);
  } catch (const boost::system::system_error& error) {
    return error.code() == asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

std::string text_of(const std::exception_ptr& e) {
  try {
    std::rethrow_exception(e);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "unknown exception";
  }
}
}  // namespace

Task<> sleep_for(steady_clock::duration duration) {
  Timer timer(co_await asio::this_coro::executor, steady_now() + duration);
  co_await timer.async_wait(asio::use_awaitable);
}

// ---- TaskSet

struct TaskSet::State {
  explicit State(Executor e) : loop(e), idle(e) { idle.expires_at(steady_clock::time_point::max()); }
  Executor loop;
  std::list<asio::cancellation_signal> running;
  bool cancelled = false;
  Timer idle;
};

TaskSet::TaskSet(Executor loop) : state_(std::make_shared<State>(loop)) {}
TaskSet::~TaskSet() { cancel(); }

void TaskSet::spawn(std::string name, Task<> task) {
  auto state = state_;
  if (state->cancelled) return;
  auto signal = state->running.emplace(state->running.end());
  asio::co_spawn(state->loop, std::move(task),
                 asio::bind_cancellation_slot(signal->slot(), [state, signal, name](std::exception_ptr e) {
                   if (e && !is_cancellation(e)) log::error("{} ended: {}", name, text_of(e));
                   state->running.erase(signal);
                   if (state->running.empty()) state->idle.cancel();
                 }));
}

namespace {
Task<> run_again(std::string name, std::function<Task<>()> make) {
  auto pause = std::chrono::milliseconds(100);
  while (true) {
    auto started = steady_now();
    std::exception_ptr problem;
    try {
      co_await make();
    } catch (...) {
      problem = std::current_exception();
    }
    if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) co_return;
    if (problem) log::error("{} failed and is restarted: {}", name, text_of(problem));
    if (steady_now() - started > std::chrono::seconds(30)) pause = std::chrono::milliseconds(100);
    co_await sleep_for(pause);
    pause = std::min<std::chrono::milliseconds>(pause * 2, std::chrono::seconds(10));
  }
}
}  // namespace

void TaskSet::supervise(std::string name, std::function<Task<>()> make) {
  spawn(name, run_again(name, std::move(make)));
}

void TaskSet::cancel() {
  auto state = state_;
  state->cancelled = true;
  for (auto it = state->running.begin(); it != state->running.end();) (it++)->emit(asio::cancellation_type::all);
}

Task<> TaskSet::join() {
  auto state = state_;
  while (!state->running.empty()) {
    boost::system::error_code ignored;
    co_await state->idle.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

// ---- Doorbell

struct Doorbell::State {
  explicit State(Executor e) : loop(e) {}
  Executor loop;
  uint64_t generation = 0;
  std::list<Timer> waiters;
};

Doorbell::Doorbell(Executor loop) : state_(std::make_shared<State>(loop)) {}
Doorbell::~Doorbell() { ring(); }
uint64_t Doorbell::generation() const { return state_->generation; }

void Doorbell::ring() {
  ++state_->generation;
  for (auto& timer : state_->waiters) timer.cancel();
}

Task<bool> Doorbell::wait(uint64_t seen, steady_clock::time_point deadline) {
  auto state = state_;
  while (state->generation == seen) {
    auto timer = state->waiters.emplace(state->waiters.end(), state->loop, deadline);
    struct Leave {
      State* state;
      std::list<Timer>::iterator timer;
      ~Leave() { state->waiters.erase(timer); }
    } leave{state.get(), timer};
    boost::system::error_code error;
    co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, error));
    if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none)
      throw boost::system::system_error(asio::error::operation_aborted);
    if (!error) co_return state->generation != seen;
  }
  co_return true;
}

// ---- Mutex

struct Mutex::State : std::enable_shared_from_this<Mutex::State> {
  explicit State(Executor e) : loop(e) {}
  Executor loop;
  bool held = false;
  std::list<Timer> queue;
};

Mutex::Mutex(Executor loop) : state_(std::make_shared<State>(loop)) {}

Task<Mutex::Turn> Mutex::lock() {
  auto state = state_;
  while (state->held) {
    auto timer = state->queue.emplace(state->queue.end(), state->loop, steady_clock::time_point::max());
    struct Leave {
      State* state;
      std::list<Timer>::iterator timer;
      ~Leave() { state->queue.erase(timer); }
    } leave{state.get(), timer};
    boost::system::error_code ignored;
    co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) {
      if (!state->held && state->queue.size() > 1) std::next(state->queue.begin())->cancel();
      throw boost::system::system_error(asio::error::operation_aborted);
    }
  }
  state->held = true;
  co_return Turn(std::shared_ptr<void>(nullptr, [state](void*) {
    state->held = false;
    if (!state->queue.empty()) state->queue.front().cancel();
  }));
}

}  // namespace myelin
