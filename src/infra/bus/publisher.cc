#include "infra/bus/publisher.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <tuple>

#include "base/fault.h"
#include "base/log.h"
#include "infra/bus/wire.h"

namespace myelin::bus {
namespace {
constexpr size_t kMaxQueued = 16'384;  // rows
constexpr int kMaxUnderWay = 128;      // batches of a topic
constexpr size_t kMostPacked = 256;
constexpr size_t kMostPackedBytes = 64 << 10;
}  // namespace

Publisher::Publisher(Transport& transport, Executor loop, std::string generation, std::function<void()> missed)
    : transport_(transport),
      loop_(loop),
      generation_(std::move(generation)),
      missed_(std::move(missed)),
      published_(metrics::counter("myelin_bus_published_total", "Messages handed to the stream")),
      dropped_(metrics::counter("myelin_bus_unpublished_total", "Messages left to the outbox")) {}

void Publisher::committed(std::vector<db::OutboxRow> rows) {
  std::lock_guard lock(mutex_);
  if (queue_.size() + rows.size() > kMaxQueued)
    overflow_ += rows.size();
  else
    queue_.insert(queue_.end(), std::make_move_iterator(rows.begin()), std::make_move_iterator(rows.end()));
  if (std::exchange(scheduled_, true)) return;
  boost::asio::post(loop_, [self = shared_from_this()] { self->flush(); });
}

void Publisher::stop() { stopped_ = true; }

void Publisher::drop(size_t rows) {
  dropped_.Increment(static_cast<double>(rows));
  missed_();
}

void Publisher::note(std::string_view topic, const Result<void>& stored) {
  bool is_news = stored ? refused_.erase(topic) > 0 : refused_.insert(topic).second;
  if (!is_news) return;
  if (stored)
    log::info("bus: NATS takes messages of {} again", topic);
  else
    log::warning(
        "bus: NATS does not take messages of {} ({}): they are read from the database, which may take a second", topic,
        stored.error().message);
}

// Several go in one message while it is small: to carry one takes as much work as to carry fifty.
std::vector<Outgoing> Publisher::packed(std::span<const db::OutboxRow> rows) const {
  std::vector<Outgoing> messages;
  while (!rows.empty()) {
    size_t count = 0, bytes = 0;
    do bytes += rows[count++].body.size();
    while (count < std::min(rows.size(), kMostPacked) && bytes + rows[count].body.size() <= kMostPackedBytes);
    messages.push_back(
        {fmt::format("{}.{}", rows[0].topic, rows[0].partition), encode_wire(generation_, rows.first(count))});
    rows = rows.subspan(count);
  }
  return messages;
}

void Publisher::publish(std::span<const db::OutboxRow> rows) {
  if (under_way_ >= kMaxUnderWay) return drop(rows.size());
  ++under_way_;
  published_.Increment(static_cast<double>(rows.size()));
  auto stored = [self = shared_from_this(), topic = rows[0].topic, count = rows.size()](Result<void> status) {
    crash_point("publish.unacked");
    --self->under_way_;
    if (self->stopped_) return;
    self->note(topic, status);
    if (!status) self->drop(count);
  };
  transport_.publish(packed(rows), std::move(stored));
}

void Publisher::flush() {
  std::vector<db::OutboxRow> rows;
  size_t overflow = 0;
  {
    std::lock_guard lock(mutex_);
    scheduled_ = false;
    rows.swap(queue_);
    overflow = std::exchange(overflow_, 0);
  }
  if (stopped_) return;
  if (overflow > 0) drop(overflow);
  if (rows.empty()) return;
  crash_point("publish.before");
  std::ranges::sort(rows, {}, [](const auto& row) { return std::tuple(row.topic, row.partition, row.seq); });
  for (auto first = rows.begin(); first != rows.end();) {
    auto last = std::find_if(first, rows.end(), [&](const auto& row) { return row.topic != first->topic; });
    publish({first, last});
    first = last;
  }
  crash_point("publish.after");
}

}  // namespace myelin::bus
