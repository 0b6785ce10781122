#include "infra/bus/testing/unreliable.h"

namespace myelin::bus::testing {
namespace {

class Unreliable final : public Transport {
 public:
  Unreliable(std::unique_ptr<Transport> real, Faults faults, Random& random)
      : real_(std::move(real)), faults_(faults), random_(random) {}

  Result<void> open() override { return real_->open(); }
  void close() override { real_->close(); }
  uint64_t memory_bytes() const override { return real_->memory_bytes(); }
  Result<void> provision(const Topic& topic, const std::string& consumer) override {
    return real_->provision(topic, consumer);
  }
  // Lost on the way to the stream: some are said to be stored, of some a failure is told.
  void publish(std::vector<Outgoing> messages, std::function<void(Result<void>)> done) override {
    bool told = false;
    std::erase_if(messages, [&](const Outgoing&) {
      bool lost = happens(faults_.lose);
      told |= lost && happens(50);
      return lost;
    });
    real_->publish(std::move(messages), [told, done = std::move(done)](Result<void> stored) {
      done(told ? fail(Code::kUnavailable, "lost on purpose") : std::move(stored));
    });
  }
  void subscribe(const Topic& topic, const std::string& consumer, Handler handler) override {
    real_->subscribe(topic, consumer, with_faults(std::move(handler)));
  }
  void unsubscribe(const Topic& topic, const std::string& consumer) override { real_->unsubscribe(topic, consumer); }
  Result<void> follow(const Topic& topic, Handler handler) override {
    return real_->follow(topic, with_faults(std::move(handler)));
  }
  void on_reconnected(std::function<void()> handler) override { real_->on_reconnected(std::move(handler)); }
  void acknowledge(std::vector<std::string> replies) override {
    std::erase_if(replies, [&](const std::string&) { return happens(faults_.lose); });
    real_->acknowledge(std::move(replies));
  }
  void refuse(std::vector<std::string> replies) override {
    std::erase_if(replies, [&](const std::string&) { return happens(faults_.lose); });
    real_->refuse(std::move(replies));
  }
  void hint(const std::string& subject, std::string_view payload) override {
    if (!happens(faults_.lose)) real_->hint(subject, payload);
  }
  Result<void> listen(const std::string& subject, Handler handler) override {
    return real_->listen(subject, std::move(handler));
  }
  void request(const std::string& subject, std::string_view payload, std::chrono::milliseconds deadline,
               std::function<void(Result<std::string>)> done) override {
    real_->request(happens(faults_.lose) ? "lost" : subject, payload, deadline, std::move(done));
  }

 private:
  // Lost, repeated or held back on the way from the stream. What is held back comes after one of the next messages.
  Handler with_faults(Handler handler) {
    auto held = std::make_shared<std::vector<std::pair<std::string, std::string>>>();
    return [this, held, handler = std::move(handler)](std::string_view reply, std::string_view payload) {
      if (happens(faults_.lose)) return;
      if (happens(faults_.delay))
        held->emplace_back(reply, payload);
      else
        handler(reply, payload);
      if (happens(faults_.repeat)) handler(reply, payload);
      if (held->empty() || !happens(30)) return;
      auto one = held->begin() + static_cast<std::ptrdiff_t>(random_.next() % held->size());
      auto late = std::move(*one);
      held->erase(one);
      handler(late.first, late.second);
    };
  }
  bool happens(int of_a_hundred) {
    return of_a_hundred > 0 && random_.next() % 100 < static_cast<unsigned>(of_a_hundred);
  }

  std::unique_ptr<Transport> real_;
  Faults faults_;
  Random& random_;
};

}  // namespace

std::unique_ptr<Transport> make_unreliable(std::unique_ptr<Transport> real, Faults faults, Random& random) {
  return std::make_unique<Unreliable>(std::move(real), faults, random);
}

}  // namespace myelin::bus::testing
