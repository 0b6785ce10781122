// Named crash points. A test names one in MYELIN_CRASH_AT ("lane.before_heads" or "lane.before_heads:7"): the process
// kills itself (SIGKILL, as from outside) the first or n-th time it gets there. Costs one load when none is set.
// Failure points are the same, but every n-th time the code there fails as if the world had: MYELIN_FAIL_AT.
// Names are those of docs/reliability.md. Threads: any.
#pragma once
#include <atomic>

namespace myelin {

namespace fault {
extern std::atomic<bool> armed;
void reached(const char* name);
bool fails(const char* name);
void arm_from_environment();  // at the start of main, and by a test again; thread: one at a time
}  // namespace fault

inline void crash_point(const char* name) {
  if (fault::armed.load(std::memory_order_relaxed)) [[unlikely]]
    fault::reached(name);
}
inline bool failure_point(const char* name) {
  return fault::armed.load(std::memory_order_relaxed) && fault::fails(name);
}

}  // namespace myelin
