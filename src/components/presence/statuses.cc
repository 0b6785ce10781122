#include "components/presence/statuses.h"

namespace myelin::presence {
namespace {

constexpr std::chrono::seconds kGrace{30};  // after a client was to be gone
constexpr std::pair<State, std::string_view> kNames[] = {
    {State::kOffline, "offline"}, {State::kUnavailable, "unavailable"}, {State::kOnline, "online"}};

}  // namespace

std::string_view to_string(State state) {
  for (auto [known, name] : kNames)
    if (known == state) return name;
  return "offline";
}

std::optional<State> state_from(std::string_view text) {
  for (auto [state, name] : kNames)
    if (name == text) return state;
  return std::nullopt;
}

bool Statuses::change(Entry& entry, State state, std::optional<std::string> message) {
  bool news = entry.status.state != state || entry.status.message != message;
  entry.status = {state, std::move(message), clock_.now()};
  return news;
}

bool Statuses::set(const UserId& user, State state, std::optional<std::string> message) {
  auto& entry = entries_[user];
  auto until = clock_.steady() + kGrace;
  entry.until = std::max(entry.until.value_or(until), until);
  return change(entry, state, std::move(message));
}

bool Statuses::seen(const UserId& user, State state, std::chrono::milliseconds stay) {
  if (state == State::kOffline) return false;  // the client is not to be noticed
  auto& entry = entries_[user];
  entry.until = clock_.steady() + stay + kGrace;
  auto message = entry.status.message;
  return change(entry, state, std::move(message));
}

bool Statuses::told(const UserId& user, State state, std::optional<std::string> message) {
  auto& entry = entries_[user];
  if (entry.until && state == State::kOffline) return false;  // the user is still here
  return change(entry, state, std::move(message));
}

std::optional<Status> Statuses::find(const UserId& user) const {
  auto it = entries_.find(user);
  if (it == entries_.end()) return std::nullopt;
  return it->second.status;
}

std::vector<UserId> Statuses::expire() {
  std::vector<UserId> out;
  auto now = clock_.steady();
  for (auto& [user, entry] : entries_) {
    if (!entry.until || *entry.until > now) continue;
    entry.until.reset();
    if (change(entry, State::kOffline, entry.status.message)) out.push_back(user);
  }
  return out;
}

}  // namespace myelin::presence
