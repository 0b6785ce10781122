#include "app/shared_consumers.h"

namespace myelin::app {

SharedConsumers::SharedConsumers(bus::Bus& bus, Executor loop) : bus_(bus), tasks_(std::move(loop)) {}

void SharedConsumers::want(lease::Leases& leases, const Roles& roles) {
  for (auto& [consumer, topic] : bus_.consumers()) topics_[consumer].push_back(topic);
  for (const auto& [consumer, topics] : topics_) {
    if (!roles.may_apply(consumer)) continue;
    leases.want({.name = "consumer " + consumer,
                 .taken = [this, consumer](uint32_t) { begin(consumer); },
                 .let_go = [this, consumer](uint32_t) { return end(consumer); },
                 // What it still applies does no harm: its cursors tell on it (docs/spine.md, rule A4).
                 .lost =
                     [this, consumer](uint32_t) {
                       if (mine_.contains(consumer)) tasks_.spawn("rest of " + consumer, end(consumer));
                     }});
  }
}

void SharedConsumers::begin(const std::string& consumer) {
  mine_.insert(consumer);
  for (const auto& topic : topics_[consumer]) bus_.activate(consumer, topic);
}

Task<> SharedConsumers::end(std::string consumer) {
  mine_.erase(consumer);
  return rest(std::move(consumer));
}

Task<> SharedConsumers::rest(std::string consumer) {
  for (const auto& topic : topics_[consumer]) {
    if (mine_.contains(consumer)) co_return;  // again, meanwhile
    co_await bus_.rest(consumer, topic);
  }
}

Task<> SharedConsumers::stop() {
  tasks_.cancel();
  co_await tasks_.join();
}

}  // namespace myelin::app
