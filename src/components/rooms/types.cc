// The small types of rooms.h.
#include <fmt/format.h>

#include <charconv>

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

std::string PageToken::str() const { return fmt::format("t{}_{}_{}", depth, order, arrived_before); }

std::optional<PageToken> PageToken::parse(std::string_view in) {
  PageToken token;
  const char* at = in.data();
  const char* end = in.data() + in.size();
  if (at == end || *at++ != 't') return std::nullopt;
  for (int64_t* field : {&token.depth, &token.order, &token.arrived_before}) {
    auto [next, error] = std::from_chars(at, end, *field);
    if (error != std::errc()) return std::nullopt;
    at = next;
    bool last = field == &token.arrived_before;
    if (last ? at != end : (at == end || *at++ != '_')) return std::nullopt;
  }
  return token;
}

}  // namespace myelin::rooms
