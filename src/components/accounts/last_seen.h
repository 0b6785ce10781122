// When and from where devices were last used: kept in memory and written now and then. Thread: the loop.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "components/accounts/accounts.h"

namespace myelin::accounts {

class LastSeen {
 public:
  explicit LastSeen(db::Database& db) : db_(db) {}

  void note(const UserId&, const DeviceId&, const std::string& address, Milliseconds now);
  void add_to(std::vector<Device>&) const;  // what is not written yet
  Task<Result<void>> write();

 private:
  struct Use {
    std::string address;
    Milliseconds at = 0;
  };
  using Key = std::pair<UserId, DeviceId>;
  db::Database& db_;
  std::map<Key, Use> pending_;
};

}  // namespace myelin::accounts
