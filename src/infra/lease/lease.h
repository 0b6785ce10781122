// Ownership of partitions, with epochs. An owner's every transaction checks its epoch at the head of its home partition
// (db::Fence), so a former owner that wakes up writes nothing. Thread: the loop, unless said.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/task.h"
#include "infra/db/db.h"

namespace myelin::lease {

// Locks a data directory against a second process for as long as this object lives (flock).
class DirectoryLock {
 public:
  static Result<DirectoryLock> take(const std::string& directory);  // kUnavailable names the other process id
  DirectoryLock(DirectoryLock&&) noexcept;
  DirectoryLock& operator=(DirectoryLock&&) noexcept;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

class Owner {
 public:
  virtual ~Owner() = default;
  // Takes every partition of `topic` for this process (one process takes all): bumps the lease row and the epoch in
  // outbox_head in one transaction. What the owner loads, it loads after this returns.
  static Task<Result<std::unique_ptr<Owner>>> take_all(db::Database&, const Clock&, std::string_view topic,
                                                       std::string holder);
  virtual std::optional<db::Fence> fence(uint32_t partition) const = 0;  // nullopt: not owned here
};

}  // namespace myelin::lease
