// The bus over the real engine, embedded or remote.
#pragma once
#include <memory>

#include "engine/engine.h"
#include "infra/bus/bus.h"
#include "infra/bus/transport.h"

namespace myelin::bus {

struct JetStreamOptions {
  engine::Options engine;
  bool streams_in_memory = true;  // docs/decisions/0007-streams-in-memory.md
};

class JetStreamTransport : public Transport {
 public:
  virtual engine::Engine& engine() = 0;  // once open; for tests, which look into it
  static std::string stream_of(const Topic&);
};
std::unique_ptr<JetStreamTransport> make_jetstream_transport(JetStreamOptions, Executor loop);
std::unique_ptr<Bus> make_jetstream_bus(JetStreamOptions, db::Database&, Executor loop, const Clock&);

}  // namespace myelin::bus
