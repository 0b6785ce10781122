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

namespace {

// With the before-or-after rules for the setting itself and for the viewer's own membership.
bool is_visible_before_or_after(const Event& event, const Event* visibility, std::string_view membership,
                                bool is_own_membership, bool joined_later) {
  auto setting = history_visibility_of(visibility);
  if (is_visible(setting, membership, joined_later)) return true;
  if (event.is_state("m.room.history_visibility", ""))
    return is_visible(history_visibility_of(&event), membership, joined_later);
  return is_own_membership && is_visible(setting, membership_of(&event), joined_later);
}

}  // namespace

bool may_see(const UserId& viewer, const Event& event, const Event* visibility, const Event* member,
             bool joined_later) {
  return is_visible_before_or_after(event, visibility, membership_of(member),
                                    event.is_state("m.room.member", viewer.str()), joined_later);
}

bool may_give(const ServerName& server, const Event& event, const Event* visibility, std::string_view membership,
              bool joined_later) {
  auto target =
      event.type() == "m.room.member" && event.is_state() ? UserId::parse(*event.state_key()) : fail(Code::kNotFound);
  return is_visible_before_or_after(event, visibility, membership, target && target->server() == server.str(),
                                    joined_later);
}

}  // namespace myelin
