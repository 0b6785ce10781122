// The owner of rooms: every command that adds to a room. A room's events are built in memory one after the other, and
// committed together with whatever else is under way; an event may be built on one that is not durable yet, and fails
// with it (docs/spine.md, rule A1). No answer leaves before what it rests on is durable (rule A16). Thread: the loop.
#pragma once
#include <bitset>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/keyed_hash.h"
#include "base/lru.h"
#include "components/rooms/owner/loader.h"
#include "components/rooms/owner/once.h"
#include "components/rooms/owner/stage.h"
#include "infra/lease/lease.h"

namespace myelin::rooms {

// An event of another server that passed its signature checks, and what became of it here.
struct Received {
  EventRef ref;
  bool rejected = false, soft_failed = false;
  std::string reason;  // for a person, unless accepted
};

class Owner final : public Commands {
 public:
  Owner(Config, db::Database&, PageCache&, Executor loop, const Clock&, Random&, const SigningKey&,
        const FingerprintKey&, const lease::Leases&);

  // A partition comes, is to go (returns once nothing of it is under way), is gone.
  void taken(uint32_t partition);
  Task<> let_go(uint32_t partition);
  void lost(uint32_t partition);

  // Those below answer kFenced when the room is another process's; create, forget, forget_device and erase need no
  // owner.

  Task<Result<EventId>> send(SendEvent) override;
  Task<Result<RoomId>> create(CreateRoom) override;
  Task<Result<EventId>> join(JoinRoom) override;
  Task<Result<EventId>> change_membership(ChangeMembership) override;
  Task<Result<void>> forget(RoomId, UserId) override;
  Task<Result<void>> forget_device(UserId, DeviceId) override;
  Task<Result<void>> erase(UserId, Milliseconds at) override;

  // Takes in an event whose prev_events and auth_events are here (kNotFound: which one is not). Checked as the
  // server-server API's Checks performed on receipt of a PDU demand; a fork is resolved. The same event twice: the same
  // answer.
  Task<Result<Received>> receive(RoomId, VerifiedEvent);

  std::function<void(const UserId&, Milliseconds at)> on_erased = [](const UserId&, Milliseconds) {};
  // A committed redaction: caches that hold the target drop it.
  std::function<void(const Redacts&)> on_redacted = [](const Redacts&) {};
  // A committed write. `is_newest`: nobody else can have changed it since, as the room's partition was ours all the
  // time.
  std::function<void(const StagedWrite&, bool is_newest)> on_written = [](const StagedWrite&, bool) {};

 private:
  // Says what to do on the room as it is now: an event to add, or the one that stands already. No I/O.
  using Step = std::variant<Draft, EventId, Missing>;
  using Plan = std::function<Result<Step>(const RoomState&)>;
  // Reads what a plan needs beside the room: again whenever the room is, which is in memory before.
  using Planning = std::function<Task<Result<Plan>>()>;
  Task<Result<EventId>> append(RoomId, Plan, Name);
  Task<Result<EventId>> append(RoomId, Planning, Name);
  Task<Result<Plan>> plan_to_send(std::shared_ptr<const SendEvent>);
  Task<Result<Plan>> plan_to_join(JoinRoom);
  Task<Result<std::variant<StagedWrite, EventId>>> build(RoomStatePtr, const Plan&);
  Task<Result<EventId>> send_in_turn(SendEvent);
  Task<Result<EventId>> send_checked(SendEvent);
  Task<Result<RoomId>> create_once(const CreateRoom&, const RoomRules&);
  // A room that holds its m.room.create only.
  struct Beginning {
    RoomStatePtr room;
    StagedEvent create;
  };
  Result<Beginning> begin_room(const Draft& create, const RoomRules&, uint32_t room_no);
  Result<Beginning> begin_own_room(const Draft& create, const RoomRules&, uint32_t room_no);
  Result<void> check_invitable(const UserId&) const;  // kForbidden
  Task<Result<std::optional<UserId>>> authoriser(RoomId, UserId joiner);

  Task<Result<RoomStatePtr>> room(RoomId);
  Task<Result<EventPtr>> state_event(RoomStatePtr, std::string type, std::string key);
  Task<Result<void>> settled(RoomStatePtr);    // what was built so far is durable; kStale: it failed
  Task<Result<void>> confirmed(RoomStatePtr);  // … and this is all that is; kStale: there is more
  Task<Result<void>> write(RoomStatePtr, StagedWrite, std::optional<db::Fence>);
  std::optional<db::Fence> fence(const RoomId&) const;  // nullopt: not ours, or to go
  std::optional<db::Fence> fence(uint32_t partition) const;
  bool is_ours_since(const std::optional<db::Fence>&) const;  // nobody else has had the partition in between
  void weigh(const RoomStatePtr&);
  Task<Result<std::optional<EventId>>> done_before(Name);
  Task<Result<EventId>> do_join(JoinRoom);
  Task<Result<uint32_t>> new_room_number();
  int64_t next_version() { return ++last_version_; }

  Config config_;
  db::Database& db_;
  PageCache& pages_;
  Executor loop_;
  const Clock& clock_;
  Random& random_;
  const FingerprintKey& fingerprint_key_;
  Loader loader_;
  Stager stager_;
  const lease::Leases& leases_;
  std::bitset<bus::kPartitions> going_;
  Lru<std::string, RoomStatePtr> rooms_;
  std::unordered_map<std::string, std::shared_ptr<Doorbell>, KeyedHash> loading_;
  std::unordered_map<std::string, std::weak_ptr<Mutex>, KeyedHash> annotating_;
  Once once_;
  int64_t last_version_ = 0;
  Milliseconds last_creation_ = 0;
  uint32_t next_room_no_ = 0, room_numbers_end_ = 0;
};

// The events of a new room in the spec's order, m.room.create first (client-server API, POST /createRoom).
Result<std::vector<Draft>> new_room_drafts(const CreateRoom&, const RoomRules&);

}  // namespace myelin::rooms
