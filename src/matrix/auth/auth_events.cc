// "Considering the event's auth_events" (rule 2; 3 in version 12, with its rule 2 on the room id).
#include <algorithm>
#include <set>

#include "matrix/auth/rules.h"

namespace myelin {

namespace {

bool selected(const std::vector<TypeAndKey>& keys, const Event& event) {
  return event.is_state() && std::ranges::any_of(keys, [&](const TypeAndKey& key) {
           return key.type == event.type() && key.state_key == *event.state_key();
         });
}

// v12, rule 2: "If the event's room_id is not an event ID for an accepted (not rejected) m.room.create event, with the
// sigil ! instead of $, reject."
Result<void> check_room_id(const Event& event, const AuthEvent& create) {
  using auth::reject;
  if (!create.event || create.event->type() != "m.room.create") return reject("the create event is not known");
  if (!auth::is_room_of(event.room_id(), *create.event)) return reject("the room id does not name the create event");
  if (create.rejected) return reject("the create event was rejected");
  return {};
}

}  // namespace

Result<void> check_auth_events(const RoomRules& rules, const Event& event, std::span<const AuthEvent> events,
                               AuthEvent create) {
  using auth::reject;
  if (event.type() == "m.room.create") return {};
  if (rules.auth.room_id_from_create) MYELIN_CHECK(check_room_id(event, create));

  auto keys = auth_event_keys(rules, event);
  bool has_create = false;
  for (size_t i = 0; i < events.size(); ++i) {
    auto& [entry, rejected] = events[i];
    if (!entry) return reject("an auth event is missing");
    // "If there are entries whose type and state_key don't match those specified by the auth events selection algorithm
    // …"
    if (!selected(keys, *entry)) return reject("auth_events has {}, which does not belong there", entry->event_id());
    // "If there are duplicate entries for a given type and state_key pair, reject." The list is at most as long as the
    // keys now, so this is linear.
    if (i >= keys.size()) return reject("auth_events has two events of one type and state key");
    for (size_t earlier = 0; earlier < i; ++earlier) {
      if (events[earlier].event->is_state(entry->type(), *entry->state_key()))
        return reject("auth_events has two events of type {} and one state key", entry->type());
    }
    // "If there are entries which were themselves rejected …, reject."
    if (rejected) return reject("the auth event {} was rejected", entry->event_id());
    // "If any event in auth_events has a room_id which does not match that of the event being authorised, reject."
    if (entry->room_id() != event.room_id()) return reject("the auth event {} is of another room", entry->event_id());
    has_create |= entry->type() == "m.room.create";
  }
  // The same event twice, where the caller gave it once.
  if (std::set<EventId>(event.auth_events().begin(), event.auth_events().end()).size() != event.auth_events().size())
    return reject("auth_events names an event twice");
  // "If there is no m.room.create event among the entries, reject." (until v11)
  if (!rules.auth.room_id_from_create && !has_create) return reject("auth_events has no create event");
  return {};
}

AuthEventSet::AuthEventSet(std::span<const AuthEvent> events, const Event* create) {
  for (auto& entry : events) add(entry.event);
  if (create) add(create);
}

void AuthEventSet::add(const Event* event) {
  if (!event || !event->is_state()) return;
  for (auto& known : events_) {
    if (known->is_state(event->type(), *event->state_key())) {
      known = event;
      return;
    }
  }
  events_.push_back(event);
}

const Event* AuthEventSet::find(std::string_view type, std::string_view state_key) const {
  for (auto event : events_)
    if (event->is_state(type, state_key)) return event;
  return nullptr;
}

}  // namespace myelin
