#include "app/roles.h"

#include <algorithm>

namespace myelin::app {

std::span<const std::string_view> role_names() {
  static constexpr std::string_view kNames[] = {"client", "rooms", "sync", "background"};
  return kNames;
}

Roles Roles::of(const std::vector<std::string>& names) {
  auto has = [&](std::string_view name) { return std::ranges::find(names, name) != names.end(); };
  return {has("client"), has("rooms"), has("sync"), has("background")};
}

}  // namespace myelin::app
