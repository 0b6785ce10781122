#include "tests/simulate/loop.h"

#include "tests/simulate/world.h"

namespace myelin::simulate {

Loop& Loop::of(const Executor& executor) {
  return static_cast<Loop&>(boost::asio::query(executor, boost::asio::execution::context));
}

void Loop::run_one() {
  auto work = std::move(ready_.front());
  ready_.pop_front();
  is_running_ = true;
  work();
  is_running_ = false;
}

// A coroutine that is destroyed may wake others, or leave its frame to be destroyed by the loop: until nothing is left.
void Loop::abandon() {
  while (!ready_.empty() || !waits_.empty()) {
    auto ready = std::exchange(ready_, {});
    ready.clear();
    if (waits_.empty()) continue;
    auto handler = std::exchange(waits_.front()->handler_, nullptr);
    waits_.pop_front();
  }
}

std::shared_ptr<Wait> Wait::until(TimePoint time, Loop& loop, Handler handler) {
  auto wait = std::make_shared<Wait>(loop, std::move(handler));
  if (time != TimePoint::max()) loop.world().at(time, [wait] { wait->end({}); });
  return wait;
}

Wait::Wait(Loop& loop, Handler handler)
    : loop_(loop), place_(loop.waits_.insert(loop.waits_.end(), this)), handler_(std::move(handler)) {}

Wait::~Wait() {
  if (handler_) loop_.waits_.erase(place_);
}

void Wait::end(boost::system::error_code error) {
  if (!handler_) return;
  loop_.waits_.erase(place_);
  loop_.post([handler = std::exchange(handler_, nullptr), error]() mutable { handler(error); });
}

}  // namespace myelin::simulate
