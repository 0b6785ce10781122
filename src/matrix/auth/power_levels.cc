// m.room.power_levels (rule 10; 9 in versions 6 to 11). An entry that is not there has no level to compare: defaults
// are not put in its place.
#include <array>

#include "matrix/auth/rules.h"

namespace myelin::auth {
namespace {

constexpr std::array<std::string_view, 7> kSingleLevels{"users_default", "events_default", "state_default", "ban",
                                                        "redact",        "kick",           "invite"};

// v10: "If any of the properties … in content are present and not an integer, reject." "If either of the properties
// events or notifications in content are present and not an object with values that are integers, reject."
Result<void> check_integers(const json::Object& content, const AuthRules& rules) {
  for (auto key : kSingleLevels) {
    if (auto value = content.if_contains(key); value && !parse_level(*value, rules))
      return reject("{} is not an integer", key);
  }
  for (std::string_view table : {"events", "notifications"}) {
    auto value = content.if_contains(table);
    if (!value) continue;
    if (!value->is_object()) return reject("{} is not an object", table);
    for (auto& [key, level] : value->get_object())
      if (!parse_level(level, rules)) return reject("{} of {} is not an integer", std::string_view(key), table);
  }
  return {};
}

// v10: "If the users property in content is not an object with keys that are valid user IDs with values that are
// integers, reject." Until v9: "… values that are integers (or a string that is an integer), reject."
Result<void> check_users(const json::Object& content, const AuthRules& rules) {
  auto users = content.if_contains("users");
  if (!users) return {};
  if (!users->is_object()) return reject("users is not an object");
  for (auto& [user_id, level] : users->get_object()) {
    if (!UserId::parse(user_id)) return reject("users has a key that is not a user id");
    if (!parse_level(level, rules)) return reject("the level of {} is not an integer", std::string_view(user_id));
  }
  return {};
}

// v12: "If the users property in content contains the sender of the m.room.create event or any of the
// additional_creators array (if present) from the content of the m.room.create event, reject."
Result<void> check_no_creators(const Case& the) {
  auto users = json::object_at(the.event.content(), "users");
  if (!users) return {};
  for (auto& [user_id, level] : *users)
    if (the.levels.is_creator(user_id))
      return reject("{} is a creator and has no place among the users", std::string_view(user_id));
  return {};
}

struct Alteration {
  std::optional<int64_t> current, changed;
};

// The level in each event; rejects a new value that is none (only possible before v10: there, check_integers() did).
Result<Alteration> alteration(const json::Value* current, const json::Value* changed, std::string_view key,
                              const AuthRules& rules) {
  Alteration result;
  if (current) result.current = parse_level(*current, rules);
  if (changed) {
    result.changed = parse_level(*changed, rules);
    if (!result.changed) return reject("{} is not a power level", key);
  }
  return result;
}

// Both comparisons of an alteration: "If the current value is greater than the sender's current power level, reject."
// "If the new value is greater than the sender's current power level, reject."
Result<void> check_alteration(const Alteration& found, std::string_view key, int64_t level) {
  if (found.current == found.changed) return {};
  if (found.current && *found.current > level)
    return reject("{} is {}, above the sender's power level {}", key, *found.current, level);
  if (found.changed && *found.changed > level)
    return reject("{} would be {}, above the sender's power level {}", key, *found.changed, level);
  return {};
}

// Calls check(key, Alteration) for every key of either table.
template <class Check>
Result<void> for_each_entry(const json::Object* current, const json::Object* changed, const AuthRules& rules,
                            Check check) {
  static const json::Object kNone;
  if (!current) current = &kNone;
  if (!changed) changed = &kNone;
  for (auto& [key, value] : *current) {
    MYELIN_TRY(Alteration found, alteration(&value, changed->if_contains(key), key, rules));
    MYELIN_CHECK(check(std::string_view(key), found));
  }
  for (auto& [key, value] : *changed) {
    if (current->contains(key)) continue;
    MYELIN_TRY(Alteration found, alteration(nullptr, &value, key, rules));
    MYELIN_CHECK(check(std::string_view(key), found));
  }
  return {};
}

// Before v10 a table may be anything; what is no object has no entries, and may not newly come.
Result<const json::Object*> new_table(const json::Object& content, std::string_view table) {
  auto value = content.if_contains(table);
  if (!value) return nullptr;
  if (!value->is_object()) return reject("{} is not an object", table);
  return &value->get_object();
}

}  // namespace

Result<void> check_power_levels(const Case& the) {
  auto& rules = the.rules.auth;
  auto& content = the.event.content();
  if (rules.integer_power_levels) MYELIN_CHECK(check_integers(content, rules));
  MYELIN_CHECK(check_users(content, rules));
  if (rules.creators_infinite) MYELIN_CHECK(check_no_creators(the));
  // "If there is no previous m.room.power_levels event in the room, allow."
  auto previous = the.state.find("m.room.power_levels", "");
  if (!previous) return {};

  auto& old_content = previous->content();
  int64_t level = the.sender_level();
  // "For the properties users_default, … check if they were added, changed or removed. For each found alteration:" …
  for (auto key : kSingleLevels) {
    MYELIN_TRY(Alteration found, alteration(old_content.if_contains(key), content.if_contains(key), key, rules));
    MYELIN_CHECK(check_alteration(found, key, level));
  }
  // v1: "For each entry being changed in, or removed from, the events property: If the current value is greater than
  // the sender's current power level, reject." "For each entry being added to, or changed in, the events property: If
  // the new value is greater than the sender's current power level, reject." v6: "… the events or notifications
  // properties:"
  for (std::string_view table : {"events", "notifications"}) {
    if (table == "notifications" && !rules.notification_levels) continue;
    MYELIN_TRY(auto changed, new_table(content, table));
    MYELIN_CHECK(for_each_entry(
        json::object_at(old_content, table), changed, rules,
        [&](std::string_view key, const Alteration& found) { return check_alteration(found, key, level); }));
  }
  // "For each entry being changed in, or removed from, the users property, other than the sender's own entry:" "If the
  // current value is greater than or equal to the sender's current power level, reject." "For each entry being added
  // to, or changed in, the users property:" "If the new value is greater than the sender's current power level,
  // reject."
  return for_each_entry(
      json::object_at(old_content, "users"), json::object_at(content, "users"), rules,
      [&](std::string_view user_id, const Alteration& found) -> Result<void> {
        if (found.current != found.changed && found.current && *found.current >= level && user_id != the.sender)
          return reject("{} has power level {}, not below the sender's {}", user_id, *found.current, level);
        return check_alteration({std::nullopt, found.changed}, user_id,
                                found.current == found.changed ? kInfiniteLevel : level);
      });
}

}  // namespace myelin::auth
