// Commands to whoever owns the room: the owner in this process, or the one in another by request and reply
// (docs/spine.md, rule B2). While a room changes hands a command is asked for again, under the same id, until its
// deadline. Creating a room needs no owner (docs/decisions/0008), nor does what is no event. Thread: the loop.
#pragma once
#include "components/rooms/owner/owner.h"
#include "components/rooms/remote/command_wire.h"
#include "infra/lease/lease.h"

namespace myelin::rooms {

class RoutedCommands final : public Commands {
 public:
  // `is_shared`: other processes may be owners.
  RoutedCommands(Owner&, bus::Bus&, lease::Leases&, const Clock&, Random&, bool is_shared);
  // Answers other processes, under this process's name. Before the bus starts.
  void serve(const std::string& instance);

  Task<Result<EventId>> send(SendEvent) override;
  Task<Result<RoomId>> create(CreateRoom request) override { return owner_.create(std::move(request)); }
  Task<Result<EventId>> join(JoinRoom) override;
  Task<Result<EventId>> change_membership(ChangeMembership) override;
  Task<Result<void>> forget(RoomId room, UserId user) override {
    return owner_.forget(std::move(room), std::move(user));
  }
  Task<Result<void>> forget_device(UserId user, DeviceId device) override {
    return owner_.forget_device(std::move(user), std::move(device));
  }
  Task<Result<void>> erase(UserId user, Milliseconds at) override { return owner_.erase(std::move(user), at); }
  Owner& owner() { return owner_; }

 private:
  Task<Result<EventId>> route(RoomId, Command);
  Task<Answer> ask(std::string instance, uint32_t partition, std::string command,
                   std::chrono::steady_clock::time_point deadline);
  Task<Answer> answer_here(Command);
  Task<std::string> answer(std::string payload);
  CommandId new_id(bool has_name) { return is_shared_ && !has_name ? random_.token(22) : CommandId(); }

  Owner& owner_;
  bus::Bus& bus_;
  lease::Leases& leases_;
  const Clock& clock_;
  Random& random_;
  bool is_shared_;
};

}  // namespace myelin::rooms
