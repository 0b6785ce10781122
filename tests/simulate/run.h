// One run: a seed, a homeserver of some processes, clients, faults; then quiet, and the checks. Thread: the one there
// is.
#pragma once
#include <deque>
#include <optional>
#include <string>

#include "tests/simulate/template.h"

namespace myelin::simulate {

struct Outcome {
  std::optional<std::string> violation;
  uint64_t hash = 0, steps = 0, events = 0, requests = 0;
  double seconds = 0;  // simulated
  std::deque<std::string> trace;
};
Outcome run(uint64_t seed, SharedDatabase&, const Template&, const SigningKey&, bool whole_trace);

}  // namespace myelin::simulate
