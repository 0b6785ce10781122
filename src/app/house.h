// Every component, built over given foundations and served by one router: what `serve` and tests of the whole share.
// Thread: the loop.
#pragma once
#include <memory>

#include "api/client/routes.h"
#include "app/config.h"
#include "app/neighbours.h"
#include "app/readiness.h"
#include "app/roles.h"
#include "app/shared_consumers.h"
#include "infra/bus/backlog.h"
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

  // The bus is started here too; an external NATS that does not answer is waited for. Then this process takes its share
  // of the work, by its roles.
  Task<Result<void>> start();
  // May be called before it too: until the start is done only its health is answered, all else with 503. A process
  // whose roles serve no clients answers only what is under /_myelin/.
  Task<net::Response> handle(net::Request);
  void drain_begins();  // says so to who asks, and answers requests that are parked
  Task<> stop_work();   // gives up what waits for other machines; its rows stay
  Task<> stop();        // hands its share over; the bus last

  api::Router& router() { return router_; }
  accounts::Accounts& accounts() { return *accounts_; }

 private:
  Task<Result<void>> start_bus();

  ServerName name_;
  Roles roles_;
  bus::Bus& bus_;
  std::unique_ptr<lease::Leases> leases_;
  Neighbours neighbours_;
  SharedConsumers consumers_;
  std::unique_ptr<work::Queues> queues_;
  std::unique_ptr<rooms::Rooms> rooms_;
  std::unique_ptr<accounts::Accounts> accounts_;
  std::unique_ptr<directory::Directory> directory_;
  std::unique_ptr<keys::Keys> keys_;
  std::unique_ptr<presence::Presence> presence_;
  std::unique_ptr<sync::Sync> sync_;
  std::unique_ptr<push::Push> push_;
  Readiness readiness_;
  bus::BacklogMeter backlogs_;
  bool has_started_ = false;
  api::Router router_;
  api::Components components_;
};

}  // namespace myelin::app
