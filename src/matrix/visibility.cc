#include "matrix/visibility.h"

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

bool may_see(const UserId& viewer, const Event& event, const Event* visibility, const Event* member,
             bool joined_later) {
  auto setting = history_visibility_of(visibility);
  auto membership = membership_of(member);
  if (is_visible(setting, membership, joined_later)) return true;
  if (event.is_state("m.room.history_visibility", ""))
    return is_visible(history_visibility_of(&event), membership, joined_later);
  if (event.is_state("m.room.member", viewer.str())) return is_visible(setting, membership_of(&event), joined_later);
  return false;
}

}  // namespace myelin
