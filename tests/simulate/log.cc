// Defined here instead of in src/base: log lines are lines of the trace.
#include "base/log.h"

#include <cstdio>

#include "tests/simulate/world.h"

namespace myelin::log {

void set_level(Level) {}
bool enabled(Level level) { return level > Level::kDebug; }
void write(Level level, std::string_view text) {
  constexpr const char* kNames[] = {"debug", "info", "warning", "error"};
  if (!enabled(level)) return;
  if (simulate::World::lives())
    simulate::World::current().log(kNames[static_cast<int>(level)], text);
  else
    fmt::print(stderr, "{}\n", text);
}

}  // namespace myelin::log
