// Sync: one position over everything a client can learn; timelines, counts, to-device messages, long polls. Topics
// read: room.out, user.out; written: notify.out (see notify_out.h). Thread: the loop; parameters by value.
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "components/accounts/accounts.h"
#include "components/keys/keys.h"
#include "components/presence/presence.h"
#include "components/rooms/rooms.h"

namespace myelin::sync {

struct SyncRequest {
  accounts::Session session;
  std::optional<std::string> since{};
  std::string filter{};  // JSON text, "" = none (the api has looked a stored one up)
  bool full_state = false;
  bool use_state_after = false;
  std::chrono::milliseconds timeout{0};
};
struct Badge {
  int64_t unread = 0;  // rooms' notification counts, added up
};

class Sync {
 public:
  virtual ~Sync() = default;
  virtual Task<Result<std::string>> wait(SyncRequest) = 0;  // the response body. kUnknown: bad `since`
  // Where /messages starts for a `from` that is a sync token.
  virtual Task<Result<rooms::PageToken>> page_token(RoomId, std::string sync_token) = 0;
  virtual Task<Result<Badge>> badge(UserId) = 0;
  virtual Task<Result<std::string>> token_now() = 0;  // the current position as a token
  // GET /keys/changes: {"changed": [...], "left": [...]} between two sync tokens. kInvalidParam: a bad token.
  virtual Task<Result<json::Object>> key_changes(UserId, std::string from, std::string to) = 0;
  // Parked requests are answered now, and no later one waits: the server is about to stop.
  virtual void release() = 0;
  virtual Task<Result<void>> start() = 0;
  virtual Task<> stop() = 0;
};
struct Options {
  // How long /sync waits, at most, until it has what its user was told is done (rooms' commands of this process). 0: it
  // does not wait.
  std::chrono::milliseconds own_writes{1'000};
};
std::unique_ptr<Sync> make_sync(ServerName, db::Database&, bus::Bus&, accounts::Accounts&, keys::Keys&,
                                presence::Presence&, rooms::Rooms&, Executor loop, const Clock&, Random&, Options = {});

}  // namespace myelin::sync
