#include "app/admin.h"

#include "app/components.h"
#include "app/run_to_end.h"
#include "app/signing_key.h"
#include "app/status.h"
#include "components/accounts/identity.h"
#include "infra/db/move.h"
#include "infra/lease/lease.h"

namespace myelin::app {
namespace {

// The database and, on it alone, accounts: what they publish waits in the outbox for the server.
class Offline {
 public:
  // `keeps_schema`: a server of another release may be at work.
  explicit Offline(const Config& config, bool keeps_schema = true) : config_(config), keeps_schema_(keeps_schema) {}

  // action(Database&)
  template <class Action>
  Result<std::string> on_database(Action action) {
    MYELIN_TRY(auto db, open());
    auto out = run_to_end(io_, action(*db));
    db->stop();
    return out;
  }

  // action(Accounts&, ServerName)
  template <class Action>
  Result<std::string> run(Action action) {
    MYELIN_TRY(auto db, open());
    using enum accounts::Wish;
    auto wish = config_.server_name_is_given ? kDemanded : kDefault;
    MYELIN_TRY(auto name,
               run_to_end(io_, accounts::settle_server_name(*db, ServerName::trusted(config_.server_name), wish)));
    config_.server_name = name.str();
    MYELIN_TRY(auto key, load_or_make_signing_key(signing_key_path(config_), random_));
    auto loop = Executor(io_.get_executor());
    auto bus = bus::make_jetstream_bus(bus_options(config_), *db, loop, clock_);  // never started
    auto queues = work::Queues::make(*db, *bus, loop, clock_, random_);
    auto leases = lease::Leases::make(*db, *bus, loop, clock_, random_, "offline", {});  // never started
    auto rooms = rooms::Rooms::make(rooms_config(config_), *db, *bus, *leases, loop, clock_, random_, key);
    auto accounts =
        accounts::make_accounts(accounts_config(config_), *db, *bus, *queues, *rooms, loop, clock_, random_);
    auto out = run_to_end(io_, action(*accounts, name));
    db->stop();
    return out;
  }

 private:
  Result<std::unique_ptr<db::Database>> open() {
    MYELIN_CHECK(check_data_directory(config_));
    auto options = database_options(config_);
    options.beside_a_server = true;
    options.keeps_schema = keeps_schema_;
    return db::Database::open(std::move(options), io_.get_executor(), clock_);
  }

  Config config_;
  bool keeps_schema_;
  boost::asio::io_context io_{1};
  SystemClock clock_;
  SystemRandom random_;
};

Result<UserId> user_of(const ServerName& server, const std::string& name) {
  if (name.starts_with('@')) return UserId::parse(name);
  return UserId::make(name, server);
}

Task<Result<std::string>> add(accounts::Accounts& accounts, accounts::Registration request) {
  MYELIN_CO_TRY(auto login, co_await accounts.register_user(std::move(request)));
  co_return "made " + login.user.str();
}

Task<Result<std::string>> list(accounts::Accounts& accounts, ServerName) {
  MYELIN_CO_TRY(auto users, co_await accounts.users());
  std::vector<std::string> lines;
  for (const auto& each : users)
    lines.push_back(each.user.str() + (each.is_admin ? " (administrator)" : "") +
                    (each.is_deactivated ? " (deactivated)" : ""));
  co_return fmt::format("{}", fmt::join(lines, "\n"));
}

Task<Result<std::string>> change(accounts::Accounts& accounts, ServerName server, std::string name,
                                 std::string password) {
  MYELIN_CO_TRY(auto user, user_of(server, name));
  MYELIN_CO_CHECK(co_await accounts.change_password(user, std::move(password), std::nullopt));
  co_return "the password of " + user.str() + " is changed and its devices are logged out";
}

Task<Result<std::string>> renew(db::Database& db) {
  MYELIN_CO_CHECK(co_await db::renew_history(db));
  co_return "noted: from the next start on, what left this server before is taken for known outside";
}

Task<Result<std::string>> describe(db::Database& db, bool as_json) {
  SystemClock clock;
  MYELIN_CO_TRY(auto status, co_await read_status(db, clock));
  co_return as_json ? json::serialize(to_json(status)) : to_table(status);
}

}  // namespace

Result<std::string> add_user(const Config& config, std::string name, std::string password, bool admin) {
  accounts::Registration request;
  request.username = std::move(name);
  request.password = std::move(password);
  request.is_admin = admin;
  request.inhibit_login = true;
  return Offline(config).run([&](accounts::Accounts& accounts, const ServerName&) { return add(accounts, request); });
}

Result<std::string> list_users(const Config& config) { return Offline(config).run(list); }

Result<std::string> set_password(const Config& config, std::string name, std::string password) {
  return Offline(config).run(
      [&](accounts::Accounts& accounts, const ServerName& server) { return change(accounts, server, name, password); });
}

Result<std::string> status(const Config& config, bool as_json) {
  return Offline(config).on_database([&](db::Database& db) { return describe(db, as_json); });
}

Result<std::string> restored(const Config& config) {
  MYELIN_CHECK(check_data_directory(config));
  MYELIN_TRY(auto lock, lease::DirectoryLock::take(config.data_dir));
  MYELIN_TRY(bool had_moved, db::take_back(database_options(config)));
  // Before any server starts; a backup may be an older release's.
  if (!had_moved) return Offline(config, false).on_database(renew);
  return "noted: the server goes on from what is here, without what happened since its data moved away. What it moved "
         "to must not be started again";
}

Result<std::string> new_token(const Config& config, int uses) {
  return Offline(config).run(
      [&](accounts::Accounts& accounts, const ServerName&) { return accounts.new_registration_token(uses); });
}

}  // namespace myelin::app
