#include "engine/mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstring>
#include <utility>

namespace myelin::engine {

Mailbox::Mailbox(size_t limit) : limit_(limit), bell_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
Mailbox::~Mailbox() { ::close(bell_); }

bool Mailbox::put(uint64_t token, uint32_t kind, std::initializer_list<std::string_view> parts) {
  uint32_t size = 0;
  for (auto part : parts) size += static_cast<uint32_t>(part.size());
  char head[kHead];
  std::memcpy(head, &token, 8);
  std::memcpy(head + 8, &kind, 4);
  std::memcpy(head + 12, &size, 4);
  std::lock_guard lock(mutex_);
  if (records_.size() > limit_) return false;
  append(std::string_view(head, kHead));
  for (auto part : parts) records_ += part;
  return true;
}

bool Mailbox::give(std::string_view records) {
  std::lock_guard lock(mutex_);
  if (records_.size() > limit_) return false;
  append(records);
  return true;
}

void Mailbox::append(std::string_view bytes) {
  if (records_.empty()) {
    uint64_t one = 1;
    [[maybe_unused]] auto ignored = ::write(bell_, &one, sizeof one);
  }
  records_ += bytes;
}

std::string Mailbox::take() {
  std::lock_guard lock(mutex_);
  return std::exchange(records_, {});
}

int Mailbox::take(char* out, size_t capacity) {
  std::lock_guard lock(mutex_);
  auto size = records_.size();
  if (size > capacity) return -static_cast<int>(size);
  std::memcpy(out, records_.data(), size);
  constexpr size_t kKept = 1 << 20;
  if (records_.capacity() > kKept)
    records_ = {};
  else
    records_.clear();
  return static_cast<int>(size);
}

}  // namespace myelin::engine
