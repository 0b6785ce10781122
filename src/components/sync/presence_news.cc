#include "components/sync/presence_news.h"

#include <algorithm>

namespace myelin::sync {
namespace {

bool share_a_room(const std::vector<uint32_t>& a, const std::vector<uint32_t>& b) {
  return std::ranges::any_of(a, [&](uint32_t room) { return std::ranges::binary_search(b, room); });
}

}  // namespace

void PresenceNews::changed(const UserId& user, std::vector<uint32_t> rooms) {
  changes_[user] = {typing_.next(), std::move(rooms)};
}

std::set<UserId> PresenceNews::changed_users(const Subscriber& subscriber, const Token& since) const {
  std::set<UserId> out;
  auto seen = typing_.seen_by(since);
  if (seen >= typing_.count()) return out;
  for (const auto& [user, change] : changes_)
    if (change.count > seen && user != subscriber.user && share_a_room(change.rooms, subscriber.rooms))
      out.insert(user);
  return out;
}

bool PresenceNews::news(const Subscriber& subscriber, const Token& since) const {
  return !changed_users(subscriber, since).empty();
}

std::vector<std::string> PresenceNews::events(const std::set<UserId>& users) const {
  std::vector<std::string> out;
  for (const auto& user : users) {
    auto status = presence_.status(user);
    if (!status) continue;
    json::Object content{{"presence", presence::to_string(status->state)}};
    if (status->message) content["status_msg"] = *status->message;
    if (status->state == presence::State::kOnline)
      content["currently_active"] = true;
    else
      content["last_active_ago"] = std::max<Milliseconds>(0, clock_.now() - status->last_active);
    out.push_back(
        json::serialize(json::Object{{"type", "m.presence"}, {"sender", user.str()}, {"content", std::move(content)}}));
  }
  return out;
}

}  // namespace myelin::sync
