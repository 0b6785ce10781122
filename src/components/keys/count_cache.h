// Key counts by device, for /sync. Right only while every write goes through this process. Thread: the loop.
#pragma once
#include <optional>
#include <string>
#include <unordered_map>

#include "base/keyed_hash.h"
#include "base/lru.h"
#include "components/keys/keys.h"

namespace myelin::keys {

class CountCache {
 public:
  explicit CountCache(bool enabled) : enabled_(enabled), entries_("key_counts", 4u << 20) {}

  static std::string key(const UserId& user, const DeviceId& device) { return user.str() + '\0' + device.str(); }

  const KeyCounts* find(const std::string& key) { return changing_.contains(key) ? nullptr : entries_.find(key); }

  // What a reader notes before it reads, and put() wants to see unchanged.
  uint64_t stamp() const { return stamp_; }
  void put(const std::string& key, const KeyCounts& counts, uint64_t stamp) {
    if (enabled_ && stamp == stamp_ && !changing_.contains(key)) entries_.put(key, counts, 256 + key.size());
  }

  // Held over a write: nothing read meanwhile is kept.
  class Change {
   public:
    Change(CountCache& cache, std::string key) : cache_(&cache), key_(std::move(key)) {
      ++cache_->stamp_;
      ++cache_->changing_[key_];
      cache_->entries_.erase(key_);
    }
    Change(Change&& other) noexcept : cache_(std::exchange(other.cache_, nullptr)), key_(std::move(other.key_)) {}
    Change& operator=(Change&&) = delete;
    ~Change() {
      if (cache_ == nullptr) return;
      ++cache_->stamp_;
      if (auto it = cache_->changing_.find(key_); --it->second == 0) cache_->changing_.erase(it);
    }

   private:
    CountCache* cache_;
    std::string key_;
  };

 private:
  bool enabled_;
  uint64_t stamp_ = 0;
  std::unordered_map<std::string, int, KeyedHash> changing_;
  Lru<std::string, KeyCounts> entries_;
};

}  // namespace myelin::keys
