// The first line is the content of m.push_rules, the second that of a message.
#include <cstdlib>

#include "matrix/push_rules.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace myelin;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  size_t line = text.find('\n');
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
  return 0;
}
