#include "matrix/testing/literal_glob.h"

#include <algorithm>
#include <ranges>
#include <vector>

namespace myelin::testing {
namespace {

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
bool matches(std::string_view pattern, std::string_view utf8, Wildcards wildcards, bool words) {
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

}  // namespace

bool matches_literally(std::string_view pattern, std::string_view text, Wildcards wildcards) {
  return matches(pattern, text, wildcards, false);
}
bool matches_words_literally(std::string_view pattern, std::string_view text, Wildcards wildcards) {
  return matches(pattern, text, wildcards, true);
}

}  // namespace myelin::testing
