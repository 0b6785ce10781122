// The table of pushers, and what clients may put into it (client-server API, Push notifications). Thread: the loop.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "components/accounts/accounts.h"

namespace myelin::push {

struct PusherKey {
  UserId user;
  std::string app_id, pushkey;
  std::string str() const;  // for the work queue
  static std::optional<PusherKey> parse(std::string_view text);
};

struct Pusher {
  PusherKey key;
  DeviceId device;
  std::string app_display_name, device_display_name, lang;
  std::optional<std::string> profile_tag{};
  json::Object data;  // with its url
  Milliseconds ts = 0;
  int64_t badge = -1;
};

struct PusherChange {  // POST /pushers/set
  std::string app_id, pushkey;
  std::optional<Pusher> pusher{};  // absent: delete
  bool append = false;
};
// kMissingParam, kBadJson, kInvalidParam.
Result<PusherChange> check_pusher(const json::Object& body, const accounts::Session&, Milliseconds now);

class Pushers {
 public:
  using Users = std::shared_ptr<const std::unordered_set<UserId>>;
  explicit Pushers(db::Database& db) : db_(db) {}

  Task<Result<std::vector<Pusher>>> of(UserId);
  Task<Result<std::optional<Pusher>>> find(PusherKey);
  Task<Result<std::vector<PusherKey>>> keys_of(std::vector<UserId>);
  Task<Result<void>> set(UserId, PusherChange);
  Task<Result<Users>> users();                       // everybody with a pusher
  void changed() { ++generation_, users_.reset(); }  // after a write that did not come through here

  // In a transaction.
  static void erase_everywhere(db::Tx&, const PusherKey&);  // the gateway rejected the pushkey
  static void erase_of_device(db::Tx&, const UserId&, const DeviceId&);
  static void remember_badge(db::Tx&, const PusherKey&, int64_t badge);

 private:
  db::Database& db_;
  Users users_;  // where no other process writes: the set as of generation_
  uint64_t generation_ = 0;
};

}  // namespace myelin::push
