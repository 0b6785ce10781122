// Logging in and out, access and refresh tokens, devices (client-server API, Client Authentication; Device Management).
#include "base/bytes.h"
#include "components/accounts/accounts_impl.h"
#include "components/accounts/tables.h"

namespace myelin::accounts {
namespace {

constexpr Milliseconds kNoteUseEvery = 60'000;

std::unexpected<Error> unknown_token(const char* message, bool soft_logout) {
  return fail(Code::kUnknownToken, message, {{"soft_logout", soft_logout}});
}
std::unexpected<Error> wrong_password() { return fail(Code::kForbidden, "wrong user name or password"); }

struct TokenRow {
  SessionCache::Entry entry;
  std::optional<std::string> parent{}, refresh{};
};
std::optional<TokenRow> find_token(db::ReadTx& tx, const std::string& hash) {
  return tx.one(
      "SELECT t.user_id, t.device_id, a.is_admin, a.is_guest, t.expires_at, t.parent, t.refresh FROM access_token t "
      "JOIN account a ON a.user_id = t.user_id WHERE t.hash = $1",
      [](const db::Row& row) {
        TokenRow out;
        out.entry.session = {UserId::trusted(row.str(0)), DeviceId::trusted(row.str(1)), row.i64(2) != 0,
                             row.i64(3) != 0};
        if (!row.null(4)) out.entry.expires_at = row.i64(4);
        if (!row.null(5)) out.parent = row.bytes(5);
        if (!row.null(6)) out.refresh = row.bytes(6);
        return out;
      },
      db::Blob{hash});
}

// The pair in use takes the place of the token it was traded for: that one, its access tokens and every other pair
// traded for it end. The hashes of the access tokens that ended.
std::vector<std::string> end_parent(db::Tx& tx, const UserId& user, const std::string& parent,
                                    const std::string& own_refresh, Milliseconds now) {
  db::Blob former{parent}, own{own_refresh};
  auto ended = tx.all(
      "DELETE FROM access_token WHERE user_id = $1 AND (refresh = $2 OR (parent = $2 AND refresh <> $3)) RETURNING "
      "hash",
      [](const db::Row& row) { return row.bytes(0); }, user.str(), former, own);
  tx.exec("DELETE FROM refresh_token WHERE user_id = $1 AND parent = $2 AND hash <> $3", user.str(), former, own);
  tx.exec("UPDATE refresh_token SET revoked_at = $2 WHERE hash = $1 AND revoked_at IS NULL", former, now);
  tx.exec("UPDATE refresh_token SET parent = NULL WHERE hash = $1", own);
  tx.exec("UPDATE access_token SET parent = NULL WHERE user_id = $1 AND refresh = $2", user.str(), own);
  return ended;
}

Device to_device(const UserId& user, const db::Row& row) {
  Device out{user, DeviceId::trusted(row.str(0))};
  if (!row.null(1)) out.display_name = row.str(1);
  if (!row.null(2)) out.last_seen_ip = row.str(2);
  if (!row.null(3)) out.last_seen_ts = row.i64(3);
  return out;
}

}  // namespace

Task<Result<Session>> AccountsImpl::authenticate(std::string access_token, std::string remote_address) {
  if (access_token.empty()) co_return fail(Code::kMissingToken, "an access token is required");
  auto hash = sha256(access_token);
  auto now = clock_.now();
  auto* entry = sessions_.find(hash);
  if (entry == nullptr) {
    auto stamp = sessions_.stamp();
    MYELIN_CO_TRY(auto row, co_await db_.read([hash](db::ReadTx& tx) { return find_token(tx, hash); }));
    if (!row) co_return unknown_token("unknown access token", false);
    if (row->parent) {
      MYELIN_CO_CHECK(co_await first_use(row->entry.session.user, *row->parent, row->refresh.value_or("")));
      stamp = sessions_.stamp();
    }
    sessions_.put(hash, row->entry, stamp);
    entry = sessions_.find(hash);
    if (entry == nullptr) {  // ended meanwhile, maybe: the next request asks the database again
      if (row->entry.expires_at && *row->entry.expires_at <= now)
        co_return unknown_token("the token has expired", true);
      co_return row->entry.session;
    }
  }
  if (entry->expires_at && *entry->expires_at <= now) co_return unknown_token("the access token has expired", true);
  if (now - entry->seen_at >= kNoteUseEvery) {
    entry->seen_at = now;
    last_seen_.note(entry->session.user, entry->session.device, remote_address, now);
  }
  co_return entry->session;
}

Task<Result<void>> AccountsImpl::first_use(UserId user, std::string parent, std::string own_refresh) {
  auto now = clock_.now();
  MYELIN_CO_TRY(auto ended, co_await db_.write(lane_of(user), [user, parent, own_refresh, now](db::Tx& tx) {
    return end_parent(tx, user, parent, own_refresh, now);
  }));
  devices_ended(ended);
  co_return Result<void>{};
}

Task<Result<void>> AccountsImpl::check_password(UserId user, std::string password, std::string remote_address) {
  auto network = network_of(remote_address);
  if (!remote_address.empty()) MYELIN_CO_CHECK(logins_by_address_.take(network));
  MYELIN_CO_CHECK(logins_by_user_.take(user.str()));
  struct Stored {
    std::string hash;
    bool deactivated;
  };
  MYELIN_CO_TRY(auto stored, co_await db_.read([user](db::ReadTx& tx) {
    return tx.one(
        "SELECT password_hash, deactivated_at FROM account WHERE user_id = $1",
        [](const db::Row& row) { return Stored{row.null(0) ? "" : row.str(0), !row.null(1)}; }, user.str());
  }));
  auto former = stored ? stored->hash : "";
  MYELIN_CO_TRY(bool same, co_await passwords_.verify(former, password));
  if (stored && stored->deactivated) co_return fail(Code::kUserDeactivated, "this account has been deactivated");
  if (!same) co_return wrong_password();
  logins_by_user_.give_back(user.str());
  if (!remote_address.empty()) logins_by_address_.give_back(network);
  if (passwords_.needs_rehash(former)) {
    MYELIN_CO_TRY(auto hash, co_await passwords_.hash(std::move(password)));
    MYELIN_CO_CHECK(co_await db_.write(lane_of(user), [user, hash, former](db::Tx& tx) {
      tx.exec("UPDATE account SET password_hash = $2 WHERE user_id = $1 AND password_hash = $3", user.str(), hash,
              former);
    }));
  }
  co_return Result<void>{};
}

Task<Result<Login>> AccountsImpl::log_in(PasswordLogin request) {
  auto user = local_user(request.user);
  if (!user) co_return wrong_password();
  MYELIN_CO_TRY(auto device, device_id_for(request.device, random_));
  MYELIN_CO_CHECK(check_device_name(request.device.initial_device_display_name));
  MYELIN_CO_CHECK(co_await check_password(*user, std::move(request.password), request.remote_address));
  auto made = make_tokens(random_, request.device.refresh_token, clock_.now(), config_.access_token_lifetime_ms);
  auto name = request.device.initial_device_display_name;
  auto logged_in = co_await db_.write(
      lane_of(*user), [user = *user, device, made, name](db::Tx& tx) -> Result<std::vector<std::string>> {
        auto active = tx.one(
            "SELECT 1 FROM account WHERE user_id = $1 AND deactivated_at IS NULL {for_update}",
            [](const db::Row&) { return 1; }, user.str());
        if (!active) return wrong_password();
        auto ended = put_device(tx, user, device, name);
        insert_tokens(tx, user, device, made);
        return ended;
      });
  if (!logged_in) co_return std::unexpected(logged_in.error());
  sessions_.forget(*logged_in);
  co_return Login{*user, device, made.tokens};
}

Task<Result<Tokens>> AccountsImpl::refresh(std::string refresh_token) {
  auto hash = sha256(refresh_token);
  auto now = clock_.now();
  auto made = make_tokens(random_, true, now, config_.access_token_lifetime_ms);
  auto traded = co_await db_.write(
      {.lane = bus::hash_of(hash)}, [hash, made, now](db::Tx& tx) -> Result<std::vector<std::string>> {
        struct Found {
          UserId user;
          DeviceId device;
          std::optional<std::string> parent;
          bool revoked;
        };
        auto found = tx.one(
            "SELECT user_id, device_id, parent, revoked_at FROM refresh_token WHERE hash = $1 {for_update}",
            [](const db::Row& row) {
              return Found{UserId::trusted(row.str(0)), DeviceId::trusted(row.str(1)),
                           row.null(2) ? std::optional<std::string>() : row.bytes(2), !row.null(3)};
            },
            db::Blob{hash});
        if (!found) return unknown_token("unknown refresh token", false);
        if (found->revoked) return unknown_token("this refresh token has been used", true);
        std::vector<std::string> ended;
        if (found->parent) ended = end_parent(tx, found->user, *found->parent, hash, now);
        insert_tokens(tx, found->user, found->device, made, &hash);
        return ended;
      });
  if (!traded) co_return std::unexpected(traded.error());
  sessions_.forget(*traded);
  co_return made.tokens;
}

Task<Result<void>> AccountsImpl::log_out(Session session) {
  std::vector<DeviceId> devices{session.device};
  co_return co_await delete_devices(session.user, std::move(devices));
}

Task<Result<void>> AccountsImpl::log_out_all(Session session) {
  auto user = session.user;
  MYELIN_CO_TRY(auto ended, co_await db_.write(lane_of(user), [user](db::Tx& tx) {
    return erase_devices(tx, user, device_ids(tx, user));
  }));
  devices_ended(ended);
  co_return Result<void>{};
}

void AccountsImpl::forget_sessions(std::vector<std::pair<UserId, DeviceId>> devices) {
  for (const auto& [user, device] : devices) sessions_.forget(user, device);
}

Task<Result<std::vector<Device>>> AccountsImpl::devices(UserId user) {
  MYELIN_CO_TRY(auto found, co_await db_.read([user](db::ReadTx& tx) {
    return tx.all(
        "SELECT device_id, display_name, last_seen_ip, last_seen_ts FROM device WHERE user_id = $1 ORDER BY device_id",
        [&user](const db::Row& row) { return to_device(user, row); }, user.str());
  }));
  last_seen_.add_to(found);
  co_return found;
}

Task<Result<Device>> AccountsImpl::device(UserId user, DeviceId id) {
  MYELIN_CO_TRY(auto found, co_await db_.read([user, id](db::ReadTx& tx) {
    return tx.all(
        "SELECT device_id, display_name, last_seen_ip, last_seen_ts FROM device WHERE user_id = $1 AND device_id = $2",
        [&user](const db::Row& row) { return to_device(user, row); }, user.str(), id.str());
  }));
  if (found.empty()) co_return fail(Code::kNotFound, "there is no such device");
  last_seen_.add_to(found);
  co_return found.front();
}

Task<Result<void>> AccountsImpl::rename_device(UserId user, DeviceId id, std::optional<std::string> display_name) {
  MYELIN_CO_CHECK(check_device_name(display_name));
  auto renamed = co_await db_.write(lane_of(user), [user, id, display_name](db::Tx& tx) -> Result<void> {
    auto former = tx.one(
        "SELECT display_name FROM device WHERE user_id = $1 AND device_id = $2 {for_update}",
        [](const db::Row& row) { return row.null(0) ? std::optional<std::string>() : row.str(0); }, user.str(),
        id.str());
    if (!former) return fail(Code::kNotFound, "there is no such device");
    if (!display_name || *former == display_name) return {};
    tx.exec("UPDATE device SET display_name = $3 WHERE user_id = $1 AND device_id = $2", user.str(), id.str(),
            display_name);
    publish(tx, user, DeviceListChanged{});
    return {};
  });
  co_return renamed;
}

Task<Result<void>> AccountsImpl::delete_devices(UserId user, std::vector<DeviceId> ids) {
  std::vector<std::string> names;
  for (const auto& id : ids) names.push_back(id.str());
  MYELIN_CO_TRY(auto ended, co_await db_.write(lane_of(user),
                                               [user, names](db::Tx& tx) { return erase_devices(tx, user, names); }));
  devices_ended(ended);
  co_return Result<void>{};
}

}  // namespace myelin::accounts
