// What carries messages between processes: JetStream, or for tests something in this process. It may lose, repeat,
// delay and reorder: the bus above it is right all the same. Thread: the loop; open() any, before all
// else. open(), close(), provision() and listen() block.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "infra/bus/bus.h"

namespace myelin::bus {

using Outgoing = engine::Publish;  // subject "room.out.7"

class Transport {
 public:
  using Handler = engine::MessageHandler;
  virtual ~Transport() = default;
  virtual Result<void> open() = 0;
  virtual void close() = 0;  // no handler is called afterwards
  virtual uint64_t memory_bytes() const { return 0; }

  // The topic's stream and a durable consumer of it; it never deletes one. Messages stay until every consumer has
  // acknowledged them.
  virtual Result<void> provision(const Topic&, const std::string& consumer) = 0;
  // After provision() failed; on the loop. Ok: everything may be provisioned again, to another end.
  virtual Result<void> recover(Error why) { return std::unexpected(std::move(why)); }
  virtual void subscribe(const Topic&, const std::string& consumer, Handler) = 0;
  // The handler is not called again; what was on its way to it is delivered to who subscribes now, or next.
  virtual void unsubscribe(const Topic&, const std::string& consumer) = 0;
  virtual void publish(std::vector<Outgoing>, std::function<void(Result<void> stored)> done) = 0;
  virtual void acknowledge(std::vector<std::string> replies) = 0;
  virtual void refuse(std::vector<std::string> replies) = 0;  // to be delivered again

  // Every message of the topic as it is published, by whomever; not kept for who does not listen at the moment.
  virtual Result<void> follow(const Topic&, Handler) = 0;
  // Before open(). Called when the connection was lost and is back: what is not kept has passed by.
  virtual void on_reconnected(std::function<void()>) = 0;

  virtual std::string server() { return ""; }  // its name, see Bus
  virtual void leave_server() {}               // for another one, where there are several

  // Not kept: who does not listen at the moment does not hear it.
  virtual void hint(const std::string& subject, std::string_view payload) = 0;
  virtual Result<void> listen(const std::string& subject, Handler) = 0;
  virtual void request(const std::string& subject, std::string_view payload, std::chrono::milliseconds deadline,
                       std::function<void(Result<std::string>)> done) = 0;
};

}  // namespace myelin::bus
