// A bus without an engine: deliver() reads the outbox table and runs the declared consumers. Thread: the loop.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "infra/bus/bus.h"

namespace myelin::testing {

class FakeBus final : public bus::Bus {
 public:
  explicit FakeBus(db::Database& db) : db_(db) {}

  void declare(bus::ConsumerSpec spec) override { consumers_.push_back(std::move(spec)); }
  std::vector<std::pair<std::string, bus::Topic>> consumers() const override {
    std::vector<std::pair<std::string, bus::Topic>> out;
    for (const auto& spec : consumers_) out.emplace_back(spec.name, spec.topic);
    return out;
  }
  void follow(bus::FollowerSpec spec) override { followers.push_back(std::move(spec)); }
  void activate(std::string_view, const bus::Topic&) override {}
  Task<> rest(std::string, bus::Topic) override { co_return; }
  void on_hint(std::string subject, bus::HintHandler handler) override {
    handlers_.emplace(std::move(subject), std::move(handler));
  }
  // Heard by every handler of the subject, the sender's own too.
  void hint(std::string subject, std::string payload) override {
    hints.push_back(payload);
    auto [first, last] = handlers_.equal_range(subject);
    for (auto it = first; it != last; ++it) it->second(payload);
  }
  Task<Result<void>> start(bus::Consumers = bus::Consumers::kActive) override {
    if (silent_starts-- > 0) co_return fail(Code::kTimeout, "NATS: no server answers");
    co_return Result<void>{};
  }
  void serve(std::string subject, bus::CommandHandler handler) override {
    commands_[std::move(subject)] = std::move(handler);
  }
  Task<Result<std::string>> request(std::string subject, std::string payload, std::chrono::milliseconds,
                                    std::function<bool()>) override {
    auto it = commands_.find(subject);
    if (it == commands_.end() || is_silent) co_return fail(Code::kUnavailable, "nobody answers");
    co_return co_await it->second(std::move(payload));
  }
  std::string server() override { return connected_to; }
  void leave_server() override { ++servers_left; }
  Task<Result<std::vector<bus::Parked>>> parked() override { co_return std::vector<bus::Parked>{}; }
  Task<Result<void>> unpark(std::string, std::string) override { co_return Result<void>{}; }
  Task<bool> settled(std::chrono::steady_clock::time_point) override { co_return true; }
  Task<> stop() override { co_return; }

  // Every message of the topic so far, in order within a partition.
  Task<Result<std::vector<bus::Message>>> messages(bus::Topic topic) {
    co_return co_await db_.read([topic](db::ReadTx& tx) {
      return tx.all(
          "SELECT partition, seq, body FROM outbox WHERE topic = $1 ORDER BY partition, seq",
          [](const db::Row& row) {
            return bus::Message{static_cast<uint32_t>(row.i64(0)), static_cast<uint64_t>(row.i64(1)), row.bytes(2)};
          },
          topic.name);
    });
  }

  // Hands every consumer what it has not had yet.
  Task<Result<void>> deliver() {
    for (auto& spec : consumers_) {
      MYELIN_CO_TRY(auto all, co_await messages(spec.topic));
      std::vector<bus::Message> batch;
      for (auto& message : all) {
        auto& seen = cursors_[{spec.name, std::string(spec.topic.name), message.partition}];
        if (message.seq <= seen) continue;
        seen = message.seq;
        batch.push_back(std::move(message));
      }
      if (!batch.empty()) MYELIN_CO_CHECK(co_await apply(spec, std::move(batch)));
    }
    co_return Result<void>{};
  }
  // Counts what there is as delivered: as after a restart.
  Task<Result<void>> skip() {
    for (auto& spec : consumers_) {
      MYELIN_CO_TRY(auto all, co_await messages(spec.topic));
      for (const auto& message : all)
        cursors_[{spec.name, std::string(spec.topic.name), message.partition}] = message.seq;
    }
    co_return Result<void>{};
  }
  // The same messages again, from the first: what a consumer does after its cursor was lost.
  void rewind() { cursors_.clear(); }

  std::vector<bus::FollowerSpec> followers;  // for the test to call
  std::vector<std::string> hints;
  bool is_silent = false;  // answers no request
  bool in_doubt = false;   // what is applied is committed, and no consumer hears of it
  int silent_starts = 0;   // that fail before the first that does not
  std::string connected_to;
  int servers_left = 0;
  std::function<Task<>()> after_commit;  // of what a consumer writes, before it is told

 private:
  Task<Result<void>> apply(const bus::ConsumerSpec& spec, std::vector<bus::Message> batch) {
    MYELIN_CO_TRY(auto effects, co_await spec.apply(std::move(batch)));
    if (effects.write) MYELIN_CO_CHECK(co_await db_.write({.is_batch = true}, effects.write));
    if (effects.write && after_commit) co_await after_commit();
    if (effects.committed && !in_doubt) effects.committed();
    co_return Result<void>{};
  }

  db::Database& db_;
  std::vector<bus::ConsumerSpec> consumers_;
  std::multimap<std::string, bus::HintHandler> handlers_;
  std::map<std::string, bus::CommandHandler> commands_;
  std::map<std::tuple<std::string, std::string, uint32_t>, uint64_t> cursors_;
};

}  // namespace myelin::testing
