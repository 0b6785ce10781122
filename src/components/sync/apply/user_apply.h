// The consumer of user.out: what changes for a user's devices becomes rows under one position each.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "components/accounts/user_out.h"
#include "components/sync/judge.h"
#include "components/sync/news.h"

namespace myelin::sync {

class UserApply {
 public:
  UserApply(ServerName, accounts::Accounts&, Judge&, std::function<void(News)> tell);
  Task<Result<bus::Effects>> apply(std::vector<bus::Message>);

 private:
  struct Batch;
  static Result<void> write(const std::shared_ptr<Batch>&, db::Tx&);
  void committed(const Batch&);
  ServerName server_name_;
  accounts::Accounts& accounts_;
  Judge& judge_;
  std::function<void(News)> tell_;
};

inline constexpr int64_t kAccountDataKind = 1;  // of sync_user.kind
inline constexpr int64_t kKeyCountsKind = 2;

}  // namespace myelin::sync
