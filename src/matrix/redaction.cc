#include "matrix/redaction.h"

#include <algorithm>
#include <span>

#include "base/bytes.h"

namespace myelin {
namespace {

using Keys = std::span<const std::string_view>;

// In order, so that what is written from them is canonical.
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

json::Object redacted_content(std::string_view type, const json::Object& content, const RedactionRules& rules) {
  json::Object kept;
  if (type == "m.room.member") {
    keep(content, {"membership"}, kept);
    if (rules.keep_authorised_via) keep(content, {"join_authorised_via_users_server"}, kept);
    // "Additionally, it allows the signed key of the third_party_invite key": the object stays where it has no such
    // key.
    if (auto invite = json::object_at(content, "third_party_invite"); invite && rules.keep_third_party_signed) {
      json::Object part;
      keep(*invite, {"signed"}, part);
      kept["third_party_invite"] = std::move(part);
    }
  } else if (type == "m.room.create") {
    if (rules.keep_all_create) return content;
    keep(content, {"creator"}, kept);
  } else if (type == "m.room.join_rules") {
    keep(content, {"join_rule"}, kept);
    if (rules.keep_allow) keep(content, {"allow"}, kept);
  } else if (type == "m.room.power_levels") {
    keep(content, {"ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default"},
         kept);
    if (rules.keep_invite_level) keep(content, {"invite"}, kept);
  } else if (type == "m.room.history_visibility") {
    keep(content, {"history_visibility"}, kept);
  } else if (type == "m.room.aliases") {
    if (rules.keep_aliases) keep(content, {"aliases"}, kept);
  } else if (type == "m.room.redaction") {
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

Result<std::string> content_hash(const json::Object& pdu, const RoomRules& rules) {
  MYELIN_TRY(std::string text,
             json::canonical_without(pdu, {"unsigned", "signatures", "hashes"}, rules.format.canonical));
  return sha256(text);
}

Result<std::string> reference_hash(const json::Object& pdu, const RoomRules& rules) {
  MYELIN_TRY(std::string text, canonical_redacted(pdu, rules));
  return sha256(text);
}

EventId event_id_from_hash(std::string_view hash32, EventIdFormat format) {
  return EventId::trusted("$" + (format == EventIdFormat::kUrlSafeReferenceHash ? base64url(hash32) : base64(hash32)));
}

}  // namespace myelin
