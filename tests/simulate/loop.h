// The loop of one simulated process: an executor without a thread. What is ready runs in its order, one piece at a
// time, when the world lets it. Waits end by the world's time. Thread: the one there is.
#pragma once
#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "base/task.h"

namespace myelin::simulate {

class World;
using TimePoint = std::chrono::steady_clock::time_point;
using Work = std::move_only_function<void()>;

class Loop final : public boost::asio::execution_context {
 public:
  class executor_type {
   public:
    explicit executor_type(Loop& loop, bool may_run_at_once = true) : loop_(&loop), at_once_(may_run_at_once) {}
    boost::asio::execution_context& query(boost::asio::execution::context_t) const noexcept { return *loop_; }
    boost::asio::execution::blocking_t query(boost::asio::execution::blocking_t) const noexcept {
      if (at_once_) return boost::asio::execution::blocking.possibly;
      return boost::asio::execution::blocking.never;
    }
    executor_type require(boost::asio::execution::blocking_t::possibly_t) const { return executor_type(*loop_, true); }
    executor_type require(boost::asio::execution::blocking_t::never_t) const { return executor_type(*loop_, false); }
    // What the loop itself dispatches to itself is run at once, as an io_context does.
    template <class F>
    void execute(F work) const {
      if (at_once_ && loop_->is_running_)
        std::move(work)();
      else
        loop_->post(std::move(work));
    }
    friend bool operator==(const executor_type&, const executor_type&) noexcept = default;

   private:
    Loop* loop_;
    bool at_once_;
  };

  Loop(World& world, std::string name) : world_(world), name_(std::move(name)) {}
  ~Loop() { abandon(); }
  static Loop& of(const Executor&);

  World& world() { return world_; }
  const std::string& name() const { return name_; }
  executor_type get_executor() { return executor_type(*this); }
  void post(Work work) { ready_.push_back(std::move(work)); }
  bool is_ready() const { return !ready_.empty(); }
  void run_one();
  void abandon();  // destroys what is ready and what waits, where it stands

 private:
  friend class Wait;
  World& world_;
  std::string name_;
  bool is_running_ = false;
  std::deque<Work> ready_;
  std::list<class Wait*> waits_;
};

// Its handler is called once, on its loop: at the time, or when it is ended before.
class Wait {
 public:
  using Handler = std::move_only_function<void(boost::system::error_code)>;
  static std::shared_ptr<Wait> until(TimePoint, Loop&, Handler);
  Wait(Loop& loop, Handler handler);
  ~Wait();
  Wait(const Wait&) = delete;
  void end(boost::system::error_code);
  bool is_over() const { return !handler_; }

 private:
  friend class Loop;
  Loop& loop_;
  std::list<Wait*>::iterator place_;
  Handler handler_;
};
using WaitPtr = std::shared_ptr<Wait>;

}  // namespace myelin::simulate
