#include "components/sync/presence_news.h"

#include <algorithm>

namespace myelin::sync {
namespace {
constexpr size_t kMaxBytes = 4u << 20;  // beyond: the longest unchanged go, and some clients learn of them later
}

PresenceNews::PresenceNews(presence::Presence& presence, Typing& typing, const Clock& clock)
    : presence_(presence),
      typing_(typing),
      clock_(clock),
      bytes_gauge_(metrics::gauge("myelin_cache_bytes", "Bytes held by a cache", {{"cache", "presence_news"}})) {}

void PresenceNews::drop(std::map<uint64_t, Change>::iterator it) {
  bytes_ -= it->second.bytes();
  by_user_.erase(it->second.user);
  changes_.erase(it);
}

void PresenceNews::changed(const UserId& user, std::vector<uint32_t> rooms) {
  if (auto it = by_user_.find(user); it != by_user_.end()) drop(changes_.find(it->second));
  auto count = typing_.next();
  by_user_[user] = count;
  bytes_ += (changes_[count] = {user, std::move(rooms)}).bytes();
  while (bytes_ > kMaxBytes && changes_.size() > 1) drop(changes_.begin());
  bytes_gauge_.Set(static_cast<double>(bytes_));
}

bool PresenceNews::concerns(const Change& change, const Subscriber& subscriber) const {
  return change.user != subscriber.user && std::ranges::any_of(change.rooms, [&](uint32_t room) {
           return std::ranges::binary_search(subscriber.rooms, room);
         });
}

std::set<UserId> PresenceNews::changed_users(const Subscriber& subscriber, const Token& since) const {
  std::set<UserId> out;
  for (auto it = changes_.upper_bound(typing_.seen_by(since)); it != changes_.end(); ++it)
    if (concerns(it->second, subscriber)) out.insert(it->second.user);
  return out;
}

bool PresenceNews::news(const Subscriber& subscriber, const Token& since) const {
  return std::any_of(changes_.upper_bound(typing_.seen_by(since)), changes_.end(),
                     [&](const auto& entry) { return concerns(entry.second, subscriber); });
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
