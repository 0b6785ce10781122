// Who holds how much: all processes alive that want a lease hold equally many of its parts, rounded up. Nobody lets go
// of more than it has above that, and whoever has less takes what is free. Pure.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace myelin::lease {

// The parts of one lease as a process sees them. What it is letting go of is in none of the lists.
struct Parts {
  uint32_t count = 0;
  std::vector<std::string> wanting;  // ids of the processes alive that want it, sorted, each once
  std::vector<uint32_t> held;        // by this process
  std::vector<uint32_t> former;      // this process's by the tables, but not by its memory
  std::vector<uint32_t> free;
};

struct Plan {
  std::vector<uint32_t> take;     // of `former`, then of `free`; each process begins with other parts
  std::vector<uint32_t> let_go;   // of `held`
  std::vector<uint32_t> give_up;  // of `former`
};

// A process that is not among those who want it keeps nothing.
Plan balance(const Parts&, std::string_view me);

}  // namespace myelin::lease
