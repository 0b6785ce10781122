#include "components/sync/typing.h"

#include <algorithm>

namespace myelin::sync {
namespace {
constexpr size_t kMaxRooms = 4096;  // beyond: the longest unchanged go, and their clients may miss a stop
}

Typing::Typing(presence::Presence& presence, Random& random)
    : presence_(presence), process_(static_cast<uint32_t>(random.next() % 0x7fffffff + 1)) {}

void Typing::changed(uint32_t room_no, RoomId) {
  rooms_[room_no] = ++count_;
  if (rooms_.size() <= kMaxRooms) return;
  rooms_.erase(std::ranges::min_element(rooms_, {}, [](const auto& entry) { return entry.second; }));
}

uint64_t Typing::seen_by(const Token& token) const { return token.process == process_ ? token.typing : 0; }

std::vector<uint32_t> Typing::changed_rooms(const Subscriber& subscriber, const Token& token) const {
  std::vector<uint32_t> out;
  if (seen_by(token) >= count_) return out;
  for (const auto& [room_no, count] : rooms_)
    if (count > seen_by(token) && std::ranges::binary_search(subscriber.rooms, room_no)) out.push_back(room_no);
  return out;
}

bool Typing::news(const Subscriber& subscriber, const Token& token) const {
  return !changed_rooms(subscriber, token).empty();
}

std::optional<std::string> Typing::event(uint32_t room_no, const RoomId& room,
                                         const std::optional<Token>& since) const {
  auto it = rooms_.find(room_no);
  bool changed = it != rooms_.end() && (!since || it->second > seen_by(*since));
  if (!changed) return std::nullopt;
  auto users = presence_.typing_now(room);
  if (users.empty() && !since) return std::nullopt;
  json::Array ids;
  for (const auto& user : users) ids.emplace_back(user.str());
  return json::serialize(json::Object{{"type", "m.typing"}, {"content", json::Object{{"user_ids", std::move(ids)}}}});
}

void Typing::mark(Token& token) const {
  if (count_ == 0) return;
  token.process = process_;
  token.typing = count_;
}

}  // namespace myelin::sync
