// What src/base/timer.h has, on the time of the simulator's world. Thread: the one there is.
#pragma once
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>
#include <vector>

#include "base/task.h"
#include "tests/simulate/loop.h"

namespace myelin {

std::chrono::steady_clock::time_point steady_now();

class Timer {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  explicit Timer(const Executor& executor, time_point deadline = time_point::max())
      : loop_(simulate::Loop::of(executor)), deadline_(deadline) {}
  ~Timer() { cancel(); }
  Timer(const Timer&) = delete;

  void expires_at(time_point deadline) { deadline_ = deadline; }
  void cancel() {
    for (auto& wait : std::exchange(waits_, {})) wait->end(boost::asio::error::operation_aborted);
  }
  template <class Token>
  auto async_wait(Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code)>(
        [this](auto handler) { this->begin(std::move(handler)); }, token);
  }

 private:
  template <class Handler>
  void begin(Handler handler) {
    auto slot = boost::asio::get_associated_cancellation_slot(handler);
    auto wait = simulate::Wait::until(deadline_, loop_, std::move(handler));
    if (slot.is_connected())
      slot.assign([weak = std::weak_ptr(wait)](boost::asio::cancellation_type) {
        if (auto held = weak.lock()) held->end(boost::asio::error::operation_aborted);
      });
    std::erase_if(waits_, [](const auto& each) { return each->is_over(); });
    waits_.push_back(std::move(wait));
  }

  simulate::Loop& loop_;
  time_point deadline_;
  std::vector<simulate::WaitPtr> waits_;
};

}  // namespace myelin
