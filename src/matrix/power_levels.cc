#include "matrix/power_levels.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace myelin {
namespace {

// Whitespace of Unicode: "any number of leading or trailing whitespace characters" (as below).
constexpr std::string_view kSpaces[] = {" ",      "\t",     "\n",     "\v",     "\f",     "\r",     "\u0085",
                                        "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004",
                                        "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200a", "\u2028",
                                        "\u2029", "\u202f", "\u205f", "\u3000"};

std::string_view without_spaces_around(std::string_view text) {
  auto at_start = [&](std::string_view space) { return text.starts_with(space); };
  auto at_end = [&](std::string_view space) { return text.ends_with(space); };
  for (auto space = kSpaces; (space = std::ranges::find_if(kSpaces, at_start)) != std::end(kSpaces);)
    text.remove_prefix(space->size());
  for (auto space = kSpaces; (space = std::ranges::find_if(kSpaces, at_end)) != std::end(kSpaces);)
    text.remove_suffix(space->size());
  return text;
}

int64_t saturated(uint64_t magnitude, bool negative) {
  auto limit = static_cast<uint64_t>(kInfiniteLevel - 1);
  auto level = static_cast<int64_t>(std::min(magnitude, limit));
  return negative ? -level : level;
}

// rooms/v1, "m.room.power_levels events accept values as strings": spaces around, one sign, digits.
std::optional<int64_t> level_in_string(std::string_view text) {
  text = without_spaces_around(text);
  bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || !std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  constexpr uint64_t kLimit = uint64_t{1} << 63;
  uint64_t magnitude = 0;
  for (char c : text) magnitude = magnitude > kLimit / 10 ? kLimit : magnitude * 10 + static_cast<uint64_t>(c - '0');
  return saturated(magnitude, negative);
}

// rooms/v1, "m.room.power_levels events accept values as floats": "Second, the value is truncated at the decimal
// point".
std::optional<int64_t> level_in_double(double number) {
  if (!std::isfinite(number)) return std::nullopt;
  constexpr double kLimit = 0x1p63;
  if (std::abs(number) >= kLimit) return saturated(std::numeric_limits<uint64_t>::max(), number < 0);
  return static_cast<int64_t>(number);
}

}  // namespace

std::optional<int64_t> parse_level(const json::Value& value, const AuthRules& rules) {
  if (value.is_int64()) return std::min(value.get_int64(), kInfiniteLevel - 1);
  if (value.is_uint64()) return saturated(value.get_uint64(), false);
  if (rules.integer_power_levels) return std::nullopt;
  if (value.is_string()) return level_in_string(value.get_string());
  if (value.is_double()) return level_in_double(value.get_double());
  return std::nullopt;
}

std::vector<std::string_view> room_creators(const RoomRules& rules, const Event& create) {
  std::vector<std::string_view> creators;
  if (!rules.auth.creator_from_sender) {
    if (auto creator = json::string_at(create.content(), "creator")) creators.push_back(*creator);
    return creators;
  }
  creators.emplace_back(create.sender().str());
  auto additional = rules.auth.creators_infinite ? json::array_at(create.content(), "additional_creators") : nullptr;
  if (!additional) return creators;
  for (auto& creator : *additional)
    if (creator.is_string()) creators.emplace_back(creator.get_string());
  return creators;
}

bool is_room_creator(const RoomRules& rules, const Event& create, std::string_view user_id) {
  if (!rules.auth.creator_from_sender) return json::string_at(create.content(), "creator") == user_id;
  return create.sender().str() == user_id || create.has_additional_creator(user_id);
}

PowerLevels::PowerLevels(const RoomRules& rules, const Event* power_levels, const Event* create)
    : rules_(&rules), content_(power_levels ? &power_levels->content() : nullptr), create_(create) {}

int64_t PowerLevels::level(std::string_view key, int64_t otherwise) const {
  if (!content_) return otherwise;
  auto value = content_->if_contains(key);
  return value ? parse_level(*value, rules_->auth).value_or(otherwise) : otherwise;
}

int64_t PowerLevels::entry(std::string_view table, std::string_view key, int64_t otherwise) const {
  auto entries = content_ ? json::object_at(*content_, table) : nullptr;
  auto value = entries ? entries->if_contains(key) : nullptr;
  return value ? parse_level(*value, rules_->auth).value_or(otherwise) : otherwise;
}

bool PowerLevels::is_creator(std::string_view user_id) const {
  return create_ && is_room_creator(*rules_, *create_, user_id);
}

int64_t PowerLevels::user_level(std::string_view user_id) const {
  if (rules_->auth.creators_infinite && is_creator(user_id)) return kInfiniteLevel;
  if (!content_) return is_creator(user_id) ? 100 : 0;
  return entry("users", user_id, users_default());
}

int64_t PowerLevels::event_level(std::string_view type, bool is_state) const {
  return entry("events", type, is_state ? state_default() : events_default());
}

int64_t PowerLevels::ban() const { return level("ban", 50); }
int64_t PowerLevels::kick() const { return level("kick", 50); }
int64_t PowerLevels::redact() const { return level("redact", 50); }
int64_t PowerLevels::invite() const { return level("invite", 0); }
int64_t PowerLevels::notification(std::string_view key) const { return entry("notifications", key, 50); }
int64_t PowerLevels::users_default() const { return level("users_default", 0); }
int64_t PowerLevels::events_default() const { return level("events_default", 0); }
int64_t PowerLevels::state_default() const { return level("state_default", 50); }

}  // namespace myelin
