// New accounts: registration, registration tokens, shared-secret registration (client-server API, Account registration;
// Synapse admin API, Shared-Secret Registration).
#include <openssl/hmac.h>

#include <charconv>

#include "base/bytes.h"
#include "components/accounts/accounts_impl.h"
#include "components/accounts/tables.h"

namespace myelin::accounts {
namespace {

constexpr Milliseconds kNonceLifetime = 60'000;

std::string hmac(const EVP_MD* hash, std::string_view key, std::string_view text) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned length = 0;
  auto bytes = as_bytes(text);
  if (HMAC(hash, key.data(), static_cast<int>(key.size()), bytes.data(), bytes.size(),
           reinterpret_cast<unsigned char*>(out.data()), &length) == nullptr)
    return {};
  out.resize(length);
  return out;
}

// When a nonce that we made ends; nullopt: we did not make it.
std::optional<Milliseconds> nonce_expiry(std::string_view key, std::string_view nonce) {
  auto dot = nonce.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  if (!equal_constant_time(base64url(hmac(EVP_sha256(), key, nonce.substr(0, dot))), nonce.substr(dot + 1)))
    return std::nullopt;
  Milliseconds expiry = 0;
  if (std::from_chars(nonce.data(), nonce.data() + dot, expiry).ec != std::errc()) return std::nullopt;
  return expiry;
}

// Takes one use of the token.
Result<void> spend_registration_token(db::Tx& tx, const std::string& token) {
  int64_t spent = tx.exec(
      "UPDATE registration_token SET uses_left = uses_left - 1 WHERE token = $1 AND (uses_left IS NULL OR uses_left > "
      "0)",
      token);
  if (spent == 0) return fail(Code::kForbidden, "the registration token is not valid");
  return {};
}

}  // namespace

Task<Result<void>> AccountsImpl::check_username(std::string localpart, std::string remote_address) {
  if (!remote_address.empty()) MYELIN_CO_CHECK(name_checks_.take(network_of(remote_address)));  // before the answer
  MYELIN_CO_TRY(auto user, UserId::make(ascii_lower(std::move(localpart)), config_.server_name));
  MYELIN_CO_TRY(bool exists, co_await user_exists(user));
  if (exists) co_return fail(Code::kUserInUse, "this user name is taken");
  co_return Result<void>{};
}

Task<Result<Login>> AccountsImpl::register_user(Registration request) {
  if (!request.remote_address.empty()) MYELIN_CO_CHECK(registrations_.take(network_of(request.remote_address)));
  auto localpart = ascii_lower(request.username.value_or(""));
  if (localpart.empty()) localpart = ascii_lower(random_.token(12));
  MYELIN_CO_TRY(auto user, UserId::make(localpart, config_.server_name));
  MYELIN_CO_TRY(auto device, device_id_for(request.device, random_));
  MYELIN_CO_CHECK(check_device_name(request.device.initial_device_display_name));
  std::optional<std::string> hash;
  if (request.password) {
    MYELIN_CO_CHECK(check_new_password(*request.password));
    MYELIN_CO_CHECK(co_await check_username(localpart, ""));  // before the costly hash
    MYELIN_CO_TRY(hash, co_await passwords_.hash(std::move(*request.password)));
  }
  auto now = clock_.now();
  auto made = make_tokens(random_, request.device.refresh_token, now, config_.access_token_lifetime_ms);
  bool log_in = !request.inhibit_login;
  auto registered = co_await db_.write(
      lane_of(user),
      [user, hash, device, made, now, log_in, admin = request.is_admin, guest = request.is_guest,
       name = request.device.initial_device_display_name,
       token = request.registration_token](db::Tx& tx) -> Result<void> {
        if (token) MYELIN_CHECK(spend_registration_token(tx, *token));
        int64_t added = tx.exec(
            "INSERT INTO account (user_id, password_hash, is_admin, is_guest, created_at, profile_version) VALUES ($1, "
            "$2, $3, $4, $5, 0) ON CONFLICT (user_id) DO NOTHING",
            user.str(), hash, admin ? 1 : 0, guest ? 1 : 0, now);
        if (added == 0) return fail(Code::kUserInUse, "this user name is taken");
        tx.exec("INSERT INTO profile (user_id, field, value) VALUES ($1, 'displayname', $2)", user.str(),
                json::serialize(json::Value(user.localpart())));
        if (!log_in) return {};
        put_device(tx, user, device, name);
        insert_tokens(tx, user, device, made);
        return {};
      });
  if (!registered) co_return std::unexpected(registered.error());
  if (!log_in) co_return Login{user};
  co_return Login{user, device, made.tokens};
}

Task<Result<std::string>> AccountsImpl::registration_nonce() {
  if (!config_.registration_secret) co_return fail(Code::kUnrecognized, "shared-secret registration is off");
  auto text = std::to_string(clock_.now() + kNonceLifetime) + "-" + random_.token(20);
  co_return text + "." + base64url(hmac(EVP_sha256(), nonce_key_, text));
}

Task<Result<Login>> AccountsImpl::register_with_secret(std::string nonce, std::string username, std::string password,
                                                       bool admin, std::string mac_hex) {
  if (!config_.registration_secret) co_return fail(Code::kUnrecognized, "shared-secret registration is off");
  auto expiry = nonce_expiry(nonce_key_, nonce);
  if (!expiry || *expiry < clock_.now()) co_return fail(Code::kInvalidParam, "unrecognised nonce");
  std::string text = nonce + '\0' + username + '\0' + password + '\0' + (admin ? "admin" : "notadmin");
  if (!equal_constant_time(hex(hmac(EVP_sha1(), *config_.registration_secret, text)), mac_hex))
    co_return fail(Code::kForbidden, "HMAC incorrect");
  auto spent = co_await db_.write({}, [nonce, expiry = *expiry](db::Tx& tx) -> Result<void> {
    int64_t added = tx.exec(
        "INSERT INTO spent_nonce (nonce, expires_at) VALUES ($1, $2) ON CONFLICT (nonce) DO NOTHING", nonce, expiry);
    if (added == 0) return fail(Code::kInvalidParam, "unrecognised nonce");
    return {};
  });
  if (!spent) co_return std::unexpected(spent.error());
  Registration request;
  request.username = std::move(username);
  request.password = std::move(password);
  request.is_admin = admin;
  co_return co_await register_user(std::move(request));
}

Task<Result<std::string>> AccountsImpl::new_registration_token(int uses) {
  auto token = random_.token(24);
  auto now = clock_.now();
  MYELIN_CO_CHECK(co_await db_.write({}, [token, uses, now](db::Tx& tx) {
    tx.exec("INSERT INTO registration_token (token, uses_left, created_at) VALUES ($1, $2, $3)", token, uses, now);
  }));
  co_return token;
}

Task<Result<std::optional<std::string>>> AccountsImpl::start_token() {
  struct Known {
    bool has_accounts = false;
    std::optional<std::string> token;
  };
  MYELIN_CO_TRY(auto known, co_await db_.read([](db::ReadTx& tx) {
    auto one = [](const db::Row&) { return 1; };
    auto text = [](const db::Row& row) { return row.str(0); };
    return Known{tx.one("SELECT 1 FROM account WHERE deactivated_at IS NULL LIMIT 1", one).has_value(),
                 tx.one("SELECT token FROM registration_token WHERE from_start = 1 AND uses_left > 0", text)};
  }));
  if (known.has_accounts && known.token)
    MYELIN_CO_CHECK(co_await db_.write(
        {}, [](db::Tx& tx) { tx.exec("UPDATE registration_token SET uses_left = 0 WHERE from_start = 1"); }));
  if (known.has_accounts) co_return std::nullopt;
  if (known.token) co_return known.token;
  auto token = random_.token(24);
  auto now = clock_.now();
  MYELIN_CO_CHECK(co_await db_.write({}, [token, now](db::Tx& tx) {
    tx.exec("INSERT INTO registration_token (token, uses_left, created_at, from_start) VALUES ($1, 1, $2, 1)", token,
            now);
  }));
  co_return token;
}

Task<Result<bool>> AccountsImpl::registration_token_valid(std::string token) {
  co_return co_await db_.read([token](db::ReadTx& tx) {
    return tx
        .one(
            "SELECT 1 FROM registration_token WHERE token = $1 AND (uses_left IS NULL OR uses_left > 0)",
            [](const db::Row&) { return 1; }, token)
        .has_value();
  });
}

}  // namespace myelin::accounts
