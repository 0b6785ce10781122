#include "infra/bus/jetstream_bus.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/fault.h"
#include "base/log.h"
#include "infra/bus/consumer.h"
#include "infra/bus/publisher.h"

namespace myelin::bus {
namespace {

std::string stream_of(const Topic& topic) {
  std::string name(topic.name);
  std::ranges::replace(name, '.', '_');
  return name;
}

class JetStreamBus final : public Bus {
 public:
  JetStreamBus(JetStreamOptions options, db::Database& db, Executor loop, const Clock& clock)
      : options_(std::move(options)),
        db_(db),
        loop_(loop),
        clock_(clock),
        tasks_(loop),
        depth_(metrics::gauge("myelin_bus_outbox_rows", "Rows of the outbox that some consumer has not applied")),
        memory_(metrics::gauge("myelin_engine_memory_bytes", "Memory that the engine has from the system")) {}
  ~JetStreamBus() override { tasks_.cancel(); }

  void declare(ConsumerSpec spec) override {
    consumers_.push_back(std::make_unique<Consumer>(std::move(spec), db_, loop_, db_.generation(),
                                                    [this](std::vector<std::string> replies) {
                                                      if (engine_) engine_->acknowledge(replies);
                                                    }));
  }
  void on_hint(std::string subject, HintHandler handler) override {
    hints_.emplace_back(std::move(subject), std::move(handler));
  }

  Task<Result<void>> start() override {
    auto opened = engine::Engine::open(options_.engine, loop_);
    if (!opened) co_return std::unexpected(std::move(opened).error());
    engine_ = std::move(*opened);
    publisher_ = std::make_shared<Publisher>(*engine_, loop_, db_.generation());
    for (auto& consumer : consumers_) {
      const auto& spec = consumer->spec();
      engine::StreamSpec stream{
          stream_of(spec.topic), {std::string(spec.topic.name) + ".*"}, options_.streams_in_memory};
      MYELIN_CO_CHECK(engine_->ensure_stream(stream));
      MYELIN_CO_CHECK(engine_->ensure_consumer(stream.name, spec.name));
      MYELIN_CO_CHECK(co_await consumer->register_cursors());
    }
    db_.on_committed(
        [publisher = publisher_](std::vector<db::OutboxRow> rows) { publisher->committed(std::move(rows)); });
    for (auto& consumer : consumers_) {
      const auto& spec = consumer->spec();
      engine_->subscribe(stream_of(spec.topic), spec.name, 1024,
                         [consumer = consumer.get()](std::string_view reply, std::string_view payload) {
                           consumer->received(reply, payload);
                         });
      tasks_.supervise(fmt::format("consumer {} of {}", spec.name, spec.topic.name),
                       [consumer = consumer.get()] { return consumer->run(); });
    }
    for (auto& [subject, handler] : hints_)
      MYELIN_CO_CHECK(engine_->listen("hint." + subject, "", [handler](std::string_view, std::string_view payload) {
        handler(std::string(payload));
      }));
    MYELIN_CO_CHECK(co_await poll_heads());
    tasks_.supervise("bus: head poll", [this] { return head_poll(); });
    tasks_.supervise("bus: trim", [this] { return trim(); });
    co_return Result<void>{};
  }

  void hint(std::string subject, std::string payload) override {
    if (engine_) engine_->hint("hint." + subject, payload);
  }

  void serve(std::string subject, CommandHandler handler) override {
    auto answer = [this, handler](std::string_view reply, std::string_view payload) {
      tasks_.spawn("bus: command", run_command(handler, std::string(reply), std::string(payload)));
    };
    if (auto listening = engine_->listen("cmd." + subject, "owners", answer); !listening)
      log::error("bus: {}", listening.error().message);
  }

  Task<Result<std::string>> request(std::string subject, std::string payload,
                                    std::chrono::milliseconds deadline) override {
    struct Waiting {
      explicit Waiting(Executor loop) : bell(loop) {}
      Doorbell bell;
      std::optional<Result<std::string>> answer;
    };
    auto waiting = std::make_shared<Waiting>(loop_);
    engine_->request("cmd." + subject, payload, deadline, [waiting](Result<std::string> answer) {
      waiting->answer = std::move(answer);
      waiting->bell.ring();
    });
    co_await waiting->bell.wait(0, clock_.steady() + deadline + std::chrono::seconds(1));
    if (!waiting->answer) co_return fail(Code::kTimeout, "no answer to a command");
    co_return *waiting->answer;
  }

  Task<Result<std::vector<Parked>>> parked() override {
    co_return co_await db_.read([](db::ReadTx& tx) {
      return tx.all(
          "SELECT consumer, key, min(reason), count(*) FROM parked GROUP BY consumer, key ORDER BY consumer, key",
          [](const db::Row& row) {
            return Parked{row.str(0), row.str(1), row.str(2), static_cast<uint64_t>(row.i64(3))};
          });
    });
  }

  Task<Result<void>> unpark(std::string name, std::string key) override {
    for (auto& consumer : consumers_) {
      const auto& spec = consumer->spec();
      if (spec.name != name) continue;
      MYELIN_CO_CHECK(co_await replay(*consumer, key));
    }
    co_return Result<void>{};
  }

  Task<bool> settled(std::chrono::steady_clock::time_point deadline) override {
    (void)co_await poll_heads();
    std::vector<std::array<uint64_t, kPartitions>> goals(consumers_.size());
    for (size_t i = 0; i < consumers_.size(); ++i)
      for (uint32_t p = 0; p < kPartitions; ++p) goals[i][p] = heads_[std::string(consumers_[i]->spec().topic.name)][p];
    auto reached = [&] {
      for (size_t i = 0; i < consumers_.size(); ++i)
        for (uint32_t p = 0; p < kPartitions; ++p)
          if (consumers_[i]->cursor(p) + 1 < goals[i][p]) return false;
      return true;
    };
    while (!reached()) {
      if (clock_.steady() >= deadline) co_return false;
      co_await sleep_for(std::chrono::milliseconds(2));
    }
    co_return true;
  }

  Task<> stop() override {
    tasks_.cancel();
    co_await tasks_.join();
    if (publisher_) publisher_->stop();
    if (engine_) engine_->close();
  }

 private:
  Task<> run_command(CommandHandler handler, std::string reply, std::string payload) {
    auto answer = co_await handler(std::move(payload));
    if (engine_) engine_->hint(reply, answer);
  }

  // One query for every topic and partition.
  Task<Result<void>> poll_heads() {
    struct Head {
      std::string topic;
      uint32_t partition;
      uint64_t next_seq;
    };
    MYELIN_CO_TRY(auto heads, co_await db_.read([](db::ReadTx& tx) {
      return tx.all("SELECT topic, partition, next_seq FROM outbox_head", [](const db::Row& row) {
        return Head{row.str(0), static_cast<uint32_t>(row.i64(1)), static_cast<uint64_t>(row.i64(2))};
      });
    }));
    for (const auto& head : heads) {
      if (head.partition >= kPartitions) continue;
      heads_[head.topic][head.partition] = head.next_seq;
      for (auto& consumer : consumers_)
        if (consumer->spec().topic.name == head.topic) consumer->head_is(head.partition, head.next_seq);
    }
    co_return Result<void>{};
  }

  Task<> head_poll() {
    while (true) {
      co_await sleep_for(std::chrono::seconds(1));
      if (auto polled = co_await poll_heads(); !polled)
        log::warning("bus: the heads cannot be read: {}", polled.error().message);
      memory_.Set(static_cast<double>(engine::Engine::memory_bytes()));
    }
  }

  // Deletes outbox rows that every consumer of the topic has applied.
  Task<> trim() {
    std::map<std::string, std::array<uint64_t, kPartitions>> trimmed;
    while (true) {
      co_await sleep_for(std::chrono::seconds(5));
      std::map<std::string, std::array<uint64_t, kPartitions>> lowest;
      for (auto& consumer : consumers_) {
        auto [it, fresh] = lowest.try_emplace(std::string(consumer->spec().topic.name));
        if (fresh) it->second.fill(UINT64_MAX);
        for (uint32_t p = 0; p < kPartitions; ++p) it->second[p] = std::min(it->second[p], consumer->cursor(p));
      }
      crash_point("trim.min_read");
      uint64_t behind = 0;
      for (auto& [topic, low] : lowest)
        for (uint32_t p = 0; p < kPartitions; ++p) {
          behind += heads_[topic][p] > low[p] + 1 ? heads_[topic][p] - low[p] - 1 : 0;
          auto& done = trimmed[topic][p];
          if (low[p] <= done) continue;
          auto deleted = co_await db_.write({}, [topic, p, upto = low[p]](db::Tx& tx) {
            tx.exec("DELETE FROM outbox WHERE topic = $1 AND partition = $2 AND seq <= $3", topic, p, upto);
          });
          if (deleted) done = low[p];
          crash_point("trim.deleted");
        }
      depth_.Set(static_cast<double>(behind));
    }
  }

  // Applies the parked messages of a key again, each in the transaction that removes its row.
  Task<Result<void>> replay(Consumer& consumer, std::string key) {
    const auto& spec = consumer.spec();
    while (true) {
      struct Row {
        int64_t id;
        Message message;
      };
      MYELIN_CO_TRY(auto row, co_await db_.read([name = spec.name, topic = spec.topic.name, key](db::ReadTx& tx) {
        return tx.one(
            "SELECT id, partition, seq, body FROM parked WHERE consumer = $1 AND topic = $2 AND key = $3 ORDER BY id "
            "LIMIT 1",
            [](const db::Row& r) {
              return Row{r.i64(0), {static_cast<uint32_t>(r.i64(1)), static_cast<uint64_t>(r.i64(2)), r.bytes(3)}};
            },
            name, topic, key);
      }));
      if (!row) break;
      std::vector<Message> one{row->message};
      MYELIN_CO_TRY(auto effects, co_await spec.apply(std::move(one)));
      MYELIN_CO_CHECK(co_await db_.write(
          {}, [name = spec.name, key, id = row->id, write = effects.write](db::Tx& tx) -> Result<void> {
            int64_t deleted = tx.exec("DELETE FROM parked WHERE consumer = $1 AND key = $2 AND id = $3", name, key, id);
            if (deleted == 0) return fail(Code::kStale, "replayed by another");
            crash_point("unpark.half");
            if (write) return write(tx);
            return {};
          }));
      if (effects.committed) effects.committed();
    }
    consumer.read_again();
    co_return Result<void>{};
  }

  JetStreamOptions options_;
  db::Database& db_;
  Executor loop_;
  const Clock& clock_;
  std::unique_ptr<engine::Engine> engine_;
  std::shared_ptr<Publisher> publisher_;
  std::vector<std::unique_ptr<Consumer>> consumers_;
  std::vector<std::pair<std::string, HintHandler>> hints_;
  std::map<std::string, std::array<uint64_t, kPartitions>> heads_;
  TaskSet tasks_;
  prometheus::Gauge& depth_;
  prometheus::Gauge& memory_;
};

}  // namespace

std::unique_ptr<Bus> make_jetstream_bus(JetStreamOptions options, db::Database& db, Executor loop, const Clock& clock) {
  return std::make_unique<JetStreamBus>(std::move(options), db, loop, clock);
}

}  // namespace myelin::bus
