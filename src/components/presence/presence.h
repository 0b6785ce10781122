// Presence: who is there, typing and receipts: check, coalesce, publish. Status and typing are losable and lives in
// memory; receipts are durable and travel on the room's partition of room.out. Thread: the loop; parameters by value.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "components/accounts/accounts.h"

namespace myelin::presence {

enum class State : uint8_t { kOffline, kUnavailable, kOnline };
std::string_view to_string(State);
std::optional<State> state_from(std::string_view);

struct Status {
  State state = State::kOffline;
  std::optional<std::string> message{};
  Milliseconds last_active = 0;  // wall clock
};

class Presence {
 public:
  virtual ~Presence() = default;
  // What the user says of themself; stands until they go offline.
  virtual void set_status(UserId, State, std::optional<std::string> message) = 0;
  // The user's client is here, and will be for `stay`: offline afterwards unless it comes again.
  virtual void seen(UserId, State, std::chrono::milliseconds stay) = 0;
  virtual std::optional<Status> status(const UserId&) const = 0;    // nullopt: nothing is known
  virtual void on_status_changed(std::function<void(UserId)>) = 0;  // one listener: sync
  // kForbidden unless the user is joined. `timeout` is brought into 1 s to 2 min.
  virtual Task<Result<void>> set_typing(RoomId, UserId, bool typing, std::chrono::milliseconds timeout) = 0;
  virtual void left(const RoomId&, const UserId&) = 0;  // who is out of the room types there no longer
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
