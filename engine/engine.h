// The engine seen from C++: JetStream and core NATS, embedded or remote, through the C functions of the Go archive. One
// eventfd, one coroutine: what Go completes is drained into our buffer and handed to the handler of its token.
// Thread: the loop; open() and the ensure_ functions block and are for the start.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/task.h"

namespace myelin::engine {

struct Options {
  std::string url;         // "" = embedded: the real nats-server in this process, without a port
  std::string store_dir;   // embedded
  int64_t memory_mb = 48;  // of Go's heap; a soft limit
  int64_t threads = 2;     // that run Go code at once
  std::string user, password, token, credentials, nkey, tls_ca, tls_cert, tls_key;  // external
};

struct StreamSpec {
  std::string name;
  std::vector<std::string> subjects;
  bool in_memory = true;
  int64_t max_bytes = 64 << 20;  // the oldest go first: the outbox table has them
};

struct Publish {
  std::string subject, payload;
};

// A delivered message: `reply` acknowledges it.
using MessageHandler = std::function<void(std::string_view reply, std::string_view payload)>;

class Engine {
 public:
  static Result<std::unique_ptr<Engine>> open(const Options&, Executor loop);  // kUnavailable says why
  ~Engine();
  void close();  // blocking; no handler is called afterwards

  Result<void> ensure_stream(const StreamSpec&);
  Result<void> ensure_consumer(const std::string& stream, const std::string& name);

  // `done` tells whether all are stored.
  void publish(const std::vector<Publish>&, std::function<void(Result<void>)> done);
  // Messages of a durable consumer, at most `prefetch` unacknowledged ones ahead.
  void subscribe(const std::string& stream, const std::string& consumer, int prefetch, MessageHandler);
  void acknowledge(const std::vector<std::string>& replies);

  void hint(const std::string& subject, std::string_view payload);
  Result<void> listen(const std::string& subject, const std::string& queue, MessageHandler);
  void request(const std::string& subject, std::string_view payload, std::chrono::milliseconds deadline,
               std::function<void(Result<std::string>)> done);

  int64_t last_sequence(const std::string& stream) const;  // -1: there is no such stream
  static uint64_t memory_bytes();                          // what Go has from the system

 private:
  Engine(uint64_t handle, int eventfd, Executor loop);
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace myelin::engine
