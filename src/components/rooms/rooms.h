// Rooms: events, state, membership. Commands go to the owner of the room's partition; queries read the database from
// any process. Topic written: room.out (see room_out.h). Thread: the loop; parameters by value; every call has a
// deadline.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/task.h"
#include "infra/bus/bus.h"
#include "infra/db/db.h"
#include "infra/lease/lease.h"
#include "matrix/event.h"
#include "matrix/state_map.h"
#include "matrix/tokens.h"

namespace myelin::rooms {

// Names an event inside this database, in 64 bits; never on the wire. `row()` is the primary key of table event.
struct EventRef {
  uint32_t room = 0, event = 0;
  int64_t row() const { return static_cast<int64_t>(room) << 32 | event; }
  static EventRef from_row(int64_t row) { return {static_cast<uint32_t>(row >> 32), static_cast<uint32_t>(row)}; }
  friend auto operator<=>(const EventRef&, const EventRef&) = default;
};

enum class Membership : uint8_t { kLeave, kInvite, kJoin, kBan, kKnock };
std::string_view to_string(Membership);
std::optional<Membership> membership_from(std::string_view);

// An event with its place: `order` grows by one per live arrival (it equals sync order), backfilled ones count down
// from -1; `depth` is the effective depth.
struct PlacedEvent {
  EventRef ref;
  EventPtr event;
  int64_t order = 0, depth = 0;
  bool soft_failed = false, rejected = false;
  std::optional<EventRef> redacted_by{};  // the redaction that applies: `event` is then the redacted form
  std::optional<EventRef> replaces{};     // of state: what was there before, and its id
  std::optional<EventId> replaces_state{};
  std::optional<std::pair<DeviceId, std::string>> transaction{};  // of the sender, for unsigned.transaction_id
};
using PlacedPtr = std::shared_ptr<const PlacedEvent>;

using myelin::PageToken;
enum class Direction : uint8_t { kBackward, kForward };

struct Transaction {  // client-server API, Transaction identifiers: scope = device + path
  UserId user;
  DeviceId device;
  std::string path, id;
};

// Names one command on its way to its owner, so that asking once more is answered the same; "": it goes nowhere.
using CommandId = std::string;

struct SendEvent {
  RoomId room;
  UserId sender;
  std::string type;
  std::optional<std::string> state_key{};
  json::Object content;
  std::optional<EventId> redacts{};
  std::optional<Transaction> transaction{};
  CommandId command{};
};
struct MemberProfile {
  std::optional<std::string> displayname{}, avatar_url{};
  bool operator==(const MemberProfile&) const = default;
};
struct CreateRoom {  // POST /createRoom, checked for types by the api
  UserId creator;
  MemberProfile profile;
  std::string version;
  std::string preset;  // private_chat, trusted_private_chat, public_chat
  std::optional<std::string> name{}, topic{};
  std::optional<std::string> alias{};  // full alias, already reserved: becomes m.room.canonical_alias
  std::vector<UserId> invite{};
  std::vector<MemberProfile> invite_profiles{};  // one per invite
  bool is_direct = false;
  json::Object creation_content{};
  json::Array initial_state{};
  json::Object power_level_content_override{};
};
struct JoinRoom {
  RoomId room;
  UserId user;
  MemberProfile profile;
  std::optional<std::string> reason{};
  json::Object third_party_signed{};
  json::Object more_content{};  // further keys for the member event
  CommandId command{};
};
enum class MembershipAction : uint8_t { kLeave, kInvite, kKick, kBan, kUnban, kProfile };
struct ChangeMembership {
  RoomId room;
  UserId sender, target;
  MembershipAction action = MembershipAction::kLeave;
  MemberProfile profile{};  // of the target (invite, profile)
  std::optional<std::string> reason{};
  bool is_direct = false;
  CommandId command{};
};

// Answered by the owner of the room's partition; a repeated call of the same transaction answers the same.
class Commands {
 public:
  virtual ~Commands() = default;
  virtual Task<Result<EventId>> send(SendEvent) = 0;    // /send, /state, /redact
  virtual Task<Result<RoomId>> create(CreateRoom) = 0;  // atomic
  virtual Task<Result<EventId>> join(JoinRoom) = 0;
  virtual Task<Result<EventId>> change_membership(ChangeMembership) = 0;
  virtual Task<Result<void>> forget(RoomId, UserId) = 0;           // kUnknown (400) while still in the room
  virtual Task<Result<void>> forget_device(UserId, DeviceId) = 0;  // transaction ids live as long as their device
  virtual Task<Result<void>> erase(UserId, Milliseconds at) = 0;   // see Queries::as_erased()
};

struct StateEntry {
  std::string type, key;
  EventRef ref;
};
struct StateChange {  // of a key between two roots; ref absent: the key is not in the second
  std::string type, key;
  std::optional<EventRef> ref;
};
struct RoomMembership {
  uint32_t room_no = 0;
  RoomId room;
  Membership membership = Membership::kLeave;
  EventRef ref;
  bool forgotten = false;
};
struct RoomInfo {
  uint32_t room_no = 0;
  RoomId room;
  const RoomRules* rules = nullptr;
};
struct Page {
  std::vector<PlacedPtr> events;         // visible ones, in the order asked for
  std::vector<std::string> memberships;  // of the viewer, at each of them
  std::optional<PageToken> end;          // absent: nothing further
};
struct Viewer {
  UserId user;
  std::shared_ptr<const std::set<std::string>> ignored{};  // users; null: none. See served.h
  bool ignores(const UserId& other) const { return ignored && ignored->contains(other.str()); }
};
struct Seen {  // of one event by one viewer
  bool visible = false;
  std::string membership;  // the viewer's at the event, its own change included (unsigned.membership)
};
struct Relations {  // what is bundled with an event (client-server API, Aggregations of child events)
  struct Thread {
    EventRef latest;
    int64_t count = 0;
    bool participated = false;
  };
  std::optional<EventRef> edit{};  // the most recent valid m.replace
  std::optional<Thread> thread{};
  std::vector<EventId> references{};  // m.reference, in order of arrival, at most kMaxReferences
  static constexpr size_t kMaxReferences = 100;
  bool empty() const { return !edit && !thread && references.empty(); }
};

class Queries {
 public:
  virtual ~Queries() = default;
  virtual Task<Result<RoomInfo>> room(RoomId) = 0;  // kNotFound
  virtual Task<Result<RoomInfo>> room(uint32_t room_no) = 0;
  virtual Task<Result<std::vector<PlacedPtr>>> events(std::vector<EventRef>) = 0;  // in the order asked; cached
  virtual Task<Result<PlacedPtr>> event(RoomId, EventId) = 0;                      // kNotFound; no visibility check
  virtual Task<Result<std::vector<StateEntry>>> state(uint32_t room_no, StateRoot) = 0;
  virtual Task<Result<std::vector<StateChange>>> diff(uint32_t room_no, StateRoot from, StateRoot to) = 0;
  // The refs of these (type, key) pairs at the root; absent ones are left out.
  virtual Task<Result<std::vector<StateEntry>>> state_of(uint32_t room_no, StateRoot,
                                                         std::vector<std::pair<std::string, std::string>>) = 0;
  virtual Task<Result<StateRoot>> current_root(uint32_t room_no) = 0;  // of what is committed
  virtual Task<Result<StateRoot>> root_before(EventRef) = 0;
  virtual Task<Result<StateRoot>> root_after(EventRef) = 0;
  // The user's event that ended the last time they were joined; nullopt: they never were, or still are.
  virtual Task<Result<std::optional<EventRef>>> last_left(uint32_t room_no, UserId) = 0;
  // Membership as committed now.
  virtual Task<Result<std::optional<RoomMembership>>> membership(RoomId, UserId) = 0;
  virtual Task<Result<std::vector<RoomMembership>>> memberships(UserId) = 0;  // every room, any membership
  virtual Task<Result<std::vector<UserId>>> members(uint32_t room_no, Membership) = 0;
  virtual Task<Result<std::vector<UserId>>> users_sharing_a_room(UserId) = 0;  // both joined; without the user
  // May the viewer see each event: history visibility on the state at the event (client-server API, Room History
  // Visibility).
  virtual Task<Result<std::vector<bool>>> visible(std::vector<EventRef>, Viewer) = 0;
  virtual Task<Result<std::vector<Seen>>> seen(std::vector<EventRef>, Viewer) = 0;  // and what the viewer was then
  // With redacted copies in place of erased users' messages and member events (client-server API, POST
  // /account/deactivate, erase), unless the viewer was in the room then, or joined between then and the erasure. Other
  // state is the room's, and stays: a new member must learn that it is encrypted. No read while nobody is erased.
  virtual Task<Result<std::vector<PlacedPtr>>> as_erased(std::vector<PlacedPtr>, Viewer) = 0;
  // The children of each of these events of one room, as far as history visibility shows them to the viewer, and of
  // users whom they do not ignore; no edit of redacted ones, nothing of state.
  virtual Task<Result<std::vector<Relations>>> relations(std::vector<EventRef>, Viewer) = 0;
  virtual Task<Result<Page>> messages(RoomId, std::optional<PageToken> from, std::optional<PageToken> to, Direction,
                                      size_t limit, Viewer) = 0;
  virtual Task<Result<PageToken>> live_end(uint32_t room_no) = 0;  // the token after the newest event
};

struct Config {
  ServerName server_name;
  size_t cache_bytes = 32u << 20;
  bool owns_rooms = true;     // takes its share of the partitions
  std::string instance = {};  // this process's, among the leases
};

class Rooms {  // what app constructs
 public:
  virtual ~Rooms() = default;
  // Before the bus and the leases start.
  static std::unique_ptr<Rooms> make(Config, db::Database&, bus::Bus&, lease::Leases&, Executor loop, const Clock&,
                                     Random&, const SigningKey&);
  virtual Task<Result<void>> start() = 0;  // before the leases start: then partitions come
  virtual Task<> stop() = 0;
  // One listener: sync. Called when a command's event is committed, before the command answers.
  virtual void on_written(std::function<void(const UserId& sender, uint32_t room_no, int64_t order)>) = 0;
  virtual Commands& commands() = 0;
  virtual Queries& queries() = 0;
};

}  // namespace myelin::rooms
