// Password hashing on threads of its own, so that logins never stall other requests. Thread: the loop.
#pragma once
#include <string>

#include "base/task.h"

namespace myelin::accounts {

class Passwords {
 public:
  Passwords(unsigned memory_kib, unsigned passes, int threads);

  // argon2id, its cost and salt in the text. kLimitExceeded when too many wait already.
  Task<Result<std::string>> hash(std::string password);
  // Without `stored` ("": no such user, or no password) it takes as long, and the answer is no.
  Task<Result<bool>> verify(std::string stored, std::string password);
  bool needs_rehash(const std::string& stored) const;  // made with another cost

 private:
  unsigned long long passes_;
  size_t memory_;
  std::string decoy_;
  WorkerPool pool_;
};

}  // namespace myelin::accounts
