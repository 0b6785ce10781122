// What the files of this folder share: an event before its judge, and one function per event type. Inside the library.
#pragma once
#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "matrix/auth.h"
#include "matrix/power_levels.h"

namespace myelin::auth {

// An event, the state that it is judged against, and what most rules ask of it.
class Case {
 public:
  Case(const RoomRules& room_rules, const Event& judged, const AuthState& judging, const Event& room_create)
      : rules(room_rules),
        event(judged),
        state(judging),
        create(room_create),
        levels(room_rules, judging.find("m.room.power_levels", ""), &room_create),
        sender(judged.sender().str()) {}

  std::string_view membership(std::string_view user_id) const;  // "leave" where there is no event
  std::string_view join_rule() const;                           // "invite" where there is none; "" if it is no string
  int64_t sender_level() const { return levels.user_level(sender); }
  bool sender_joined() const { return membership(sender) == "join"; }

  const RoomRules& rules;
  const Event& event;
  const AuthState& state;
  const Event& create;
  PowerLevels levels;
  std::string_view sender;
};

template <class... A>
std::unexpected<Error> reject(fmt::format_string<A...> reason, A&&... arguments) {
  return fail(Code::kForbidden, fmt::format(reason, std::forward<A>(arguments)...));
}

// What follows the first colon: the server of a user, room or event id.
std::string_view server_of(std::string_view id);

// v12: "The room_id (being the m.room.create event's ID)", with the sigil ! instead of $.
bool is_room_of(const RoomId&, const Event& create);

Result<void> check_create(const RoomRules&, const Event&);
Result<void> check_aliases(const Event&);
Result<void> check_member(const Case&);
Result<void> check_third_party_invite(const Case&);
Result<void> check_member_by_third_party_invite(const Case&, const json::Object& third_party_invite);
Result<void> check_power_levels(const Case&);
Result<void> check_redaction(const Case&);

}  // namespace myelin::auth
