#include "components/presence/typing.h"

#include <algorithm>

namespace myelin::presence {
namespace {

// Nobody looks at more than a few names, and a room of thousands must not make every change cost thousands.
constexpr size_t kMaxPerRoom = 100;

}  // namespace

bool Typing::start(const RoomId& room, const UserId& user, Time until) {
  auto& users = rooms_[room];
  auto it = users.find(user);
  if (it == users.end()) {
    if (users.size() >= kMaxPerRoom) return false;
    users.emplace(user, until);
    due_.emplace(until, std::pair{room, user});
    return true;
  }
  bool was_over = it->second <= clock_.steady();
  unschedule(room, user, it->second);
  it->second = until;
  due_.emplace(until, std::pair{room, user});
  return was_over;
}

bool Typing::stop(const RoomId& room, const UserId& user) {
  auto users = rooms_.find(room);
  if (users == rooms_.end()) return false;
  auto it = users->second.find(user);
  if (it == users->second.end()) return false;
  unschedule(room, user, it->second);
  users->second.erase(it);
  if (users->second.empty()) rooms_.erase(users);
  return true;
}

std::optional<Typing::Time> Typing::until(const RoomId& room, const UserId& user) const {
  auto users = rooms_.find(room);
  if (users == rooms_.end()) return std::nullopt;
  auto it = users->second.find(user);
  if (it == users->second.end() || it->second <= clock_.steady()) return std::nullopt;
  return it->second;
}

std::vector<UserId> Typing::now(const RoomId& room) const {
  std::vector<UserId> out;
  auto users = rooms_.find(room);
  if (users == rooms_.end()) return out;
  for (const auto& [user, until] : users->second)
    if (until > clock_.steady()) out.push_back(user);
  return out;
}

std::vector<RoomId> Typing::expire() {
  std::vector<RoomId> changed;
  while (!due_.empty() && due_.begin()->first <= clock_.steady()) {
    auto [room, user] = due_.begin()->second;
    stop(room, user);
    if (std::ranges::find(changed, room) == changed.end()) changed.push_back(room);
  }
  return changed;
}

std::optional<Typing::Time> Typing::next_expiry() const {
  if (due_.empty()) return std::nullopt;
  return due_.begin()->first;
}

void Typing::unschedule(const RoomId& room, const UserId& user, Time at) {
  auto [first, last] = due_.equal_range(at);
  auto it = std::find_if(first, last, [&](const auto& entry) { return entry.second == std::pair{room, user}; });
  if (it != last) due_.erase(it);
}

}  // namespace myelin::presence
