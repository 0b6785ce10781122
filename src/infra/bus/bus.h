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

inline constexpr uint32_t kPartitions = 64;  // fixed for life; stored in the database and checked at start
// Fixed for life. Of a key, which is a room id or a user id; its partition, 0..63, is the rest.
uint32_t hash_of(std::string_view key);
inline uint32_t partition_of(std::string_view key) { return hash_of(key) % kPartitions; }

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
  // It becomes active here, before anything is applied: what another process applied meanwhile is in the database only.
  std::function<void()> activated{};
};

// Hears of every message of a topic as it is published, by whichever process: no cursor, no acknowledgement, no order
// between partitions. For caches: each number of a partition is given once, rising; what does not come is told.
struct FollowerSpec {
  Topic topic;
  std::function<void(const Message&)> seen;
  // Any message that was committed before this call may be one that seen() was not called with, and will not be. Once
  // at the start; when a number is jumped over; when the heads show one that has still not come at the next head poll;
  // when the connection is back.
  std::function<void()> missed;
};

struct Parked {  // a key whose messages wait, for the administrator
  std::string consumer, key, reason;
  uint64_t messages = 0;
};

// Losable, coalescing notices (typing, wake-ups): core NATS. Lost ones must cost only time.
using HintHandler = std::function<void(std::string payload)>;
// Commands: request/reply, answered by the owner (docs/spine.md, rule B2). Both ways up to 1 MiB, an answer less a
// byte. One that throws is logged and answered with kInternal.
using CommandHandler = std::function<Task<std::string>(std::string payload)>;

// Of this process, at its start.
enum class Consumers {
  kActive,  // all of them: there is no other process
  kAtRest,  // until activate()
};

class Bus {
 public:
  virtual ~Bus() = default;
  // Before start(): every consumer of every topic is declared, so no message is published to nobody.
  virtual void declare(ConsumerSpec) = 0;
  virtual std::vector<std::pair<std::string, Topic>> consumers() const = 0;  // that are declared
  // Before start(). Nothing ever comes of it on a database that only one process may use (SQLite): what this one
  // commits, whoever commits it knows.
  virtual void follow(FollowerSpec) = 0;
  virtual void on_hint(std::string subject, HintHandler) = 0;
  // The subject names this process, or what it alone has: whoever else serves it does so too, and the first answer
  // counts.
  virtual void serve(std::string subject, CommandHandler) = 0;
  // Provisions streams and durable consumers (never deletes one), registers new cursors at their heads, removes none,
  // starts the supervised consumer loops, the publisher and the head poll.
  virtual Task<Result<void>> start(Consumers = Consumers::kActive) = 0;
  // From start() on, for a consumer that is declared. At rest one takes nothing from the stream, reads no messages from
  // the outbox, has no lag and need not settle; another process applies, from where the cursors are. Two that are
  // active at once do no harm: their cursors' compare-and-swap lets one of them apply a message (rule A4).
  virtual void activate(std::string_view consumer, const Topic&) = 0;
  // Returns once nothing of it is under way (for an unpark() one message counts), at the latest after 10 s with a
  // warning. Nothing is cut off halfway; what is applied then is acknowledged, the rest is for the next one.
  virtual Task<> rest(std::string consumer, Topic) = 0;
  virtual void hint(std::string subject, std::string payload) = 0;
  // kUnavailable at once when too many are under way, or nobody serves; kTimeout at the deadline, when it may have been
  // served, or still be; what is answered later is dropped. `give_up` is asked ten times a second: true is kTimeout.
  virtual Task<Result<std::string>> request(std::string subject, std::string payload,
                                            std::chrono::milliseconds deadline, std::function<bool()> give_up = {}) = 0;
  // The name of the nats-server that this process is connected to; "" = none, "embedded" = its own.
  virtual std::string server() { return ""; }
  // Goes over to another server of the NATS cluster, if there is one: for who is on one that is cut off.
  virtual void leave_server() {}
  virtual Task<Result<std::vector<Parked>>> parked() = 0;
  // Applies them in order; stops at the first that still fails, with its error.
  virtual Task<Result<void>> unpark(std::string consumer, std::string key) = 0;
  // True once every consumer that is active here has applied everything that was committed before the call (tests,
  // draining).
  virtual Task<bool> settled(std::chrono::steady_clock::time_point deadline) = 0;
  virtual Task<> stop() = 0;
};

}  // namespace myelin::bus
