// Construction, start and stop, and the work that goes on by itself.
#include "base/bytes.h"
#include "base/log.h"
#include "components/accounts/accounts_impl.h"
#include "components/accounts/tables.h"
#include "components/accounts/user_out.h"

namespace myelin::accounts {
namespace {

// How long a session is believed without asking the database: where other processes may end one too, and where only an
// administrator's command may. Its message on user.out comes sooner.
constexpr std::chrono::seconds kSharedSessionAge{5}, kOwnSessionAge{60};
constexpr std::chrono::seconds kHouseworkEvery{60};
constexpr Milliseconds kRemembered = 24 * 3'600'000;  // revoked refresh tokens

}  // namespace

AccountsImpl::AccountsImpl(Config config, db::Database& db, bus::Bus& bus, work::Queues& queues, rooms::Rooms& rooms,
                           Executor loop, const Clock& clock, Random& random)
    : config_(std::move(config)),
      db_(db),
      queues_(queues),
      rooms_(rooms),
      clock_(clock),
      random_(random),
      passwords_(config_.argon2_memory_kib, config_.argon2_passes, config_.password_threads),
      sessions_(clock, db.is_sqlite() ? kOwnSessionAge : kSharedSessionAge),
      last_seen_(db),
      logins_by_address_("login_addresses", {20, 0.5}, clock, config_.rate_limits),
      logins_by_user_("login_users", {10, 0.2}, clock, config_.rate_limits),
      registrations_("registration_addresses", {10, 0.1}, clock, config_.rate_limits),
      name_checks_("username_check_addresses", {20, 0.5}, clock, config_.rate_limits),
      push_rules_("push_rules", 8u << 20),
      nonce_key_(config_.registration_secret.value_or("")),
      tasks_(loop) {
  bus.follow({kUserOut, [this](const bus::Message& message) { heard(message); }, [this] { sessions_.forget_all(); }});
  for (auto name : {kProfileQueue, kProfileAgainQueue})
    queues.declare(
        {.name = std::string(name), .attempt = [this](work::Item item) { return propagate_profile(std::move(item)); }});
  for (auto name : {kDeactivationQueue, kDeactivationAgainQueue})
    queues.declare(
        {.name = std::string(name), .attempt = [this](work::Item item) { return leave_every_room(std::move(item)); }});
  queues.declare({.name = std::string(kDeviceQueue),
                  .attempt = [this](work::Item item) { return forget_device(std::move(item)); }});
}

// From other processes: a device that is gone takes its sessions along.
void AccountsImpl::heard(const bus::Message& message) {
  auto decoded = decode_user_out(message.body);
  const auto* deleted = decoded ? std::get_if<DeviceDeleted>(&decoded->what) : nullptr;
  if (deleted != nullptr) sessions_.forget(decoded->user, deleted->device);
}

std::optional<UserId> AccountsImpl::local_user(const std::string& name) const {
  // Names are made in lower case; people type them as they like.
  auto server = ":" + config_.server_name.str();
  bool is_full = name.starts_with('@');
  if (is_full && !name.ends_with(server)) return std::nullopt;
  auto localpart = is_full ? name.substr(1, name.size() - 1 - server.size()) : name;
  auto user = UserId::parse("@" + ascii_lower(std::move(localpart)) + server);
  if (!user || !is_local(*user)) return std::nullopt;
  return *user;
}

Task<Result<bool>> AccountsImpl::user_exists(UserId user) {
  co_return co_await db_.read([user](db::ReadTx& tx) {
    return tx.one("SELECT 1 FROM account WHERE user_id = $1", [](const db::Row&) { return 1; }, user.str()).has_value();
  });
}

Task<Result<std::vector<Account>>> AccountsImpl::users() {
  co_return co_await db_.read([](db::ReadTx& tx) {
    return tx.all("SELECT user_id, is_admin, deactivated_at FROM account ORDER BY user_id", [](const db::Row& row) {
      return Account{UserId::trusted(row.str(0)), row.i64(1) != 0, !row.null(2)};
    });
  });
}

Task<> AccountsImpl::keep_house() {
  while (true) {
    co_await sleep_for(kHouseworkEvery);
    if (auto written = co_await last_seen_.write(); !written)
      log::warning("when devices were last used is not stored: {}", written.error().message);
    auto now = clock_.now();
    auto swept = co_await db_.write({}, [now](db::Tx& tx) {
      tx.exec("DELETE FROM uia_session WHERE expires_at < $1", now);
      tx.exec("DELETE FROM spent_nonce WHERE expires_at < $1", now);
      tx.exec("DELETE FROM refresh_token WHERE revoked_at < $1", now - kRemembered);
    });
    if (!swept) log::warning("expired sessions are not deleted: {}", swept.error().message);
  }
}

Task<Result<void>> AccountsImpl::start() {
  tasks_.supervise("accounts: housework", [this] { return keep_house(); });
  co_return Result<void>{};
}

Task<> AccountsImpl::stop() {
  tasks_.cancel();
  co_await tasks_.join();
  if (auto written = co_await last_seen_.write(); !written)
    log::warning("when devices were last used is not stored: {}", written.error().message);
}

std::unique_ptr<Accounts> make_accounts(Config config, db::Database& db, bus::Bus& bus, work::Queues& queues,
                                        rooms::Rooms& rooms, Executor loop, const Clock& clock, Random& random) {
  return std::make_unique<AccountsImpl>(std::move(config), db, bus, queues, rooms, std::move(loop), clock, random);
}

}  // namespace myelin::accounts
