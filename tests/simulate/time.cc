// Defined here instead of in src/base: the world's time, and work for other threads, which is done at once.
#include "base/task.h"
#include "base/timer.h"
#include "tests/simulate/world.h"

namespace myelin {

std::chrono::steady_clock::time_point steady_now() { return simulate::World::current().now(); }

struct WorkerPool::State {};
WorkerPool::WorkerPool(std::string, int, size_t) {}
WorkerPool::~WorkerPool() = default;
bool WorkerPool::submit(std::function<void()> job) {
  job();
  return true;
}

}  // namespace myelin
