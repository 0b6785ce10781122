// Changing a password and ending an account (client-server API, Account management).
#include "components/accounts/accounts_impl.h"
#include "components/accounts/tables.h"

namespace myelin::accounts {
namespace {

constexpr size_t kMinPassword = 8, kMaxPassword = 512;  // bytes

std::unexpected<Error> no_such_user() { return fail(Code::kNotFound, "there is no such user"); }

Result<void> store_password(db::Tx& tx, const UserId& user, const std::string& hash) {
  int64_t changed =
      tx.exec("UPDATE account SET password_hash = $2 WHERE user_id = $1 AND deactivated_at IS NULL", user.str(), hash);
  if (changed == 0) return no_such_user();
  return {};
}

// What is personal goes with the account; the name stays taken.
void erase_account(db::Tx& tx, const UserId& user) {
  tx.exec("DELETE FROM profile WHERE user_id = $1", user.str());
  tx.exec("DELETE FROM account_data WHERE user_id = $1", user.str());
  tx.exec("DELETE FROM push_rules WHERE user_id = $1", user.str());
  tx.exec("DELETE FROM client_filter WHERE user_id = $1", user.str());
}

}  // namespace

Result<void> AccountsImpl::check_new_password(const std::string& password) const {
  if (password.size() > kMaxPassword) return fail(Code::kInvalidParam, "the password is longer than 512 bytes");
  if (password.size() < kMinPassword) return fail(Code::kWeakPassword, "the password needs at least 8 characters");
  return {};
}

Task<Result<void>> AccountsImpl::change_password(UserId user, std::string new_password, std::optional<Session> keep) {
  MYELIN_CO_CHECK(check_new_password(new_password));
  MYELIN_CO_TRY(auto hash, co_await passwords_.hash(std::move(new_password)));
  auto kept = keep ? keep->device.str() : std::string();
  auto changed = co_await db_.write(lane_of(user), [user, hash, kept](db::Tx& tx) -> Result<std::vector<std::string>> {
    MYELIN_CHECK(store_password(tx, user, hash));
    auto others = device_ids(tx, user);
    std::erase(others, kept);
    return erase_devices(tx, user, others);
  });
  if (!changed) co_return std::unexpected(changed.error());
  devices_ended(*changed);
  co_return Result<void>{};
}

Task<Result<void>> AccountsImpl::set_password(UserId user, std::string new_password) {
  MYELIN_CO_CHECK(check_new_password(new_password));
  MYELIN_CO_TRY(auto hash, co_await passwords_.hash(std::move(new_password)));
  co_return co_await db_.write(lane_of(user), [user, hash](db::Tx& tx) { return store_password(tx, user, hash); });
}

Task<Result<void>> AccountsImpl::deactivate(UserId user, bool erase) {
  auto now = clock_.now();
  auto ended = co_await db_.write(lane_of(user), [user, erase, now](db::Tx& tx) -> Result<std::vector<std::string>> {
    int64_t changed = tx.exec(
        "UPDATE account SET password_hash = NULL, deactivated_at = $2 WHERE user_id = $1 AND deactivated_at IS NULL",
        user.str(), now);
    if (changed == 0) return no_such_user();
    auto hashes = erase_devices(tx, user, device_ids(tx, user));
    erase_account(tx, user);
    work::enqueue(tx, kDeactivationQueue, user.str(), erase ? std::to_string(now) : "", now);
    work::enqueue(tx, kDeactivationAgainQueue, user.str(), "", now, kLongestJoin);
    return hashes;
  });
  queues_.wake(kDeactivationQueue);  // also when nobody knows whether it is there
  if (!ended) co_return std::unexpected(ended.error());
  devices_ended(*ended);
  ++push_rules_stamp_;
  push_rules_.erase(user.str());
  co_return Result<void>{};
}

void AccountsImpl::devices_ended(const std::vector<std::string>& token_hashes) {
  sessions_.forget(token_hashes);
  queues_.wake(kDeviceQueue);
}

Task<work::Outcome> AccountsImpl::forget_device(work::Item item) {
  auto device = DeviceId::trusted(std::move(item.body));
  auto forgotten = co_await rooms_.commands().forget_device(UserId::trusted(std::move(item.key)), std::move(device));
  if (forgotten) co_return work::Outcome{};
  co_return work::Outcome{.kind = work::Outcome::Kind::kRetry, .reason = forgotten.error().message};
}

// Its body: when the user asked for erasure, in ms; empty when they did not.
Task<work::Outcome> AccountsImpl::leave_every_room(work::Item item) {
  work::Outcome again{.kind = work::Outcome::Kind::kRetry};
  auto user = UserId::trusted(std::move(item.key));
  if (!item.body.empty()) {
    auto erased = co_await rooms_.commands().erase(user, std::stoll(item.body));
    if (!erased) {
      again.reason = erased.error().message;
      co_return again;
    }
  }
  auto memberships = co_await rooms_.queries().memberships(user);
  if (!memberships) {
    again.reason = memberships.error().message;
    co_return again;
  }
  for (const auto& entry : *memberships) {
    using enum rooms::Membership;
    if (entry.membership != kJoin && entry.membership != kInvite && entry.membership != kKnock) continue;
    rooms::ChangeMembership leave{.room = entry.room, .sender = user, .target = user};
    auto left = co_await rooms_.commands().change_membership(std::move(leave));
    if (left || left.error().code == Code::kForbidden) continue;
    again.reason = left.error().message;
    co_return again;
  }
  co_return work::Outcome{};
}

}  // namespace myelin::accounts
