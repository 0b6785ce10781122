// The first line is the content of m.push_rules, the second that of a message. They are a glob pattern and a text too,
// which are matched by the definition as well.
#include <cstdlib>

#include "matrix/glob.h"
#include "matrix/push_rules.h"
#include "matrix/testing/literal_glob.h"

namespace {

using namespace myelin;

void compare_globs(std::string_view pattern, std::string_view text) {
  constexpr size_t kMost = 300;
  if (pattern.size() > kMost || text.size() > kMost || !is_valid_utf8(pattern) || !is_valid_utf8(text)) return;
  for (auto wildcards : {Wildcards::kNone, Wildcards::kStar, Wildcards::kStarAndQuestionMark}) {
    Glob glob(pattern, wildcards);
    if (glob.matches(text) != testing::matches_literally(pattern, text, wildcards)) std::abort();
    if (glob.matches_words(text) != testing::matches_words_literally(pattern, text, wildcards)) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  size_t line = text.find('\n');
  if (line != text.npos) compare_globs(text.substr(0, line), text.substr(line + 1));
  auto rules = json::parse_object(text.substr(0, line));
  auto content =
      line == text.npos ? json::Object() : json::parse_object(text.substr(line + 1)).value_or(json::Object());
  if (!rules) return 0;

  json::Object pdu{{"auth_events", json::Array()},
                   {"content", std::move(content)},
                   {"depth", 1},
                   {"hashes", json::Object{{"sha256", ""}}},
                   {"origin_server_ts", 1},
                   {"prev_events", json::Array()},
                   {"room_id", "!r:x"},
                   {"sender", "@a:x"},
                   {"signatures", json::Object()},
                   {"type", "m.room.message"}};
  auto event = Event::parse(json::serialize(pdu), *find_room_version("5"));
  if (!event) return 0;
  PushContext context;
  context.user = UserId::trusted("@b:x");
  context.display_name = "Bob";
  context.member_count = 2;
  context.power_levels.emplace(*find_room_version("5"), event->get(), nullptr);
  auto verdict = PushRules::compile(*rules).evaluate(**event, context);
  if (verdict.highlight && !verdict.notify) std::abort();

  auto merged = with_default_push_rules(*rules, context.user);
  if (with_default_push_rules(merged, context.user) != merged) std::abort();
  (void)PushRules::compile(merged).evaluate(**event, context);
  auto edited = *rules;
  if (put_push_rule(edited, PushRuleKind::kContent, "new", {{"actions", json::Array()}, {"pattern", "x"}}) &&
      !find_push_rule(edited, PushRuleKind::kContent, "new"))
    std::abort();

  // What was accepted can be read again.
  auto stored = default_push_rules(context.user);
  for (auto kind : {PushRuleKind::kOverride, PushRuleKind::kRoom})
    if (put_push_rule(stored, kind, "new", *rules) && json::parse_object(json::serialize(stored)) != stored)
      std::abort();
  return 0;
}
