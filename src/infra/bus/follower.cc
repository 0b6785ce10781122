#include "infra/bus/follower.h"

#include <algorithm>

#include "base/log.h"
#include "infra/bus/wire.h"

namespace myelin::bus {
namespace {

void call(const FollowerSpec& spec, const std::function<void()>& what) {
  try {
    what();
  } catch (const std::exception& e) {
    log::error("a follower of {} threw: {}", spec.topic.name, e.what());
  }
}

}  // namespace

// A number tells that all before it are committed: what is loaded from the database after missed() has them, so those
// that come late are dropped, as those that come twice.
void Follower::received(std::string_view payload) {
  auto wire = decode_wire(payload);
  if (!wire || wire->generation != generation_) return;
  for (const auto& message : wire->messages) received(message);
}

void Follower::received(const Message& message) {
  auto& last = partitions_[message.partition].last;
  if (message.seq <= last) return;
  if (message.seq > last + 1) missed();
  last = message.seq;
  for (const auto& spec : specs_) {
    try {
      spec.seen(message);
    } catch (const std::exception& e) {
      log::error("a follower of {} threw at {}/{}: {}", topic_.name, message.partition, message.seq, e.what());
      call(spec, spec.missed);
    }
  }
}

void Follower::heads_are(const std::array<uint64_t, kPartitions>& next_seq) {
  bool all_came = std::ranges::all_of(partitions_, [](const Partition& each) { return each.last >= each.shown; });
  bool tell = std::exchange(lost_, false) || !all_came;
  for (uint32_t p = 0; p < kPartitions; ++p) {
    auto& partition = partitions_[p];
    partition.shown = next_seq[p] > 0 ? next_seq[p] - 1 : 0;
    if (tell) partition.last = std::max(partition.last, partition.shown);
  }
  if (tell) missed();
}

void Follower::missed() {
  for (const auto& spec : specs_) call(spec, spec.missed);
}

}  // namespace myelin::bus
