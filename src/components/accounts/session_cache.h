// Sessions by the hash of their access token, so that authenticating costs no SQL. Thread: the loop.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/lru.h"
#include "components/accounts/accounts.h"

namespace myelin::accounts {

class SessionCache {
 public:
  struct Entry {
    Session session;
    std::optional<Milliseconds> expires_at{};
    std::chrono::steady_clock::time_point read_at{};
    Milliseconds seen_at = 0;  // when the use of the device was last noted
    uint64_t stamp = 0;        // of the cache, when it was read
  };
  // `max_age`: how long an entry is believed.
  SessionCache(const Clock& clock, std::chrono::milliseconds max_age)
      : clock_(clock), max_age_(max_age), entries_("sessions", 8u << 20) {}

  Entry* find(const std::string& hash) {
    auto* entry = entries_.find(hash);
    if (entry == nullptr) return nullptr;
    if (clock_.steady() - entry->read_at < max_age_ && !has_ended(*entry)) return entry;
    entries_.erase(hash);
    return nullptr;
  }
  // What a reader notes before it reads, and put() wants to see unchanged: a token deleted meanwhile stays out.
  uint64_t stamp() const { return stamp_; }
  void put(const std::string& hash, Entry entry, uint64_t stamp) {
    if (stamp != stamp_) return;
    entry.read_at = clock_.steady();
    entry.stamp = stamp;
    size_t bytes = 512 + entry.session.user.str().size() + entry.session.device.str().size();
    entries_.put(hash, std::move(entry), bytes);
  }
  void forget(const std::vector<std::string>& hashes) {
    ++stamp_;
    for (const auto& hash : hashes) entries_.erase(hash);
  }
  // Of a device whose tokens are not known here.
  void forget(const UserId& user, const DeviceId& device) {
    constexpr size_t kMarks = 10'000;
    if (ended_.size() >= kMarks) forget_all();
    ended_[{user, device}] = ++stamp_;
  }
  void forget_all() {
    ++stamp_;
    entries_.clear();
    ended_.clear();
  }

 private:
  bool has_ended(const Entry& entry) const {
    if (ended_.empty()) return false;
    auto it = ended_.find({entry.session.user, entry.session.device});
    return it != ended_.end() && entry.stamp < it->second;
  }

  const Clock& clock_;
  std::chrono::milliseconds max_age_;
  uint64_t stamp_ = 0;
  std::map<std::pair<UserId, DeviceId>, uint64_t> ended_;  // the stamp then: what was read before it is gone
  Lru<std::string, Entry> entries_;
};

}  // namespace myelin::accounts
