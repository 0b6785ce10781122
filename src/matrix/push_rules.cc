#include "matrix/push_rules.h"

#include <boost/unordered/unordered_flat_map.hpp>
#include <charconv>
#include <unordered_map>
#include <variant>

#include "matrix/glob.h"
#include "matrix/property_path.h"

namespace myelin {
namespace {

const PropertyPath kBody{"content", "body"};

// One event under evaluation: what several rules ask for is worked out once.
class Subject {
 public:
  Subject(const Event& event, const PushContext& context) : event(event), context(context) {}
  const Event& event;
  const PushContext& context;

  // The string there. Ids that the event itself may not carry are known all the same.
  std::optional<std::string_view> string_at(const PropertyPath& path) const {
    if (path.size() == 1 && path[0] == "room_id") return event.room_id().str();
    if (path.size() == 1 && path[0] == "event_id") return event.event_id().str();
    auto value = property_at(event.object(), path);
    if (!value || !value->is_string()) return std::nullopt;
    return std::string_view(value->get_string());
  }
  // The same, folded: each string once, however many conditions ask for it.
  const std::string* folded_at(const PropertyPath& path) {
    auto text = string_at(path);
    if (!text) return nullptr;
    auto [entry, is_new] = folded_.try_emplace(text->data());
    if (is_new) entry->second = fold_case(*text);
    return &entry->second;
  }
  bool names_the_user() {
    if (!names_the_user_) {
      auto& name = context.display_name;
      auto body = name.empty() || name.size() > kMaxNameBytes ? nullptr : folded_at(kBody);
      names_the_user_ = body && Glob(fold_case(name), Wildcards::kNone).matches_words(*body);
    }
    return *names_the_user_;
  }

 private:
  static constexpr size_t kMaxNameBytes = 1024;          // a longer one is nobody's name: servers allow 256 characters
  std::unordered_map<const char*, std::string> folded_;  // by where the string is
  std::optional<bool> names_the_user_;
};

// ---- conditions (Conditions for push rules)

struct EventMatch {
  PropertyPath path;
  Glob glob;
  bool by_words;
  bool holds(Subject& subject) const {
    auto text = subject.folded_at(path);
    return text && (by_words ? glob.matches_words(*text) : glob.matches(*text));
  }
};

bool is_simple(const json::Value& value) {
  return value.is_string() || value.is_int64() || value.is_bool() || value.is_null();
}

struct PropertyIs {
  PropertyPath path;
  json::Value wanted;
  bool holds(Subject& subject) const {
    if (wanted.is_string()) return subject.string_at(path) == std::string_view(wanted.get_string());
    auto value = property_at(subject.event.object(), path);
    return value && value->kind() == wanted.kind() && *value == wanted;
  }
};

struct PropertyContains {
  PropertyPath path;
  json::Value wanted;
  bool holds(Subject& subject) const {
    auto value = property_at(subject.event.object(), path);
    auto list = value ? value->if_array() : nullptr;
    if (!list) return false;
    for (auto& element : *list)
      if (element.kind() == wanted.kind() && element == wanted) return true;
    return false;
  }
};

struct ContainsDisplayName {
  bool holds(Subject& subject) const { return subject.names_the_user(); }
};

struct MemberCount {
  std::string comparison;
  int64_t number = 0;
  bool holds(Subject& subject) const {
    int64_t count = subject.context.member_count;
    if (comparison == "<") return count < number;
    if (comparison == ">") return count > number;
    if (comparison == "<=") return count <= number;
    if (comparison == ">=") return count >= number;
    return count == number;
  }
};

struct SenderPermission {
  std::string key;
  bool holds(Subject& subject) const {
    auto& levels = subject.context.power_levels;
    return levels && levels->user_level(subject.event.sender().str()) >= levels->notification(key);
  }
};

struct Unrecognised {
  bool holds(Subject&) const { return false; }
};

using Condition = std::variant<EventMatch, PropertyIs, PropertyContains, ContainsDisplayName, MemberCount,
                               SenderPermission, Unrecognised>;

Condition compile_event_match(std::string_view key, std::string_view pattern) {
  auto path = parse_property_path(key);
  bool by_words = path == kBody;
  return EventMatch{std::move(path), Glob(fold_case(pattern)), by_words};
}

Condition compile_member_count(std::string_view text) {
  MemberCount out;
  size_t digits = text.find_first_of("0123456789");
  if (digits == text.npos) return Unrecognised{};
  out.comparison = text.substr(0, digits);
  for (auto allowed : {"", "==", "<", ">", "<=", ">="})
    if (out.comparison == allowed) {
      auto end = text.data() + text.size();
      auto [stop, error] = std::from_chars(text.data() + digits, end, out.number);
      if (stop == end && error == std::errc()) return out;
    }
  return Unrecognised{};
}

Condition compile_condition(const json::Value& value) {
  auto in = value.if_object();
  auto kind = in ? json::string_at(*in, "kind") : std::nullopt;
  if (!kind) return Unrecognised{};
  if (kind == "contains_display_name") return ContainsDisplayName{};
  if (kind == "room_member_count") return compile_member_count(json::string_at(*in, "is").value_or(""));
  auto key = json::string_at(*in, "key");
  if (!key) return Unrecognised{};
  if (kind == "sender_notification_permission") return SenderPermission{std::string(*key)};
  if (kind == "event_match") {
    auto pattern = json::string_at(*in, "pattern");
    return pattern ? compile_event_match(*key, *pattern) : Unrecognised{};
  }
  auto wanted = in->if_contains("value");
  if (!wanted || !is_simple(*wanted)) return Unrecognised{};
  if (kind == "event_property_is") return PropertyIs{parse_property_path(*key), *wanted};
  if (kind == "event_property_contains") return PropertyContains{parse_property_path(*key), *wanted};
  return Unrecognised{};
}

// Actions: "notify", and tweaks. Others, and the historical ones, are ignored.
PushVerdict compile_actions(std::string_view rule_id, const json::Array* actions) {
  PushVerdict out;
  out.rule_id = rule_id;
  if (!actions) return out;
  for (auto& action : *actions) {
    if (action.is_string()) out.notify |= action.get_string() == "notify";
    auto tweak = action.if_object();
    auto name = tweak ? json::string_at(*tweak, "set_tweak") : std::nullopt;
    if (!name) continue;
    auto value = tweak->if_contains("value");
    if (value)
      out.tweaks[*name] = *value;
    else if (name == "highlight")
      out.tweaks[*name] = true;
  }
  out.highlight = out.notify && json::bool_at(out.tweaks, "highlight").value_or(false);
  return out;
}

struct Rule {
  std::vector<Condition> conditions;
  PushVerdict verdict;
  bool matches(Subject& subject) const {
    for (auto& condition : conditions)
      if (!std::visit([&](auto& c) { return c.holds(subject); }, condition)) return false;
    return true;
  }
};

const json::Array* rules_of(const json::Object& content, std::string_view kind) {
  auto global = json::object_at(content, "global");
  return global ? json::array_at(*global, kind) : nullptr;
}

template <class Add>
void each_enabled(const json::Object& content, std::string_view kind, Add add) {
  auto list = rules_of(content, kind);
  if (!list) return;
  for (auto& entry : *list) {
    auto rule = entry.if_object();
    auto id = rule ? json::string_at(*rule, "rule_id") : std::nullopt;
    if (id && json::bool_at(*rule, "enabled").value_or(true))
      add(*rule, compile_actions(*id, json::array_at(*rule, "actions")));
  }
}

std::vector<Rule> compile_conditional(const json::Object& content, std::string_view kind) {
  std::vector<Rule> out;
  each_enabled(content, kind, [&](const json::Object& in, PushVerdict verdict) {
    Rule rule{{}, std::move(verdict)};
    if (auto conditions = in.if_contains("conditions")) {
      if (auto list = conditions->if_array())
        for (auto& condition : *list) rule.conditions.push_back(compile_condition(condition));
      else
        rule.conditions.push_back(Unrecognised{});
    }
    out.push_back(std::move(rule));
  });
  return out;
}

using ById = boost::unordered_flat_map<std::string, PushVerdict>;
ById compile_by_id(const json::Object& content, std::string_view kind) {
  ById out;
  each_enabled(content, kind, [&](const json::Object&, PushVerdict verdict) {
    auto id = verdict.rule_id;
    out.emplace(std::move(id), std::move(verdict));
  });
  return out;
}

size_t bytes_of(const Condition& condition) {
  size_t bytes = sizeof(Condition);
  auto add_path = [&](const PropertyPath& path) {
    for (auto& name : path) bytes += sizeof(name) + name.size();
  };
  if (auto match = std::get_if<EventMatch>(&condition)) {
    add_path(match->path);
    bytes += match->glob.memory_bytes();
  } else if (auto is = std::get_if<PropertyIs>(&condition)) {
    add_path(is->path);
  } else if (auto contains = std::get_if<PropertyContains>(&condition)) {
    add_path(contains->path);
  }
  return bytes;
}
size_t bytes_of(const std::vector<Rule>& rules) {
  size_t bytes = 0;
  for (auto& rule : rules) {
    bytes += sizeof(rule);
    for (auto& condition : rule.conditions) bytes += bytes_of(condition);
  }
  return bytes;
}

const PushVerdict* first_match(const std::vector<Rule>& rules, Subject& subject) {
  for (auto& rule : rules)
    if (rule.matches(subject)) return &rule.verdict;
  return nullptr;
}
const PushVerdict* find(const ById& rules, const std::string& id) {
  auto found = rules.find(id);
  return found == rules.end() ? nullptr : &found->second;
}

}  // namespace

struct PushRules::Compiled {
  std::vector<Rule> override_rules, content_rules, underride_rules;
  ById room_rules, sender_rules;
  size_t memory_bytes = 0;
};

PushRules::PushRules(std::unique_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
PushRules::PushRules(PushRules&&) noexcept = default;
PushRules& PushRules::operator=(PushRules&&) noexcept = default;
PushRules::~PushRules() = default;

PushRules PushRules::compile(const json::Object& content) {
  auto out = std::make_unique<Compiled>();
  out->override_rules = compile_conditional(content, "override");
  out->underride_rules = compile_conditional(content, "underride");
  out->room_rules = compile_by_id(content, "room");
  out->sender_rules = compile_by_id(content, "sender");
  each_enabled(content, "content", [&](const json::Object& in, PushVerdict verdict) {
    if (auto pattern = json::string_at(in, "pattern")) {
      Rule rule{{}, std::move(verdict)};
      rule.conditions.push_back(compile_event_match("content.body", *pattern));
      out->content_rules.push_back(std::move(rule));
    }
  });
  out->memory_bytes = sizeof(*out) + bytes_of(out->override_rules) + bytes_of(out->content_rules) +
                      bytes_of(out->underride_rules) +
                      (out->room_rules.size() + out->sender_rules.size()) * sizeof(ById::value_type);
  return PushRules(std::move(out));
}

size_t PushRules::memory_bytes() const { return compiled_->memory_bytes; }

PushVerdict PushRules::evaluate(const Event& event, const PushContext& context) const {
  if (event.sender() == context.user) return {};
  Subject subject(event, context);
  const PushVerdict* verdict = first_match(compiled_->override_rules, subject);
  if (!verdict) verdict = first_match(compiled_->content_rules, subject);
  if (!verdict) verdict = find(compiled_->room_rules, event.room_id().str());
  if (!verdict) verdict = find(compiled_->sender_rules, event.sender().str());
  if (!verdict) verdict = first_match(compiled_->underride_rules, subject);
  return verdict ? *verdict : PushVerdict{};
}

}  // namespace myelin
