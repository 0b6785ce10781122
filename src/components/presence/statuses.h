// Who is there (client-server API, Presence): kept in memory, lost with the process. Thread: the loop.
#pragma once
#include <string>
#include <unordered_map>
#include <vector>

#include "components/presence/presence.h"

namespace myelin::presence {

// Each change tells whether it is news to others: a later last_active alone is not.
class Statuses {
 public:
  explicit Statuses(const Clock& clock) : clock_(clock) {}
  bool set(const UserId&, State, std::optional<std::string> message);
  bool seen(const UserId&, State, std::chrono::milliseconds stay);
  bool told(const UserId&, State, std::optional<std::string> message);  // by the process that the user is on
  std::optional<Status> find(const UserId&) const;
  std::vector<UserId> expire();  // who is offline from now on

 private:
  struct Entry {
    Status status;
    std::optional<std::chrono::steady_clock::time_point> until{};  // nullopt: another process counts
  };
  bool change(Entry&, State, std::optional<std::string> message);
  const Clock& clock_;
  std::unordered_map<UserId, Entry> entries_;
};

}  // namespace myelin::presence
