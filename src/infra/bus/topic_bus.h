// The bus over any transport. Thread: the loop.
#pragma once
#include <memory>

#include "infra/bus/bus.h"
#include "infra/bus/transport.h"

namespace myelin::bus {

struct Options {
  std::chrono::milliseconds head_poll{1'000};  // how late a message that the transport lost can be
  std::chrono::milliseconds trim{5'000};
  std::chrono::milliseconds former_life{60'000};  // how long after a start messages of this database's past may come
};
std::unique_ptr<Bus> make_bus(std::unique_ptr<Transport>, db::Database&, Executor loop, const Clock&, Options = {});

}  // namespace myelin::bus
