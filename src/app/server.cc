#include "app/server.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdlib>
#include <thread>

#include "app/addresses.h"
#include "app/components.h"
#include "app/house.h"
#include "app/instance.h"
#include "app/run_to_end.h"
#include "app/signing_key.h"
#include "base/log.h"
#include "components/accounts/identity.h"
#include "infra/lease/lease.h"
#include "infra/net/http_server.h"

namespace myelin::app {
namespace {

constexpr std::chrono::milliseconds kSettle{100};

log::Level log_level(const std::string& name) {
  using enum log::Level;
  return name == "debug" ? kDebug : name == "warning" ? kWarning : name == "error" ? kError : kInfo;
}

net::Response reject(int status, std::string_view why) {
  auto code = status == 413 ? Code::kTooLarge : status == 405 || status == 501 ? Code::kUnrecognized : Code::kUnknown;
  auto response = api::error_response({code, std::string(why)});
  response.status = status;
  api::add_cors(response);
  return response;
}

// Everything that runs, in the order it is built; it ends in the reverse order.
class Server {
 public:
  Server(Config config, Executor loop, SigningKey key, std::unique_ptr<db::Database> db)
      : config_(std::move(config)),
        key_(std::move(key)),
        db_(std::move(db)),
        bus_(bus::make_jetstream_bus(bus_options(config_), *db_, loop, clock_)),
        http_client_(net::HttpClient::make(loop, {.allow_private_addresses = config_.push_allow_private_addresses})),
        house_(config_, {*db_, *bus_, *http_client_, loop, clock_, random_}, key_) {
    net::Limits limits;
    limits.body_bytes = static_cast<size_t>(config_.max_body_kb) * 1024;
    auto handle = [this](net::Request request) {
      request.remote_address =
          client_address(std::move(request.remote_address), request.header("X-Forwarded-For"), trusted_proxies_);
      return house_.handle(std::move(request));
    };
    http_ = net::HttpServer::make(loop, clock_, limits, handle, reject);
  }

  Task<Result<void>> start() {
    for (const auto& text : config_.listen) {  // first: who asks learns that it starts
      MYELIN_CO_TRY(auto address, parse_listen(text));
      MYELIN_CO_CHECK(http_->listen(address.host, address.port));
    }
    MYELIN_CO_CHECK(co_await house_.start());
    co_return co_await greet();
  }

  Task<> stop() {
    house_.drain_begins();
    co_await http_->drain(clock_.steady() + std::chrono::seconds(config_.drain_seconds));
    co_await house_.stop_work();
    (void)co_await bus_->settled(clock_.steady() + kSettle);
    co_await house_.stop();
  }

  void close() { db_->stop(); }

 private:
  Task<Result<void>> greet() {
    auto listens = fmt::format("http://{}", fmt::join(config_.listen, ", http://"));
    auto url = public_base_url(config_);
    if (config_.roles.size() < role_names().size())
      log::info("Myelin works for {} as {}, and listens on {}; stop with Ctrl-C or SIGTERM", config_.server_name,
                fmt::join(config_.roles, ", "), listens);
    else
      log::info("Myelin serves {} on {}; stop with Ctrl-C or SIGTERM", config_.server_name,
                url.empty() ? listens : url);
    log::info("data: {}; configuration: {}", config_.data_dir,
              config_.file.empty() ? "built in (see `myelin config`; give a file with --config)" : config_.file);
    if (!Roles::of(config_.roles).serve_clients()) co_return Result<void>{};
    auto mode = house_.accounts().registration_mode();
    if (mode == accounts::RegistrationMode::kOpen) co_return Result<void>{};
    MYELIN_CO_TRY(auto token, co_await house_.accounts().start_token());
    if (token && mode == accounts::RegistrationMode::kToken)
      log::info("there are no accounts yet: register the first with the registration token {}", *token);
    if (token && mode == accounts::RegistrationMode::kOff)
      log::info("there are no accounts yet, and registration is off: make one with `myelin user add NAME`");
    co_return Result<void>{};
  }

  Config config_;
  IpRanges trusted_proxies_{config_.trusted_proxies};
  SystemClock clock_;
  SystemRandom random_;
  SigningKey key_;
  std::unique_ptr<db::Database> db_;
  std::unique_ptr<bus::Bus> bus_;
  std::unique_ptr<net::HttpClient> http_client_;
  House house_;
  std::unique_ptr<net::HttpServer> http_;
};

Task<Result<void>> caught(Task<Result<void>> task) {
  try {
    co_return co_await std::move(task);
  } catch (const std::exception& failure) {
    co_return fail(Code::kInternal, failure.what());
  }
}

// nullopt: a signal ended the start.
Task<std::optional<Result<void>>> start(Server& server, boost::asio::signal_set& signals) {
  using namespace boost::asio::experimental::awaitable_operators;
  auto first = co_await (caught(server.start()) || signals.async_wait(boost::asio::use_awaitable));
  if (first.index() == 0) co_return std::get<0>(std::move(first));
  co_return std::nullopt;
}

// Who asks again does not want to wait: as if killed, which loses nothing (docs/spine.md).
void end_at_next_signal(boost::asio::signal_set& signals) {
  signals.async_wait([](const boost::system::error_code& error, int signal) {
    if (error) return;
    log::warning("stopping at once");
    std::_Exit(128 + signal);
  });
}

// Starts, waits for a signal, drains. The exit status.
Task<int> run(Server& server, boost::asio::signal_set& signals) {
  auto outcome = co_await start(server, signals);
  if (!outcome) {
    log::info("stopping before the start was complete");
    end_at_next_signal(signals);
    co_await server.stop();
    co_return 0;
  }
  auto& started = *outcome;
  if (!started) log::error("the server does not start: {}", started.error().message);
  if (started) {
    co_await signals.async_wait(boost::asio::use_awaitable);
    log::info("stopping: running requests are finished first; a second signal ends the process at once");
    end_at_next_signal(signals);
  }
  co_await server.stop();
  co_return started ? 0 : 1;
}

// A PostgreSQL that does not answer, or takes no writes or no more connections, is waited for; until then signals end
// the process as they do by default.
Result<std::unique_ptr<db::Database>> open_database(const Config& config, Executor loop, const Clock& clock) {
  constexpr std::chrono::milliseconds kFirstPause{200}, kLongestPause{3'000};
  std::string said;
  for (auto pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    auto db = db::Database::open(database_options(config), loop, clock);
    if (db || config.database == "sqlite" || db.error().code != Code::kUnavailable) return db;
    if (const auto& why = db.error().message; std::exchange(said, why) != why) log::warning("waiting: {}", why);
    std::this_thread::sleep_for(pause);
  }
}

// Whether no other process is alive over the database.
Task<Result<bool>> is_alone_at(db::Database& db, const Clock& clock) {
  if (db.is_sqlite()) co_return true;
  MYELIN_CO_TRY(auto all, co_await lease::Leases::status(db, clock));
  co_return std::ranges::none_of(all, [](const auto& each) { return each.alive; });
}

Result<int> serve(Config config) {
  MYELIN_CHECK(check_roles(config));
  MYELIN_CHECK(check_nats(config));
  MYELIN_CHECK(make_data_directory(config));
  MYELIN_TRY(auto lock, lease::DirectoryLock::take(config.data_dir));
  SystemRandom random;
  SystemClock clock;
  MYELIN_TRY(config.instance, load_or_make_instance(config.data_dir + "/instance", random));
  MYELIN_TRY(auto key, load_or_make_signing_key(signing_key_path(config), random));
  boost::asio::io_context io(1);
  MYELIN_TRY(auto db, open_database(config, io.get_executor(), clock));
  MYELIN_TRY(bool is_alone, run_to_end(io, is_alone_at(*db, clock)));
  using enum accounts::Wish;
  auto wish = !config.server_name_is_given ? kDefault : is_alone ? kAtStart : kDemanded;
  MYELIN_TRY(auto name,
             run_to_end(io, accounts::settle_server_name(*db, ServerName::trusted(config.server_name), wish)));
  config.server_name = name.str();
  boost::asio::signal_set signals(io, SIGTERM, SIGINT);  // until here, they end the process as they do by default
  int status = 1;
  Server server(config, io.get_executor(), std::move(key), std::move(db));
  boost::asio::co_spawn(io, run(server, signals), [&](const std::exception_ptr& failure, int result) {
    status = result;
    io.stop();
    if (failure) std::rethrow_exception(failure);
  });
  io.run();
  server.close();
  return status;
}

}  // namespace

int serve_until_signalled(const Config& config) {
  log::set_level(log_level(config.log_level));
  ::signal(SIGPIPE, SIG_IGN);
  auto status = serve(config);
  if (status) return *status;
  log::error("{}", status.error().message);
  return 1;
}

}  // namespace myelin::app
