#include "base/fault.h"

#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <list>
#include <string>
#include <string_view>

namespace myelin::fault {
std::atomic<bool> armed = false;
namespace {
struct Point {
  std::string name;
  long nth = 1;
  std::atomic<long> times = 0;
};
std::atomic<Point*> crash, failure;  // never deleted: other threads may be looking

bool is_nth_time(Point* point, const char* here) {
  return point != nullptr && point->name == here && ++point->times % point->nth == 0;
}

void arm(std::atomic<Point*>& which, const char* variable) {
  static std::list<Point> all;
  const char* text = std::getenv(variable);
  if (text == nullptr || *text == '\0') return;
  std::string_view spec = text;
  auto colon = spec.find(':');
  auto& point = all.emplace_back();
  point.name = spec.substr(0, colon);
  if (colon != std::string_view::npos) {
    auto digits = spec.substr(colon + 1);
    std::from_chars(digits.data(), digits.data() + digits.size(), point.nth);
    if (point.nth < 1) point.nth = 1;
  }
  which = &point;
  armed = true;
}
}  // namespace

void reached(const char* name) {
  if (!is_nth_time(crash, name)) return;
  ::kill(::getpid(), SIGKILL);
  ::pause();
}

bool fails(const char* name) { return is_nth_time(failure, name); }

void arm_from_environment() {
  arm(crash, "MYELIN_CRASH_AT");
  arm(failure, "MYELIN_FAIL_AT");
}

}  // namespace myelin::fault
