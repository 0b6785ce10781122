// Redactions (rooms/v1 … v12, Redactions): what the versions keep is data, RedactionRules in room_version.h; the lists
// are here.
#include "matrix/redaction.h"

#include <algorithm>
#include <span>

#include "base/bytes.h"

namespace myelin {
namespace {

using Keys = std::span<const std::string_view>;

// v11: "the server must strip off any keys not in the following list", and until v10 with `prev_state`, `origin` and
// `membership`. In order, so that what is written from them is canonical.
constexpr std::string_view kTopLevel[] = {"auth_events", "content",          "depth",       "event_id",
                                          "hashes",      "origin_server_ts", "prev_events", "room_id",
                                          "sender",      "signatures",       "state_key",   "type"};
constexpr std::string_view kLegacyTopLevel[] = {
    "auth_events", "content",    "depth",   "event_id", "hashes",     "membership", "origin", "origin_server_ts",
    "prev_events", "prev_state", "room_id", "sender",   "signatures", "state_key",  "type"};

Keys kept_top_level(const RedactionRules& rules) {
  return rules.keep_legacy_top_level ? Keys(kLegacyTopLevel) : Keys(kTopLevel);
}

void keep(const json::Object& from, std::initializer_list<std::string_view> keys, json::Object& to) {
  for (auto key : keys)
    if (auto value = from.if_contains(key)) to[key] = *value;
}

}  // namespace

// "The content object must also be stripped of all keys, unless it is one of the following event types:"
json::Object redacted_content(std::string_view type, const json::Object& content, const RedactionRules& rules) {
  json::Object kept;
  if (type == "m.room.member") {
    // v1: "m.room.member allows key membership." v9: "… allows keys membership, join_authorised_via_users_server."
    keep(content, {"membership"}, kept);
    if (rules.keep_authorised_via) keep(content, {"join_authorised_via_users_server"}, kept);
    // v11: "Additionally, it allows the signed key of the third_party_invite key": the object stays where it has no
    // such key (decision 0006, Both leave the letter).
    if (auto invite = json::object_at(content, "third_party_invite"); invite && rules.keep_third_party_signed) {
      json::Object part;
      keep(*invite, {"signed"}, part);
      kept["third_party_invite"] = std::move(part);
    }
  } else if (type == "m.room.create") {
    // v1: "m.room.create allows key creator." v11: "m.room.create allows all keys."
    if (rules.keep_all_create) return content;
    keep(content, {"creator"}, kept);
  } else if (type == "m.room.join_rules") {
    // v1: "m.room.join_rules allows key join_rule." v8: "m.room.join_rules allows keys join_rule, allow."
    keep(content, {"join_rule"}, kept);
    if (rules.keep_allow) keep(content, {"allow"}, kept);
  } else if (type == "m.room.power_levels") {
    // v1: "m.room.power_levels allows keys ban, events, events_default, kick, redact, state_default, users,
    // users_default." v11: "… allows keys ban, events, events_default, invite, kick, redact, state_default, users,
    // users_default."
    keep(content, {"ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default"},
         kept);
    if (rules.keep_invite_level) keep(content, {"invite"}, kept);
  } else if (type == "m.room.history_visibility") {
    // "m.room.history_visibility allows key history_visibility."
    keep(content, {"history_visibility"}, kept);
  } else if (type == "m.room.aliases") {
    // v1 to v5: "m.room.aliases allows key aliases."
    if (rules.keep_aliases) keep(content, {"aliases"}, kept);
  } else if (type == "m.room.redaction") {
    // v11: "m.room.redaction allows key redacts."
    if (rules.keep_redacts) keep(content, {"redacts"}, kept);
  }
  return kept;
}

json::Object redact(const json::Object& pdu, const RoomRules& rules) {
  json::Object kept;
  for (auto key : kept_top_level(rules.redaction)) {
    auto value = pdu.if_contains(key);
    if (!value) continue;
    auto content = key == "content" ? value->if_object() : nullptr;
    if (content)
      kept["content"] = redacted_content(json::string_at(pdu, "type").value_or(""), *content, rules.redaction);
    else
      kept[key] = *value;
  }
  return kept;
}

Result<std::string> canonical_redacted(const json::Object& pdu, const RoomRules& rules) {
  std::string out;
  out.reserve(1024);
  bool allowed = true;
  for (auto key : kept_top_level(rules.redaction)) {
    auto value = key == "signatures" ? nullptr : pdu.if_contains(key);
    if (!value) continue;
    out += out.empty() ? '{' : ',';
    json::append_quoted(out, key);
    out += ':';
    auto content = key == "content" ? value->if_object() : nullptr;
    if (content)
      allowed &= json::append_canonical(
          out, redacted_content(json::string_at(pdu, "type").value_or(""), *content, rules.redaction),
          rules.format.canonical);
    else
      allowed &= json::append_canonical(out, *value, rules.format.canonical);
  }
  if (!allowed) return fail(Code::kBadJson, "a number in the event is not allowed");
  return out.empty() ? "{}" : out + '}';
}

// Server-server API, Calculating the content hash for an event: "First, any existing unsigned, signatures, and hashes
// properties are removed. The resulting object is then encoded as Canonical JSON, and the JSON is hashed using
// SHA-256."
Result<std::string> content_hash(const json::Object& pdu, const RoomRules& rules) {
  MYELIN_TRY(std::string text,
             json::canonical_without(pdu, {"unsigned", "signatures", "hashes"}, rules.format.canonical));
  return sha256(text);
}

// Server-server API, Calculating the reference hash for an event.
Result<std::string> reference_hash(const json::Object& pdu, const RoomRules& rules) {
  MYELIN_TRY(std::string text, canonical_redacted(pdu, rules));
  return sha256(text);
}

EventId event_id_from_hash(std::string_view hash32, EventIdFormat format) {
  return EventId::trusted("$" + (format == EventIdFormat::kUrlSafeReferenceHash ? base64url(hash32) : base64(hash32)));
}

}  // namespace myelin
