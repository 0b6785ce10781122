// One attempt to tell a push gateway (push gateway API). Thread: the loop.
#pragma once
#include "base/metrics.h"
#include "components/accounts/accounts.h"
#include "components/push/job.h"
#include "components/push/pushers.h"
#include "components/sync/sync.h"
#include "infra/net/http_client.h"
#include "infra/work/work.h"

namespace myelin::push {

class Delivery {
 public:
  Delivery(Pushers&, net::HttpClient&, accounts::Accounts&, sync::Sync&, rooms::Queries&, const Clock&);
  Task<work::Outcome> attempt(work::Item);

 private:
  // The body's `notification`, without `devices` and `counts`. nullopt: the event is gone, or is not for the user any
  // more.
  Task<Result<std::optional<json::Object>>> describe(const Job&, const Pusher&);
  work::Outcome judge(const PusherKey&, int64_t badge, const Result<net::Response>&);

  Pushers& pushers_;
  net::HttpClient& http_;
  accounts::Accounts& accounts_;
  sync::Sync& sync_;
  rooms::Queries& rooms_;
  const Clock& clock_;
  prometheus::Counter &sent_, &failed_, &dropped_, &rejected_;
};

}  // namespace myelin::push
