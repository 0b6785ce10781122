// A process's way to the streams: late, with losses, repetitions and other orders; and for a while none at all. Thread:
// the one there is.
#pragma once
#include <memory>

#include "infra/bus/transport.h"
#include "tests/simulate/world.h"

namespace myelin::simulate {

struct NetworkFaults {
  double lose = 0, repeat = 0, slow = 0;
  bool deaf = false;  // only commands and their answers arrive
};

// Shared by a process and its transport, which the bus owns.
struct Reach {
  bool is_cut = false;
  std::function<void()> reconnected = [] {};
};

std::unique_ptr<bus::Transport> through_network(std::unique_ptr<bus::Transport> streams, World&, Loop&,
                                                std::shared_ptr<Reach>, const NetworkFaults&);

}  // namespace myelin::simulate
