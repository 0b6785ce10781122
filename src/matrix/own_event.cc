#include <algorithm>

#include "base/bytes.h"
#include "matrix/event.h"
#include "matrix/event_builder.h"
#include "matrix/redaction.h"

namespace myelin {
namespace {

Result<void> check_draft(const EventDraft& draft, const RoomRules& rules) {
  if (!is_valid_utf8(draft.type) || (draft.state_key && !is_valid_utf8(*draft.state_key)))
    return fail(Code::kInvalidParam, "the event type or state key is not UTF-8");
  if (draft.type.size() > kMaxFieldBytes || (draft.state_key && draft.state_key->size() > kMaxFieldBytes))
    return fail(Code::kTooLarge, "the event type or state key is over 255 bytes");
  if (draft.prev_events.size() > kMaxPrevEvents || draft.auth_events.size() > kMaxAuthEvents)
    return fail(Code::kBadJson, "the event has too many references");
  if (json::is_deeper_than(json::kMaxPduDepth - 1, draft.content))
    return fail(Code::kBadJson, "the content is nested too deeply");
  if (draft.depth < 0 || draft.depth > max_depth(rules)) return fail(Code::kBadJson, "the depth is out of range");
  bool needs_room_id = rules.format.create_has_room_id || draft.type != "m.room.create";
  if (draft.sender.empty() || needs_room_id != draft.room_id.has_value())
    return fail(Code::kInternal, "an event draft without a sender, or with the wrong kind of room id");
  return {};
}

Result<json::Array> references(const std::vector<EventId>& ids, const EventDraft& draft,
                               const EventFormatRules& format) {
  json::Array list;
  list.reserve(ids.size());
  for (auto& id : ids) {
    if (!format.event_references_with_hashes) {
      list.emplace_back(id.str());
      continue;
    }
    auto hash = draft.reference_hashes.find(id);
    if (hash == draft.reference_hashes.end()) return fail(Code::kInternal, "no reference hash of " + id.str());
    list.push_back(json::Array{json::Value(id.str()), json::Object{{"sha256", base64(hash->second)}}});
  }
  return list;
}

// Keys in canonical order. Without hashes and signatures, which stand between these.
Result<json::Object> unsigned_pdu(EventDraft draft, const RoomRules& rules, const ServerName& origin) {
  json::Object pdu;
  pdu.reserve(14);
  MYELIN_TRY(pdu["auth_events"], references(draft.auth_events, draft, rules.format));
  if (draft.redacts && rules.format.redacts_in_content) draft.content["redacts"] = draft.redacts->str();
  pdu["content"] = std::move(draft.content);
  pdu["depth"] = draft.depth;
  if (draft.names_origin) pdu["origin"] = origin.str();
  pdu["origin_server_ts"] = draft.origin_server_ts;
  MYELIN_TRY(pdu["prev_events"], references(draft.prev_events, draft, rules.format));
  if (draft.redacts && !rules.format.redacts_in_content) pdu["redacts"] = draft.redacts->str();
  if (draft.room_id) pdu["room_id"] = draft.room_id->str();
  pdu["sender"] = draft.sender.str();
  if (draft.state_key) pdu["state_key"] = *draft.state_key;
  pdu["type"] = draft.type;
  return pdu;
}

// The canonical PDU in the pieces between which `hashes` and `signatures` go, so that it is written only once.
struct Pieces {
  std::string text;  // without hashes and signatures
  size_t before_hashes = 0, before_signatures = 0;
};

Result<Pieces> write_pieces(const json::Object& pdu, json::CanonicalMode mode) {
  static constexpr std::string_view kKeys[] = {"auth_events", "content",          "depth",       "event_id",
                                               "origin",      "origin_server_ts", "prev_events", "redacts",
                                               "room_id",     "sender",           "state_key",   "type"};
  Pieces pieces;
  pieces.text.reserve(1024);
  for (auto key : kKeys) {
    if (key == "origin") pieces.before_hashes = pieces.text.size();
    if (key == "state_key") pieces.before_signatures = pieces.text.size();
    auto value = pdu.if_contains(key);
    if (!value) continue;
    pieces.text += pieces.text.empty() ? '{' : ',';
    json::append_quoted(pieces.text, key);
    pieces.text += ':';
    if (!json::append_canonical(pieces.text, *value, mode))
      return fail(Code::kBadJson, "a number in the event is not an integer in the range that canonical JSON allows");
  }
  pieces.text += '}';
  return pieces;
}

std::string join(const Pieces& pieces, const json::Object& pdu) {
  std::string text;
  text.reserve(pieces.text.size() + 320);
  auto add = [&](std::string_view key) {
    text.append(",\"").append(key).append("\":");
    json::append_canonical(text, pdu.at(key), json::CanonicalMode::kStrict);
  };
  text.append(pieces.text, 0, pieces.before_hashes);
  add("hashes");
  text.append(pieces.text, pieces.before_hashes, pieces.before_signatures - pieces.before_hashes);
  add("signatures");
  return text.append(pieces.text, pieces.before_signatures);
}

}  // namespace

// Server-server API, Adding hashes and signatures to outgoing events.
Result<VerifiedEvent> OwnEvent::build(EventDraft draft, const RoomRules& rules, const ServerName& origin,
                                      const SigningKey& key) {
  MYELIN_CHECK(check_draft(draft, rules));
  MYELIN_TRY(json::Object pdu, unsigned_pdu(std::move(draft), rules, origin));
  std::optional<EventId> id;
  if (rules.format.event_id == EventIdFormat::kInEvent) {  // any unique opaque part will do
    MYELIN_TRY(std::string body, json::canonical(pdu, rules.format.canonical));
    MYELIN_TRY(id, EventId::make(base64url(sha256(body)), origin));
    pdu["event_id"] = id->str();
  }
  MYELIN_TRY(Pieces pieces, write_pieces(pdu, rules.format.canonical));
  pdu["hashes"] = json::Object{{"sha256", base64(sha256(pieces.text))}};
  // What is signed and what the reference hash covers are the same bytes.
  MYELIN_TRY(std::string essential, canonical_redacted(pdu, rules));
  if (!id) id = event_id_from_hash(sha256(essential), rules.format.event_id);
  pdu["signatures"] = json::Object{{origin.str(), json::Object{{key.key_id(), base64(key.sign(essential))}}}};
  std::string text = join(pieces, pdu);
  if (text.size() > kMaxEventBytes) return fail(Code::kTooLarge, "the event is over 65536 bytes");
  MYELIN_TRY(EventPtr event, EventBuilder::trusted(std::move(pdu), std::move(text), rules, *std::move(id)));
  return VerifiedEvent(std::move(event));
}

}  // namespace myelin
