#include "matrix/stripped_state.h"

#include <algorithm>
#include <set>

namespace myelin {
namespace {

constexpr std::string_view kCreate = "m.room.create";
constexpr std::string_view kTypes[] = {kCreate,        "m.room.join_rules",      "m.room.name",      "m.room.avatar",
                                       "m.room.topic", "m.room.canonical_alias", "m.room.encryption"};

std::unexpected<Error> refuse(const char* what) { return fail(Code::kInvalidParam, what); }

// The four fields, if they are what they should be.
std::optional<json::Object> stripped_entry(const json::Object& entry) {
  auto type = json::string_at(entry, "type"), state_key = json::string_at(entry, "state_key"),
       sender = json::string_at(entry, "sender");
  auto content = json::object_at(entry, "content");
  if (!type || !state_key || !sender || !content || type->size() > kMaxFieldBytes ||
      state_key->size() > kMaxFieldBytes || !UserId::parse(*sender))
    return std::nullopt;
  return json::Object{{"content", *content}, {"sender", *sender}, {"state_key", *state_key}, {"type", *type}};
}

// The list, entry by entry, within the limits.
class Collector {
 public:
  Collector(const RoomId& room, const RoomRules& rules) : room_(room), rules_(rules) {}

  // kTooLarge, or why the entry is no PDU of the room (kInvalidParam).
  Result<void> add(const json::Value& entry) {
    if (++entries_ > kMaxStrippedEvents) return fail(Code::kTooLarge, "the stripped state has too many entries");
    auto object = entry.if_object();
    if (!object) return refuse("an entry of the stripped state is not an object");
    auto text = json::serialize(*object);
    if (bytes_ + text.size() > kMaxStrippedBytes) return fail(Code::kTooLarge, "the stripped state is too large");
    auto event = Event::parse(std::move(text), rules_);
    if (event && (*event)->is_state()) return add_event(*std::move(event));
    auto stripped = rules_.format.validates_stripped_state ? std::nullopt : stripped_entry(*object);
    if (!stripped) return refuse("an entry of the stripped state is not a PDU of the room's version");
    if (!is_new(*json::string_at(*stripped, "type"), *json::string_at(*stripped, "state_key"))) return {};
    bytes_ += json::serialize(*stripped).size();
    state_.unchecked.push_back(*std::move(stripped));
    return {};
  }
  StrippedState take() { return std::move(state_); }

 private:
  Result<void> add_event(EventPtr event) {
    if (event->room_id() != room_) return refuse("an entry of the stripped state is of another room");
    if (!is_new(event->type(), *event->state_key())) return {};
    bytes_ += event->text().size();
    state_.events.push_back(std::move(event));
    return {};
  }
  bool is_new(std::string_view type, std::string_view state_key) {
    return seen_.emplace(std::string(type), std::string(state_key)).second;
  }

  const RoomId& room_;
  const RoomRules& rules_;
  StrippedState state_;
  std::set<std::pair<std::string, std::string>> seen_;
  size_t entries_ = 0, bytes_ = 0;
};

bool has_create(const StrippedState& state) {
  return std::ranges::any_of(state.events, [](auto& event) { return event->is_state(kCreate, ""); });
}

Result<void> check_create(const StrippedState& state, const RoomRules& rules, Faulty faulty) {
  if (faulty == Faulty::kRefuse && rules.format.validates_stripped_state && !has_create(state))
    return refuse("the stripped state has no m.room.create event");
  return {};
}

}  // namespace

std::span<const std::string_view> stripped_state_types() { return kTypes; }

Result<json::Array> stripped_state_pdus(std::span<const EventPtr> state) {
  auto create = std::ranges::find_if(state, [](auto& event) { return event->is_state(kCreate, ""); });
  if (create == state.end()) return fail(Code::kBadState, "the room has no create event");
  json::Array list;
  size_t bytes = (*create)->text().size();
  list.push_back((*create)->object());
  for (auto& event : state) {
    if (event == *create || list.size() == kMaxStrippedEvents) continue;
    if (bytes + event->text().size() > kMaxStrippedBytes) continue;
    bytes += event->text().size();
    list.push_back(event->object());
  }
  return list;
}

std::vector<std::string> client_events(const StrippedState& state) {
  std::vector<std::string> out;
  for (auto& event : state.events) out.push_back(client_event(*event, ClientFormat::kStripped));
  for (auto& entry : state.unchecked) out.push_back(json::serialize(entry));
  return out;
}

Result<StrippedState> read_stripped_state(const json::Value* list, const RoomId& room, const RoomRules& rules,
                                          Faulty faulty) {
  bool refuses = faulty == Faulty::kRefuse && rules.format.validates_stripped_state;
  Collector collector(room, rules);
  auto entries = list ? list->if_array() : nullptr;
  if (!entries && refuses) return refuse("there is no stripped state");
  if (entries) {
    for (auto& entry : *entries) {
      auto added = collector.add(entry);
      if (added) continue;
      if (refuses) return std::unexpected(added.error());
      if (added.error().code == Code::kTooLarge) break;
    }
  }
  auto state = collector.take();
  MYELIN_CHECK(check_create(state, rules, faulty));
  return state;
}

std::vector<KeyRequest> required_keys(const StrippedState& state, const RoomRules& rules) {
  std::vector<KeyRequest> out;
  for (auto& event : state.events)
    if (auto keys = Verification::required_keys(event, rules)) out.insert(out.end(), keys->begin(), keys->end());
  return out;
}

Result<StrippedState> verified_stripped_state(StrippedState state, const RoomRules& rules, const KeyLookup& lookup,
                                              Faulty faulty) {
  bool validates = rules.format.validates_stripped_state;
  std::vector<EventPtr> kept;
  for (auto& event : state.events) {
    auto verified = Verification::verify(event, rules, lookup);
    if (verified)
      kept.push_back(verified->event.event());
    else if (!validates && verified.error().code == Code::kUnavailable)
      kept.push_back(std::move(event));
    else if (validates && faulty == Faulty::kRefuse)
      return refuse("an entry of the stripped state is not properly signed");
  }
  state.events = std::move(kept);
  MYELIN_CHECK(check_create(state, rules, faulty));
  return state;
}

}  // namespace myelin
