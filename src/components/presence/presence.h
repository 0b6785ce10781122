// Presence: typing and receipts: check, coalesce, publish. Typing is losable and lives in memory; receipts are durable
// and travel on the room's partition of room.out. Thread: the loop; parameters by value.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "components/accounts/accounts.h"

namespace myelin::presence {

class Presence {
 public:
  virtual ~Presence() = default;
  // kForbidden unless the user is joined. `timeout` is brought into 1 s to 2 min.
  virtual Task<Result<void>> set_typing(RoomId, UserId, bool typing, std::chrono::milliseconds timeout) = 0;
  virtual std::vector<UserId> typing_now(const RoomId&) const = 0;
  virtual void on_typing_changed(std::function<void(RoomId)>) = 0;  // one listener: sync
  // m.read, m.read.private (threaded or not: thread_id "" = unthreaded). kNotFound, kForbidden, kInvalidParam.
  virtual Task<Result<void>> receipt(RoomId, UserId, std::string type, EventId, std::string thread_id) = 0;
  // m.fully_read, kept in the user's account data of the room. kNotFound, kForbidden.
  virtual Task<Result<void>> fully_read(RoomId, UserId, EventId) = 0;
  virtual Task<Result<void>> start() = 0;
  virtual Task<> stop() = 0;
};
std::unique_ptr<Presence> make_presence(db::Database&, bus::Bus&, accounts::Accounts&, rooms::Rooms&, Executor loop,
                                        const Clock&, Random&);

}  // namespace myelin::presence
