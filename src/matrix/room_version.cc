#include "matrix/room_version.h"

#include <algorithm>
#include <array>

namespace myelin {
namespace {

// Each version is its predecessor with what its page in the specification changes.
constexpr RoomRules kV1 = [] {
  RoomRules v{};
  v.version = "1";
  return v;
}();

constexpr RoomRules kV2 = [] {
  auto v = kV1;
  v.version = "2";
  v.resolution = StateResolution::kV2;
  return v;
}();

constexpr RoomRules kV3 = [] {
  auto v = kV2;
  v.version = "3";
  v.format.event_id = EventIdFormat::kReferenceHash;
  v.format.event_references_with_hashes = false;
  v.auth.redaction_rule = false;
  v.auth.event_id_signature = false;
  return v;
}();

constexpr RoomRules kV4 = [] {
  auto v = kV3;
  v.version = "4";
  v.format.event_id = EventIdFormat::kUrlSafeReferenceHash;
  return v;
}();

constexpr RoomRules kV5 = [] {
  auto v = kV4;
  v.version = "5";
  v.enforce_key_validity = true;
  return v;
}();

constexpr RoomRules kV6 = [] {
  auto v = kV5;
  v.version = "6";
  v.format.canonical = json::CanonicalMode::kStrict;
  v.format.strict_depth = true;
  v.redaction.keep_aliases = false;
  v.auth.aliases = false;
  v.auth.notification_levels = true;
  return v;
}();

constexpr RoomRules kV7 = [] {
  auto v = kV6;
  v.version = "7";
  v.auth.knocking = true;
  return v;
}();

constexpr RoomRules kV8 = [] {
  auto v = kV7;
  v.version = "8";
  v.redaction.keep_allow = true;
  v.auth.restricted = true;
  return v;
}();

constexpr RoomRules kV9 = [] {
  auto v = kV8;
  v.version = "9";
  v.redaction.keep_authorised_via = true;
  return v;
}();

constexpr RoomRules kV10 = [] {
  auto v = kV9;
  v.version = "10";
  v.auth.knock_restricted = true;
  v.auth.integer_power_levels = true;
  return v;
}();

constexpr RoomRules kV11 = [] {
  auto v = kV10;
  v.version = "11";
  v.format.redacts_in_content = true;
  v.redaction.keep_legacy_top_level = false;
  v.redaction.keep_all_create = true;
  v.redaction.keep_third_party_signed = true;
  v.redaction.keep_invite_level = true;
  v.redaction.keep_redacts = true;
  v.auth.creator_from_sender = true;
  return v;
}();

constexpr RoomRules kV12 = [] {
  auto v = kV11;
  v.version = "12";
  v.resolution = StateResolution::kV2_1;
  v.format.create_has_room_id = false;
  v.format.validates_stripped_state = true;
  v.auth.room_id_from_create = true;
  v.auth.creators_infinite = true;
  return v;
}();

constexpr std::array kVersions{kV1, kV2, kV3, kV4, kV5, kV6, kV7, kV8, kV9, kV10, kV11, kV12};

}  // namespace

std::span<const RoomRules> all_room_versions() { return kVersions; }

const RoomRules* find_room_version(std::string_view version) {
  auto found = std::ranges::find(kVersions, version, &RoomRules::version);
  return found == kVersions.end() ? nullptr : &*found;
}

}  // namespace myelin
