// What a machine remembers of a database, in a file of its own: under which name of its history, and how many messages
// had been numbered when something last left the server. A database that knows of fewer was put back to an earlier
// state (docs/spine.md, rules A13 to A15). Thread: any.
#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/error.h"

namespace myelin::db {

class Witness {
 public:
  struct Memory {
    std::string history;
    int64_t messages = 0;
  };
  // `memory()` is what the file says; nullopt when there is none, or none that can be read.
  explicit Witness(std::string path);
  ~Witness();
  Witness(const Witness&) = delete;
  const std::optional<Memory>& memory() const { return memory_; }

  Result<void> remember(Memory);  // durably; from here on committed() counts
  // After a COMMIT with so many messages, before anything of it leaves. Not synced: a killed process loses nothing of
  // it, a power cut at most what the system had not yet written.
  void committed(size_t messages);

 private:
  bool write();

  std::string path_;
  std::mutex mutex_;
  std::optional<Memory> memory_;
  int fd_ = -1;
};

}  // namespace myelin::db
