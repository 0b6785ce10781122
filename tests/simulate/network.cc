#include "tests/simulate/network.h"

namespace myelin::simulate {
namespace {

using bus::Outgoing;
using bus::Topic;

std::unexpected<Error> unreachable() { return fail(Code::kUnavailable, "NATS cannot be reached"); }

class Network final : public bus::Transport {
 public:
  Network(std::unique_ptr<bus::Transport> streams, World& world, Loop& loop, std::shared_ptr<Reach> reach,
          const NetworkFaults& faults)
      : streams_(std::move(streams)), world_(world), loop_(loop), reach_(std::move(reach)), faults_(faults) {}
  ~Network() override { close(); }

  Result<void> open() override { return streams_->open(); }
  void close() override {
    *open_ = false;
    streams_->close();
  }
  Result<void> provision(const Topic& topic, const std::string& consumer) override {
    return streams_->provision(topic, consumer);
  }
  void subscribe(const Topic& topic, const std::string& consumer, Handler handler) override {
    streams_->subscribe(topic, consumer, late(std::move(handler)));
  }
  void unsubscribe(const Topic& topic, const std::string& consumer) override { streams_->unsubscribe(topic, consumer); }
  void publish(std::vector<Outgoing> messages, std::function<void(Result<void>)> done) override {
    if (reach_->is_cut)
      return later(world_.between(milliseconds(1), seconds(2)), [done = std::move(done)] { done(unreachable()); });
    bool told = false;
    std::erase_if(messages, [&](const Outgoing&) {
      bool is_lost = faults_.deaf || world_.chance(faults_.lose);
      told |= is_lost && !faults_.deaf && world_.chance(0.5);
      return is_lost;
    });
    later(latency(), [this, told, messages = std::move(messages), done = std::move(done)]() mutable {
      if (reach_->is_cut) return done(unreachable());
      streams_->publish(std::move(messages), [told, done = std::move(done)](Result<void> stored) {
        done(told ? unreachable() : std::move(stored));
      });
    });
  }
  void acknowledge(std::vector<std::string> replies) override {
    if (keep_some(replies)) streams_->acknowledge(std::move(replies));
  }
  void refuse(std::vector<std::string> replies) override {
    if (keep_some(replies)) streams_->refuse(std::move(replies));
  }
  Result<void> follow(const Topic& topic, Handler handler) override {
    return streams_->follow(topic, late(std::move(handler)));
  }
  void on_reconnected(std::function<void()> handler) override { reach_->reconnected = std::move(handler); }
  void hint(const std::string& subject, std::string_view payload) override {
    if (faults_.deaf && subject.starts_with("hint.")) return;
    if (!is_lost()) streams_->hint(subject, payload);
  }
  Result<void> listen(const std::string& subject, Handler handler) override {
    return streams_->listen(subject, late(std::move(handler)));
  }
  void request(const std::string& subject, std::string_view payload, milliseconds deadline,
               std::function<void(Result<std::string>)> done) override {
    if (is_lost())
      return later(deadline, [done = std::move(done)] { done(fail(Code::kTimeout, "no answer: it was lost")); });
    streams_->request(subject, payload, deadline, [reach = reach_, done = std::move(done)](Result<std::string> answer) {
      done(reach->is_cut ? fail(Code::kTimeout, "the answer was lost") : std::move(answer));
    });
  }

 private:
  bool is_lost() { return reach_->is_cut || world_.chance(faults_.lose); }
  bool keep_some(std::vector<std::string>& replies) {
    std::erase_if(replies, [&](const std::string&) { return is_lost(); });
    return !replies.empty();
  }
  microseconds latency() {
    if (world_.chance(faults_.slow)) return world_.between(milliseconds(5), milliseconds(800));
    return world_.between(microseconds(50), microseconds(800));
  }
  // On the loop, unless it is closed by then.
  void later(microseconds pause, Work work) {
    world_.after(pause, [this, open = open_, work = std::move(work)]() mutable {
      if (!*open) return;
      loop_.post([open, work = std::move(work)]() mutable {
        if (*open) work();
      });
    });
  }
  Handler late(Handler handler) {
    auto shared = std::make_shared<Handler>(std::move(handler));
    return [this, shared](std::string_view reply, std::string_view payload) {
      if (is_lost()) return;
      for (int copies = world_.chance(faults_.repeat) ? 2 : 1; copies > 0; --copies)
        later(latency(), [this, shared, reply = std::string(reply), payload = std::string(payload)] {
          if (!reach_->is_cut) (*shared)(reply, payload);
        });
    };
  }

  std::unique_ptr<bus::Transport> streams_;
  World& world_;
  Loop& loop_;
  std::shared_ptr<Reach> reach_;
  const NetworkFaults& faults_;
  std::shared_ptr<bool> open_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<bus::Transport> through_network(std::unique_ptr<bus::Transport> streams, World& world, Loop& loop,
                                                std::shared_ptr<Reach> reach, const NetworkFaults& faults) {
  return std::make_unique<Network>(std::move(streams), world, loop, std::move(reach), faults);
}

}  // namespace myelin::simulate
