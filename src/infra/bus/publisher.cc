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
constexpr int kMaxUnderWay = 64;       // batches
constexpr ptrdiff_t kMostPacked = 256;
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

void Publisher::note(const Result<void>& stored) {
  if (std::exchange(is_refused_, !stored) == is_refused_) return;
  if (stored)
    log::info("bus: NATS takes messages again");
  else
    log::warning("bus: NATS does not take messages ({}): they are read from the database, which may take a second",
                 stored.error().message);
}

// Rows of one topic go in one message while it is small: to carry one takes as much work as to carry fifty.
std::vector<Outgoing> Publisher::packed(std::vector<db::OutboxRow>& rows) const {
  std::ranges::sort(rows, {}, [](const auto& row) { return std::tuple(row.topic, row.partition, row.seq); });
  std::vector<Outgoing> messages;
  for (auto first = rows.begin(); first != rows.end();) {
    auto last = first;
    for (size_t bytes = 0; last != rows.end() && last->topic == first->topic; ++last) {
      bytes += last->body.size();
      if (last != first && (bytes > kMostPackedBytes || last - first >= kMostPacked)) break;
    }
    messages.push_back({fmt::format("{}.{}", first->topic, first->partition), encode_wire(generation_, {first, last})});
    first = last;
  }
  return messages;
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
  if (under_way_ >= kMaxUnderWay) return drop(rows.size());
  crash_point("publish.before");
  published_.Increment(static_cast<double>(rows.size()));
  ++under_way_;
  transport_.publish(packed(rows), [self = shared_from_this(), count = rows.size()](Result<void> stored) {
    crash_point("publish.unacked");
    --self->under_way_;
    if (self->stopped_) return;
    self->note(stored);
    if (!stored) self->drop(count);
  });
  crash_point("publish.after");
}

}  // namespace myelin::bus
