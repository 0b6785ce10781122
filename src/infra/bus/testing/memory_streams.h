// Streams in this process's memory: to the bus what JetStream is, without a server. Several buses may share one, as
// processes share a NATS. For tests and the simulator; the program does not link it. Thread: the loop.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "infra/bus/transport.h"

namespace myelin::bus::testing {

class MemoryStreams {
 public:
  explicit MemoryStreams(Executor loop);
  std::unique_ptr<Transport> connect();  // once per bus; what it has not acknowledged when it closes is delivered again
  // The same for a process with a loop of its own, which the same thread runs.
  std::unique_ptr<Transport> connect(Executor loop);
  void wipe();  // every stream and consumer goes; subscriptions make theirs again
  // What each consumer of each topic has not acknowledged yet. Put back, it is delivered again, also to those who have.
  using Copy = std::map<std::string, std::map<std::string, std::vector<std::string>>>;
  Copy copy() const;
  void put_back(const Copy&);

  struct State;  // shared with the connections

 private:
  std::shared_ptr<State> state_;
};

}  // namespace myelin::bus::testing
