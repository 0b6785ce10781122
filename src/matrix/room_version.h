// Room versions as data, by delta (rooms/v1 … rooms/v12): room_version.cc is the table. Pure functions take the rules;
// no logic asks for a version number. Any thread.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "matrix/json.h"

namespace myelin {

enum class EventIdFormat : uint8_t { kInEvent, kReferenceHash, kUrlSafeReferenceHash };
enum class StateResolution : uint8_t { kV1, kV2, kV2_1 };

struct EventFormatRules {
  EventIdFormat event_id = EventIdFormat::kInEvent;
  bool event_references_with_hashes = true;  // v1, v2: auth_events and prev_events are [id, {sha256}] pairs
  bool create_has_room_id = true;            // v12: the room id is the create event's reference hash
  bool redacts_in_content = false;           // v11
  json::CanonicalMode canonical = json::CanonicalMode::kLax;  // v6: strict
  bool strict_depth = false;                                  // v6: depth < 2^53
  bool validates_stripped_state = false;                      // v12: invites without proper PDUs are refused
};

struct RedactionRules {
  bool keep_aliases = true;              // m.room.aliases: aliases (until v6)
  bool keep_allow = false;               // join_rules.allow (v8)
  bool keep_authorised_via = false;      // member.join_authorised_via_users_server (v9)
  bool keep_legacy_top_level = true;     // origin, membership, prev_state (until v11)
  bool keep_all_create = false;          // v11
  bool keep_third_party_signed = false;  // v11: member.third_party_invite.signed
  bool keep_invite_level = false;        // v11: power_levels.invite
  bool keep_redacts = false;             // v11: redaction.redacts
};

struct AuthRules {
  bool aliases = true;                // rule on m.room.aliases (until v6)
  bool redaction_rule = true;         // rule on m.room.redaction (v1, v2)
  bool event_id_signature = true;     // the event id's server must have signed (v1, v2)
  bool notification_levels = false;   // v6
  bool knocking = false;              // v7
  bool restricted = false;            // v8
  bool knock_restricted = false;      // v10
  bool integer_power_levels = false;  // v10
  bool creator_from_sender = false;   // v11: content.creator is gone
  bool room_id_from_create = false;   // v12: rule 2
  bool creators_infinite = false;     // v12: creators outrank every level and are not in `users`
};

struct RoomRules {
  std::string_view version;  // "12"
  bool stable = true;
  StateResolution resolution = StateResolution::kV1;
  bool enforce_key_validity = false;  // v5
  EventFormatRules format;
  RedactionRules redaction;
  AuthRules auth;
};

const RoomRules* find_room_version(std::string_view version);  // nullptr: not supported
std::span<const RoomRules> all_room_versions();
inline constexpr std::string_view kDefaultRoomVersion = "12";

}  // namespace myelin
