// The owner of rooms: every command that adds to a room. A room's events are built in memory one after the other, and
// committed together with whatever else is under way; an event may be built on one that is not durable yet, and fails
// with it (docs/spine.md, rule A1). Thread: the loop.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/lru.h"
#include "components/rooms/owner/loader.h"
#include "components/rooms/owner/stage.h"
#include "infra/lease/lease.h"

namespace myelin::rooms {

class Owner final : public Commands {
 public:
  Owner(Config, db::Database&, Executor loop, const Clock&, Random&, const SigningKey&, const FingerprintKey&);
  Task<Result<void>> start();  // takes the partitions

  Task<Result<EventId>> send(SendEvent) override;
  Task<Result<RoomId>> create(CreateRoom) override;
  Task<Result<EventId>> join(JoinRoom) override;
  Task<Result<EventId>> change_membership(ChangeMembership) override;
  Task<Result<void>> forget(RoomId, UserId) override;

  // A redaction or an event came to be: caches that hold the target drop it.
  std::function<void(EventRef)> on_redacted = [](EventRef) {};

 private:
  // Builds one event on the room as it is at that moment; run again on a reloaded room when the write did not happen.
  using Make = std::function<Task<Result<std::variant<Draft, EventId>>>(RoomStatePtr)>;
  Task<Result<EventId>> append(RoomId, Make);
  Task<Result<RoomStatePtr>> room(RoomId);
  Task<Result<void>> write(StagedWrite);
  void note_failure(const RoomStatePtr&);
  Task<Result<std::optional<EventId>>> done_before(Transaction);
  Task<Result<std::variant<Draft, EventId>>> draft_send(RoomStatePtr, SendEvent);
  Task<Result<std::variant<Draft, EventId>>> draft_join(RoomStatePtr, JoinRoom);
  Task<Result<std::variant<Draft, EventId>>> draft_change(RoomStatePtr, ChangeMembership);
  Task<Result<EventPtr>> state_event(RoomStatePtr, std::string type, std::string key);
  Task<Result<std::optional<UserId>>> authoriser(RoomStatePtr, const Event& join_rules, UserId);
  Task<Result<uint32_t>> new_room_number();
  int64_t next_version() { return ++last_version_; }

  Config config_;
  db::Database& db_;
  Executor loop_;
  const Clock& clock_;
  Random& random_;
  const SigningKey& key_;
  const FingerprintKey& fingerprint_key_;
  Loader loader_;
  Stager stager_;
  std::unique_ptr<lease::Owner> lease_;
  Lru<std::string, RoomStatePtr> rooms_;
  std::unordered_map<std::string, std::shared_ptr<Doorbell>> loading_;
  struct InFlight {
    explicit InFlight(Executor loop) : done(loop) {}
    Doorbell done;
    std::optional<Result<EventId>> result;
  };
  std::map<std::string, std::shared_ptr<InFlight>> transactions_;  // being answered, by user, device, path and id
  int64_t last_version_ = 0;
  uint32_t next_room_no_ = 0, room_numbers_end_ = 0;
};

// The events of a new room after m.room.create, in the spec's order (client-server API, POST /createRoom).
Result<std::vector<Draft>> new_room_drafts(const CreateRoom&, const RoomRules&);
Result<json::Object> creation_content(const CreateRoom&, const RoomRules&);

}  // namespace myelin::rooms
