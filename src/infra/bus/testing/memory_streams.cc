#include "infra/bus/testing/memory_streams.h"

#include <boost/asio/post.hpp>
#include <deque>

#include "base/timer.h"

namespace myelin::bus::testing {
namespace {

struct End {  // of a connection, or of one subscription on it
  Executor loop;
  bool open = true;
};
using EndPtr = std::shared_ptr<End>;

struct Listener {
  EndPtr at;
  Transport::Handler handler;
};

struct Subscriber {
  EndPtr at;
  Transport::Handler handler;
};

struct Durable {
  std::deque<std::string> waiting;
  std::map<uint64_t, std::pair<std::string, EndPtr>> unacknowledged;  // by id, with whom it was delivered to
};

}  // namespace

struct MemoryStreams::State {
  explicit State(Executor executor) : loop(std::move(executor)) {}

  Executor loop;  // of who names none
  uint64_t last_id = 0, turn = 0;
  std::map<std::string, std::map<std::string, Durable>, std::less<>> streams;  // topic, consumer
  std::map<std::pair<std::string, std::string>, std::vector<Subscriber>> subscribers;
  std::map<std::string, std::vector<Listener>, std::less<>> listeners;

  bool publish(const Outgoing& message) {
    auto topic = message.subject.substr(0, message.subject.rfind('.'));
    send(topic + ".*", "", message.payload);
    auto stream = streams.find(topic);
    if (stream == streams.end()) return false;
    for (auto& [name, durable] : stream->second) {
      durable.waiting.push_back(message.payload);
      deliver(stream->first, name);
    }
    return true;
  }

  // Hands what waits to the subscribers in turn, each message in a step of the loop of its own.
  void deliver(const std::string& topic, const std::string& consumer) {
    auto& all = subscribers[{topic, consumer}];
    std::erase_if(all, [](const Subscriber& one) { return !one.at->open; });
    auto& durable = streams[topic][consumer];
    while (!all.empty() && !durable.waiting.empty()) {
      auto& to = all[turn++ % all.size()];
      auto id = ++last_id;
      auto reply = fmt::format("{} {} {}", topic, consumer, id);
      boost::asio::post(to.at->loop, [to, reply, payload = durable.waiting.front()] {
        if (to.at->open) to.handler(reply, payload);
      });
      durable.unacknowledged.emplace(id, std::pair(std::move(durable.waiting.front()), to.at));
      durable.waiting.pop_front();
    }
  }

  // Acknowledged, or else refused: then it waits again.
  void answer(const std::string& reply, bool acknowledged) {
    auto first = reply.find(' '), second = reply.rfind(' ');
    auto stream = streams.find(reply.substr(0, first));
    if (stream == streams.end()) return;
    auto name = reply.substr(first + 1, second - first - 1);
    auto durable = stream->second.find(name);
    if (durable == stream->second.end()) return;
    auto message = durable->second.unacknowledged.extract(std::stoull(reply.substr(second + 1)));
    if (!message || acknowledged) return;
    durable->second.waiting.push_front(std::move(message.mapped().first));
    deliver(stream->first, name);
  }

  // What went to an end that has closed waits again.
  void take_back(const EndPtr& gone) {
    for (auto& [topic, consumers] : streams)
      for (auto& [name, durable] : consumers) {
        for (auto it = durable.unacknowledged.rbegin(); it != durable.unacknowledged.rend(); ++it)
          if (it->second.second == gone) durable.waiting.push_front(it->second.first);
        std::erase_if(durable.unacknowledged, [&](const auto& one) { return one.second.second == gone; });
        deliver(topic, name);
      }
  }

  // False: nobody listens.
  bool send(const std::string& subject, const std::string& reply, std::string_view payload) {
    bool is_heard = false;
    for (const auto& listener : listeners[subject]) {
      if (!listener.at->open) continue;
      is_heard = true;
      boost::asio::post(listener.at->loop, [listener, reply, text = std::string(payload)] {
        if (listener.at->open) listener.handler(reply, text);
      });
    }
    return is_heard;
  }
};

namespace {

class Connection final : public Transport {
 public:
  Connection(std::shared_ptr<MemoryStreams::State> state, Executor loop)
      : state_(std::move(state)), loop_(std::move(loop)) {}
  ~Connection() override { close(); }

  Result<void> open() override {
    end_ = std::make_shared<End>(loop_);
    return {};
  }
  void close() override {
    if (!end_ || !std::exchange(end_->open, false)) return;
    for (auto& [key, end] : std::exchange(subscriptions_, {})) give_up(end);
    auto unanswered = std::exchange(requests_, {});
    for (auto& [inbox, request] : unanswered) request.done(fail(Code::kUnavailable, "closed"));
  }
  Result<void> provision(const Topic& topic, const std::string& consumer) override {
    state_->streams[std::string(topic.name)][consumer];
    return {};
  }
  void subscribe(const Topic& topic, const std::string& consumer, Handler handler) override {
    std::pair key(std::string(topic.name), consumer);
    auto end = subscriptions_[key] = std::make_shared<End>(loop_);
    state_->subscribers[key].push_back({end, std::move(handler)});
    state_->deliver(key.first, consumer);
  }
  void unsubscribe(const Topic& topic, const std::string& consumer) override {
    if (auto subscription = subscriptions_.extract({std::string(topic.name), consumer})) give_up(subscription.mapped());
  }
  void publish(std::vector<Outgoing> messages, std::function<void(Result<void>)> done) override {
    bool stored = true;
    for (const auto& message : messages) stored = state_->publish(message) && stored;
    boost::asio::post(loop_, [done = std::move(done), stored] {
      done(stored ? Result<void>() : fail(Code::kUnavailable, "there is no such stream"));
    });
  }
  void acknowledge(std::vector<std::string> replies) override {
    for (const auto& reply : replies) state_->answer(reply, true);
  }
  void refuse(std::vector<std::string> replies) override {
    for (auto it = replies.rbegin(); it != replies.rend(); ++it) state_->answer(*it, false);
  }
  Result<void> follow(const Topic& topic, Handler handler) override {
    return listen(std::string(topic.name) + ".*", std::move(handler));
  }
  void on_reconnected(std::function<void()>) override {}
  void hint(const std::string& subject, std::string_view payload) override { state_->send(subject, "", payload); }
  Result<void> listen(const std::string& subject, Handler handler) override {
    state_->listeners[subject].push_back({end_, std::move(handler)});
    return {};
  }
  void request(const std::string& subject, std::string_view payload, std::chrono::milliseconds deadline,
               std::function<void(Result<std::string>)> done) override {
    auto inbox = fmt::format("inbox.{}", ++state_->last_id);
    auto timer = std::make_shared<Timer>(loop_, steady_now() + deadline);
    requests_.emplace(inbox, Request{std::move(done), timer});
    state_->listeners[inbox] = {
        {end_, [this, inbox](std::string_view, std::string_view answer) { finish(inbox, std::string(answer)); }}};
    timer->async_wait([this, inbox, end = end_](boost::system::error_code error) {
      if (!error && end->open) finish(inbox, fail(Code::kTimeout, "timeout"));
    });
    if (!state_->send(subject, inbox, payload)) finish(inbox, fail(Code::kUnavailable, "nobody serves it"));
  }

 private:
  struct Request {
    std::function<void(Result<std::string>)> done;
    std::shared_ptr<Timer> timer;
  };
  void give_up(const EndPtr& subscription) {
    subscription->open = false;
    state_->take_back(subscription);
  }
  void finish(const std::string& inbox, Result<std::string> answer) {
    auto it = requests_.find(inbox);
    if (it == requests_.end()) return;
    auto request = std::move(it->second);
    requests_.erase(it);
    boost::asio::post(loop_, [state = state_, inbox] { state->listeners.erase(inbox); });
    request.timer->cancel();
    request.done(std::move(answer));
  }

  std::shared_ptr<MemoryStreams::State> state_;
  Executor loop_;
  EndPtr end_;
  std::map<std::pair<std::string, std::string>, EndPtr> subscriptions_;  // by topic and consumer
  std::map<std::string, Request> requests_;
};

}  // namespace

MemoryStreams::MemoryStreams(Executor loop) : state_(std::make_shared<State>(std::move(loop))) {}
std::unique_ptr<Transport> MemoryStreams::connect() { return connect(state_->loop); }
std::unique_ptr<Transport> MemoryStreams::connect(Executor loop) {
  return std::make_unique<Connection>(state_, std::move(loop));
}

void MemoryStreams::wipe() {
  state_->streams.clear();
  for (const auto& [key, subscribers] : state_->subscribers)
    if (!subscribers.empty()) state_->streams[key.first][key.second];
}

MemoryStreams::Copy MemoryStreams::copy() const {
  Copy out;
  for (const auto& [topic, consumers] : state_->streams)
    for (const auto& [name, durable] : consumers) {
      auto& messages = out[topic][name];
      for (const auto& [id, message] : durable.unacknowledged) messages.push_back(message.first);
      messages.insert(messages.end(), durable.waiting.begin(), durable.waiting.end());
    }
  return out;
}

void MemoryStreams::put_back(const Copy& copy) {
  wipe();
  for (const auto& [topic, consumers] : copy)
    for (const auto& [name, messages] : consumers) {
      state_->streams[topic][name].waiting.assign(messages.begin(), messages.end());
      state_->deliver(topic, name);
    }
}

}  // namespace myelin::bus::testing
