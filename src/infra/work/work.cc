#include "infra/work/work.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "base/fault.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/timer.h"

namespace myelin::work {
namespace {

constexpr const char* kHint = "work";
constexpr Milliseconds kLongestPause = 60'000;

class QueuesImpl final : public Queues {
 public:
  QueuesImpl(db::Database& db, bus::Bus& bus, Executor loop, const Clock& clock, Random& random)
      : db_(db),
        bus_(bus),
        loop_(loop),
        clock_(clock),
        random_(random),
        holder_(db.is_sqlite() ? "" : random.token(16)),
        tasks_(loop) {
    if (!shared()) return;
    bus_.on_hint(kHint, [this, lives = std::weak_ptr(lives_)](const std::string& name) {
      if (!lives.expired()) ring(name);
    });
  }

  void declare(QueueSpec spec) override {
    auto name = spec.name;
    queues_.emplace(name, std::make_unique<Queue>(std::move(spec), loop_));
  }
  void start() override {
    for (auto& [name, queue] : queues_) tasks_.supervise("work: " + name, [this, q = queue.get()] { return run(*q); });
    if (shared()) tasks_.supervise("work: leases", [this] { return renew_leases(); });
  }
  void wake(std::string_view name) override {
    ring(name);
    if (shared()) bus_.hint(kHint, std::string(name));
  }
  void retry_now(std::string_view name, std::string_view key) override {
    tasks_.spawn("work: retry now", make_due(std::string(name), std::string(key)));
  }
  Task<> stop() override {
    tasks_.cancel();
    co_await tasks_.join();
    if (shared()) (void)co_await give_leases_up();
  }

 private:
  struct Queue {
    Queue(QueueSpec s, Executor loop)
        : spec(std::move(s)),
          ring(loop),
          running(metrics::gauge("myelin_work_running", "Keys worked on now", {{"queue", spec.name}})) {}
    bool has_room() const { return busy.size() < static_cast<size_t>(spec.parallel); }
    QueueSpec spec;
    Doorbell ring;
    std::deque<Item> due;        // found, each of another key, none of them busy
    std::set<std::string> busy;  // keys worked on now
    prometheus::Gauge& running;
  };
  bool shared() const { return !holder_.empty(); }
  void ring(std::string_view name) {
    if (auto it = queues_.find(name); it != queues_.end()) it->second->ring.ring();
  }

  Task<> make_due(std::string name, std::string key) {
    auto status = co_await db_.write({}, [name, key, now = clock_.now()](db::Tx& tx) {
      tx.exec("UPDATE work SET due = {clock $1} WHERE queue = $2 AND key = $3", now, name, key);
    });
    if (status) wake(name);
  }

  // The first item of every key, as far as it is due, its key at rest, and nobody else at it. Returns how long the
  // earliest of the rest has to wait.
  Task<Result<Milliseconds>> look(Queue& queue) {
    struct Found {
      std::deque<Item> due;
      Milliseconds next = kLongestPause;
    };
    auto limit = static_cast<int64_t>(queue.busy.size()) + queue.spec.parallel + 64;
    auto found = co_await db_.read(
        [name = queue.spec.name, now = clock_.now(), busy = queue.busy, holder = holder_, limit](db::ReadTx& tx) {
          Found out;
          tx.query(
              "SELECT w.id, w.key, w.body, w.attempts, w.due - {clock $2} FROM work w WHERE w.queue = $1 AND w.id = "
              "(SELECT min(f.id) FROM work f WHERE f.queue = $1 AND f.key = w.key) AND (w.lease_until <= {clock $2} OR "
              "w.holder = "
              "$3) ORDER BY w.due LIMIT $4",
              [&](const db::Row& row) {
                auto key = row.str(1);
                if (busy.contains(key)) return;
                if (row.i64(4) > 0)
                  out.next = std::min(out.next, row.i64(4));
                else
                  out.due.push_back({row.i64(0), std::move(key), row.str(2), static_cast<int>(row.i64(3))});
              },
              name, now, holder, limit);
          return out;
        });
    if (!found) co_return std::unexpected(std::move(found).error());
    std::erase_if(found->due, [&](const Item& item) { return queue.busy.contains(item.key); });
    queue.due = std::move(found->due);
    co_return found->next;
  }

  Task<> run(Queue& queue) {
    while (true) {
      auto seen = queue.ring.generation();
      Milliseconds next = kLongestPause;
      if (queue.due.empty() && queue.has_room()) {
        auto looked = co_await look(queue);
        if (!looked) {
          log::warning("work {}: the table cannot be read: {}", queue.spec.name, looked.error().message);
          co_await sleep_for(std::chrono::seconds(1));
          continue;
        }
        next = *looked;
      }
      for (; !queue.due.empty() && queue.has_room(); queue.due.pop_front()) {
        auto item = std::move(queue.due.front());
        queue.busy.insert(item.key);
        auto name = "work " + queue.spec.name + " " + item.key;
        tasks_.spawn(std::move(name), attempt(queue, std::move(item)));
      }
      queue.running.Set(static_cast<double>(queue.busy.size()));
      auto longest = shared() ? kLease.count() / 2 : kLongestPause;  // what another was at when it was killed
      auto pause = std::chrono::milliseconds(std::clamp<int64_t>(next, 1, longest));
      co_await queue.ring.wait(seen, steady_now() + pause);
    }
  }

  // False: another process is at it, or has done it: its number may be a later item's by now.
  Task<Result<bool>> claim(const Queue& queue, Item item) {
    if (!shared()) co_return true;
    co_return co_await db_.write({}, [name = queue.spec.name, item, holder = holder_, now = clock_.now()](db::Tx& tx) {
      int64_t claimed = tx.exec(
          "UPDATE work SET holder = $1, lease_until = {clock $2} + $3 WHERE queue = $4 AND key = $5 AND id = $6 AND "
          "body = $7 AND (lease_until <= {clock $2} OR holder = $1)",
          holder, now, kLease.count(), name, item.key, item.id, item.body);
      return claimed == 1;
    });
  }
  Task<> renew_leases() {
    while (true) {
      co_await sleep_for(kLease / 4);
      bool any = std::ranges::any_of(queues_, [](const auto& each) { return !each.second->busy.empty(); });
      if (!any) continue;
      auto status = co_await db_.write({}, [holder = holder_, now = clock_.now()](db::Tx& tx) {
        tx.exec("UPDATE work SET lease_until = {clock $1} + $2 WHERE holder = $3", now, kLease.count(), holder);
      });
      if (!status) log::warning("work: the leases cannot be renewed: {}", status.error().message);
    }
  }
  Task<Result<void>> give_leases_up() {
    return db_.write({}, [holder = holder_](db::Tx& tx) {
      tx.exec("UPDATE work SET holder = '', lease_until = 0 WHERE holder = $1", holder);
    });
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
    if (auto claimed = co_await claim(queue, item); !claimed || !*claimed) {
      if (!claimed) co_await sleep_for(std::chrono::seconds(1));
      co_return;
    }
    auto outcome = co_await outcome_of(queue, item);
    crash_point("work.between_steps");
    if (outcome.kind == Outcome::Kind::kDone) {
      auto status = co_await finish(queue, item, std::move(outcome.write));
      if (status || status.error().code == Code::kStale) co_return;
      outcome = {Outcome::Kind::kRetry, {}, status.error().message, {}};
    }
    co_await postpone(queue, item, outcome);
  }

  Task<Outcome> outcome_of(const Queue& queue, Item item) {
    try {
      co_return co_await queue.spec.attempt(std::move(item));
    } catch (const std::exception& e) {
      co_return Outcome{Outcome::Kind::kRetry, {}, e.what(), {}};
    }
  }

  Task<Result<void>> finish(const Queue& queue, Item item, std::function<Result<void>(db::Tx&)> write) {
    return db_.write({}, [name = queue.spec.name, item, holder = holder_, write](db::Tx& tx) -> Result<void> {
      int64_t deleted = tx.exec("DELETE FROM work WHERE queue = $1 AND key = $2 AND id = $3 AND holder = $4", name,
                                item.key, item.id, holder);
      if (deleted == 0) return fail(Code::kStale, "the work was done by another");
      if (write) return write(tx);
      return {};
    });
  }

  Task<> postpone(Queue& queue, Item item, Outcome outcome) {
    auto pause = queue.spec.first_retry;
    for (int i = 0; i < item.attempts && pause < queue.spec.last_retry; ++i) pause *= 2;
    pause = std::max(std::min(pause, queue.spec.last_retry), outcome.retry_after);
    auto jitter = static_cast<int64_t>(random_.next() % static_cast<uint64_t>(pause.count() / 4 + 1));
    auto wait = pause.count() + jitter;
    log::debug("work {} {}: attempt {} failed: {}", queue.spec.name, item.key, item.attempts + 1, outcome.reason);
    auto status = co_await db_.write({}, [name = queue.spec.name, item, wait, now = clock_.now(),
                                          reason = outcome.reason, holder = holder_](db::Tx& tx) {
      tx.exec(
          "UPDATE work SET attempts = attempts + 1, due = {clock $1} + $2, reason = $3, holder = '', lease_until = 0 "
          "WHERE queue = $4 AND key = $5 AND id = $6 AND holder = $7",
          now, wait, reason, name, item.key, item.id, holder);
    });
    if (!status) co_await sleep_for(std::chrono::seconds(1));  // the row is as it was: not at once again
  }

  db::Database& db_;
  bus::Bus& bus_;
  Executor loop_;
  const Clock& clock_;
  Random& random_;
  std::string holder_;  // "": there is no other process
  std::map<std::string, std::unique_ptr<Queue>, std::less<>> queues_;
  std::shared_ptr<int> lives_ = std::make_shared<int>();  // the bus may outlive this
  TaskSet tasks_;
};

}  // namespace

std::unique_ptr<Queues> Queues::make(db::Database& db, bus::Bus& bus, Executor loop, const Clock& clock,
                                     Random& random) {
  return std::make_unique<QueuesImpl>(db, bus, loop, clock, random);
}

Task<Result<std::vector<Waiting>>> read_waiting(db::Database& db) {
  co_return co_await db.read([](db::ReadTx& tx) {
    return tx.all("SELECT queue, count(*), min(due) FROM work GROUP BY queue ORDER BY queue",
                  [](const db::Row& row) { return Waiting{row.str(0), row.i64(1), row.i64(2)}; });
  });
}

void enqueue(db::Tx& tx, std::string_view queue, std::string_view key, std::string_view body, Milliseconds now,
             Milliseconds delay) {
  auto id = tx.one(
      "SELECT coalesce(max(id), 0) + 1 FROM work WHERE queue = $1 AND key = $2",
      [](const db::Row& row) { return row.i64(0); }, queue, key);
  tx.exec(
      "INSERT INTO work (queue, key, id, due, attempts, reason, holder, lease_until, body) VALUES ($1, $2, $3, {clock "
      "$4} + $5, 0, '', '', 0, $6)",
      queue, key, id.value(), now, delay, body);
}

}  // namespace myelin::work
