// The one implementation of Accounts; its parts are in sessions.cc, tokens.cc, registration.cc, user_auth.cc,
// passwords of accounts and their end in lifecycle.cc, profile.cc, account_data.cc.
#pragma once
#include "components/accounts/accounts.h"
#include "components/accounts/last_seen.h"
#include "components/accounts/passwords.h"
#include "components/accounts/rate_limit.h"
#include "components/accounts/session_cache.h"
#include "infra/bus/bus.h"

namespace myelin::accounts {

class AccountsImpl final : public Accounts {
 public:
  AccountsImpl(Config, db::Database&, bus::Bus&, work::Queues&, rooms::Rooms&, Executor loop, const Clock&, Random&);

  Task<Result<Session>> authenticate(std::string access_token, std::string remote_address) override;
  Task<Result<Login>> log_in(PasswordLogin) override;
  Task<Result<Tokens>> refresh(std::string refresh_token) override;
  Task<Result<void>> log_out(Session) override;
  Task<Result<void>> log_out_all(Session) override;
  void forget_sessions(std::vector<std::pair<UserId, DeviceId>>) override;

  RegistrationMode registration_mode() const override { return config_.registration; }
  Task<Result<void>> check_username(std::string localpart, std::string remote_address) override;
  Task<Result<Login>> register_user(Registration) override;
  Task<Result<std::string>> registration_nonce() override;
  Task<Result<Login>> register_with_secret(std::string nonce, std::string username, std::string password, bool admin,
                                           std::string mac_hex) override;
  Task<Result<std::string>> new_registration_token(int uses) override;
  Task<Result<std::optional<std::string>>> start_token() override;
  Task<Result<bool>> registration_token_valid(std::string token) override;
  Task<Result<void>> user_auth(UiaRequest) override;

  Task<Result<void>> change_password(UserId, std::string new_password, std::optional<Session> keep) override;
  Task<Result<void>> set_password(UserId, std::string new_password) override;
  Task<Result<void>> deactivate(UserId, bool erase) override;
  Task<Result<bool>> user_exists(UserId) override;
  Task<Result<std::vector<Account>>> users() override;

  Task<Result<std::vector<Device>>> devices(UserId) override;
  Task<Result<Device>> device(UserId, DeviceId) override;
  Task<Result<void>> rename_device(UserId, DeviceId, std::optional<std::string> display_name) override;
  Task<Result<void>> delete_devices(UserId, std::vector<DeviceId>) override;

  Task<Result<json::Object>> profile(UserId) override;
  Task<Result<rooms::MemberProfile>> member_profile(UserId) override;
  Task<Result<void>> set_profile(UserId, ProfileChange) override;

  Task<Result<void>> put_account_data(UserId, std::optional<RoomId>, std::string type, std::string content) override;
  Task<Result<std::string>> account_data(UserId, std::optional<RoomId>, std::string type) override;
  Task<Result<std::vector<AccountDataItem>>> all_account_data(UserId, std::optional<RoomId>) override;
  Task<Result<void>> edit_account_data(UserId, std::optional<RoomId>, std::string type,
                                       std::function<Result<void>(json::Object&)> edit) override;
  Task<Result<std::string>> put_filter(UserId, json::Object filter) override;
  Task<Result<std::string>> filter(UserId, std::string filter_id) override;
  Task<Result<std::shared_ptr<const json::Object>>> push_rules(UserId) override;
  Task<Result<void>> edit_push_rules(UserId, std::function<Result<void>(json::Object&)> edit) override;
  Task<Result<std::vector<UserId>>> with_own_push_rules(std::vector<UserId> users) override;
  void on_rules_changed(std::function<void()> listener) override { rules_changed_ = std::move(listener); }

  Task<Result<void>> start() override;
  Task<> stop() override;

 private:
  static db::WriteOptions lane_of(const UserId& user) { return {.lane = bus::hash_of(user.str())}; }
  bool is_local(const UserId& user) const { return user.server() == config_.server_name.str(); }
  std::optional<UserId> local_user(const std::string& name) const;  // a localpart or a full id; nullopt: not ours

  Task<Result<void>> first_use(UserId, std::string parent_hash, std::string own_refresh_hash);
  Task<Result<void>> check_password(UserId, std::string password, std::string remote_address);
  Result<void> check_new_password(const std::string& password) const;
  Task<Result<std::optional<std::string>>> run_stage(const UiaRequest&, const json::Object& auth);

  Task<work::Outcome> propagate_profile(work::Item);
  Task<work::Outcome> leave_every_room(work::Item);  // and erases
  // `as`: where the member event holds this profile.
  Task<Result<std::vector<RoomId>>> joined_rooms(UserId, std::optional<rooms::MemberProfile> as);
  Task<work::Outcome> forget_device(work::Item);  // of erase_devices()
  void heard(const bus::Message&);
  void devices_ended(const std::vector<std::string>& token_hashes);
  Task<> keep_house();  // writes what LastSeen holds and deletes what has expired, again and again

  Config config_;
  db::Database& db_;
  work::Queues& queues_;
  rooms::Rooms& rooms_;
  const Clock& clock_;
  Random& random_;
  Passwords passwords_;
  SessionCache sessions_;
  LastSeen last_seen_;
  RateLimiter logins_by_address_, logins_by_user_, registrations_, name_checks_;
  Lru<std::string, std::shared_ptr<const json::Object>> push_rules_;
  std::function<void()> rules_changed_ = [] {};
  uint64_t push_rules_stamp_ = 0;  // grows with each edit: what was read before one is not kept
  std::string nonce_key_;
  TaskSet tasks_;
};

}  // namespace myelin::accounts
