// What follows a topic: every message as it is published, by whichever process, and word when one was missed. Nothing
// is kept or acknowledged: dense numbers show what did not come. Thread: the loop.
#pragma once
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "infra/bus/bus.h"

namespace myelin::bus {

// Of one topic, for all who follow it.
class Follower {
 public:
  Follower(Topic topic, std::string generation) : topic_(topic), generation_(std::move(generation)) {}
  void add(FollowerSpec spec) { specs_.push_back(std::move(spec)); }

  const Topic& topic() const { return topic_; }
  void received(std::string_view payload);
  void disconnected() { lost_ = true; }  // messages may have passed by; the next heads say up to where
  // next_seq of each partition, 0 if it has no head yet. What these show and has not come when the next ones are told
  // was missed.
  void heads_are(const std::array<uint64_t, kPartitions>& next_seq);

 private:
  struct Partition {
    uint64_t last = 0;   // everything up to here came, or missed() was called after it was committed
    uint64_t shown = 0;  // the head of the poll before
  };
  void received(const Message&);
  void missed();

  Topic topic_;
  std::string generation_;
  std::vector<FollowerSpec> specs_;
  std::array<Partition, kPartitions> partitions_;
  bool lost_ = true;  // until the first heads: whoever follows has seen nothing yet
};

}  // namespace myelin::bus
