// Keys: device keys, one-time and fallback keys, cross-signing, key backup, device lists, sending to devices. Topic
// written: user.out; read: user.out (deleted devices). Thread: the loop; parameters by value.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "components/accounts/accounts.h"

namespace myelin::keys {

struct KeyCounts {
  std::map<std::string, int64_t> one_time;   // algorithm -> unclaimed keys
  std::vector<std::string> unused_fallback;  // algorithms
};

// Has the caller of upload_cross_signing passed user-interactive authentication?
enum class Authenticated : uint8_t { kNo, kYes };

class Keys {
 public:
  virtual ~Keys() = default;
  // Bodies and answers have the spec's JSON shapes (client-server API, End-to-End Encryption).
  virtual Task<Result<json::Object>> upload(accounts::Session, json::Object body) = 0;
  virtual Task<Result<json::Object>> query(accounts::Session, json::Object body) = 0;
  virtual Task<Result<json::Object>> claim(json::Object body) = 0;
  virtual Task<Result<KeyCounts>> counts(UserId, DeviceId) = 0;  // cached where no other process writes
  virtual Task<Result<bool>> has_cross_signing(UserId) = 0;
  // kUiaIncomplete, without fields: there is a master key already and the body changes something (spec v1.11).
  virtual Task<Result<void>> upload_cross_signing(accounts::Session, json::Object body, Authenticated) = 0;
  virtual Task<Result<json::Object>> upload_signatures(accounts::Session, json::Object body) = 0;
  virtual Task<Result<void>> send_to_device(accounts::Session, std::string type, std::string txn_id,
                                            json::Object messages) = 0;

  // ---- key backup: versions
  virtual Task<Result<std::string>> create_backup(UserId, json::Object body) = 0;
  virtual Task<Result<json::Object>> backup_version(UserId,
                                                    std::optional<std::string> version) = 0;  // latest if absent
  virtual Task<Result<void>> update_backup(UserId, std::string version, json::Object body) = 0;
  virtual Task<Result<void>> delete_backup(UserId, std::string version) = 0;
  // ---- key backup: keys; room and session narrow it. put and delete answer {etag, count}.
  virtual Task<Result<json::Object>> put_backup_keys(UserId, std::string version, std::optional<RoomId>,
                                                     std::optional<std::string> session, json::Object body) = 0;
  virtual Task<Result<json::Object>> backup_keys(UserId, std::string version, std::optional<RoomId>,
                                                 std::optional<std::string> session) = 0;
  virtual Task<Result<json::Object>> delete_backup_keys(UserId, std::string version, std::optional<RoomId>,
                                                        std::optional<std::string> session) = 0;

  // Where the database has gone back in time, keys that it still holds may have been handed out already: they are
  // deleted before anything is served, and every device uploads new ones (docs/spine.md, rule A15).
  virtual Task<Result<void>> start() = 0;
  virtual Task<> stop() = 0;
};
std::unique_ptr<Keys> make_keys(ServerName, db::Database&, bus::Bus&, accounts::Accounts&, rooms::Rooms&, Executor loop,
                                const Clock&, Random&);

}  // namespace myelin::keys
