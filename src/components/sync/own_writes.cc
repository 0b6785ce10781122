#include "components/sync/own_writes.h"

#include <algorithm>

namespace myelin::sync {
namespace {
constexpr size_t kMaxWriters = 100'000;  // whom nothing comes for stays until a /sync gives up
}

void OwnWrites::written(const UserId& user, uint32_t room_no, int64_t order) {
  if (writers_.size() >= kMaxWriters) forget_all();
  auto& last = writers_[user][room_no];
  last = std::max(last, order);
}

void OwnWrites::applied(const UserId& user, uint32_t room_no, int64_t order) {
  auto writer = writers_.find(user);
  if (writer == writers_.end()) return;
  auto room = writer->second.find(room_no);
  if (room == writer->second.end() || room->second > order) return;
  writer->second.erase(room);
  if (!writer->second.empty()) return;
  writers_.erase(writer);
  if (waiting_ > 0) bell_.ring();
}

void OwnWrites::forget_all() {
  writers_.clear();
  if (waiting_ > 0) bell_.ring();
}

Task<> OwnWrites::settle(UserId user, std::chrono::steady_clock::time_point deadline) {
  struct Waiting {
    int& count;
    explicit Waiting(int& c) : count(++c) {}
    ~Waiting() { --count; }
  };
  while (writers_.contains(user)) {
    Waiting waiting(waiting_);
    if (co_await bell_.wait(bell_.generation(), deadline)) continue;
    writers_.erase(user);
  }
}

}  // namespace myelin::sync
