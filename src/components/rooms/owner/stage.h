// Building the next event of a room on its state in memory: auth events, signing, authorisation, the new state. No I/O:
// what is missing is named, fetched by the caller, and the step is taken again. Thread: the loop.
#pragma once
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "components/rooms/owner/room_state.h"
#include "components/rooms/room_out.h"

namespace myelin::rooms {

// Rows for one event, ready for a closure: plain data.
struct StagedEvent {
  uint32_t event_no = 0;
  EventPtr event;
  int64_t depth = 0, order = 0;
  StateRoot before, after;
  std::optional<uint32_t> replaces;
  std::optional<Transaction> transaction;
  std::optional<TypeAndKey> new_key;   // a state key seen for the first time
  uint32_t key_no = 0;                 // of a state event
  std::vector<NewPage> pages;
  uint32_t generation = 0;             // of a state event, in the auth graph
  std::vector<uint32_t> auth_parents;
  std::optional<MembershipChange> membership;  // ref is filled by the writer
  std::optional<uint32_t> redacts;     // event number of the redacted event
  struct Relation {
    std::string parent, type;
  };
  std::optional<Relation> relation;
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
};

// What could not be found in memory.
struct Missing {
  std::vector<uint32_t> pages, events;
};

struct Draft {
  UserId sender;
  std::string type;
  std::optional<std::string> state_key;
  json::Object content;
  std::optional<EventId> redacts{};
  std::optional<uint32_t> redacts_no{};
  std::optional<Transaction> transaction{};
};

class Stager {
 public:
  Stager(ServerName, const SigningKey&, const FingerprintKey&, const Clock&);

  // Adds one event to `write` and advances `room`. kForbidden by the auth rules, kTooLarge, kBadJson.
  Result<std::variant<StagedEvent, Missing>> stage(RoomState& room, const Draft&) const;

  // The current state event, if any. Missing when it must be fetched.
  static Result<std::variant<EventPtr, Missing>> state_event(RoomState&, std::string_view type, std::string_view key);
  static Result<std::variant<std::optional<uint32_t>, Missing>> state_event_no(RoomState&, std::string_view type,
                                                                               std::string_view key);

 private:
  Result<void> advance(RoomState&, StagedEvent&) const;
  ServerName server_name_;
  const SigningKey& key_;
  const FingerprintKey& fingerprint_key_;
  const Clock& clock_;
};

// Rows of a write, in its transaction. kStale when the room is not what it was built on.
Result<void> store(db::Tx&, const StagedWrite&);

}  // namespace myelin::rooms
