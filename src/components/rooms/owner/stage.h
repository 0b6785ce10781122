// Building the next event of a room on its state in memory: auth events, signing, authorisation, the new state. No I/O:
// what is missing is named, fetched by the caller, and the step is taken again. Thread: the loop.
#pragma once
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "components/rooms/owner/room_state.h"
#include "components/rooms/room_out.h"
#include "matrix/relations.h"

namespace myelin::rooms {

// A redaction that may be applied: both events are here and the sender was allowed to.
struct Redacts {
  EventRef target;
  std::string target_id;
  std::optional<Relation> relation{};  // of the target: it loses it
  bool is_state = false;               // the target
};

// Rows for one event, ready for a closure: plain data.
struct StagedEvent {
  EventRef ref;
  EventPtr event;
  int64_t depth = 0, order = 0;       // order 0: none, the event was rejected
  StateRoot before, after;            // the state at the event
  StateRoot room_before, room_after;  // the room's current state
  bool rejected = false, soft_failed = false;
  std::optional<uint32_t> replaces{};  // the state event of this key at `before`
  std::optional<Transaction> transaction{};
  std::optional<uint32_t> new_key_no{};  // of its state key, when it is seen for the first time
  std::vector<NewPage> pages{};
  uint32_t generation = 0;  // of a state event, in the auth graph
  std::vector<uint32_t> auth_parents{};
  std::vector<MembershipChange> memberships{};  // in the room's current state
  std::optional<Redacts> redacts{};
  std::optional<EventId> redacts_unseen{};  // its target is not here yet
  std::optional<EventRef> redacted_by{};    // a redaction that came before it
  std::optional<Relation> relation{};
};

// What one command adds to a room: one event, or all of createRoom's. `head` and `version_no` are the room's after it.
struct StagedWrite {
  uint32_t room_no = 0;
  RoomId room;
  const RoomRules* rules = nullptr;
  bool is_new = false;
  int64_t built_on = 0, version_no = 0;
  RoomHead head;
  std::vector<StagedEvent> events;
  CommandId command{};
};

// The event as queries read it; null where rows know more than is here: of a redacted one, and of state that replaces
// other state.
PlacedPtr as_placed(const StagedEvent&);

Result<Extremity> as_extremity(const StagedEvent&, const RoomRules&);

struct Draft {
  UserId sender;
  std::string type;
  std::optional<std::string> state_key;
  json::Object content;
  std::optional<EventId> redacts_id{};
  std::optional<Redacts> redacts{};
  std::optional<Transaction> transaction{};
  std::optional<Milliseconds> ts{};  // absent: now
};

class Stager {
 public:
  Stager(ServerName, const SigningKey&, const FingerprintKey&, const Clock&);
  // One more event of `room`, which moves on to it. kForbidden by the auth rules, kTooLarge, kBadJson; the room is then
  // as it was.
  Result<std::variant<StagedEvent, Missing>> stage(RoomState& room, Draft) const;

 private:
  struct Surroundings;
  Result<Surroundings> gather(RoomState&, const Draft&, Look&) const;
  Result<EventPtr> build(const RoomState&, Draft&, const Surroundings&) const;
  Result<void> change_state(RoomState&, RoomHead&, StagedEvent&, const Surroundings&) const;
  ServerName server_name_;
  const SigningKey& key_;
  const FingerprintKey& fingerprint_key_;
  const Clock& clock_;
};

// Rows of a write, in its transaction. kStale when the room is not what it was built on.
Result<void> store(db::Tx&, const StagedWrite&);

}  // namespace myelin::rooms
