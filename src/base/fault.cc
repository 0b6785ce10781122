#include "base/fault.h"

#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>

namespace myelin::fault {
std::atomic<bool> armed = false;
namespace {
struct Point {  // written before armed is set; then only `times` changes
  std::string name;
  long nth = 1;
  std::atomic<long> times = 0;
  bool is_nth_time_at(const char* here) { return name == here && ++times % nth == 0; }
};
Point crash, failure;

void arm(Point& point, const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr || *text == '\0') return;
  std::string_view spec = text;
  auto colon = spec.find(':');
  point.name = std::string(spec.substr(0, colon));
  if (colon != std::string_view::npos) {
    auto digits = spec.substr(colon + 1);
    std::from_chars(digits.data(), digits.data() + digits.size(), point.nth);
    if (point.nth < 1) point.nth = 1;
  }
  armed = true;
}
}  // namespace

void reached(const char* name) {
  if (!crash.is_nth_time_at(name)) return;
  ::kill(::getpid(), SIGKILL);
  ::pause();
}

bool fails(const char* name) { return failure.is_nth_time_at(name); }

void arm_from_environment() {
  arm(crash, "MYELIN_CRASH_AT");
  arm(failure, "MYELIN_FAIL_AT");
}

}  // namespace myelin::fault
