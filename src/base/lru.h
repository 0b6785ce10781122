// A cache with a byte cap: the least recently used goes first. Not thread-safe: the owner's thread.
#pragma once
#include <list>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/keyed_hash.h"
#include "base/metrics.h"

namespace myelin {

template <class Key, class Value, class Hash = KeyedHash>
class Lru {
 public:
  // `name` becomes the label of the metrics myelin_cache_bytes and myelin_cache_entries.
  Lru(const std::string& name, size_t cap_bytes)
      : cap_(cap_bytes),
        bytes_gauge_(metrics::gauge("myelin_cache_bytes", "Bytes held by a cache", {{"cache", name}})),
        entries_gauge_(metrics::gauge("myelin_cache_entries", "Entries held by a cache", {{"cache", name}})) {}

  Value* find(const Key& key) {  // valid until the next put or erase
    auto it = index_.find(key);
    if (it == index_.end()) return nullptr;
    order_.splice(order_.begin(), order_, it->second);
    return &it->second->value;
  }
  Value& put(const Key& key, Value value, size_t weight_bytes) {
    erase(key);
    order_.push_front({key, std::move(value), weight_bytes});
    index_[key] = order_.begin();
    bytes_ += weight_bytes;
    while (bytes_ > cap_ && order_.size() > 1) drop(std::prev(order_.end()));
    publish();
    return order_.front().value;
  }
  void erase(const Key& key) {
    if (auto it = index_.find(key); it != index_.end()) drop(it->second);
    publish();
  }
  void for_each(const std::function<void(const Key&, Value&)>& each) {
    for (auto& entry : order_) each(entry.key, entry.value);
  }
  void erase_if(const std::function<bool(const Key&, Value&)>& goes) {
    for (auto it = order_.begin(); it != order_.end();) {
      auto entry = it++;
      if (goes(entry->key, entry->value)) drop(entry);
    }
    publish();
  }
  void clear() {
    index_.clear();
    order_.clear();
    bytes_ = 0;
    publish();
  }
  size_t size() const { return order_.size(); }

 private:
  struct Entry {
    Key key;
    Value value;
    size_t weight;
  };
  void drop(typename std::list<Entry>::iterator it) {
    bytes_ -= it->weight;
    index_.erase(it->key);
    order_.erase(it);
  }
  void publish() {
    bytes_gauge_.Set(static_cast<double>(bytes_));
    entries_gauge_.Set(static_cast<double>(order_.size()));
  }
  size_t cap_, bytes_ = 0;
  std::list<Entry> order_;
  std::unordered_map<Key, typename std::list<Entry>::iterator, Hash> index_;
  prometheus::Gauge& bytes_gauge_;
  prometheus::Gauge& entries_gauge_;
};

}  // namespace myelin
