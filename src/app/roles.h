// What this process does of the homeserver's work (docs/decisions/0008). Every process holds every component; its roles
// say which are at work there. Plain data.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace myelin::app {

struct Roles {
  bool client = false;      // serves clients over HTTP, /sync too
  bool rooms = false;       // owns a share of the rooms
  bool sync = false;        // puts what happened in the order of /sync; serves clients as well
  bool background = false;  // push, and work that waits for other machines

  static Roles of(const std::vector<std::string>& names);  // of role_names()
  bool serve_clients() const { return client || sync; }
  // Whether it may apply what a consumer of the bus is told.
  bool may_apply(std::string_view consumer) const { return consumer == "sync" ? sync : background; }
};

std::span<const std::string_view> role_names();

}  // namespace myelin::app
