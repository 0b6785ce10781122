// The first line is the content of m.push_rules, the second that of a message. They are a glob pattern and a text too,
// which are matched by the definition as well.
#include <cstdlib>
#include <ranges>

#include "matrix/glob.h"
#include "matrix/push_rules.h"

namespace {

using namespace myelin;

// One value for each code point of valid UTF-8, with the marks of its first byte.
std::u32string code_points(std::string_view utf8) {
  std::u32string out;
  for (unsigned char byte : utf8) {
    bool continues = (byte & 0xC0) == 0x80;
    if (continues)
      out.back() = out.back() << 6 | (byte & 0x3F);
    else
      out += byte;
  }
  return out;
}

bool is_boundary(std::u32string_view text, size_t i) {
  auto is_word = [](char32_t c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  return i == 0 || i == text.size() || !is_word(text[i - 1]) || !is_word(text[i]);
}

// ends[i]: the pattern so far is matched by a part of the text that ends at i and begins where it may.
bool by_definition(std::string_view pattern, std::string_view utf8, Wildcards wildcards, bool words) {
  auto text = code_points(utf8);
  auto may_be_edge = [&](size_t i, size_t whole) { return words ? is_boundary(text, i) : i == whole; };
  std::vector<bool> ends(text.size() + 1);
  for (size_t i = 0; i <= text.size(); ++i) ends[i] = may_be_edge(i, 0);
  for (char32_t c : code_points(pattern)) {
    bool star = c == '*' && wildcards != Wildcards::kNone;
    bool any = c == '?' && wildcards == Wildcards::kStarAndQuestionMark;
    std::vector<bool> next(text.size() + 1);
    for (size_t i = 0; i <= text.size(); ++i)
      next[i] = star ? ends[i] || (i > 0 && next[i - 1]) : i > 0 && ends[i - 1] && (any || c == text[i - 1]);
    ends = std::move(next);
  }
  return std::ranges::any_of(std::views::iota(size_t{0}, ends.size()),
                             [&](size_t i) { return ends[i] && may_be_edge(i, text.size()); });
}

void compare_globs(std::string_view pattern, std::string_view text) {
  constexpr size_t kMost = 300;
  if (pattern.size() > kMost || text.size() > kMost || !is_valid_utf8(pattern) || !is_valid_utf8(text)) return;
  for (auto wildcards : {Wildcards::kNone, Wildcards::kStar, Wildcards::kStarAndQuestionMark}) {
    Glob glob(pattern, wildcards);
    if (glob.matches(text) != by_definition(pattern, text, wildcards, false)) std::abort();
    if (glob.matches_words(text) != by_definition(pattern, text, wildcards, true)) std::abort();
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
