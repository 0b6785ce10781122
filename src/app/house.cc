#include "app/house.h"

#include "app/components.h"
#include "base/log.h"

namespace myelin::app {

House::House(const Config& config, Foundations on, const SigningKey& key)
    : name_(ServerName::trusted(config.server_name)),
      bus_(on.bus),
      queues_(work::Queues::make(on.db, on.loop, on.clock, on.random)),
      rooms_(rooms::Rooms::make(rooms_config(config), on.db, bus_, on.loop, on.clock, on.random, key)),
      accounts_(accounts::make_accounts(accounts_config(config), on.db, bus_, *queues_, *rooms_, on.loop, on.clock,
                                        on.random)),
      directory_(directory::make_directory(name_, on.db, *rooms_, on.clock)),
      keys_(keys::make_keys(name_, on.db, bus_, *accounts_, *rooms_, on.loop, on.clock, on.random)),
      presence_(presence::make_presence(on.db, bus_, *accounts_, *rooms_, on.loop, on.clock, on.random)),
      sync_(sync::make_sync(name_, on.db, bus_, *accounts_, *keys_, *presence_, *rooms_, on.loop, on.clock, on.random)),
      push_(push::make_push(name_, on.db, bus_, *queues_, on.http_client, *accounts_, *sync_, *rooms_, on.clock)),
      readiness_(on.db, bus_, on.loop, on.clock, on.random),
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
                  [this] { return readiness_.check(); }} {
  api::client::add_all(router_, components_);
  api::add_operations(router_, components_);
  api::add_parked(router_, components_);
  api::add_unserved(router_);
}

House::~House() = default;

Task<Result<void>> House::start() {
  MYELIN_CO_CHECK(co_await start_bus());
  MYELIN_CO_CHECK(co_await rooms_->start());
  MYELIN_CO_CHECK(co_await accounts_->start());
  MYELIN_CO_CHECK(co_await keys_->start());
  MYELIN_CO_CHECK(co_await presence_->start());
  MYELIN_CO_CHECK(co_await sync_->start());
  MYELIN_CO_CHECK(co_await push_->start());
  queues_->start();
  readiness_.waits_for("");
  has_started_ = true;
  co_return Result<void>{};
}

Task<net::Response> House::handle(net::Request request) {
  if (has_started_ || request.path().starts_with("/_myelin/health"))
    co_return co_await router_.handle(std::move(request));
  constexpr int64_t kRetryAfter = 2'000;  // ms
  auto why = fail(Code::kUnavailable, "the server is starting", {{"retry_after_ms", kRetryAfter}});
  auto response = api::error_response(why.error());
  api::add_cors(response);
  co_return response;
}

Task<Result<void>> House::start_bus() {
  constexpr std::chrono::seconds kFirstPause{1}, kLongestPause{15};
  for (auto pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    auto started = co_await bus_.start();
    if (started || started.error().code != Code::kTimeout) co_return started;
    auto level = pause == kFirstPause ? log::Level::kWarning : log::Level::kDebug;
    log::write(level, fmt::format("waiting: {}", started.error().message));
    readiness_.waits_for("waiting for NATS");
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
  co_await push_->stop();
  co_await sync_->stop();
  co_await presence_->stop();
  co_await keys_->stop();
  co_await accounts_->stop();
  co_await rooms_->stop();
  co_await bus_.stop();
}

}  // namespace myelin::app
