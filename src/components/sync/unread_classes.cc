// The classes of push rules: what unread.h counts by.
#include <algorithm>

#include "components/sync/unread.h"

namespace myelin::sync {
namespace {

const json::Array* rules_of(const json::Object& push_rules, std::string_view kind) {
  const auto* global = json::object_at(push_rules, "global");
  return global ? json::array_at(*global, kind) : nullptr;
}

bool is_enabled(const json::Object& rule) { return json::bool_at(rule, "enabled").value_or(true); }

bool notifies(const json::Object& rule) {
  const auto* actions = json::array_at(rule, "actions");
  return actions != nullptr && std::ranges::any_of(*actions, [](const json::Value& action) {
           return action.is_string() && action.as_string() == "notify";
         });
}

// The room that is an override rule's one condition; "": none.
std::string room_of(const json::Object& rule) {
  const auto* conditions = json::array_at(rule, "conditions");
  if (conditions == nullptr || conditions->size() != 1 || !conditions->front().is_object()) return {};
  const auto& condition = conditions->front().as_object();
  if (json::string_at(condition, "kind") != "event_match" || json::string_at(condition, "key") != "room_id") return {};
  return std::string(json::string_at(condition, "pattern").value_or(""));
}

template <class Visit>
void each_silent(const json::Object& push_rules, std::string_view kind, Visit visit) {
  const auto* rules = rules_of(push_rules, kind);
  if (rules == nullptr) return;
  for (const auto& value : *rules)
    if (const auto* rule = value.if_object(); rule != nullptr && is_enabled(*rule) && !notifies(*rule))
      visit(std::string(json::string_at(*rule, "rule_id").value_or("")), *rule);
}

// Does an underride rule say notify?
bool notifies_by(const json::Object& push_rules, std::string_view id) {
  const auto* rules = rules_of(push_rules, "underride");
  return rules != nullptr && std::ranges::any_of(*rules, [&](const json::Value& value) {
           const auto* rule = value.if_object();
           return rule != nullptr && json::string_at(*rule, "rule_id") == id && is_enabled(*rule) && notifies(*rule);
         });
}

}  // namespace

UnreadClass UnreadClasses::of(const std::string& room) const {
  auto it = rooms.find(room);
  return it == rooms.end() ? elsewhere : it->second;
}

UnreadClasses unread_classes(const json::Object& push_rules) {
  UnreadClasses out;
  if (!notifies_by(push_rules, ".m.rule.message") && !notifies_by(push_rules, ".m.rule.encrypted"))
    out.elsewhere = UnreadClass::kMentionsOnly;
  each_silent(push_rules, "room",
              [&](std::string id, const json::Object&) { out.rooms[std::move(id)] = UnreadClass::kMentionsOnly; });
  each_silent(push_rules, "override", [&](const std::string& id, const json::Object& rule) {
    if (id == ".m.rule.master")
      out.elsewhere = UnreadClass::kMute;
    else if (auto room = room_of(rule); !room.empty())
      out.rooms[std::move(room)] = UnreadClass::kMute;
  });
  if (out.elsewhere == UnreadClass::kMute) out.rooms.clear();
  return out;
}

}  // namespace myelin::sync
