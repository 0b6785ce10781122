#include "infra/bus/topic_bus.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "base/log.h"
#include "base/timer.h"
#include "infra/bus/consumer.h"
#include "infra/bus/follower.h"
#include "infra/bus/heads.h"
#include "infra/bus/publisher.h"
#include "infra/bus/wire.h"

namespace myelin::bus {
namespace {

constexpr int kMaxRequests = 256;  // commands under way
constexpr auto kShortestPoll = std::chrono::milliseconds(20);
constexpr auto kGlance = std::chrono::milliseconds(100);  // at whether a command still makes sense

class TopicBus final : public Bus {
 public:
  TopicBus(std::unique_ptr<Transport> transport, db::Database& db, Executor loop, const Clock& clock, Options options)
      : options_(options),
        db_(db),
        loop_(loop),
        clock_(clock),
        transport_(std::move(transport)),
        missed_(loop),
        trimmer_(db),
        tasks_(loop),
        memory_(metrics::gauge("myelin_engine_memory_bytes", "Memory that the engine has from the system")),
        foreign_(metrics::counter("myelin_bus_foreign_total", "Messages of another database, dropped")) {
    transport_->on_reconnected([this] { reconnected(); });
  }
  ~TopicBus() override {
    tasks_.cancel();
    if (publisher_) publisher_->stop();
    if (open_) transport_->close();
  }

  void declare(ConsumerSpec spec) override {
    auto acknowledge = [this](std::vector<std::string> replies) {
      if (open_ && !replies.empty()) transport_->acknowledge(std::move(replies));
    };
    auto refuse = [this](std::vector<std::string> replies) {
      if (open_ && !replies.empty()) transport_->refuse(std::move(replies));
    };
    consumers_.push_back(std::make_unique<Consumer>(std::move(spec), db_, loop_,
                                                    Consumer::Calls{acknowledge, refuse, [this] { foreign(); }}));
  }
  std::vector<std::pair<std::string, Topic>> consumers() const override {
    std::vector<std::pair<std::string, Topic>> out;
    for (const auto& consumer : consumers_) out.emplace_back(consumer->spec().name, consumer->spec().topic);
    return out;
  }
  void follow(FollowerSpec spec) override {
    if (db_.is_sqlite()) return;
    auto it = std::ranges::find(followers_, spec.topic.name, [](const auto& each) { return each->topic().name; });
    if (it == followers_.end()) it = followers_.insert(it, std::make_unique<Follower>(spec.topic, db_.generation()));
    (*it)->add(std::move(spec));
  }
  void on_hint(std::string subject, HintHandler handler) override {
    hints_.emplace_back(std::move(subject), std::move(handler));
  }
  void serve(std::string subject, CommandHandler handler) override {
    commands_.emplace_back(std::move(subject), std::move(handler));
  }

  Task<Result<void>> start(Consumers at_first) override {
    MYELIN_CO_CHECK(co_await open());
    for (auto& consumer : consumers_) MYELIN_CO_CHECK(co_await consumer->register_cursors());
    MYELIN_CO_CHECK(listen());
    publisher_ = std::make_shared<Publisher>(*transport_, loop_, db_.generation(), [this] { missed_.ring(); });
    db_.on_committed(
        [publisher = publisher_](std::vector<db::OutboxRow> rows) { publisher->committed(std::move(rows)); });
    for (auto& each : consumers_) {
      auto consumer = each.get();
      const auto& spec = consumer->spec();
      if (at_first == Consumers::kActive) activate(*consumer);
      tasks_.supervise(fmt::format("consumer {} of {}", spec.name, spec.topic.name),
                       [consumer] { return consumer->run(); });
    }
    MYELIN_CO_CHECK(co_await poll_heads());
    tasks_.supervise("bus: head poll", [this] { return head_poll(); });
    tasks_.supervise("bus: trim", [this] { return trim(); });
    co_return Result<void>{};
  }

  void activate(std::string_view name, const Topic& topic) override {
    if (auto* consumer = find(name, topic); consumer && !consumer->is_active()) activate(*consumer);
  }
  Task<> rest(std::string name, Topic topic) override {
    auto* consumer = find(name, topic);
    if (consumer == nullptr) co_return;
    if (consumer->is_active()) transport_->unsubscribe(topic, name);
    co_await consumer->rest();
  }

  void hint(std::string subject, std::string payload) override {
    if (open_) transport_->hint("hint." + subject, payload);
  }

  Task<Result<std::string>> request(std::string subject, std::string payload, std::chrono::milliseconds deadline,
                                    std::function<bool()> give_up) override {
    if (!open_ || requests_ >= kMaxRequests) co_return fail(Code::kUnavailable, "too many commands are under way");
    struct Waiting {
      explicit Waiting(Executor loop) : bell(loop) {}
      Doorbell bell;
      std::optional<Result<std::string>> answer;
    };
    auto waiting = std::make_shared<Waiting>(loop_);
    ++requests_;
    transport_->request("cmd." + subject, payload, deadline, [this, waiting](Result<std::string> answer) {
      --requests_;
      waiting->answer = std::move(answer);
      waiting->bell.ring();
    });
    auto end = clock_.steady() + deadline + kGlance;  // a transport whose connection is being lost may be later
    while (!waiting->answer && clock_.steady() < end && !(give_up && give_up()))
      co_await waiting->bell.wait(0, give_up ? std::min(end, clock_.steady() + kGlance) : end);
    if (!waiting->answer) co_return fail(Code::kTimeout, "no answer to a command");
    MYELIN_CO_TRY(auto answer, std::move(*waiting->answer));
    co_return decode_answer(std::move(answer));
  }

  std::string server() override { return open_ ? transport_->server() : ""; }
  void leave_server() override {
    if (open_) transport_->leave_server();
  }

  Task<Result<std::vector<Parked>>> parked() override {
    co_return co_await db_.read([](db::ReadTx& tx) {
      return tx.all(
          "SELECT p.consumer, p.key, p.reason, g.messages FROM parked p JOIN (SELECT consumer, key, min(id) AS first, "
          "count(*) AS messages FROM parked GROUP BY consumer, key) g ON g.consumer = p.consumer AND g.key = p.key AND "
          "g.first = p.id ORDER BY p.consumer, p.key",
          [](const db::Row& row) {
            return Parked{row.str(0), row.str(1), row.str(2), static_cast<uint64_t>(row.i64(3))};
          });
    });
  }

  Task<Result<void>> unpark(std::string name, std::string key) override {
    for (auto& consumer : consumers_)
      if (consumer->spec().name == name) MYELIN_CO_CHECK(co_await consumer->unpark(key));
    co_return Result<void>{};
  }

  Task<bool> settled(std::chrono::steady_clock::time_point deadline) override {
    std::optional<Heads> goals;
    while (true) {
      if (!goals) {
        if (auto heads = co_await read_heads(db_)) tell(goals.emplace(std::move(*heads)));
      }
      if (goals && reached(*goals)) co_return true;
      if (clock_.steady() >= deadline) co_return false;
      co_await sleep_for(std::chrono::milliseconds(2));
    }
  }

  Task<> stop() override {
    tasks_.cancel();
    co_await tasks_.join();
    if (publisher_) publisher_->stop();
    if (std::exchange(open_, false)) transport_->close();
  }

 private:
  // The transport and what the consumers need of it, in a thread of its own: answers to health checks do not wait.
  Task<Result<void>> open() {
    WorkerPool blocking("bus", 1, 1);
    MYELIN_CO_TRY(auto opened, co_await blocking.run([this] { return transport_->open(); }));
    MYELIN_CO_CHECK(opened);
    open_ = true;
    opened_ = clock_.steady();
    for (auto it = consumers_.begin(); it != consumers_.end();) {
      const auto& spec = (*it)->spec();
      MYELIN_CO_TRY(auto done, co_await blocking.run([&] { return transport_->provision(spec.topic, spec.name); }));
      it = done ? it + 1 : consumers_.begin();
      if (!done) MYELIN_CO_CHECK(transport_->recover(std::move(done).error()));
    }
    co_return Result<void>{};
  }
  // What this database published before it was put back is soon over. Of two that share a NATS each takes messages from
  // the other's consumers.
  void foreign() {
    foreign_.Increment();
    if (clock_.steady() < opened_ + options_.former_life || std::exchange(told_of_foreign_, true)) return;
    log::warning(
        "bus: messages of another database come over this NATS: does another homeserver use it? Nothing is lost or "
        "mixed, but what is new shows up to a second late. Give each an account of its own");
  }
  Consumer* find(std::string_view name, const Topic& topic) {
    if (!open_) return nullptr;
    for (auto& consumer : consumers_)
      if (consumer->spec().name == name && consumer->spec().topic.name == topic.name) return consumer.get();
    log::error("bus: there is no consumer {} of {}", name, topic.name);
    return nullptr;
  }
  void activate(Consumer& consumer) {
    const auto& spec = consumer.spec();
    if (spec.activated) spec.activated();
    consumer.activate();
    transport_->subscribe(spec.topic, spec.name, [&consumer](std::string_view reply, std::string_view payload) {
      consumer.received(reply, payload);
    });
  }

  Result<void> listen() {
    for (auto& each : followers_)
      MYELIN_CHECK(transport_->follow(
          each->topic(),
          [follower = each.get()](std::string_view, std::string_view payload) { follower->received(payload); }));
    for (auto& [subject, handler] : hints_)
      MYELIN_CHECK(transport_->listen(
          "hint." + subject, [handler](std::string_view, std::string_view payload) { handler(std::string(payload)); }));
    for (auto& [subject, handler] : commands_)
      MYELIN_CHECK(transport_->listen(
          "cmd." + subject, [this, handler, name = subject](std::string_view reply, std::string_view payload) {
            tasks_.spawn("command " + name, answer(name, handler, std::string(reply), std::string(payload)));
          }));
    return {};
  }

  Task<> answer(std::string name, CommandHandler handler, std::string reply, std::string payload) {
    std::string answer;
    try {
      answer = encode_answer(kAnswered, co_await handler(std::move(payload)));
    } catch (const boost::system::system_error& e) {
      if (e.code() == boost::asio::error::operation_aborted) throw;
      answer = encode_answer(kFailed, e.what());
    } catch (const std::exception& e) {
      answer = encode_answer(kFailed, e.what());
    }
    if (answer.front() == kFailed) log::error("command {} threw: {}", name, answer.substr(1));
    if (open_) transport_->hint(reply, answer);
  }

  Task<Result<void>> poll_heads() {
    MYELIN_CO_TRY(auto heads, co_await read_heads(db_));
    tell(heads);
    tell_followers(heads);
    co_return Result<void>{};
  }
  // Polls come sooner than they should when a publish failed: what is on its way then is not missed yet.
  void tell_followers(const Heads& heads) {
    auto now = clock_.steady();
    if (followers_.empty() || now < followers_next_) return;
    followers_next_ = now + options_.head_poll / 2;
    static constexpr std::array<uint64_t, kPartitions> kNone{};
    for (auto& follower : followers_) {
      auto it = heads.find(follower->topic().name);
      follower->heads_are(it == heads.end() ? kNone : it->second);
    }
  }
  void reconnected() {
    for (auto& follower : followers_) follower->disconnected();
    followers_next_ = {};
    missed_.ring();
  }
  void tell(const Heads& heads) {
    for (auto& consumer : consumers_) {
      auto it = heads.find(consumer->spec().topic.name);
      if (it == heads.end()) continue;
      for (uint32_t p = 0; p < kPartitions; ++p) consumer->head_is(p, it->second[p]);
    }
  }
  bool reached(const Heads& goals) const {
    for (const auto& consumer : consumers_) {
      auto it = goals.find(consumer->spec().topic.name);
      if (it == goals.end() || !consumer->is_active()) continue;
      for (uint32_t p = 0; p < kPartitions; ++p)
        if (consumer->cursor(p) + 1 < it->second[p]) return false;
    }
    return true;
  }

  // Where nobody applies a topic there is nothing to trim, and where several processes do, each of them is enough.
  std::set<std::string, std::less<>> applied_here() const {
    std::set<std::string, std::less<>> topics;
    for (const auto& consumer : consumers_)
      if (consumer->is_active()) topics.emplace(consumer->spec().topic.name);
    return topics;
  }

  // What the transport lost is found out here; at once, if a publish failed.
  Task<> head_poll() {
    while (true) {
      auto seen = missed_.generation();
      co_await sleep_for(kShortestPoll);
      co_await missed_.wait(seen, steady_now() + options_.head_poll - kShortestPoll);
      if (auto polled = co_await poll_heads(); !polled)
        log::warning("bus: the heads cannot be read: {}", polled.error().message);
      memory_.Set(static_cast<double>(transport_->memory_bytes()));
    }
  }

  Task<> trim() {
    while (true) {
      co_await sleep_for(options_.trim);
      if (auto trimmed = co_await trimmer_.trim(applied_here()); !trimmed)
        log::warning("bus: the outbox cannot be trimmed: {}", trimmed.error().message);
    }
  }

  Options options_;
  db::Database& db_;
  Executor loop_;
  const Clock& clock_;
  std::unique_ptr<Transport> transport_;
  std::shared_ptr<Publisher> publisher_;
  std::vector<std::unique_ptr<Consumer>> consumers_;
  std::vector<std::unique_ptr<Follower>> followers_;  // one per topic
  std::chrono::steady_clock::time_point followers_next_;
  std::vector<std::pair<std::string, HintHandler>> hints_;
  std::vector<std::pair<std::string, CommandHandler>> commands_;
  Doorbell missed_;
  Trimmer trimmer_;
  bool open_ = false, told_of_foreign_ = false;
  std::chrono::steady_clock::time_point opened_;
  int requests_ = 0;
  TaskSet tasks_;
  prometheus::Gauge& memory_;
  prometheus::Counter& foreign_;
};

}  // namespace

std::unique_ptr<Bus> make_bus(std::unique_ptr<Transport> transport, db::Database& db, Executor loop, const Clock& clock,
                              Options options) {
  return std::make_unique<TopicBus>(std::move(transport), db, loop, clock, options);
}

}  // namespace myelin::bus
