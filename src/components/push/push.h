// Push: pushers and delivery to HTTP push gateways (push gateway API). Topic read: notify.out. Thread: the loop.
#pragma once
#include <memory>
#include <vector>

#include "components/sync/sync.h"
#include "infra/net/http_client.h"

namespace myelin::push {

class Push {
 public:
  virtual ~Push() = default;
  virtual Task<Result<json::Array>> pushers(UserId) = 0;
  virtual Task<Result<void>> set_pusher(accounts::Session, json::Object body) = 0;  // POST /pushers/set
  virtual Task<Result<void>> start() = 0;
  virtual Task<> stop() = 0;
};
std::unique_ptr<Push> make_push(ServerName, db::Database&, bus::Bus&, work::Queues&, net::HttpClient&,
                                accounts::Accounts&, sync::Sync&, rooms::Rooms&, const Clock&);

}  // namespace myelin::push
