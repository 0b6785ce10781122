#include "infra/bus/publisher.h"

#include <fmt/format.h>

#include <boost/asio/post.hpp>

#include "base/fault.h"
#include "base/log.h"
#include "infra/bus/wire.h"

namespace myelin::bus {
namespace {
constexpr size_t kMaxQueued = 16'384;  // rows
constexpr int kMaxUnderWay = 64;       // batches
}  // namespace

Publisher::Publisher(engine::Engine& engine, Executor loop, std::string generation)
    : engine_(engine),
      loop_(loop),
      generation_(std::move(generation)),
      published_(metrics::counter("myelin_bus_published_total", "Messages handed to the stream")),
      dropped_(metrics::counter("myelin_bus_unpublished_total", "Messages left to the head poll")) {}

void Publisher::committed(std::vector<db::OutboxRow> rows) {
  std::lock_guard lock(mutex_);
  if (queue_.size() + rows.size() > kMaxQueued) {
    dropped_.Increment(static_cast<double>(rows.size()));
    return;
  }
  queue_.insert(queue_.end(), std::make_move_iterator(rows.begin()), std::make_move_iterator(rows.end()));
  if (std::exchange(scheduled_, true)) return;
  boost::asio::post(loop_, [self = shared_from_this()] { self->flush(); });
}

void Publisher::stop() { stopped_ = true; }

void Publisher::flush() {
  std::vector<db::OutboxRow> rows;
  {
    std::lock_guard lock(mutex_);
    scheduled_ = false;
    rows.swap(queue_);
  }
  if (stopped_ || rows.empty()) return;
  if (under_way_ >= kMaxUnderWay) {
    dropped_.Increment(static_cast<double>(rows.size()));
    return;
  }
  crash_point("publish.before");
  std::vector<engine::Publish> messages;
  messages.reserve(rows.size());
  for (const auto& row : rows)
    messages.push_back(
        {fmt::format("{}.{}", row.topic, row.partition), encode_wire(generation_, row.partition, row.seq, row.body)});
  published_.Increment(static_cast<double>(rows.size()));
  ++under_way_;
  engine_.publish(messages, [self = shared_from_this()](Result<void> stored) {
    crash_point("publish.unacked");
    --self->under_way_;
    if (!stored) log::debug("bus: a publish failed, consumers will read the outbox: {}", stored.error().message);
  });
  crash_point("publish.after");
}

}  // namespace myelin::bus
