#include "infra/work/work.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/fault.h"
#include "base/log.h"
#include "base/metrics.h"

namespace myelin::work {
namespace {

class QueuesImpl final : public Queues {
 public:
  QueuesImpl(db::Database& db, Executor loop, const Clock& clock, Random& random)
      : db_(db), loop_(loop), clock_(clock), random_(random), tasks_(loop) {}

  void declare(QueueSpec spec) override {
    auto name = spec.name;
    queues_.emplace(name, std::make_unique<Queue>(std::move(spec), loop_));
  }
  void start() override {
    for (auto& [name, queue] : queues_) tasks_.supervise("work: " + name, [this, q = queue.get()] { return run(*q); });
  }
  void wake(std::string_view name) override {
    if (auto it = queues_.find(name); it != queues_.end()) it->second->ring.ring();
  }
  void retry_now(std::string_view name, std::string_view key) override {
    tasks_.spawn("work: retry now", make_due(std::string(name), std::string(key)));
  }
  Task<> stop() override {
    tasks_.cancel();
    co_await tasks_.join();
  }

 private:
  struct Queue {
    Queue(QueueSpec s, Executor loop)
        : spec(std::move(s)),
          ring(loop),
          waiting(metrics::gauge("myelin_work_running", "Keys worked on now", {{"queue", spec.name}})) {}
    QueueSpec spec;
    Doorbell ring;
    std::set<std::string> busy;  // keys worked on now
    prometheus::Gauge& waiting;
  };

  Task<> make_due(std::string name, std::string key) {
    auto status = co_await db_.write({}, [name, key, now = clock_.now()](db::Tx& tx) {
      tx.exec("UPDATE work SET due = $1 WHERE queue = $2 AND key = $3", now, name, key);
    });
    if (status) wake(name);
  }

  struct Found {
    std::vector<Item> due;
    Milliseconds next = INT64_MAX;  // when the earliest of the rest is due
  };
  // The first item of every key, as far as it is due and its key at rest.
  Task<Result<Found>> look(const Queue& queue) {
    co_return co_await db_.read(
        [name = queue.spec.name, now = clock_.now(), busy = queue.busy, room = queue.spec.parallel](db::ReadTx& tx) {
          Found out;
          tx.query(
              "SELECT w.id, w.key, w.body, w.attempts, w.due FROM work w WHERE w.queue = $1 AND w.id = "
              "(SELECT min(f.id) FROM work f WHERE f.queue = $1 AND f.key = w.key) ORDER BY w.due LIMIT $2",
              [&](const db::Row& row) {
                auto key = row.str(1);
                if (busy.contains(key)) return;
                if (row.i64(4) > now)
                  out.next = std::min(out.next, row.i64(4));
                else
                  out.due.push_back({row.i64(0), std::move(key), row.str(2), static_cast<int>(row.i64(3))});
              },
              name, static_cast<int64_t>(busy.size()) + room + 64);
          return out;
        });
  }

  Task<> run(Queue& queue) {
    while (true) {
      auto seen = queue.ring.generation();
      auto found = co_await look(queue);
      if (!found) {
        log::warning("work {}: the table cannot be read: {}", queue.spec.name, found.error().message);
        co_await sleep_for(std::chrono::seconds(1));
        continue;
      }
      for (auto& item : found->due) {
        if (queue.busy.size() >= static_cast<size_t>(queue.spec.parallel)) break;
        queue.busy.insert(item.key);
        tasks_.spawn("work " + queue.spec.name + " " + item.key, attempt(queue, std::move(item)));
      }
      queue.waiting.Set(static_cast<double>(queue.busy.size()));
      auto pause = std::chrono::milliseconds(std::clamp<int64_t>(found->next - clock_.now(), 1, 60'000));
      co_await queue.ring.wait(seen, std::chrono::steady_clock::now() + pause);
    }
  }

  Task<> attempt(Queue& queue, Item item) {
    struct AtRest {  // also when the coroutine is given up
      Queue& queue;
      std::string key;
      ~AtRest() {
        queue.busy.erase(key);
        queue.ring.ring();
      }
    } at_rest{queue, item.key};
    Outcome outcome;
    try {
      outcome = co_await queue.spec.attempt(item);
    } catch (const std::exception& e) {
      outcome = {Outcome::Kind::kRetry, {}, e.what(), {}};
    }
    crash_point("work.between_steps");
    if (outcome.kind == Outcome::Kind::kDone) {
      auto status =
          co_await db_.write({}, [name = queue.spec.name, item, write = outcome.write](db::Tx& tx) -> Result<void> {
            int64_t deleted =
                tx.exec("DELETE FROM work WHERE queue = $1 AND key = $2 AND id = $3", name, item.key, item.id);
            if (deleted == 0) return fail(Code::kStale, "the work was done by another");
            if (write) return write(tx);
            return {};
          });
      if (status || status.error().code == Code::kStale) co_return;
      outcome = {Outcome::Kind::kRetry, {}, status.error().message, {}};
    }
    co_await postpone(queue, item, outcome);
  }

  Task<> postpone(Queue& queue, Item item, Outcome outcome) {
    auto pause = queue.spec.first_retry;
    for (int i = 0; i < item.attempts && pause < queue.spec.last_retry; ++i) pause *= 2;
    pause = std::max(std::min(pause, queue.spec.last_retry), outcome.retry_after);
    auto jitter = static_cast<int64_t>(random_.next() % static_cast<uint64_t>(pause.count() / 4 + 1));
    auto due = clock_.now() + pause.count() + jitter;
    log::debug("work {} {}: attempt {} failed: {}", queue.spec.name, item.key, item.attempts + 1, outcome.reason);
    auto status = co_await db_.write({}, [name = queue.spec.name, item, due, reason = outcome.reason](db::Tx& tx) {
      tx.exec(
          "UPDATE work SET attempts = attempts + 1, due = $1, reason = $2 WHERE queue = $3 AND key = $4 AND id = $5",
          due, reason, name, item.key, item.id);
    });
    if (!status) co_await sleep_for(std::chrono::seconds(1));  // the row is as it was: not at once again
  }

  db::Database& db_;
  Executor loop_;
  const Clock& clock_;
  Random& random_;
  std::map<std::string, std::unique_ptr<Queue>, std::less<>> queues_;
  TaskSet tasks_;
};

}  // namespace

std::unique_ptr<Queues> Queues::make(db::Database& db, Executor loop, const Clock& clock, Random& random) {
  return std::make_unique<QueuesImpl>(db, loop, clock, random);
}

void enqueue(db::Tx& tx, std::string_view queue, std::string_view key, std::string_view body, Milliseconds due) {
  auto id = tx.one(
      "SELECT coalesce(max(id), 0) + 1 FROM work WHERE queue = $1 AND key = $2",
      [](const db::Row& row) { return row.i64(0); }, queue, key);
  tx.exec(
      "INSERT INTO work (queue, key, id, due, attempts, reason, holder, lease_until, body) VALUES ($1, $2, $3, $4, 0, "
      "'', '', 0, $5)",
      queue, key, id.value(), due, body);
}

}  // namespace myelin::work
