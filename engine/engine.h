// The engine seen from C++: JetStream and core NATS, embedded or remote, in the Go archive. What is asked of it, and
// what comes of that, passes through two mailboxes; one coroutine hands each answer to the handler of its token.
// Thread: the loop; open(), close(), listen(), last_sequence() and the ensure_ and delete_ functions block: they are
// for the start, the end and tests. Nothing else waits, however slow NATS is: it fails, or drops what may be lost.
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
  // kUnavailable says why; kTimeout: no server answers at the URL, or its JetStream does not yet;
  // kCorrupt: what the embedded engine has stored is damaged.
  static Result<std::unique_ptr<Engine>> open(const Options&, Executor loop);
  ~Engine();
  void close();  // what was asked for and not answered fails; no handler is called afterwards

  // Makes it, or brings an existing one up to date without loss, or says why that is impossible. What was ensured is
  // made again when it vanishes under a subscription.
  Result<void> ensure_stream(const StreamSpec&);
  Result<void> ensure_consumer(const std::string& stream, const std::string& name);
  Result<void> delete_stream(const std::string& name);  // tests
  Result<void> delete_consumer(const std::string& stream, const std::string& name);

  // `done` tells whether all are stored.
  void publish(const std::vector<Publish>&, std::function<void(Result<void>)> done);
  // Messages of a durable consumer, until unsubscribe(); about `prefetch` are on their way ahead of what was handled.
  uint64_t subscribe(const std::string& stream, const std::string& consumer, int prefetch, MessageHandler);
  // The handler is not called again. What was on its way to it is delivered to who subscribes now, or next.
  void unsubscribe(uint64_t subscription);
  void acknowledge(const std::vector<std::string>& replies);  // may be lost
  void refuse(const std::vector<std::string>& replies);       // to be delivered again at once; may be lost

  void hint(const std::string& subject, std::string_view payload);
  Result<void> listen(const std::string& subject, MessageHandler);
  // kUnavailable at once when nobody listens, kTimeout at the deadline; an answer that comes later is dropped.
  void request(const std::string& subject, std::string_view payload, std::chrono::milliseconds deadline,
               std::function<void(Result<std::string>)> done);
  std::string server() const;  // the name of the one that it is connected to; "" = none, "embedded" = its own
  // Goes over to another server of the cluster; nothing where there is none.
  void leave_server();
  // Called when the connection was lost and is there again: what others sent to a subject meanwhile does not come.
  void on_reconnected(std::function<void()>);

  int64_t last_sequence(const std::string& stream) const;  // -1: there is no such stream
  static uint64_t memory_bytes();                          // what Go has from the system

 private:
  struct State;
  explicit Engine(std::shared_ptr<State>);
  std::shared_ptr<State> state_;
};

}  // namespace myelin::engine
