#include "infra/db/committed.h"

namespace myelin::db {

void Committed::set_receiver(std::function<void(std::vector<OutboxRow>)> receiver) {
  std::lock_guard lock(mutex_);
  receiver_ = std::move(receiver);
}

void Committed::reserve(const OutboxKey& key, uint64_t first_seq) {
  std::lock_guard lock(mutex_);
  waiting_[key][first_seq] = std::nullopt;
}

void Committed::take_ready(Waiting& waiting, std::vector<OutboxRow>& ready) {
  while (!waiting.empty() && waiting.begin()->second) {
    for (auto& row : *waiting.begin()->second) ready.push_back(std::move(row));
    waiting.erase(waiting.begin());
  }
}

void Committed::deliver(std::vector<OutboxRow> rows) {
  if (rows.empty()) return;
  std::lock_guard lock(mutex_);
  std::vector<OutboxRow> ready;
  for (size_t i = 0; i < rows.size();) {
    OutboxKey key{rows[i].topic, rows[i].partition};
    auto first = rows[i].seq;
    std::vector<OutboxRow> own;
    for (; i < rows.size() && OutboxKey(rows[i].topic, rows[i].partition) == key; ++i)
      own.push_back(std::move(rows[i]));
    auto& waiting = waiting_[key];
    waiting[first] = std::move(own);
    take_ready(waiting, ready);
  }
  if (receiver_ && !ready.empty()) receiver_(std::move(ready));
}

void Committed::drop(const std::vector<std::pair<OutboxKey, uint64_t>>& reserved) {
  std::lock_guard lock(mutex_);
  std::vector<OutboxRow> ready;
  for (const auto& [key, first] : reserved) {
    auto& waiting = waiting_[key];
    waiting.erase(first);
    take_ready(waiting, ready);
  }
  if (receiver_ && !ready.empty()) receiver_(std::move(ready));
}

}  // namespace myelin::db
