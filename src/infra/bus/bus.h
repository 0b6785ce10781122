// Topics: delivery of what the database has committed. The database is the truth, the stream is the
// delivery, and a dense sequence number lets every reader see what it missed (docs/spine.md).
//
// A message is an outbox row that a lane numbered. Consumers read partitions in order; the bus drops duplicates, reads
// jumps from the outbox table, and moves cursor(consumer, topic, partition) by compare-and-swap in the transaction
// that holds the effects. A message that proves that the database went back in time ends the process (rule A13).
// Thread: the loop, unless said.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/task.h"
#include "infra/db/db.h"

namespace myelin::bus {

inline constexpr uint32_t kPartitions = 64;   // fixed for life; stored in the database and checked at start
uint32_t partition_of(std::string_view key);  // room id or user id -> 0..63; fixed for life

struct Topic {
  std::string_view name;  // "room.out"
};

struct Message {
  uint32_t partition = 0;
  uint64_t seq = 0;
  std::string body;
};

// What a consumer makes of a batch: rows to write with the cursors in one transaction, and what to do once that is
// committed (wake waiters). Both may be empty.
struct Effects {
  std::function<Result<void>(db::Tx&)> write;  // a closure: may run twice, touches only the transaction
  std::function<void()> committed;             // on the loop
};

struct ConsumerSpec {
  std::string name;  // "sync"
  Topic topic;
  // Called with messages of any partitions, each partition's in order, never twice at once. Waits for nothing but the
  // database. An Error with a deterministic cause (kBadJson, kNotJson, kCorrupt, kInternal), or an exception again and
  // again, on a batch of one parks that message's key; anything else is retried for ever, with back-off.
  std::function<Task<Result<Effects>>(std::vector<Message>)> apply;
  // The room or user that a message belongs to: what waits behind a parked message.
  std::function<std::string(const Message&)> key;
};

struct Parked {  // a key whose messages wait, for the administrator
  std::string consumer, key, reason;
  uint64_t messages = 0;
};

// Losable, coalescing notices (typing, wake-ups): core NATS. Lost ones must cost only time.
using HintHandler = std::function<void(std::string payload)>;
// Commands: request/reply, answered by the owner (docs/spine.md, rule B2).
using CommandHandler = std::function<Task<std::string>(std::string payload)>;

class Bus {
 public:
  virtual ~Bus() = default;
  // Before start(): every consumer of every topic is declared, so no message is published to nobody.
  virtual void declare(ConsumerSpec) = 0;
  virtual void on_hint(std::string subject, HintHandler) = 0;
  virtual void serve(std::string subject, CommandHandler) = 0;
  // Provisions streams and durable consumers (never deletes one), registers new cursors at their heads, removes none,
  // starts the supervised consumer loops, the publisher and the head poll.
  virtual Task<Result<void>> start() = 0;
  virtual void hint(std::string subject, std::string payload) = 0;
  // kUnavailable at once when too many are under way, or nobody serves.
  virtual Task<Result<std::string>> request(std::string subject, std::string payload,
                                            std::chrono::milliseconds deadline) = 0;
  virtual Task<Result<std::vector<Parked>>> parked() = 0;
  // Applies them in order; stops at the first that still fails, with its error.
  virtual Task<Result<void>> unpark(std::string consumer, std::string key) = 0;
  // True once every declared consumer has applied everything that was committed before the call (tests, draining).
  virtual Task<bool> settled(std::chrono::steady_clock::time_point deadline) = 0;
  virtual Task<> stop() = 0;
};

}  // namespace myelin::bus
