#include "components/sync/feed.h"

#include <algorithm>

namespace myelin::sync {
namespace {
constexpr ptrdiff_t kSubscriberBytes = 640;  // with its places in the maps, and a few devices
constexpr ptrdiff_t kRoomBytes = 64;         // of each of its rooms
constexpr const char* kCache = "sync_subscribers";
}  // namespace

Feed::Feed(Executor loop, size_t cap_bytes)
    : loop_(loop),
      cap_bytes_(cap_bytes),
      bytes_gauge_(metrics::gauge("myelin_cache_bytes", "Bytes held by a cache", {{"cache", kCache}})),
      entries_gauge_(metrics::gauge("myelin_cache_entries", "Entries held by a cache", {{"cache", kCache}})),
      position_gauge_(metrics::gauge("myelin_sync_position", "Up to where /sync is answered here")),
      advanced_(loop) {}

void Feed::weigh(ptrdiff_t bytes) {
  bytes_ += static_cast<size_t>(bytes);
  bytes_gauge_.Set(static_cast<double>(bytes_));
  entries_gauge_.Set(static_cast<double>(recent_.size()));
}

// What was noted up to there is not noted for who comes now.
int64_t Feed::noted_upto() const { return ahead_.empty() ? position_ : std::max(position_, ahead_.rbegin()->second); }

void Feed::complete(int64_t first, int64_t last) {
  ahead_[first] = last;
  bool moved = false;
  while (!ahead_.empty() && ahead_.begin()->first <= position_ + 1) {
    moved |= ahead_.begin()->second > position_;
    position_ = std::max(position_, ahead_.begin()->second);
    ahead_.erase(ahead_.begin());
  }
  if (moved) advance();
}

void Feed::jump(int64_t position) {
  if (position <= position_) return;
  position_ = position;
  for (auto& subscriber : recent_) {
    subscriber->stale = true;
    subscriber->bell.ring();
  }
  rooms_.clear();
  by_user_.clear();
  recent_.clear();
  weigh(-static_cast<ptrdiff_t>(bytes_));
  for (auto& [user, changes] : loading_) ++changes;
  advance();
}

void Feed::advance() {
  position_gauge_.Set(static_cast<double>(position_));
  advanced_.ring();
}

void Feed::room_changed(uint32_t room_no, int64_t position) {
  auto room = rooms_.find(room_no);
  if (room == rooms_.end()) return;
  // Two consumers commit side by side: what they tell may come out of order.
  room->second.last_change = std::max(room->second.last_change, position);
  for (auto* subscriber : room->second.subscribers) {
    subscriber->last_change = std::max(subscriber->last_change, position);
    subscriber->bell.ring();
  }
}

void Feed::user_changed(const UserId& user, int64_t position) {
  auto it = by_user_.find(user);
  if (it == by_user_.end()) return;
  auto& subscriber = **it->second;
  subscriber.last_change = std::max(subscriber.last_change, position);
  subscriber.bell.ring();
}

void Feed::message_sent(const UserId& user, const DeviceId& device, int64_t position) {
  auto it = by_user_.find(user);
  if (it == by_user_.end()) return;
  auto& mailboxes = (*it->second)->mailboxes;
  auto box = mailboxes.find(device);
  if (box == mailboxes.end()) return;
  if (box->second.first == 0) box->second.first = position;
  box->second.last = std::max(box->second.last, position);
}

void Feed::wake_all() {
  for (auto& subscriber : recent_) subscriber->bell.ring();
}

void Feed::typing_changed(uint32_t room_no) {
  auto room = rooms_.find(room_no);
  if (room == rooms_.end()) return;
  for (auto* subscriber : room->second.subscribers) subscriber->bell.ring();
}

void Feed::joined(const UserId& user, uint32_t room_no) {
  if (auto it = loading_.find(user); it != loading_.end()) ++it->second;
  if (auto it = by_user_.find(user); it != by_user_.end()) enter(it->second->get(), room_no);
}

void Feed::left(const UserId& user, uint32_t room_no) {
  if (auto it = loading_.find(user); it != loading_.end()) ++it->second;
  if (auto it = by_user_.find(user); it != by_user_.end()) leave(it->second->get(), room_no);
}

void Feed::enter(Subscriber* subscriber, uint32_t room_no) {
  auto at = std::lower_bound(subscriber->rooms.begin(), subscriber->rooms.end(), room_no);
  if (at != subscriber->rooms.end() && *at == room_no) return;
  subscriber->rooms.insert(at, room_no);
  auto& room = rooms_[room_no];
  room.last_change = std::max(room.last_change, noted_upto());
  room.subscribers.push_back(subscriber);
  weigh(kRoomBytes);
}

void Feed::leave(Subscriber* subscriber, uint32_t room_no) {
  auto at = std::lower_bound(subscriber->rooms.begin(), subscriber->rooms.end(), room_no);
  if (at == subscriber->rooms.end() || *at != room_no) return;
  subscriber->rooms.erase(at);
  weigh(-kRoomBytes);
  auto room = rooms_.find(room_no);
  std::erase(room->second.subscribers, subscriber);
  if (room->second.subscribers.empty()) rooms_.erase(room);
}

SubscriberPtr Feed::find(const UserId& user) {
  auto it = by_user_.find(user);
  if (it == by_user_.end()) return nullptr;
  recent_.splice(recent_.begin(), recent_, it->second);
  return *it->second;
}

uint64_t Feed::begin_load(const UserId& user) { return loading_.try_emplace(user, 0).first->second; }

SubscriberPtr Feed::finish_load(const UserId& user, uint64_t ticket, std::vector<uint32_t> joined_rooms) {
  auto load = loading_.find(user);
  if (load == loading_.end() || load->second != ticket) return find(user);
  loading_.erase(load);
  if (auto known = find(user)) return known;
  auto subscriber = std::make_shared<Subscriber>(user, loop_);
  subscriber->known_from = subscriber->last_change = noted_upto();
  recent_.push_front(subscriber);
  by_user_[user] = recent_.begin();
  weigh(kSubscriberBytes);
  std::sort(joined_rooms.begin(), joined_rooms.end());
  subscriber->rooms.reserve(joined_rooms.size());
  for (uint32_t room_no : joined_rooms) enter(subscriber.get(), room_no);
  evict();
  return subscriber;
}

void Feed::evict() {
  auto it = recent_.end();
  while (bytes_ > cap_bytes_ && it != recent_.begin()) {
    --it;
    if (it->use_count() > 1) continue;  // a request is using it
    auto subscriber = *it;
    for (uint32_t room_no : std::vector(subscriber->rooms)) leave(subscriber.get(), room_no);
    by_user_.erase(subscriber->user);
    it = recent_.erase(it);
    weigh(-kSubscriberBytes);
  }
}

std::optional<ChangedRooms> Feed::changed_rooms(const Subscriber& subscriber, int64_t since) const {
  if (subscriber.stale || since < subscriber.known_from) return std::nullopt;
  ChangedRooms changed{{}, position_};
  for (uint32_t room_no : subscriber.rooms)
    if (auto room = rooms_.find(room_no); room != rooms_.end() && room->second.last_change > since)
      changed.rooms.push_back(room_no);
  return changed;
}

}  // namespace myelin::sync
