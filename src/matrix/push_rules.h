// Push rules (client-server API, Push Rules): evaluation, the predefined rules, and edits for the /pushrules endpoints.
// `content` is always the content of m.push_rules: {"global": {"override": […], …}}. PushRules is immutable; any
// thread.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "matrix/power_levels.h"

namespace myelin {

// What a rule may ask about besides the event.
struct PushContext {
  UserId user;                                // whose rules these are
  std::string display_name{};                 // of the user in the room; "" = none
  int64_t member_count = 0;                   // joined members
  std::optional<PowerLevels> power_levels{};  // of the room; without them nobody may notify it
};

struct PushVerdict {
  bool notify = false, highlight = false;  // highlight only with notify
  std::string rule_id;                     // "" when no rule matched
  json::Object tweaks;                     // for the push gateway: sound, highlight, others as given
};

class PushRules {
 public:
  static PushRules compile(const json::Object& content);  // malformed rules never match
  PushRules(PushRules&&) noexcept;
  PushRules& operator=(PushRules&&) noexcept;
  ~PushRules();
  // The first rule that matches decides. Events of the user's own never notify.
  PushVerdict evaluate(const Event&, const PushContext&) const;
  size_t memory_bytes() const;  // for caches, roughly: beyond what its content counts

 private:
  struct Compiled;
  explicit PushRules(std::unique_ptr<const Compiled>);
  std::unique_ptr<const Compiled> compiled_;
};

// The predefined rules alone (Predefined Rules, v1.19).
json::Object default_push_rules(const UserId&);
// Stored content brought up to date: every predefined rule in its place with the user's own `enabled` and `actions`,
// and none that is no longer predefined.
json::Object with_default_push_rules(const json::Object& stored, const UserId&);

// Of the content, for caches, in bytes: those of a user who changed little count the same.
size_t push_rules_weight(const json::Object& content);

// ---- edits. Those of /pushrules/global/{kind}/{ruleId}.

enum class PushRuleKind : uint8_t { kOverride, kContent, kRoom, kSender, kUnderride };
std::optional<PushRuleKind> push_rule_kind(std::string_view name);
std::string_view name_of(PushRuleKind);

inline constexpr size_t kMaxRoomAndSenderRules = 3000;
inline constexpr size_t kMaxOtherRuleBytes = 65536;  // JSON of the user's own override, content and underride rules
inline constexpr size_t kMaxActionsBytes = 4096;     // JSON of one rule's actions, a predefined one's too
inline constexpr size_t kMaxPushRulesBytes = 512 * 1024;  // JSON of the whole content

Result<const json::Object*> find_push_rule(const json::Object& content, PushRuleKind,
                                           std::string_view rule_id);  // kNotFound
// Adds the rule, or changes it. `before` wins over `after`; a new rule without them becomes the first of the user's
// own. kInvalidParam (id), kBadJson (body; or the content would be deeper than kMaxBodyDepth), kUnknown (no such
// `before` or `after`), kTooLarge. On an error `content` is as it was. What is over the limits already may shrink.
struct PushRulePlace {
  std::optional<std::string> before{}, after{};
};
Result<void> put_push_rule(json::Object& content, PushRuleKind, std::string_view rule_id, const json::Object& body,
                           const PushRulePlace& = {});
Result<void> delete_push_rule(json::Object& content, PushRuleKind,
                              std::string_view rule_id);  // kNotFound, kInvalidParam
Result<void> enable_push_rule(json::Object& content, PushRuleKind, std::string_view rule_id,
                              bool enabled);  // kNotFound
Result<void> set_push_rule_actions(json::Object& content, PushRuleKind, std::string_view rule_id,
                                   const json::Value& actions);  // kNotFound; kBadJson, kTooLarge as above

}  // namespace myelin
