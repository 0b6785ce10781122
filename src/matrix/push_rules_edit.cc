// The predefined push rules, and edits of a user's rules.
#include <algorithm>
#include <array>
#include <set>

#include "matrix/push_rules.h"

namespace myelin {
namespace {

constexpr std::array<std::string_view, 5> kKinds = {"override", "content", "room", "sender", "underride"};
constexpr size_t kMaxRuleIdBytes = 255;

// Predefined Rules. "$user" stands for the user's ID.
constexpr std::string_view kDefaults = R"({
"override": [
  {"rule_id": ".m.rule.master", "default": true, "enabled": false, "conditions": [], "actions": []},
  {"rule_id": ".m.rule.suppress_notices", "default": true, "enabled": true,
   "conditions": [{"kind": "event_match", "key": "content.msgtype", "pattern": "m.notice"}], "actions": []},
  {"rule_id": ".m.rule.invite_for_me", "default": true, "enabled": true,
   "conditions": [{"kind": "event_match", "key": "type", "pattern": "m.room.member"},
                  {"kind": "event_match", "key": "content.membership", "pattern": "invite"},
                  {"kind": "event_match", "key": "state_key", "pattern": "$user"}],
   "actions": ["notify", {"set_tweak": "sound", "value": "default"}]},
  {"rule_id": ".m.rule.member_event", "default": true, "enabled": true,
   "conditions": [{"kind": "event_match", "key": "type", "pattern": "m.room.member"}], "actions": []},
  {"rule_id": ".m.rule.is_user_mention", "default": true, "enabled": true,
   "conditions": [{"kind": "event_property_contains", "key": "content.m\\.mentions.user_ids", "value": "$user"}],
   "actions": ["notify", {"set_tweak": "sound", "value": "default"}, {"set_tweak": "highlight"}]},
  {"rule_id": ".m.rule.is_room_mention", "default": true, "enabled": true,
   "conditions": [{"kind": "event_property_is", "key": "content.m\\.mentions.room", "value": true},
                  {"kind": "sender_notification_permission", "key": "room"}],
   "actions": ["notify", {"set_tweak": "highlight"}]},
  {"rule_id": ".m.rule.tombstone", "default": true, "enabled": true,
   "conditions": [{"kind": "event_match", "key": "type", "pattern": "m.room.tombstone"},
                  {"kind": "event_match", "key": "state_key", "pattern": ""}],
   "actions": ["notify", {"set_tweak": "highlight"}]},
  {"rule_id": ".m.rule.reaction", "default": true, "enabled": true,
   "conditions": [{"kind": "event_match", "key": "type", "pattern": "m.reaction"}], "actions": []},
  {"rule_id": ".m.rule.room.server_acl", "default": true, "enabled": true,
   "conditions": [{"kind": "event_match", "key": "type", "pattern": "m.room.server_acl"},
                  {"kind": "event_match", "key": "state_key", "pattern": ""}],
   "actions": []},
  {"rule_id": ".m.rule.suppress_edits", "default": true, "enabled": true,
   "conditions": [{"kind": "event_property_is", "key": "content.m\\.relates_to.rel_type", "value": "m.replace"}],
   "actions": []}
],
"content": [], "room": [], "sender": [],
"underride": [
  {"rule_id": ".m.rule.call", "default": true, "enabled": true,
   "conditions": [{"kind": "event_match", "key": "type", "pattern": "m.call.invite"}],
   "actions": ["notify", {"set_tweak": "sound", "value": "ring"}]},
  {"rule_id": ".m.rule.encrypted_room_one_to_one", "default": true, "enabled": true,
   "conditions": [{"kind": "room_member_count", "is": "2"},
                  {"kind": "event_match", "key": "type", "pattern": "m.room.encrypted"}],
   "actions": ["notify", {"set_tweak": "sound", "value": "default"}]},
  {"rule_id": ".m.rule.room_one_to_one", "default": true, "enabled": true,
   "conditions": [{"kind": "room_member_count", "is": "2"},
                  {"kind": "event_match", "key": "type", "pattern": "m.room.message"}],
   "actions": ["notify", {"set_tweak": "sound", "value": "default"}]},
  {"rule_id": ".m.rule.message", "default": true, "enabled": true,
   "conditions": [{"kind": "event_match", "key": "type", "pattern": "m.room.message"}], "actions": ["notify"]},
  {"rule_id": ".m.rule.encrypted", "default": true, "enabled": true,
   "conditions": [{"kind": "event_match", "key": "type", "pattern": "m.room.encrypted"}], "actions": ["notify"]}
]})";

void insert_user(json::Value& value, const UserId& user) {
  if (auto object = value.if_object())
    for (auto& member : *object) insert_user(member.value(), user);
  if (auto array = value.if_array())
    for (auto& element : *array) insert_user(element, user);
  if (value == "$user") value = user.str();
}

bool is_default_id(std::string_view id) { return id.starts_with('.'); }

std::string_view id_of(const json::Value& rule) {
  auto object = rule.if_object();
  return object ? json::string_at(*object, "rule_id").value_or("") : "";
}
template <class List>
auto find_rule(List& list, std::string_view id) {
  return std::ranges::find_if(list, [&](auto& rule) { return !id.empty() && id_of(rule) == id; });
}

// The list of a kind, made if it is not there.
json::Array& list_of(json::Object& content, PushRuleKind kind) {
  auto object = [](json::Value& value) -> json::Object& {
    return value.is_object() ? value.get_object() : value.emplace_object();
  };
  auto& list = object(content["global"])[name_of(kind)];
  return list.is_array() ? list.get_array() : list.emplace_array();
}

Result<json::Array> checked_actions(const json::Value* actions) {
  auto list = actions ? actions->if_array() : nullptr;
  if (!list) return fail(Code::kBadJson, "actions is not a list");
  for (auto& action : *list) {
    auto tweak = action.if_object();
    bool historical = action == "dont_notify" || action == "coalesce";  // Historical Actions: without effect
    if (action != "notify" && !historical && !(tweak && json::string_at(*tweak, "set_tweak")))
      return fail(Code::kBadJson, "actions has an unknown action");
  }
  if (json::serialize(*list).size() > kMaxActionsBytes) return fail(Code::kTooLarge, "actions is too large");
  return *list;
}

Result<json::Object> checked_rule(PushRuleKind kind, std::string_view id, const json::Object& body) {
  json::Object rule{{"rule_id", id}, {"default", false}, {"enabled", true}};
  MYELIN_TRY(rule["actions"], checked_actions(body.if_contains("actions")));
  if (kind == PushRuleKind::kContent) {
    auto pattern = json::string_at(body, "pattern");
    if (!pattern) return fail(Code::kBadJson, "a content rule needs a pattern");
    rule["pattern"] = *pattern;
  }
  auto given = body.if_contains("conditions");
  if (given && !given->is_array()) return fail(Code::kBadJson, "conditions is not a list");
  if (kind == PushRuleKind::kOverride || kind == PushRuleKind::kUnderride) {
    json::Array conditions = given ? given->get_array() : json::Array();
    for (auto& condition : conditions)
      if (!condition.is_object() || !json::string_at(condition.get_object(), "kind"))
        return fail(Code::kBadJson, "a condition has no kind");
    rule["conditions"] = std::move(conditions);
  }
  return rule;
}

struct Extent {
  size_t plain = 0;  // rules of rooms and senders
  size_t own_bytes = 0, bytes = 0;
  bool is_deep = false;
};

Extent extent(const json::Object& content) {
  Extent out;
  auto global = json::object_at(content, "global");
  for (auto name : kKinds) {
    auto list = global ? json::array_at(*global, name) : nullptr;
    if (!list) continue;
    for (auto& rule : *list) {
      if (is_default_id(id_of(rule))) continue;
      if (name == "room" || name == "sender")
        ++out.plain;
      else
        out.own_bytes += json::serialize(rule).size();
    }
  }
  out.bytes = json::serialize(content).size();
  out.is_deep = json::is_deeper_than(json::kMaxBodyDepth, content);
  return out;
}

// What was edited is read again for every event of the user's rooms, so it stays of a size and depth that may be read.
// What is there may stay, and shrink.
Result<void> check_bounds(const json::Object& before, const json::Object& after) {
  auto old = extent(before), now = extent(after);
  if (now.is_deep && !old.is_deep) return fail(Code::kBadJson, "the push rules would be nested too deeply");
  if (now.plain > std::max(old.plain, kMaxRoomAndSenderRules) ||
      now.own_bytes > std::max(old.own_bytes, kMaxOtherRuleBytes) ||
      now.bytes > std::max(old.bytes, kMaxPushRulesBytes))
    return fail(Code::kTooLarge, "too many push rules");
  return {};
}

// Where a new rule goes: after .m.rule.master, before everything else.
size_t first_place(const json::Array& list) { return !list.empty() && id_of(list.front()) == ".m.rule.master" ? 1 : 0; }

Result<size_t> place_of(const json::Array& list, const PushRulePlace& place) {
  auto& relative = place.before ? place.before : place.after;
  if (!relative) return first_place(list);
  auto found = find_rule(list, *relative);
  if (found == list.end() || is_default_id(*relative))
    return fail(Code::kUnknown, "before/after rule not found: " + *relative);
  return static_cast<size_t>(found - list.begin()) + (place.before ? 0 : 1);
}

Result<json::Object*> rule_at(json::Object& content, PushRuleKind kind, std::string_view id) {
  auto& list = list_of(content, kind);
  auto found = find_rule(list, id);
  if (found == list.end()) return fail(Code::kNotFound, "there is no such push rule");
  return &found->get_object();
}

}  // namespace

std::optional<PushRuleKind> push_rule_kind(std::string_view name) {
  auto found = std::ranges::find(kKinds, name);
  if (found == kKinds.end()) return std::nullopt;
  return static_cast<PushRuleKind>(found - kKinds.begin());
}
std::string_view name_of(PushRuleKind kind) { return kKinds[static_cast<size_t>(kind)]; }

json::Object default_push_rules(const UserId& user) {
  json::Value rules = *json::parse(kDefaults);
  insert_user(rules, user);
  return json::Object{{"global", std::move(rules)}};
}

json::Object with_default_push_rules(const json::Object& stored, const UserId& user) {
  json::Object out = default_push_rules(user);
  auto old_global = json::object_at(stored, "global");
  if (!old_global) return out;
  for (size_t k = 0; k < kKinds.size(); ++k) {
    auto old_list = json::array_at(*old_global, kKinds[k]);
    if (!old_list) continue;
    auto& list = list_of(out, static_cast<PushRuleKind>(k));
    json::Array own;
    std::set<std::string_view> seen;
    for (auto& old : *old_list) {
      auto id = id_of(old);
      if (!is_default_id(id)) {
        if (!id.empty() && seen.insert(id).second) own.push_back(old);
        continue;
      }
      auto found = find_rule(list, id);
      if (found == list.end()) continue;
      for (auto key : {"enabled", "actions"})
        if (auto value = old.get_object().if_contains(key)) found->get_object()[key] = *value;
    }
    list.insert(list.begin() + first_place(list), own.begin(), own.end());
  }
  return out;
}

size_t push_rules_weight(const json::Object& content) {
  return std::max<size_t>(8'192, json::serialize(content).size());
}

Result<const json::Object*> find_push_rule(const json::Object& content, PushRuleKind kind, std::string_view rule_id) {
  auto global = json::object_at(content, "global");
  auto list = global ? json::array_at(*global, name_of(kind)) : nullptr;
  auto found = list ? find_rule(*list, rule_id) : nullptr;
  if (!list || found == list->end()) return fail(Code::kNotFound, "there is no such push rule");
  return &found->get_object();
}

Result<void> put_push_rule(json::Object& content, PushRuleKind kind, std::string_view rule_id, const json::Object& body,
                           const PushRulePlace& place) {
  if (rule_id.empty() || is_default_id(rule_id) || rule_id.find_first_of("/\\") != rule_id.npos ||
      rule_id.size() > kMaxRuleIdBytes || !is_valid_utf8(rule_id))
    return fail(Code::kInvalidParam, "not a rule id that may be set");
  MYELIN_TRY(json::Object rule, checked_rule(kind, rule_id, body));
  json::Object changed = content;
  auto& list = list_of(changed, kind);
  auto old = find_rule(list, rule_id);
  bool moves = place.before || place.after || old == list.end();
  if (old != list.end()) rule["enabled"] = json::bool_at(old->get_object(), "enabled").value_or(true);
  if (!moves) {
    *old = std::move(rule);
  } else {
    if (old != list.end()) list.erase(old);
    MYELIN_TRY(size_t index, place_of(list, place));
    list.insert(list.begin() + index, std::move(rule));
  }
  MYELIN_CHECK(check_bounds(content, changed));
  content = std::move(changed);
  return {};
}

Result<void> delete_push_rule(json::Object& content, PushRuleKind kind, std::string_view rule_id) {
  if (is_default_id(rule_id)) return fail(Code::kInvalidParam, "predefined rules cannot be deleted");
  auto& list = list_of(content, kind);
  auto found = find_rule(list, rule_id);
  if (found == list.end()) return fail(Code::kNotFound, "there is no such push rule");
  list.erase(found);
  return {};
}

Result<void> enable_push_rule(json::Object& content, PushRuleKind kind, std::string_view rule_id, bool enabled) {
  MYELIN_TRY(auto rule, rule_at(content, kind, rule_id));
  (*rule)["enabled"] = enabled;
  return {};
}

Result<void> set_push_rule_actions(json::Object& content, PushRuleKind kind, std::string_view rule_id,
                                   const json::Value& actions) {
  json::Object changed = content;
  MYELIN_TRY(auto rule, rule_at(changed, kind, rule_id));
  MYELIN_TRY((*rule)["actions"], checked_actions(&actions));
  MYELIN_CHECK(check_bounds(content, changed));
  content = std::move(changed);
  return {};
}

}  // namespace myelin
