#include "components/keys/keys.h"

#include "base/fault.h"
#include "components/accounts/user_out.h"
#include "components/keys/keys_impl.h"

namespace myelin::keys {

KeysImpl::KeysImpl(ServerName server, db::Database& db, bus::Bus& bus, accounts::Accounts& accounts)
    : server_(std::move(server)), db_(db), accounts_(accounts), counts_(db.is_sqlite()) {
  bus.declare({"keys", accounts::kUserOut, [this](std::vector<bus::Message> batch) { return apply(std::move(batch)); },
               [](const bus::Message& message) {
                 auto decoded = accounts::decode_user_out(message.body);
                 return decoded ? decoded->user.str() : std::string();
               }});
}

// A deleted device takes its keys with it. One that was made again since, under the same id, keeps what is stored: if
// it has other identity keys, their upload clears the former ones.
Task<Result<bus::Effects>> KeysImpl::apply(std::vector<bus::Message> batch) {
  struct Gone {
    UserId user;
    DeviceId device;
  };
  auto gone = std::make_shared<std::vector<Gone>>();
  std::vector<std::pair<UserId, DeviceId>> deleted_devices;
  for (const auto& message : batch) {
    MYELIN_CO_TRY(auto decoded, accounts::decode_user_out(message.body));
    const auto* deleted = std::get_if<accounts::DeviceDeleted>(&decoded.what);
    if (deleted == nullptr) continue;
    deleted_devices.emplace_back(decoded.user, deleted->device);
    auto device = co_await accounts_.device(decoded.user, deleted->device);
    if (!device && device.error().code != Code::kNotFound) co_return std::unexpected(device.error());
    if (!device) gone->push_back({decoded.user, deleted->device});
  }
  accounts_.forget_sessions(std::move(deleted_devices));
  if (gone->empty()) co_return bus::Effects{};
  auto write = [gone](db::Tx& tx) -> Result<void> {
    for (const auto& [user, device] : *gone) {
      lock_user(tx, user);
      tx.exec("DELETE FROM device_key WHERE user_id = $1 AND device_id = $2", user.str(), device.str());
      tx.exec("DELETE FROM to_device_txn WHERE user_id = $1 AND device_id = $2", user.str(), device.str());
      erase_key_material(tx, user, device);
    }
    return {};
  };
  auto committed = [this, gone] {
    for (const auto& [user, device] : *gone) CountCache::Change(counts_, CountCache::key(user, device));
  };
  co_return bus::Effects{std::move(write), std::move(committed)};
}

Task<Result<void>> KeysImpl::discard_one_time_keys() {
  struct Owner {
    UserId user;
    DeviceId device;
  };
  MYELIN_CO_TRY(auto owners, co_await db_.read([](db::ReadTx& tx) {
    return tx.all("SELECT DISTINCT user_id, device_id FROM one_time_key",
                  [](const db::Row& row) { return Owner{UserId::trusted(row.str(0)), DeviceId::trusted(row.str(1))}; });
  }));
  for (const auto& owner : owners) {
    CountCache::Change change(counts_, CountCache::key(owner.user, owner.device));
    MYELIN_CO_CHECK(co_await db_.write(lane_of(owner.user), [owner](db::Tx& tx) {
      lock_user(tx, owner.user);
      tx.exec("DELETE FROM one_time_key WHERE user_id = $1 AND device_id = $2", owner.user.str(), owner.device.str());
      publish_counts(tx, owner.user, owner.device);
    }));
    crash_point("restore.keys_forgotten");
  }
  co_return Result<void>{};
}

Task<Result<void>> KeysImpl::start() {
  MYELIN_CO_TRY(auto known, co_await db_.read([](db::ReadTx& tx) {
    return tx.one("SELECT history FROM key_history WHERE id = 1", [](const db::Row& row) { return row.str(0); });
  }));
  if (known == db_.history()) co_return Result<void>{};
  MYELIN_CO_CHECK(co_await discard_one_time_keys());
  co_return co_await db_.write({}, [history = db_.history()](db::Tx& tx) {
    tx.exec(
        "INSERT INTO key_history (id, history) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET history = "
        "excluded.history",
        history);
  });
}
Task<> KeysImpl::stop() { co_return; }

std::unique_ptr<Keys> make_keys(ServerName server, db::Database& db, bus::Bus& bus, accounts::Accounts& accounts,
                                rooms::Rooms&, Executor, const Clock&, Random&) {
  return std::make_unique<KeysImpl>(std::move(server), db, bus, accounts);
}

}  // namespace myelin::keys
