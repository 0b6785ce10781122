// The bus over the real engine, embedded or remote.
#pragma once
#include <memory>

#include "engine/engine.h"
#include "infra/bus/bus.h"

namespace myelin::bus {

struct JetStreamOptions {
  engine::Options engine;
  bool streams_in_memory = true;  // docs/spine.md
};
std::unique_ptr<Bus> make_jetstream_bus(JetStreamOptions, db::Database&, Executor loop, const Clock&);

}  // namespace myelin::bus
