// Named crash points. A test names one in MYELIN_CRASH_AT ("lane.before_heads" or "lane.before_heads:7"): the process
// kills itself (SIGKILL, as from outside) the first or n-th time it gets there. Costs one load when none is set.
// Names are those of docs/reliability.md. Threads: any.
#pragma once
#include <atomic>

namespace myelin {

namespace fault {
extern std::atomic<bool> armed;
void reached(const char* name);
void arm_from_environment();  // once, at the start of main
}  // namespace fault

inline void crash_point(const char* name) {
  if (fault::armed.load(std::memory_order_relaxed)) [[unlikely]]
    fault::reached(name);
}

}  // namespace myelin
