// Accounts of which a test says which users and devices there are. Thread: the loop.
#pragma once
#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "components/accounts/accounts.h"

namespace myelin::testing {

class FakeAccounts final : public accounts::Accounts {
 public:
  void add(const UserId& user, const std::string& device, std::optional<std::string> name = {}) {
    users_.insert(user);
    devices_[user].push_back({user, DeviceId::trusted(device), std::move(name)});
  }
  void remove(const UserId& user, const std::string& device) {
    std::erase_if(devices_[user], [&](const auto& each) { return each.id.str() == device; });
  }
  std::map<std::pair<UserId, std::string>, std::string> data;  // user, room + type -> content
  std::map<UserId, std::shared_ptr<const json::Object>> rules;

  std::map<std::string, accounts::Session> tokens;
  std::vector<std::pair<UserId, DeviceId>> forgotten_sessions;

  Task<Result<accounts::Session>> authenticate(std::string token, std::string) override {
    if (token.empty()) co_return fail(Code::kMissingToken, "no token");
    auto it = tokens.find(token);
    if (it == tokens.end()) co_return fail(Code::kUnknownToken, "unknown token", {{"soft_logout", false}});
    co_return it->second;
  }
  void forget_sessions(std::vector<std::pair<UserId, DeviceId>> devices) override {
    forgotten_sessions.insert(forgotten_sessions.end(), devices.begin(), devices.end());
  }
  Task<Result<std::vector<accounts::Device>>> devices(UserId user) override { co_return devices_[user]; }
  Task<Result<accounts::Device>> device(UserId user, DeviceId id) override {
    for (const auto& device : devices_[user])
      if (device.id == id) co_return device;
    co_return fail(Code::kNotFound, "no such device");
  }
  Task<Result<bool>> user_exists(UserId user) override { co_return users_.contains(user); }
  Task<Result<void>> put_account_data(UserId user, std::optional<RoomId> room, std::string type,
                                      std::string content) override {
    data[{user, (room ? room->str() : "") + type}] = std::move(content);
    co_return Result<void>{};
  }
  Task<Result<std::string>> account_data(UserId user, std::optional<RoomId> room, std::string type) override {
    auto it = data.find({user, (room ? room->str() : "") + type});
    if (it == data.end()) co_return fail(Code::kNotFound, "no such account data");
    co_return it->second;
  }
  Task<Result<std::shared_ptr<const json::Object>>> push_rules(UserId user) override { co_return rules[user]; }

  // ---- not needed by any test so far
  void on_rules_changed(std::function<void()>) override {}
  Task<Result<accounts::Login>> log_in(accounts::PasswordLogin) override { co_return none(); }
  Task<Result<accounts::Tokens>> refresh(std::string) override { co_return none(); }
  Task<Result<void>> log_out(accounts::Session) override { co_return none(); }
  Task<Result<void>> log_out_all(accounts::Session) override { co_return none(); }
  accounts::RegistrationMode registration_mode() const override { return accounts::RegistrationMode::kOff; }
  Task<Result<void>> check_username(std::string, std::string) override { co_return none(); }
  Task<Result<accounts::Login>> register_user(accounts::Registration) override { co_return none(); }
  Task<Result<std::string>> registration_nonce() override { co_return none(); }
  Task<Result<accounts::Login>> register_with_secret(std::string, std::string, std::string, bool,
                                                     std::string) override {
    co_return none();
  }
  Task<Result<std::string>> new_registration_token(int) override { co_return none(); }
  Task<Result<std::optional<std::string>>> start_token() override { co_return none(); }
  Task<Result<bool>> registration_token_valid(std::string) override { co_return none(); }
  Task<Result<void>> user_auth(accounts::UiaRequest) override { co_return none(); }
  Task<Result<void>> change_password(UserId, std::string, std::optional<accounts::Session>) override {
    co_return none();
  }
  Task<Result<void>> set_password(UserId, std::string) override { co_return none(); }
  Task<Result<void>> edit_account_data(UserId, std::optional<RoomId>, std::string,
                                       std::function<Result<void>(json::Object&)>) override {
    co_return none();
  }
  Task<Result<void>> edit_push_rules(UserId, std::function<Result<void>(json::Object&)>) override { co_return none(); }
  Task<Result<void>> deactivate(UserId, bool) override { co_return none(); }
  Task<Result<std::vector<accounts::Account>>> users() override { co_return none(); }
  Task<Result<void>> rename_device(UserId, DeviceId, std::optional<std::string>) override { co_return none(); }
  Task<Result<void>> delete_devices(UserId, std::vector<DeviceId>) override { co_return none(); }
  Task<Result<json::Object>> profile(UserId) override { co_return none(); }
  Task<Result<rooms::MemberProfile>> member_profile(UserId) override { co_return none(); }
  Task<Result<void>> set_profile(UserId, accounts::ProfileChange) override { co_return none(); }
  Task<Result<std::vector<accounts::AccountDataItem>>> all_account_data(UserId, std::optional<RoomId>) override {
    co_return none();
  }
  Task<Result<std::string>> put_filter(UserId, json::Object) override { co_return none(); }
  Task<Result<std::string>> filter(UserId, std::string) override { co_return none(); }
  Task<Result<std::vector<UserId>>> with_own_push_rules(std::vector<UserId>) override { co_return none(); }
  Task<Result<void>> start() override { co_return Result<void>{}; }
  Task<> stop() override { co_return; }

 private:
  static std::unexpected<Error> none() { return fail(Code::kInternal, "not in this test"); }
  std::set<UserId> users_;
  std::map<UserId, std::vector<accounts::Device>> devices_;
};

}  // namespace myelin::testing
