// A bus that carries hints among the processes of a test, each on its own loop, and nothing else. Thread: the test's.
#pragma once
#include <boost/asio/post.hpp>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "infra/bus/bus.h"

namespace myelin::bus::testing {

class HintBus final : public Bus {
 public:
  struct Ear {
    Executor loop;
    std::string subject;
    HintHandler handler;
  };
  using Ears = std::list<Ear>;
  HintBus(std::shared_ptr<Ears> ears, Executor loop) : ears_(std::move(ears)), loop_(std::move(loop)) {}

  void on_hint(std::string subject, HintHandler handler) override {
    ears_->push_back({loop_, std::move(subject), std::move(handler)});
  }
  void hint(std::string subject, std::string payload) override {
    ++sent;
    for (const auto& ear : *ears_)
      if (ear.subject == subject) boost::asio::post(ear.loop, [handler = ear.handler, payload] { handler(payload); });
  }
  void declare(ConsumerSpec) override {}
  void serve(std::string, CommandHandler) override {}
  std::vector<std::pair<std::string, Topic>> consumers() const override { return {}; }
  void follow(FollowerSpec) override {}
  void activate(std::string_view, const Topic&) override {}
  Task<> rest(std::string, Topic) override { co_return; }
  Task<Result<void>> start(Consumers) override { co_return Result<void>{}; }
  Task<Result<std::string>> request(std::string, std::string, std::chrono::milliseconds,
                                    std::function<bool()>) override {
    co_return fail(Code::kUnavailable);
  }
  Task<Result<std::vector<Parked>>> parked() override { co_return std::vector<Parked>{}; }
  Task<Result<void>> unpark(std::string, std::string) override { co_return Result<void>{}; }
  Task<bool> settled(std::chrono::steady_clock::time_point) override { co_return true; }
  Task<> stop() override { co_return; }
  void forget(const Executor& loop) {
    ears_->remove_if([&](const Ear& ear) { return ear.loop == loop; });
  }

  int sent = 0;

 private:
  std::shared_ptr<Ears> ears_;
  Executor loop_;
};

}  // namespace myelin::bus::testing
