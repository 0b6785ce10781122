// Accounts: users, login, devices and tokens, profiles, account data, push rules, filters. Topic written: user.out (see
// user_out.h). Thread: the loop; parameters by value.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/task.h"
#include "components/rooms/rooms.h"
#include "infra/work/work.h"
#include "matrix/ids.h"
#include "matrix/json.h"

namespace myelin::accounts {

// Who makes a request: the owner of a valid access token.
struct Session {
  UserId user;
  DeviceId device;
  bool is_admin = false;
  bool is_guest = false;
};

struct Tokens {
  std::string access_token;
  std::optional<std::string> refresh_token{};
  std::optional<Milliseconds> expires_in_ms{};
};
struct Login {
  UserId user;
  std::optional<DeviceId> device{};  // absent with inhibit_login
  std::optional<Tokens> tokens{};
};
struct DeviceRequest {  // of /login and /register
  std::optional<std::string> device_id{}, initial_device_display_name{};
  bool refresh_token = false;
};
struct PasswordLogin {
  std::string user;  // localpart or full id
  std::string password;
  DeviceRequest device{};
  std::string remote_address;
};
enum class RegistrationMode : uint8_t { kOff, kToken, kOpen };
struct Registration {
  std::optional<std::string> username{};
  std::optional<std::string> password{};
  DeviceRequest device{};
  bool inhibit_login = false;
  bool is_admin = false;
  bool is_guest = false;
  std::optional<std::string>
      registration_token{};      // one use of it is taken with the account; kForbidden when there is none
  std::string remote_address{};  // what rate limits count; "" = no limit
};
struct Account {
  UserId user;
  bool is_admin = false, is_deactivated = false;
};
struct Device {
  UserId user;
  DeviceId id;
  std::optional<std::string> display_name{};
  std::optional<std::string> last_seen_ip{};
  std::optional<Milliseconds> last_seen_ts{};
};
struct ProfileChange {
  std::string field;                   // displayname, avatar_url, or any other key
  std::optional<json::Value> value{};  // absent: delete
};
struct AccountDataItem {
  std::string type;
  std::string content;  // JSON text
};

// User-interactive authentication (client-server API): one attempt at one stage of a session.
struct UiaRequest {
  std::string endpoint;          // what the session is for, with the body: another request may not reuse it
  json::Object body;             // the request body; its "auth" is read, kBadJson when it is malformed
  std::optional<UserId> user{};  // whose password counts (m.login.password)
  std::vector<std::vector<std::string>> flows;
  std::string remote_address;
};

class Accounts {
 public:
  virtual ~Accounts() = default;

  // ---- sessions (session.cc). kMissingToken, kUnknownToken (field soft_logout).
  virtual Task<Result<Session>> authenticate(std::string access_token, std::string remote_address) = 0;
  virtual Task<Result<Login>> log_in(PasswordLogin) = 0;
  virtual Task<Result<Tokens>> refresh(std::string refresh_token) = 0;
  virtual Task<Result<void>> log_out(Session) = 0;
  virtual Task<Result<void>> log_out_all(Session) = 0;
  // These devices were deleted, by another process perhaps (user.out says so): what is cached of them is forgotten.
  virtual void forget_sessions(std::vector<std::pair<UserId, DeviceId>>) = 0;

  // ---- registration. The UIA of /register is done by the api through user_auth().
  virtual RegistrationMode registration_mode() const = 0;
  // kInvalidUsername, kUserInUse, kLimitExceeded (of the address; "" = no limit)
  virtual Task<Result<void>> check_username(std::string localpart, std::string remote_address) = 0;
  virtual Task<Result<Login>> register_user(Registration) = 0;
  virtual Task<Result<std::string>> registration_nonce() = 0;  // shared-secret registration
  virtual Task<Result<Login>> register_with_secret(std::string nonce, std::string username, std::string password,
                                                   bool admin, std::string mac_hex) = 0;
  virtual Task<Result<std::string>> new_registration_token(int uses) = 0;  // `myelin token new`
  // For the first account: the same at every start until there is one; then nullopt, and it is good for nothing.
  virtual Task<Result<std::optional<std::string>>> start_token() = 0;
  virtual Task<Result<bool>> registration_token_valid(std::string token) = 0;
  // ok: every stage of a flow is complete. kUiaIncomplete: its fields are the 401 body.
  virtual Task<Result<void>> user_auth(UiaRequest) = 0;

  // Logs out every device but `keep`. set_password leaves the devices alone.
  virtual Task<Result<void>> change_password(UserId, std::string new_password, std::optional<Session> keep) = 0;
  virtual Task<Result<void>> set_password(UserId, std::string new_password) = 0;
  virtual Task<Result<void>> deactivate(UserId, bool erase) = 0;
  virtual Task<Result<bool>> user_exists(UserId) = 0;
  virtual Task<Result<std::vector<Account>>> users() = 0;  // deactivated ones too

  // ---- devices
  virtual Task<Result<std::vector<Device>>> devices(UserId) = 0;
  virtual Task<Result<Device>> device(UserId, DeviceId) = 0;  // kNotFound
  virtual Task<Result<void>> rename_device(UserId, DeviceId, std::optional<std::string> display_name) = 0;
  virtual Task<Result<void>> delete_devices(UserId, std::vector<DeviceId>) = 0;

  // ---- profile
  virtual Task<Result<json::Object>> profile(UserId) = 0;  // kNotFound when there is no such user
  virtual Task<Result<rooms::MemberProfile>> member_profile(UserId) = 0;
  virtual Task<Result<void>> set_profile(UserId, ProfileChange) = 0;  // propagated to member events by a work queue

  // ---- account data, filters, push rules
  virtual Task<Result<void>> put_account_data(UserId, std::optional<RoomId>, std::string type, std::string content) = 0;
  virtual Task<Result<std::string>> account_data(UserId, std::optional<RoomId>, std::string type) = 0;  // kNotFound
  // Without a room: what is global, but for m.push_rules.
  virtual Task<Result<std::vector<AccountDataItem>>> all_account_data(UserId, std::optional<RoomId>) = 0;
  // Changes one content, {} where there is none, in its transaction: `edit` is pure and may run twice, on any thread.
  virtual Task<Result<void>> edit_account_data(UserId, std::optional<RoomId>, std::string type,
                                               std::function<Result<void>(json::Object&)> edit) = 0;
  virtual Task<Result<std::string>> put_filter(UserId,
                                               json::Object filter) = 0;        // its id; the same filter, the same id
  virtual Task<Result<std::string>> filter(UserId, std::string filter_id) = 0;  // JSON text; kNotFound
  // The whole m.push_rules content, defaults merged in (client-server API, Push Rules). Cached.
  virtual Task<Result<std::shared_ptr<const json::Object>>> push_rules(UserId) = 0;
  virtual Task<Result<void>> edit_push_rules(UserId, std::function<Result<void>(json::Object&)> edit) = 0;
  // Users on this server whose rules differ from the defaults or who ignore others, among `users` (sync counts them one
  // by one).
  virtual Task<Result<std::vector<UserId>>> with_own_push_rules(std::vector<UserId> users) = 0;
  // One listener: sync. Called when a user's push rules or ignored users are committed, before the change is answered.
  virtual void on_rules_changed(std::function<void()>) = 0;

  virtual Task<Result<void>> start() = 0;
  virtual Task<> stop() = 0;
};

struct Config {
  ServerName server_name;
  RegistrationMode registration = RegistrationMode::kOff;
  std::optional<std::string> registration_secret{};
  bool rate_limits = true;
  Milliseconds access_token_lifetime_ms = 3'600'000;       // of tokens that can be refreshed
  unsigned argon2_memory_kib = 19'456, argon2_passes = 2;  // OWASP's argon2id minimum
  int password_threads = 1;
  int64_t account_data_bytes = 4 << 20;  // of one user, all rooms together
};
std::unique_ptr<Accounts> make_accounts(Config, db::Database&, bus::Bus&, work::Queues&, rooms::Rooms&, Executor loop,
                                        const Clock&, Random&);

}  // namespace myelin::accounts
