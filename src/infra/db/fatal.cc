#include "infra/db/fatal.h"

#include <cstdlib>
#include <mutex>

#include "base/log.h"

namespace myelin::db {
namespace {
std::mutex mutex;
std::function<void(const std::string&)>& handler() {
  static std::function<void(const std::string&)> instance;
  return instance;
}
}  // namespace

void set_fatal_handler(std::function<void(const std::string&)> replacement) {
  std::lock_guard lock(mutex);
  handler() = std::move(replacement);
}

void fatal(const std::string& message) {
  log::error("{}", message);
  std::lock_guard lock(mutex);
  if (handler()) return handler()(message);
  std::_Exit(74);
}

}  // namespace myelin::db
