// One consumer of one topic: takes messages of 64 partitions in order, from the stream or else from the outbox, and
// applies them in batches; cursors move by compare-and-swap in the transaction of the effects. Thread: the loop.
#pragma once
#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/task.h"
#include "infra/bus/bus.h"

namespace myelin::bus {

class Consumer {
 public:
  using Answer = std::function<void(std::vector<std::string> replies)>;
  struct Calls {
    Answer acknowledge, refuse;
    std::function<void()> foreign;  // a message of another generation came, and was dropped
  };
  Consumer(ConsumerSpec, db::Database&, Executor loop, Calls);

  const ConsumerSpec& spec() const { return spec_; }
  Task<Result<void>> register_cursors();  // new ones at the head, with the head's row locked (rule A10)
  void received(std::string_view reply, std::string_view payload);
  void head_is(uint32_t partition, uint64_t next_seq);  // from the head poll
  Task<> run();                                         // for TaskSet::supervise; waits while it is at rest
  // It begins at rest. Who calls these subscribes before the one and unsubscribes before the other.
  bool is_active() const { return active_; }
  void activate();
  Task<> rest();
  Task<Result<void>> unpark(std::string key);
  uint64_t cursor(uint32_t partition) const { return partitions_[partition].cursor; }

 private:
  // What the stream delivered at once, acknowledged when nothing of it is needed any more.
  struct Delivery {
    std::string reply;
    size_t left;  // messages
  };
  using DeliveryPtr = std::shared_ptr<Delivery>;  // null: from the outbox
  struct Partition {
    uint64_t cursor = 0, head = 0;  // sequence of the last applied; of the last known to exist
    std::map<uint64_t, std::pair<Message, DeliveryPtr>> waiting;  // by sequence
  };
  struct Batch {
    std::vector<Message> messages;
    std::map<uint32_t, std::pair<uint64_t, uint64_t>> moves;  // partition -> cursor from, to
    std::vector<DeliveryPtr> deliveries;
  };
  struct ParkedMessage {
    std::string key;
    Message message;
    std::string reason;
    bool behind;  // another one of its key, which must still be there
  };
  // While one lives, something is under way that rest() waits for.
  class UnderWay {
   public:
    explicit UnderWay(Consumer& consumer) : consumer_(consumer) { ++consumer_.under_way_; }
    ~UnderWay() {
      --consumer_.under_way_;
      consumer_.changed_.ring();
    }
    UnderWay(const UnderWay&) = delete;

   private:
    Consumer& consumer_;
  };
  bool take(Message, const DeliveryPtr&);
  void acknowledge(const std::vector<DeliveryPtr>&);
  Task<Result<bool>> step();  // false: there was nothing to do
  Task<> pause_after(const Error&);
  Task<Result<void>> load();
  Result<void> stop_for_good(uint32_t partition, uint64_t seen, uint64_t next_seq);
  Task<Result<Batch>> collect();
  Task<Result<void>> read_outbox(uint32_t partition);
  Task<Result<void>> missing(uint32_t partition);
  Task<Result<void>> apply(Batch);
  Task<Result<void>> apply_one_by_one(Batch);
  Task<Result<void>> apply_once(const Batch&, std::vector<Message> todo, std::vector<ParkedMessage> park);
  Task<Result<Effects>> effects_of(std::vector<Message>);
  void done(const Batch&);

  // parking.cc
  std::string key_of(const Message&) const;
  static Result<void> insert_parked(db::Tx&, const std::string& consumer, std::string_view topic, const ParkedMessage&);
  Task<Result<bool>> replay_first(std::string key);  // false: none is left

  ConsumerSpec spec_;
  db::Database& db_;
  std::string generation_;
  Calls calls_;
  Doorbell ring_;     // there may be something to do
  Doorbell changed_;  // it became active, or went to rest, or something ended that was under way
  Mutex turn_;        // apply is not called twice at once
  std::array<Partition, kPartitions> partitions_;
  std::set<std::string> parked_keys_;
  size_t waiting_ = 0;
  int throws_ = 0;     // of apply, one after the other
  int stale_ = 0;      // steps in which another process was faster, one after the other
  int under_way_ = 0;  // things that rest() waits for
  std::chrono::milliseconds pause_{0};
  std::string told_;  // in the log, of trouble that goes on
  std::chrono::steady_clock::time_point told_at_;
  bool active_ = false;
  bool reload_ = true;
  bool stopped_ = false;  // for good
  prometheus::Counter& applied_;
};

}  // namespace myelin::bus
