#include "app/house.h"

#include "app/components.h"
#include "app/status.h"
#include "base/bytes.h"
#include "base/log.h"

namespace myelin::app {
namespace {

net::Response refusal(Code code, std::string_view why, json::Object fields = {}) {
  auto error = fail(code, std::string(why), std::move(fields));
  auto response = api::error_response(error.error());
  api::add_cors(response);
  return response;
}

Task<Result<json::Object>> status_as_json(db::Database& db, const Clock& clock) {
  MYELIN_CO_TRY(auto status, co_await read_status(db, clock));
  co_return to_json(status);
}

std::string signing_key_in_words(const SigningKey& key) {
  return fmt::format("the signing key {} ({})", key.key_id(), base64(key.public_key()));
}

}  // namespace

House::House(const Config& config, Foundations on, const SigningKey& key)
    : name_(ServerName::trusted(config.server_name)),
      roles_(Roles::of(config.roles)),
      bus_(on.bus),
      leases_(lease::Leases::make(on.db, bus_, on.loop, on.clock, on.random, config.instance, about_process(config))),
      neighbours_(on.db, bus_, *leases_, on.loop, on.clock, on.random, config.instance, signing_key_in_words(key)),
      consumers_(bus_, on.loop),
      queues_(work::Queues::make(on.db, bus_, on.loop, on.clock, on.random)),
      rooms_(rooms::Rooms::make(rooms_config(config), on.db, bus_, *leases_, on.loop, on.clock, on.random, key)),
      accounts_(accounts::make_accounts(accounts_config(config), on.db, bus_, *queues_, *rooms_, on.loop, on.clock,
                                        on.random)),
      directory_(directory::make_directory(name_, on.db, *rooms_, on.clock)),
      keys_(keys::make_keys(name_, on.db, bus_, *accounts_, *rooms_, on.loop, on.clock, on.random)),
      presence_(presence::make_presence(on.db, bus_, *accounts_, *rooms_, on.loop, on.clock, on.random)),
      sync_(sync::make_sync(name_, on.db, bus_, *accounts_, *keys_, *presence_, *rooms_, on.loop, on.clock, on.random)),
      push_(push::make_push(name_, on.db, bus_, *queues_, on.http_client, *accounts_, *sync_, *rooms_, on.clock)),
      readiness_(on.db, bus_, on.loop, on.clock, on.random),
      backlogs_(on.db, on.loop),
      router_(*accounts_),
      components_{name_,
                  public_base_url(config),
                  config.default_room_version,
                  on.clock,
                  bus_,
                  *accounts_,
                  *rooms_,
                  *directory_,
                  *keys_,
                  *presence_,
                  *sync_,
                  *push_,
                  [&db = on.db, &clock = on.clock] { return status_as_json(db, clock); },
                  [this] { return readiness_.check(); },
                  [this] { return backlogs_.measure(); }} {
  consumers_.want(*leases_, roles_);
  api::client::add_all(router_, components_);
  api::add_operations(router_, components_);
  api::add_parked(router_, components_);
  api::add_status(router_, components_);
  api::add_unserved(router_);
}

House::~House() = default;

Task<Result<void>> House::start() {
  MYELIN_CO_CHECK(co_await rooms_->start());
  MYELIN_CO_CHECK(co_await accounts_->start());
  MYELIN_CO_CHECK(co_await keys_->start());
  MYELIN_CO_CHECK(co_await presence_->start());
  MYELIN_CO_CHECK(co_await sync_->start());
  MYELIN_CO_CHECK(co_await push_->start());
  MYELIN_CO_CHECK(co_await start_bus());
  MYELIN_CO_CHECK(co_await neighbours_.check());
  MYELIN_CO_CHECK(co_await leases_->start());
  MYELIN_CO_CHECK(co_await neighbours_.check());  // one that started at the same time was not there before
  neighbours_.watch();
  if (roles_.background) queues_->start();
  readiness_.waits_for("");
  has_started_ = true;
  co_return Result<void>{};
}

Task<net::Response> House::handle(net::Request request) {
  constexpr int64_t kRetryAfter = 2'000;  // ms
  if (!has_started_ && !request.path().starts_with("/_myelin/health"))
    co_return refusal(Code::kUnavailable, "the server is starting", {{"retry_after_ms", kRetryAfter}});
  if (!roles_.serve_clients() && !request.path().starts_with("/_myelin/"))
    co_return refusal(Code::kUnrecognized, "this process serves no clients: see its key `roles`");
  co_return co_await router_.handle(std::move(request));
}

Task<Result<void>> House::start_bus() {
  constexpr std::chrono::milliseconds kFirstPause{200}, kLongestPause{3'000};
  std::string said;
  for (auto pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    auto started = co_await bus_.start(bus::Consumers::kAtRest);
    if (started || started.error().code != Code::kTimeout) co_return started;
    const auto& why = started.error().message;
    if (std::exchange(said, why) != why) log::warning("waiting: {}", why);
    readiness_.waits_for("waiting for " + why);
    co_await sleep_for(pause);
  }
}

void House::drain_begins() {
  readiness_.drain_begins();
  sync_->release();
}

Task<> House::stop_work() { co_await queues_->stop(); }

Task<> House::stop() {
  co_await readiness_.stop();
  co_await backlogs_.stop();
  co_await neighbours_.stop();
  co_await leases_->stop();
  co_await consumers_.stop();
  co_await push_->stop();
  co_await sync_->stop();
  co_await presence_->stop();
  co_await keys_->stop();
  co_await accounts_->stop();
  co_await rooms_->stop();
  co_await bus_.stop();
}

}  // namespace myelin::app
