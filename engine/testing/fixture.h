// What the tests of the engine share: a loop, and waiting for what the engine brings about. Thread: the test's.
#pragma once
#include <gtest/gtest.h>

#include "engine/engine.h"
#include "engine/testing/nats_server.h"
#include "infra/db/testing/databases.h"

namespace myelin::engine::testing {

class EngineTest : public ::testing::Test {
 protected:
  Options embedded() const {
    Options options;
    options.store_dir = directory_.path() + "/jetstream";
    return options;
  }
  std::unique_ptr<Engine> open(const Options& options) {
    auto engine = Engine::open(options, loop_.get_executor());
    EXPECT_TRUE(engine) << engine.error().message;
    return engine ? std::move(*engine) : nullptr;
  }
  std::string why_not(const Options& options, Code code = Code::kUnavailable) {
    auto engine = Engine::open(options, loop_.get_executor());
    if (engine) return "";
    EXPECT_EQ(engine.error().code, code);
    return engine.error().message;
  }

  // Runs the loop until the goal is reached; false after a time that no working machine needs.
  bool until(std::function<bool()> goal) { return db::testing::run(loop_, reaches(std::move(goal))); }
  Result<void> publish(Engine& engine, std::vector<Publish> messages) {
    std::optional<Result<void>> outcome;
    engine.publish(messages, [&](Result<void> result) { outcome = std::move(result); });
    EXPECT_TRUE(until([&] { return outcome.has_value(); })) << "no answer to a publish";
    return outcome.value_or(fail(Code::kTimeout));
  }
  // As a publisher does that is not told whether to go on: until it is stored.
  void publish_until_stored(Engine& engine, const std::string& subject, const std::string& payload) {
    for (int i = 0; i < 100 && !publish(engine, {{subject, payload}}); ++i)
      (void)until([n = 0]() mutable { return ++n > 50; });
  }
  // Messages of stream `s` (subjects s.*) arrive in `delivered_`, each acknowledged.
  void provision(Engine& engine, bool in_memory = true) {
    StreamSpec stream{"s", {"s.*"}, in_memory, 8 << 20};
    for (auto& done : {engine.ensure_stream(stream), engine.ensure_consumer("s", "c")})
      EXPECT_TRUE(done) << done.error().message;
  }
  void subscribe(Engine& engine) {
    engine.subscribe("s", "c", 256, [&](std::string_view reply, std::string_view payload) {
      delivered_.emplace_back(payload);
      engine.acknowledge({std::string(reply)});
    });
  }
  bool arrives(const std::string& payload) {
    return until([&] { return std::ranges::find(delivered_, payload) != delivered_.end(); });
  }

  boost::asio::io_context loop_;
  db::testing::TemporaryDirectory directory_;
  std::vector<std::string> delivered_;

 private:
  static Task<bool> reaches(std::function<bool()> goal) {
    for (auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60); !goal();) {
      if (std::chrono::steady_clock::now() > end) co_return false;
      co_await sleep_for(std::chrono::milliseconds(2));
    }
    co_return true;
  }
};

}  // namespace myelin::engine::testing
