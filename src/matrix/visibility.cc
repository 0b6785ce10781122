#include "matrix/visibility.h"

#include <algorithm>

namespace myelin {

HistoryVisibility history_visibility_of(const Event* event) {
  auto value = event ? json::string_at(event->content(), "history_visibility") : std::nullopt;
  if (value == "world_readable") return HistoryVisibility::kWorldReadable;
  if (value == "invited") return HistoryVisibility::kInvited;
  if (value == "joined") return HistoryVisibility::kJoined;
  return HistoryVisibility::kShared;
}

std::string_view membership_of(const Event* event) {
  return event ? json::string_at(event->content(), "membership").value_or("leave") : "leave";
}

bool is_visible(HistoryVisibility visibility, std::string_view membership, bool joined_later) {
  if (visibility == HistoryVisibility::kWorldReadable) return true;            // rule 1
  if (membership == "join") return true;                                       // rule 2
  if (visibility == HistoryVisibility::kShared && joined_later) return true;   // rule 3
  return visibility == HistoryVisibility::kInvited && membership == "invite";  // rules 4 and 5
}

namespace {

// "For m.room.history_visibility events themselves, the user should be allowed to see the event if the
// history_visibility before or after the event would allow them to see it." … "Likewise, for the user's own
// m.room.member events, the user should be allowed to see the event if their membership before or after the event would
// allow them to see it."
std::vector<Sight> before_and_after(const Event& event, const Sight& before, bool is_own_membership) {
  if (event.is_state("m.room.history_visibility", ""))
    return {before, {history_visibility_of(&event), before.membership}};
  if (is_own_membership) return {before, {before.visibility, membership_of(&event)}};
  return {before};
}

}  // namespace

std::vector<Sight> sights_of(const UserId& viewer, const Event& event, Sight before) {
  return before_and_after(event, before, event.is_state("m.room.member", viewer.str()));
}

bool may_give(const ServerName& server, const Event& event, const Event* visibility, std::string_view membership,
              bool joined_later) {
  auto target =
      event.type() == "m.room.member" && event.is_state() ? UserId::parse(*event.state_key()) : fail(Code::kNotFound);
  auto sights = before_and_after(event, {history_visibility_of(visibility), membership},
                                 target && target->server() == server.str());
  return std::ranges::any_of(sights, [&](auto& sight) { return is_visible(sight, joined_later); });
}

}  // namespace myelin
