#include "matrix/event.h"

#include <algorithm>
#include <limits>

#include "base/bytes.h"
#include "matrix/event_builder.h"
#include "matrix/redaction.h"

namespace myelin {
namespace {

// Escapes ("\u0061") and spaces may make the received text this much longer than its canonical form.
constexpr size_t kMaxTextBytes = 6 * kMaxEventBytes;

std::unexpected<Error> bad(const char* field, const char* problem) {
  return fail(Code::kBadJson, std::string(field) + " of the event " + problem);
}

Result<std::string_view> string_field(const json::Object& object, const char* key) {
  auto text = json::string_at(object, key);
  if (!text) return bad(key, "is not a string");
  if (text->size() > kMaxFieldBytes) return fail(Code::kTooLarge, std::string(key) + " of the event is too long");
  return *text;
}

template <class Kind>
Result<Kind> id_field(const json::Object& object, const char* key) {
  MYELIN_TRY(std::string_view text, string_field(object, key));
  auto id = Kind::parse(text);
  if (!id) return bad(key, "is malformed");
  return id;
}

// The id in one element of auth_events or prev_events; versions 1 and 2 have [id, {hashes}].
std::optional<std::string_view> referenced_id(const json::Value& element, bool with_hashes) {
  const json::Value* id = &element;
  if (with_hashes) {
    auto pair = element.if_array();
    if (!pair || pair->empty()) return std::nullopt;
    id = &pair->front();
  }
  if (!id->is_string()) return std::nullopt;
  return std::string_view(id->get_string());
}

// By algorithm, as texts. Other algorithms than sha256 are nothing to us, but other servers read them.
bool are_hashes(const json::Value& value) {
  auto hashes = value.if_object();
  return hashes && std::ranges::all_of(*hashes, [](auto& hash) { return hash.value().is_string(); });
}

bool is_pair(const json::Value& element) {
  auto pair = element.if_array();
  return pair && pair->size() == 2 && are_hashes(pair->back());
}

Result<std::vector<EventId>> references(const json::Object& object, const char* key, const EventFormatRules& format,
                                        size_t limit) {
  auto list = json::array_at(object, key);
  if (!list) return bad(key, "is not a list");
  if (list->size() > limit) return bad(key, "has too many entries");
  std::vector<EventId> ids;
  ids.reserve(list->size());
  for (auto& element : *list) {
    bool with_hashes = format.event_references_with_hashes;
    auto text = with_hashes && !is_pair(element) ? std::nullopt : referenced_id(element, with_hashes);
    auto id = text ? EventId::parse(*text) : fail(Code::kBadJson);
    if (!id) return bad(key, "has a malformed entry");
    ids.push_back(*std::move(id));
  }
  return ids;
}

Result<void> check_hashes_and_signatures(const json::Object& object) {
  auto hashes = json::object_at(object, "hashes");
  if (!hashes || !json::string_at(*hashes, "sha256")) return bad("hashes", "has no sha256");
  if (!are_hashes(object.at("hashes"))) return bad("hashes", "is malformed");
  auto signatures = json::object_at(object, "signatures");
  if (!signatures) return bad("signatures", "is not an object");
  for (auto& [server, keys] : *signatures) {
    auto by_key = keys.if_object();
    auto is_text = [](auto& signature) { return signature.value().is_string(); };
    if (!by_key || !std::ranges::all_of(*by_key, is_text)) return bad("signatures", "is malformed");
  }
  return {};
}

// Version 12: a create event has no room id of its own (rooms/v12, Room IDs).
bool names_its_room(std::string_view type, const RoomRules& rules) {
  return rules.format.create_has_room_id || type != "m.room.create";
}
RoomId room_id_from_create(const EventId& id) { return RoomId::trusted("!" + id.str().substr(1)); }

std::vector<std::string_view> additional_creators(const Event& event, const RoomRules& rules) {
  std::vector<std::string_view> creators;
  if (event.type() != "m.room.create" || !rules.auth.creators_infinite) return creators;
  if (auto named = json::array_at(event.content(), "additional_creators"))
    for (auto& creator : *named)
      if (creator.is_string()) creators.emplace_back(creator.get_string());
  std::ranges::sort(creators);
  return creators;
}

}  // namespace

int64_t max_depth(const RoomRules& rules) {
  return rules.format.strict_depth ? kMaxDepth : std::numeric_limits<int64_t>::max();
}

int64_t next_depth(int64_t deepest_prev_event, const RoomRules& rules) {
  return std::min(deepest_prev_event, max_depth(rules) - 1) + 1;
}

bool Event::has_additional_creator(std::string_view user_id) const {
  return std::ranges::binary_search(additional_creators_, user_id);
}

Result<EventPtr> EventBuilder::checked(json::Object object, std::string text, const RoomRules& rules,
                                       std::optional<EventId> id, ReferenceLimits limits) {
  std::shared_ptr<Event> event(new Event());
  MYELIN_TRY(event->type_, string_field(object, "type"));
  MYELIN_TRY(event->sender_, id_field<UserId>(object, "sender"));
  if (object.contains("state_key")) {
    MYELIN_TRY(event->state_key_, string_field(object, "state_key"));
  }
  if (!json::object_at(object, "content")) return bad("content", "is not an object");
  if (object.contains("unsigned") && !json::object_at(object, "unsigned")) return bad("unsigned", "is not an object");

  auto depth = json::integer_at(object, "depth"), ts = json::integer_at(object, "origin_server_ts");
  if (!depth || *depth < 0 || *depth > max_depth(rules)) return bad("depth", "is not an integer in range");
  if (!ts) return bad("origin_server_ts", "is not an integer");
  event->depth_ = *depth;
  event->origin_server_ts_ = *ts;

  bool enforced = limits == ReferenceLimits::kEnforced;
  MYELIN_TRY(event->auth_events_,
             references(object, "auth_events", rules.format, enforced ? kMaxAuthEvents : size_t(-1)));
  MYELIN_TRY(event->prev_events_,
             references(object, "prev_events", rules.format, enforced ? kMaxPrevEvents : size_t(-1)));
  MYELIN_CHECK(check_hashes_and_signatures(object));

  if (id) {
    event->event_id_ = *std::move(id);
  } else if (rules.format.event_id == EventIdFormat::kInEvent) {
    MYELIN_TRY(event->event_id_, id_field<EventId>(object, "event_id"));
    size_t colon = event->event_id_.str().find(':');
    if (colon == std::string::npos || !ServerName::parse(std::string_view(event->event_id_.str()).substr(colon + 1)))
      return bad("event_id", "is malformed");
  } else {
    // rooms/v3: "When events are sent over federation, the event_id field is no longer included."
    if (object.contains("event_id")) return bad("event_id", "has no place in this room version");
    MYELIN_TRY(std::string hash, reference_hash(object, rules));
    event->event_id_ = event_id_from_hash(hash, rules.format.event_id);
  }
  if (names_its_room(event->type_, rules)) {
    MYELIN_TRY(event->room_id_, id_field<RoomId>(object, "room_id"));
  } else {
    event->room_id_ = room_id_from_create(event->event_id_);
  }
  event->redacts_in_content_ = rules.format.redacts_in_content;
  event->text_ = std::move(text);
  event->object_ = std::move(object);
  event->content_ = json::object_at(event->object_, "content");
  event->additional_creators_ = additional_creators(*event, rules);
  return event;
}

Result<EventPtr> EventBuilder::trusted(json::Object object, std::string text, const RoomRules& rules, EventId id) {
  auto type = json::string_at(object, "type"), sender = json::string_at(object, "sender"),
       room_id = json::string_at(object, "room_id");
  auto depth = json::integer_at(object, "depth"), ts = json::integer_at(object, "origin_server_ts");
  auto auth_events = json::array_at(object, "auth_events"), prev_events = json::array_at(object, "prev_events");
  if (!type || !sender || !depth || !ts || !auth_events || !prev_events || !json::object_at(object, "content") ||
      (!room_id && names_its_room(*type, rules)))
    return fail(Code::kCorrupt, "a stored event is incomplete: " + id.str());

  std::shared_ptr<Event> event(new Event());
  event->type_ = *type;
  event->sender_ = UserId::trusted(std::string(*sender));
  if (auto state_key = json::string_at(object, "state_key")) event->state_key_ = *state_key;
  event->depth_ = *depth;
  event->origin_server_ts_ = *ts;
  for (auto [list, ids] : {std::pair{auth_events, &event->auth_events_}, {prev_events, &event->prev_events_}}) {
    ids->reserve(list->size());
    for (auto& element : *list) {
      auto referenced = referenced_id(element, rules.format.event_references_with_hashes);
      if (!referenced) return fail(Code::kCorrupt, "a stored event has a malformed reference: " + id.str());
      ids->push_back(EventId::trusted(std::string(*referenced)));
    }
  }
  event->room_id_ = names_its_room(*type, rules) ? RoomId::trusted(std::string(*room_id)) : room_id_from_create(id);
  event->event_id_ = std::move(id);
  event->redacts_in_content_ = rules.format.redacts_in_content;
  event->text_ = std::move(text);
  event->object_ = std::move(object);
  event->content_ = json::object_at(event->object_, "content");
  event->additional_creators_ = additional_creators(*event, rules);
  return event;
}

Result<EventPtr> EventBuilder::with_signatures(const Event& event, const RoomRules& rules, const ServerName& server,
                                               json::Object signatures) {
  json::Object pdu = event.object();
  auto& all = pdu["signatures"];
  if (!all.is_object()) all = json::Object();
  all.get_object()[server.str()] = std::move(signatures);
  MYELIN_TRY(std::string text, json::canonical(pdu, rules.format.canonical));
  if (text.size() > kMaxEventBytes) return fail(Code::kTooLarge, "the event is over 65536 bytes");
  return trusted(std::move(pdu), std::move(text), rules, event.event_id());
}

Result<EventPtr> Event::parse(std::string text, const RoomRules& rules, ReferenceLimits limits) {
  bool strict = rules.format.canonical == json::CanonicalMode::kStrict;
  json::ParseLimits json_limits{.bytes = kMaxTextBytes, .depth = json::kMaxPduDepth, .integers_only = strict};
  auto object = json::parse_object(text, json_limits);
  if (!object && strict && object.error().code == Code::kBadJson) {
    // "The unsigned object and the signatures object are not covered by the signature. Therefore intermediate entities
    // can add unsigned data" (appendices, Signing JSON): if numbers there are all that is wrong, it is left out.
    json_limits.except_unsigned = true;
    MYELIN_TRY(object, json::parse_object(text, json_limits));
    if (json::object_at(*object, "unsigned")) object->erase("unsigned");
    MYELIN_TRY(text, json::canonical(*object, rules.format.canonical));
  }
  if (!object) return std::unexpected(std::move(object).error());
  // The canonical form of strict JSON is never longer than the text.
  if (!strict || text.size() > kMaxEventBytes) {
    MYELIN_TRY(std::string canonical, json::canonical(*object, rules.format.canonical));
    if (canonical.size() > kMaxEventBytes) return fail(Code::kTooLarge, "the event is too large");
    if (text.size() > kMaxEventBytes) text = std::move(canonical);
  }
  return EventBuilder::checked(*std::move(object), std::move(text), rules, std::nullopt, limits);
}

Result<EventPtr> Event::restore(std::string text, EventId id, const RoomRules& rules) {
  auto object = json::parse_object(text, {.bytes = kMaxTextBytes, .depth = json::kMaxStoredDepth});
  if (!object) return fail(Code::kCorrupt, "a stored event does not parse: " + id.str());
  return EventBuilder::trusted(*std::move(object), std::move(text), rules, std::move(id));
}

std::optional<EventId> Event::redacts() const {
  if (type_ != "m.room.redaction") return std::nullopt;
  auto text = json::string_at(redacts_in_content_ ? *content_ : object_, "redacts");
  auto id = text ? EventId::parse(*text) : fail(Code::kBadJson);
  if (!id) return std::nullopt;
  return *std::move(id);
}

size_t Event::memory_bytes() const {
  // The object holds about four times its text: 24 bytes a value, 40 a member, and what the allocator adds.
  return sizeof(Event) + additional_creators_.size() * sizeof(std::string_view) + text_.size() * 5 +
         (auth_events_.size() + prev_events_.size()) * 96 + 128;
}

}  // namespace myelin
