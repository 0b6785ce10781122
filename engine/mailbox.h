// Records that pass between C++ and Go: bytes in a queue under a lock, and an eventfd that rings when the queue is no
// longer empty. Neither side enters the other's scheduler: C++ never calls into Go here, so it never waits for a thread
// of Go's, and Go calls C++ only to copy. Thread: any.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>

namespace myelin::engine {

class Mailbox {
 public:
  // A record: u64 token, u32 kind, u32 size (little endian), bytes.
  static constexpr size_t kHead = 16;
  explicit Mailbox(size_t limit);  // in bytes
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;

  int bell() const { return bell_; }
  bool put(uint64_t token, uint32_t kind, std::initializer_list<std::string_view> parts);  // false: there is no room
  bool give(std::string_view records);                                                     // the same, of whole records
  std::string take();                                                                      // everything
  // The same; its size, negative, if that is more than the capacity.
  int take(char* out, size_t capacity);

 private:
  void append(std::string_view bytes);
  size_t limit_;
  int bell_;
  std::mutex mutex_;
  std::string records_;  // guarded by mutex_
};

}  // namespace myelin::engine
