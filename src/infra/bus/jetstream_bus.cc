#include "infra/bus/jetstream_bus.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/log.h"
#include "infra/bus/topic_bus.h"

namespace myelin::bus {
namespace {

constexpr int kPrefetch = 1024;
// Of each stream; then the oldest go, which the outbox has. In memory all of them must fit under the engine's limit.
constexpr int64_t kInMemory = 8 << 20, kInFiles = 64 << 20;

class JetStream final : public JetStreamTransport {
 public:
  JetStream(JetStreamOptions options, Executor loop) : options_(std::move(options)), loop_(std::move(loop)) {}

  engine::Engine& engine() override { return *engine_; }
  Result<void> open() override {
    auto status = open_engine();
    return status || !set_store_aside(status.error()) ? status : open_engine();
  }
  void close() override {
    if (engine_) engine_->close();
  }
  uint64_t memory_bytes() const override { return engine::Engine::memory_bytes(); }
  Result<void> provision(const Topic& topic, const std::string& consumer) override {
    bool in_memory = options_.streams_in_memory;
    engine::StreamSpec spec{stream_of(topic), {subjects_of(topic)}, in_memory, in_memory ? kInMemory : kInFiles};
    MYELIN_CHECK(engine_->ensure_stream(spec));
    return engine_->ensure_consumer(spec.name, consumer);
  }
  Result<void> recover(Error why) override {
    if (!set_store_aside(why)) return std::unexpected(std::move(why));
    return open_engine();
  }
  void subscribe(const Topic& topic, const std::string& consumer, Handler handler) override {
    subscriptions_[{std::string(topic.name), consumer}] =
        engine_->subscribe(stream_of(topic), consumer, kPrefetch, std::move(handler));
  }
  void unsubscribe(const Topic& topic, const std::string& consumer) override {
    auto subscription = subscriptions_.extract({std::string(topic.name), consumer});
    if (subscription) engine_->unsubscribe(subscription.mapped());
  }
  void publish(std::vector<Outgoing> messages, std::function<void(Result<void>)> done) override {
    engine_->publish(messages, std::move(done));
  }
  void acknowledge(std::vector<std::string> replies) override { engine_->acknowledge(replies); }
  void refuse(std::vector<std::string> replies) override { engine_->refuse(replies); }
  Result<void> follow(const Topic& topic, Handler handler) override {
    return engine_->listen(subjects_of(topic), std::move(handler));
  }
  void on_reconnected(std::function<void()> handler) override { reconnected_ = std::move(handler); }
  std::string server() override { return engine_->server(); }
  void leave_server() override { engine_->leave_server(); }
  void hint(const std::string& subject, std::string_view payload) override { engine_->hint(subject, payload); }
  Result<void> listen(const std::string& subject, Handler handler) override {
    return engine_->listen(subject, std::move(handler));
  }
  void request(const std::string& subject, std::string_view payload, std::chrono::milliseconds deadline,
               std::function<void(Result<std::string>)> done) override {
    engine_->request(subject, payload, deadline, std::move(done));
  }

 private:
  Result<void> open_engine() {
    MYELIN_TRY(engine_, engine::Engine::open(options_.engine, loop_));
    engine_->on_reconnected(reconnected_);
    subscriptions_.clear();
    return {};
  }
  static std::string subjects_of(const Topic& topic) { return std::string(topic.name) + ".*"; }
  // The database has everything that is in the embedded engine's store: one that is damaged or was declared otherwise
  // is replaced by an empty one, once. False: it is another server's, or something else is wrong, or that has not
  // helped.
  bool set_store_aside(const Error& why) {
    bool of_use = why.code == Code::kCorrupt || why.code == Code::kConflict;
    if (!options_.engine.url.empty() || !of_use || std::exchange(set_aside_, true)) return false;
    close();
    const auto& store = options_.engine.store_dir;
    bool damaged = why.code == Code::kCorrupt;
    auto aside = store + (damaged ? ".damaged" : ".former");
    std::error_code error;
    std::filesystem::remove_all(aside, error);
    std::filesystem::rename(store, aside, error);
    if (error) return false;
    log::warning("the engine cannot use {} ({}): it is now {}, and nothing is lost with it", store,
                 damaged ? why.message : "its streams were declared otherwise", aside);
    return true;
  }

  JetStreamOptions options_;
  Executor loop_;
  std::unique_ptr<engine::Engine> engine_;
  std::function<void()> reconnected_;
  std::map<std::pair<std::string, std::string>, uint64_t> subscriptions_;  // by topic and consumer
  bool set_aside_ = false;
};

}  // namespace

std::string JetStreamTransport::stream_of(const Topic& topic) {
  std::string name(topic.name);
  std::ranges::replace(name, '.', '_');
  return name;
}

std::unique_ptr<JetStreamTransport> make_jetstream_transport(JetStreamOptions options, Executor loop) {
  return std::make_unique<JetStream>(std::move(options), std::move(loop));
}

std::unique_ptr<Bus> make_jetstream_bus(JetStreamOptions options, db::Database& db, Executor loop, const Clock& clock) {
  return make_bus(make_jetstream_transport(std::move(options), loop), db, loop, clock);
}

}  // namespace myelin::bus
