// The one implementation of Keys; its parts are in upload.cc, query.cc, claim.cc, cross_signing.cc, to_device.cc,
// backup.cc.
#pragma once
#include "components/keys/count_cache.h"
#include "components/keys/keys.h"
#include "components/keys/tables.h"
#include "matrix/device_keys.h"

namespace myelin::keys {

class KeysImpl final : public Keys {
 public:
  KeysImpl(ServerName, db::Database&, bus::Bus&, accounts::Accounts&);

  Task<Result<json::Object>> upload(accounts::Session, json::Object body) override;
  Task<Result<json::Object>> query(accounts::Session, json::Object body) override;
  Task<Result<json::Object>> claim(json::Object body) override;
  Task<Result<KeyCounts>> counts(UserId, DeviceId) override;
  Task<Result<bool>> has_cross_signing(UserId) override;
  Task<Result<void>> upload_cross_signing(accounts::Session, json::Object body, Authenticated) override;
  Task<Result<json::Object>> upload_signatures(accounts::Session, json::Object body) override;
  Task<Result<void>> send_to_device(accounts::Session, std::string type, std::string txn_id,
                                    json::Object messages) override;
  Task<Result<std::string>> create_backup(UserId, json::Object body) override;
  Task<Result<json::Object>> backup_version(UserId, std::optional<std::string> version) override;
  Task<Result<void>> update_backup(UserId, std::string version, json::Object body) override;
  Task<Result<void>> delete_backup(UserId, std::string version) override;
  Task<Result<json::Object>> put_backup_keys(UserId, std::string version, std::optional<RoomId>,
                                             std::optional<std::string> session, json::Object body) override;
  Task<Result<json::Object>> backup_keys(UserId, std::string version, std::optional<RoomId>,
                                         std::optional<std::string> session) override;
  Task<Result<json::Object>> delete_backup_keys(UserId, std::string version, std::optional<RoomId>,
                                                std::optional<std::string> session) override;
  Task<Result<void>> start() override;
  Task<> stop() override;

 private:
  Task<Result<bus::Effects>> apply(std::vector<bus::Message>);
  Task<Result<void>> discard_one_time_keys();
  bool is_local(const UserId& user) const { return user.server() == server_.str(); }
  static db::WriteOptions lane_of(const UserId& user) { return {.lane = bus::hash_of(user.str())}; }

  ServerName server_;
  db::Database& db_;
  accounts::Accounts& accounts_;
  CountCache counts_;
};

}  // namespace myelin::keys
