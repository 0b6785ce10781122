#include "base/timer.h"

namespace myelin {

std::chrono::steady_clock::time_point steady_now() { return std::chrono::steady_clock::now(); }

}  // namespace myelin
