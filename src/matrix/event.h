// Events (PDUs): immutable, with the bytes they were accepted with (server-server API, PDUs; rooms/v1 … v12, Event
// format). Values behind shared_ptr<const Event>; any thread.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "matrix/ids.h"
#include "matrix/json.h"
#include "matrix/room_version.h"
#include "matrix/signing.h"

namespace myelin {

inline constexpr size_t kMaxEventBytes = 65536;  // canonical JSON of the whole PDU, signatures included
inline constexpr size_t kMaxFieldBytes = 255;    // sender, room_id, type, state_key, event_id
inline constexpr size_t kMaxAuthEvents = 10;
inline constexpr size_t kMaxPrevEvents = 20;
inline constexpr int64_t kMaxDepth = (int64_t{1} << 53) - 1;  // from version 6 on
int64_t max_depth(const RoomRules&);
// "The maximum depth of the prev_events, plus one. … If the room's depth is already at the limit, the depth must be set
// to the limit." (rooms/v1, Event format)
int64_t next_depth(int64_t deepest_prev_event, const RoomRules&);

// Backfilled events may have more references than the limits allow (server-server API, Size limits are of sending).
enum class ReferenceLimits : uint8_t { kEnforced, kIgnored };

class Event {
 public:
  // Format checks of a received PDU: types, sizes, counts, ranges; computes the event id. No hash, signature or auth
  // check. kNotJson, kBadJson, kTooLarge. `text` is kept as the accepted bytes; it is made canonical when it is over
  // kMaxEventBytes only because of how it is written.
  static Result<std::shared_ptr<const Event>> parse(std::string text, const RoomRules&,
                                                    ReferenceLimits = ReferenceLimits::kEnforced);
  // What we stored after accepting it: parsed without the checks. kCorrupt.
  static Result<std::shared_ptr<const Event>> restore(std::string text, EventId, const RoomRules&);

  const EventId& event_id() const { return event_id_; }
  const RoomId& room_id() const { return room_id_; }  // v12 create events too: derived from the event id
  const UserId& sender() const { return sender_; }
  const std::string& type() const { return type_; }
  const std::optional<std::string>& state_key() const { return state_key_; }
  bool is_state() const { return state_key_.has_value(); }
  bool is_state(std::string_view type, std::string_view key) const { return state_key_ == key && type_ == type; }
  const json::Object& content() const { return *content_; }
  const json::Object& object() const { return object_; }  // the whole PDU
  const std::string& text() const { return text_; }       // the accepted bytes
  const std::vector<EventId>& auth_events() const { return auth_events_; }
  const std::vector<EventId>& prev_events() const { return prev_events_; }
  int64_t depth() const { return depth_; }
  int64_t origin_server_ts() const { return origin_server_ts_; }
  std::optional<EventId> redacts() const;  // from wherever the room version keeps it
  size_t memory_bytes() const;             // for caches
  // Whether content.additional_creators names the user, in a create event of a room version that knows them; however
  // many are named. Strings in it that are no user ids count too.
  bool has_additional_creator(std::string_view user_id) const;

 private:
  friend struct EventBuilder;
  Event() = default;
  std::string text_;
  json::Object object_;
  const json::Object* content_ = nullptr;  // inside object_
  EventId event_id_;
  RoomId room_id_;
  UserId sender_;
  std::string type_;
  std::optional<std::string> state_key_;
  std::vector<EventId> auth_events_, prev_events_;
  int64_t depth_ = 0, origin_server_ts_ = 0;
  bool redacts_in_content_ = false;
  std::vector<std::string_view> additional_creators_;  // sorted; inside object_
};
using EventPtr = std::shared_ptr<const Event>;

// An event that may be stored: hash and signatures were checked, or it is ours. Made only in matrix/.
class VerifiedEvent {
 public:
  const EventPtr& event() const { return event_; }

 private:
  friend class OwnEvent;
  friend class PolicyServer;
  friend struct Verification;
  explicit VerifiedEvent(EventPtr event) : event_(std::move(event)) {}
  EventPtr event_;
};

// What an event of ours is made of. Everything a remote could have chosen is rebuilt field by field into one of these.
struct EventDraft {
  std::optional<RoomId> room_id;  // absent only for a v12 create event
  UserId sender;
  std::string type;
  std::optional<std::string> state_key;
  json::Object content;
  std::optional<EventId> redacts;  // put where the room version wants it
  std::vector<EventId> prev_events, auth_events;
  // Versions 1 and 2 only, which name an event together with it: reference_hash() of every event in the two lists.
  std::map<EventId, std::string> reference_hashes;
  // As /send_join and its like want it, and /invite.
  bool names_origin = false;
  int64_t depth = 1;
  int64_t origin_server_ts = 0;
};

// The only events we sign, but for two kinds of others' (Verification::countersign).
class OwnEvent {
 public:
  // kTooLarge, kBadJson (numbers, references, nesting that peers refuse), kInvalidParam (not UTF-8).
  static Result<VerifiedEvent> build(EventDraft, const RoomRules&, const ServerName& origin, const SigningKey&);
};

// The content after redaction and the top-level keys that stay (rooms/v*, Redactions); `unsigned` is dropped.
json::Object redact(const json::Object& pdu, const RoomRules&);
// sha256 of the canonical PDU without unsigned, signatures, hashes (server-server API, Calculating the content hash for
// an event). kBadJson: a number that the room version forbids.
Result<std::string> content_hash(const json::Object& pdu, const RoomRules&);
// sha256 of the canonical redacted PDU without signatures and unsigned (Calculating the reference hash for an event).
// kBadJson, as above.
Result<std::string> reference_hash(const json::Object& pdu, const RoomRules&);

// The event as clients see it (client-server API, Room event format): event_id and room_id added, federation fields
// (auth_events, prev_events, depth, hashes, signatures, origin) gone, `redacts` in both places. `unsigned` is the given
// object, when not empty.
enum class ClientFormat : uint8_t {
  kRoom,
  kSync /* without room_id */,
  kStripped /* sender, type, state_key, content */
};
std::string client_event(const Event&, ClientFormat, const json::Object& unsigned_data = {});

}  // namespace myelin
