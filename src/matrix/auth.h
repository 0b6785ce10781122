// Authorisation rules (rooms/v1 … v12, Authorisation rules) and the selection of auth events (server-server API, Auth
// events selection). Pure, driven by RoomRules; one file per event type under auth/. Any thread.
#pragma once
#include <compare>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "matrix/event.h"

namespace myelin {

// The state that an event is judged against. In room version 12 the create event is never among the auth events:
// find("m.room.create", "") gives the room's all the same.
class AuthState {
 public:
  virtual ~AuthState() = default;
  // The state event, or nullptr; it lives at least as long as the call to authorize().
  virtual const Event* find(std::string_view type, std::string_view state_key) const = 0;
};

// The rules that depend on state. Error kForbidden; its message says which rule, for a person.
// The event's format, signatures and auth_events list are checked elsewhere (Event::parse, verification,
// check_auth_events).
Result<void> authorize(const RoomRules&, const Event&, const AuthState&);

// One event of auth_events, as known here.
struct AuthEvent {
  const Event* event = nullptr;
  bool rejected = false;
};

// The rules on the auth_events list itself: no duplicates, none that the selection would not choose, none rejected, all
// of the same room, a create event where the version wants one. `events`: all of event.auth_events(), in any order;
// `create`: the room's create event where the version derives the room id from it, else ignored. kForbidden.
Result<void> check_auth_events(const RoomRules&, const Event&, std::span<const AuthEvent> events,
                               AuthEvent create = {});

// An AuthState of a few events: those of auth_events, or of a test.
class AuthEventSet final : public AuthState {
 public:
  AuthEventSet() = default;
  explicit AuthEventSet(std::span<const AuthEvent>, const Event* create = nullptr);
  void add(const Event*);  // replaces the one of the same type and state key
  const Event* find(std::string_view type, std::string_view state_key) const override;

 private:
  std::vector<const Event*> events_;
};

struct TypeAndKey {
  std::string type, state_key;
  friend auto operator<=>(const TypeAndKey&, const TypeAndKey&) = default;
};

// The state keys whose events belong into auth_events of an event, present in the state or not, without duplicates. Not
// the create event where the room version leaves it out.
std::vector<TypeAndKey> auth_event_keys(const RoomRules&, std::string_view type, std::string_view sender,
                                        const std::optional<std::string>& state_key, const json::Object& content);
std::vector<TypeAndKey> auth_event_keys(const RoomRules&, const Event&);
// The same with the create event always: every key that authorize() may ask for.
std::vector<TypeAndKey> authorizing_keys(const RoomRules&, const Event&);

}  // namespace myelin
