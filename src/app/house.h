// Every component, built over given foundations and served by one router: what `serve` and tests of the whole share.
// Thread: the loop.
#pragma once
#include <memory>

#include "api/client/routes.h"
#include "app/config.h"
#include "app/readiness.h"
#include "infra/bus/bus.h"
#include "infra/net/http_client.h"
#include "infra/work/work.h"
#include "matrix/signing.h"

namespace myelin::app {

// What the components stand on; outlives them.
struct Foundations {
  db::Database& db;
  bus::Bus& bus;
  net::HttpClient& http_client;
  Executor loop;
  const Clock& clock;
  Random& random;
};

class House {
 public:
  House(const Config&, Foundations, const SigningKey&);
  ~House();

  // The bus is started here too; an external NATS that does not answer is waited for.
  Task<Result<void>> start();
  // May be called before it too: until the start is done only its health is answered, all else with 503.
  Task<net::Response> handle(net::Request);
  void drain_begins();  // says so to who asks, and answers requests that are parked
  Task<> stop_work();   // gives up what waits for other machines; its rows stay
  Task<> stop();        // the bus last

  api::Router& router() { return router_; }
  accounts::Accounts& accounts() { return *accounts_; }

 private:
  Task<Result<void>> start_bus();

  ServerName name_;
  bus::Bus& bus_;
  std::unique_ptr<work::Queues> queues_;
  std::unique_ptr<rooms::Rooms> rooms_;
  std::unique_ptr<accounts::Accounts> accounts_;
  std::unique_ptr<directory::Directory> directory_;
  std::unique_ptr<keys::Keys> keys_;
  std::unique_ptr<presence::Presence> presence_;
  std::unique_ptr<sync::Sync> sync_;
  std::unique_ptr<push::Push> push_;
  Readiness readiness_;
  bool has_started_ = false;
  api::Router router_;
  api::Components components_;
};

}  // namespace myelin::app
