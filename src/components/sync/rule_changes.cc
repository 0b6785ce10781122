#include "components/sync/rule_changes.h"

#include <algorithm>

namespace myelin::sync {

void RuleChanges::changed(const UserId& user) { ++users_[user].changed; }

void RuleChanges::applied(const UserId& user) {
  auto it = users_.find(user);
  if (it == users_.end()) return;
  if (++it->second.applied == it->second.changed) users_.erase(it);
  bell_.ring();
}

Task<> RuleChanges::settle(std::chrono::steady_clock::time_point deadline) {
  auto before = users_;
  auto has_come = [this](const auto& entry) {
    auto now = users_.find(entry.first);
    return now == users_.end() || now->second.applied >= entry.second.changed;
  };
  while (!std::ranges::all_of(before, has_come)) {
    if (co_await bell_.wait(bell_.generation(), deadline)) continue;
    users_.clear();
  }
}

}  // namespace myelin::sync
