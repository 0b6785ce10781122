// Who may see an event (client-server API, Room History Visibility). Pure functions; any thread.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "matrix/event.h"

namespace myelin {

enum class HistoryVisibility : uint8_t { kWorldReadable, kShared, kInvited, kJoined };

// Of an m.room.history_visibility event; kShared when there is none (null) or its value is unknown.
HistoryVisibility history_visibility_of(const Event*);
// Of an m.room.member event: "join", "invite", …; "leave" when there is none (null) or it is malformed.
std::string_view membership_of(const Event*);

// The five rules, for one setting and one membership at the event. `joined_later`: the user has joined at any point
// after it.
bool is_visible(HistoryVisibility, std::string_view membership, bool joined_later);

// What decides about an event for one viewer.
struct Sight {
  HistoryVisibility visibility = HistoryVisibility::kShared;
  std::string_view membership = "leave";
  friend bool operator==(const Sight&, const Sight&) = default;
};
// Under which of these the viewer may see `event`, one is enough: in the state before it, and, for an event that
// changes the setting or the viewer's own membership, after it. The last one has the viewer's membership after the
// event.
std::vector<Sight> sights_of(const UserId& viewer, const Event& event, Sight before);
inline bool is_visible(const Sight& sight, bool joined_later) {
  return is_visible(sight.visibility, sight.membership, joined_later);
}

// May a server have the event? It may have what one of its users may see. `membership`: the strongest of its users' in
// the state before the event ("join", else "invite", else "leave"); `joined_later`: any of them.
bool may_give(const ServerName& server, const Event& event, const Event* visibility, std::string_view membership,
              bool joined_later);

}  // namespace myelin
