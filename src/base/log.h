// Logging: one line an entry, to standard error. Threads: any.
#pragma once
#include <fmt/format.h>

#include <string_view>

namespace myelin::log {

enum class Level { kDebug, kInfo, kWarning, kError };
void set_level(Level);
bool enabled(Level);
void write(Level, std::string_view text);

template <class... A>
void debug(fmt::format_string<A...> format, A&&... args) {
  if (enabled(Level::kDebug)) write(Level::kDebug, fmt::format(format, std::forward<A>(args)...));
}
template <class... A>
void info(fmt::format_string<A...> format, A&&... args) {
  if (enabled(Level::kInfo)) write(Level::kInfo, fmt::format(format, std::forward<A>(args)...));
}
template <class... A>
void warning(fmt::format_string<A...> format, A&&... args) {
  write(Level::kWarning, fmt::format(format, std::forward<A>(args)...));
}
template <class... A>
void error(fmt::format_string<A...> format, A&&... args) {
  write(Level::kError, fmt::format(format, std::forward<A>(args)...));
}

}  // namespace myelin::log
