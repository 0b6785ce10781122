#include "components/sync/typing.h"

#include <algorithm>

namespace myelin::sync {
namespace {
constexpr size_t kMaxRooms = 4096;          // beyond: the longest unchanged go, and their clients may miss a stop
constexpr uint64_t kFarAhead = 86'400'000;  // ms: what no clock is ahead of another

bool is_in(const Subscriber& subscriber, uint32_t room_no) {
  return std::ranges::binary_search(subscriber.rooms, room_no);
}

// FNV-1a, with an end to each text.
uint64_t hash_of(const RoomId& room, const std::vector<UserId>& users) {
  uint64_t hash = 14695981039346656037U;
  auto add = [&hash](const std::string& text) {
    for (unsigned char c : text) hash = (hash ^ c) * 1099511628211U;
    hash = (hash ^ 0xff) * 1099511628211U;
  };
  add(room.str());
  for (const auto& user : users) add(user.str());
  return hash;
}
}  // namespace

Typing::Typing(presence::Presence& presence, Random& random, const Clock& clock)
    : presence_(presence), clock_(clock), process_(static_cast<uint32_t>(random.next() % 0x7fffffff + 1)) {}

uint64_t Typing::next() { return count_ = std::max(count_ + 1, static_cast<uint64_t>(clock_.now())); }

void Typing::heard_of(const Token& token) {
  if (auto seen = seen_by(token); seen < static_cast<uint64_t>(clock_.now()) + kFarAhead)
    count_ = std::max(count_, seen);
}

void Typing::changed(uint32_t room_no, const RoomId& room) {
  auto& last = rooms_[room_no];
  if (last != 0) by_count_.erase(last);
  last = next();
  by_count_[last] = room_no;
  auto users = presence_.typing_now(room);
  if (users.empty())
    active_.erase(room_no);
  else
    active_[room_no] = hash_of(room, users);
  if (rooms_.size() <= kMaxRooms) return;
  auto oldest = by_count_.begin();
  rooms_.erase(oldest->second);
  active_.erase(oldest->second);
  by_count_.erase(oldest);
}

uint64_t Typing::shown_to(const Subscriber& subscriber) const {
  uint64_t all = 0;
  bool somebody = false;
  for (auto [room_no, who] : active_) {
    if (!is_in(subscriber, room_no)) continue;
    somebody = true;
    all ^= who;
  }
  return somebody ? (all & kShown) | 1 : 0;
}

bool Typing::differs(const Subscriber& subscriber, const Token& token) const {
  return !is_ours(token) && (token.typing & kShown) != shown_to(subscriber);
}

void Typing::mark(Token& token, const Subscriber& subscriber) const {
  if (count_ == 0) return;
  token.process = process_;
  token.typing = count_ << kShownBits | shown_to(subscriber);
}

void Typing::doubt(Token& token) const {
  if (seen_by(token) != count_) token.typing = (token.typing & ~kShown) | kUnknown;
}

std::vector<uint32_t> Typing::changed_rooms(const Subscriber& subscriber, const Token& token) const {
  std::vector<uint32_t> out;
  if (is_ours(token)) {
    for (auto it = by_count_.upper_bound(seen_by(token)); it != by_count_.end(); ++it)
      if (is_in(subscriber, it->second)) out.push_back(it->second);
  } else if (differs(subscriber, token)) {
    if ((token.typing & kShown) != 0) return subscriber.rooms;  // nobody knows where they typed
    for (auto [room_no, who] : active_)
      if (is_in(subscriber, room_no)) out.push_back(room_no);
  }
  return out;
}

bool Typing::news(const Subscriber& subscriber, const Token& token) const {
  if (!is_ours(token) && !differs(subscriber, token)) return false;
  return std::any_of(by_count_.upper_bound(seen_by(token)), by_count_.end(),
                     [&](const auto& entry) { return is_in(subscriber, entry.second); });
}

std::optional<std::string> Typing::event(uint32_t room_no, const RoomId& room, const Subscriber& subscriber,
                                         const std::optional<Token>& since) const {
  bool changed = false;
  if (since && !is_ours(*since)) {
    changed = differs(subscriber, *since);
  } else if (auto it = rooms_.find(room_no); it != rooms_.end()) {
    changed = !since || it->second > seen_by(*since);
  }
  if (!changed) return std::nullopt;
  auto users = presence_.typing_now(room);
  if (users.empty() && (!since || (!is_ours(*since) && (since->typing & kShown) == 0))) return std::nullopt;
  json::Array ids;
  for (const auto& user : users) ids.emplace_back(user.str());
  return json::serialize(json::Object{{"type", "m.typing"}, {"content", json::Object{{"user_ids", std::move(ids)}}}});
}

}  // namespace myelin::sync
