// Who may see an event (client-server API, Room History Visibility). Pure functions; any thread.
#pragma once
#include <cstdint>
#include <string_view>

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

// May the viewer see `event`? `visibility` and `member`: the room's m.room.history_visibility event and the viewer's
// m.room.member event in the state before it, or null. For events that change one of the two, before or after suffices.
bool may_see(const UserId& viewer, const Event& event, const Event* visibility, const Event* member, bool joined_later);

// The same for a server, which may have what one of its users may see. `membership`: the strongest of its users' in the
// state before the event ("join", else "invite", else "leave"); `joined_later`: any of them.
bool may_give(const ServerName& server, const Event& event, const Event* visibility, std::string_view membership,
              bool joined_later);

}  // namespace myelin
