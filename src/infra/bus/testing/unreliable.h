// A transport that loses, repeats, delays and reorders on purpose what another one carries. Thread: the loop.
#pragma once
#include <memory>

#include "base/random.h"
#include "infra/bus/transport.h"

namespace myelin::bus::testing {

struct Faults {  // of a hundred messages
  int lose = 0, repeat = 0, delay = 0;
  bool any() const { return lose + repeat + delay > 0; }
};

// `random` decides, so a seed gives the same faults to the same messages. Hints and commands may be lost too.
std::unique_ptr<Transport> make_unreliable(std::unique_ptr<Transport>, Faults, Random& random);

}  // namespace myelin::bus::testing
