#include "components/sync/typing.h"

#include <algorithm>

namespace myelin::sync {
namespace {
constexpr size_t kMaxRooms = 4096;  // beyond: the longest unchanged go, and their clients may miss a stop

bool is_in(const Subscriber& subscriber, uint32_t room_no) {
  return std::ranges::binary_search(subscriber.rooms, room_no);
}
}  // namespace

Typing::Typing(presence::Presence& presence, Random& random)
    : presence_(presence), process_(static_cast<uint32_t>(random.next() % 0x7fffffff + 1)) {}

void Typing::changed(uint32_t room_no, const RoomId& room) {
  auto& last = rooms_[room_no];
  if (last != 0) by_count_.erase(last);
  last = ++count_;
  by_count_[last] = room_no;
  if (presence_.typing_now(room).empty())
    active_.erase(room_no);
  else
    active_.insert(room_no);
  if (rooms_.size() <= kMaxRooms) return;
  auto oldest = by_count_.begin();
  rooms_.erase(oldest->second);
  active_.erase(oldest->second);
  by_count_.erase(oldest);
}

// The token's number: twice the count, and one more where its client was shown somebody typing.
uint64_t Typing::seen_by(const Token& token) const { return token.process == process_ ? token.typing / 2 : 0; }

bool Typing::is_lost(const Token& token) const {
  return token.process != 0 && token.process != process_ && token.typing % 2 == 1;
}

void Typing::mark(Token& token, const Subscriber& subscriber) const {
  if (count_ == 0) return;
  bool shown = std::ranges::any_of(active_, [&](uint32_t room_no) { return is_in(subscriber, room_no); });
  token.process = process_;
  token.typing = 2 * count_ + (shown ? 1 : 0);
}

std::vector<uint32_t> Typing::changed_rooms(const Subscriber& subscriber, const Token& token) const {
  if (is_lost(token)) return subscriber.rooms;
  std::vector<uint32_t> out;
  for (auto it = by_count_.upper_bound(seen_by(token)); it != by_count_.end(); ++it)
    if (is_in(subscriber, it->second)) out.push_back(it->second);
  return out;
}

bool Typing::news(const Subscriber& subscriber, const Token& token) const {
  if (is_lost(token)) return !subscriber.rooms.empty();
  return std::any_of(by_count_.upper_bound(seen_by(token)), by_count_.end(),
                     [&](const auto& entry) { return is_in(subscriber, entry.second); });
}

std::optional<std::string> Typing::event(uint32_t room_no, const RoomId& room,
                                         const std::optional<Token>& since) const {
  auto it = rooms_.find(room_no);
  bool changed = it != rooms_.end() && (!since || it->second > seen_by(*since));
  if (!changed && !(since && is_lost(*since))) return std::nullopt;
  auto users = presence_.typing_now(room);
  if (users.empty() && !since) return std::nullopt;
  json::Array ids;
  for (const auto& user : users) ids.emplace_back(user.str());
  return json::serialize(json::Object{{"type", "m.typing"}, {"content", json::Object{{"user_ids", std::move(ids)}}}});
}

}  // namespace myelin::sync
