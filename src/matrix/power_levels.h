// Who may do what (client-server API, m.room.power_levels), as the auth rules of a room version read it. A view: the
// events must outlive it. Any thread.
#pragma once
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "matrix/event.h"

namespace myelin {

// Above every number that an event can hold: creators of rooms whose version makes them infinite.
inline constexpr int64_t kInfiniteLevel = std::numeric_limits<int64_t>::max();

class PowerLevels {
 public:
  // Either may be nullptr: no power levels in the state; no create event known.
  PowerLevels(const RoomRules&, const Event* power_levels, const Event* create);

  int64_t user_level(std::string_view user_id) const;
  int64_t event_level(std::string_view type, bool is_state) const;
  int64_t ban() const;                               // default 50
  int64_t kick() const;                              // default 50
  int64_t redact() const;                            // default 50
  int64_t invite() const;                            // default 0
  int64_t notification(std::string_view key) const;  // default 50
  int64_t users_default() const;                     // default 0
  int64_t events_default() const;                    // default 0
  int64_t state_default() const;                     // default 50
  bool is_creator(std::string_view user_id) const;

 private:
  int64_t level(std::string_view key, int64_t otherwise) const;
  int64_t entry(std::string_view table, std::string_view key, int64_t otherwise) const;
  const RoomRules* rules_;
  const json::Object* content_;  // nullptr without an event
  const Event* create_;
};

// One level as the room version reads it: an integer; in older versions a string that holds one, or a number with a
// fraction, cut off. nullopt: none of these.
std::optional<int64_t> parse_level(const json::Value&, const AuthRules&);

// The creators of a room: the sender of the create event (or content.creator where the version has it) and, where the
// version knows them, content.additional_creators.
std::vector<std::string_view> room_creators(const RoomRules&, const Event& create);
bool is_room_creator(const RoomRules&, const Event& create, std::string_view user_id);

}  // namespace myelin
