// The small types of rooms.h.
#include "components/rooms/rooms.h"

namespace myelin::rooms {

std::string_view to_string(Membership membership) {
  switch (membership) {
    case Membership::kLeave:
      return "leave";
    case Membership::kInvite:
      return "invite";
    case Membership::kJoin:
      return "join";
    case Membership::kBan:
      return "ban";
    case Membership::kKnock:
      return "knock";
  }
  return "leave";
}

std::optional<Membership> membership_from(std::string_view text) {
  for (auto membership :
       {Membership::kLeave, Membership::kInvite, Membership::kJoin, Membership::kBan, Membership::kKnock})
    if (text == to_string(membership)) return membership;
  return std::nullopt;
}

}  // namespace myelin::rooms
