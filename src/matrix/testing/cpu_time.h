// For tests of what something costs beside something else, on a machine that has other work too.
#pragma once
#include <ctime>

namespace myelin::testing {

// What this thread has computed so far.
inline double cpu_seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

template <class Work>
double cpu_seconds_of(Work work) {
  double start = cpu_seconds();
  work();
  return cpu_seconds() - start;
}

}  // namespace myelin::testing
