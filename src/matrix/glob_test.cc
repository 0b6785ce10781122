#include "matrix/glob.h"

#include <gtest/gtest.h>

#include <random>

namespace myelin {
namespace {

// The plain definition, on code points.
bool plain(std::u32string_view pattern, std::u32string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == U'*') return plain(pattern.substr(1), text) || (!text.empty() && plain(pattern, text.substr(1)));
  return !text.empty() && (pattern[0] == U'?' || pattern[0] == text[0]) && plain(pattern.substr(1), text.substr(1));
}
std::string utf8(std::u32string_view text) {
  std::string out;
  for (char32_t c : text)
    out += c == U'é' ? "é" : c == U'日' ? "日" : c == U'😀' ? "😀" : std::string(1, static_cast<char>(c));
  return out;
}

TEST(Glob, MatchesTheWholeText) {
  struct {
    const char *pattern, *text;
    bool matches;
  } cases[] = {
      {"", "", true},
      {"", "a", false},
      {"a", "a", true},
      {"a", "ab", false},
      {"*", "", true},
      {"*", "anything", true},
      {"?", "", false},
      {"?", "é", true},
      {"?", "😀", true},
      {"??", "é", false},
      {"a?c", "abc", true},
      {"a?c", "a日c", true},
      {"a*c", "ac", true},
      {"a*c", "abbbc", true},
      {"a*c", "abcd", false},
      {"*b*", "abc", true},
      {"**", "x", true},
      {"a**b", "ab", true},
      {"*a", "ba", true},
      {"*a", "ab", false},
      {"lunc?*", "lunch", true},
      {"lunc?*", "lunch plans", true},
      {"lunc?*", " lunch", false},
      {"lunc?*", "lunc", false},
      {"[a-z]", "[a-z]", true},
      {"[a-z]", "b", false},
      {"a.c", "abc", false},
      {"\\*", "\\x", true},
  };
  for (auto& c : cases) EXPECT_EQ(Glob(c.pattern).matches(c.text), c.matches) << c.pattern << " on " << c.text;
}

TEST(Glob, WildcardsCanBeOrdinary) {
  EXPECT_TRUE(Glob("a?", Wildcards::kStar).matches("a?"));
  EXPECT_FALSE(Glob("a?", Wildcards::kStar).matches("ab"));
  EXPECT_TRUE(Glob("a*", Wildcards::kStar).matches("abc"));
  EXPECT_TRUE(Glob("a*?", Wildcards::kNone).matches("a*?"));
  EXPECT_FALSE(Glob("a*", Wildcards::kNone).matches("abc"));
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_TRUE(Glob(all, Wildcards::kNone).matches(all));
}

TEST(Glob, EqualsThePlainDefinition) {
  std::mt19937 random(3);
  auto pick = [&](std::u32string_view from, size_t most) {
    std::u32string out;
    for (size_t n = random() % (most + 1); n > 0; --n) out += from[random() % from.size()];
    return out;
  };
  int matched = 0;
  for (int i = 0; i < 20000; ++i) {
    auto pattern = pick(U"ab*?é*日", 7), text = pick(U"abé日😀", 8);
    bool expected = plain(pattern, text);
    matched += expected;
    ASSERT_EQ(Glob(utf8(pattern)).matches(utf8(text)), expected) << utf8(pattern) << " on " << utf8(text);
  }
  EXPECT_GT(matched, 500);
}

TEST(Glob, LongPatternsUseSeveralWords) {
  for (size_t n : {62, 63, 64, 65, 127, 128, 200}) {
    std::string text(n, 'a');
    EXPECT_TRUE(Glob(std::string(n, '?')).matches(text)) << n;
    EXPECT_FALSE(Glob(std::string(n, '?')).matches(text + "a")) << n;
    EXPECT_FALSE(Glob(std::string(n + 1, '?')).matches(text)) << n;
    EXPECT_TRUE(Glob("*" + std::string(n, 'a') + "?*").matches("b" + text + "bc")) << n;
    EXPECT_TRUE(Glob(std::string(n, 'a') + "*b").matches(text + "xxb")) << n;
  }
}

TEST(Glob, MatchesByWords) {
  struct {
    const char *pattern, *text;
    bool matches;
  } cases[] = {
      // The specification's examples.
      {"ex*ple", "An example event.", true},
      {"ex*ple", "exple", true},
      {"ex*ple", "An exciting triple-whammy", true},
      {"ex*ple", "examples", false},
      {"ex*ple", "an anexample", false},
      {"cake", "cake", true},
      {"cake", "CAKE", false},
      {"cake", "a cake.", true},
      {"cake", "cakes", false},
      {"cake", "pancake", false},
      {"cake", "cake_", false},
      {"cake", "(cake)", true},
      {"cake", "écakeé", true},
      {"cake", "", false},
      {"cake*lie", "cake is a lie", true},
      {"cake*lie", "the cake is a lie!", true},
      {"@bob", "hi @bob!", true},
      {"@bob", "hi@bob", true},
      {"bob", "bobby bob", true},
      {"tea time", "it's tea time", true},
      {"te?", "tea", true},
      {"te?", "te", false},
      {"*", "x", true},
      {"日本", "日本語", true},
  };
  for (auto& c : cases) EXPECT_EQ(Glob(c.pattern).matches_words(c.text), c.matches) << c.pattern << " on " << c.text;
}

// By words, the plain definition: some part of the text that begins and ends at a boundary is matched whole.
TEST(Glob, ByWordsEqualsThePlainDefinition) {
  std::mt19937 random(4);
  auto pick = [&](std::string_view from, size_t most) {
    std::string out;
    for (size_t n = random() % (most + 1); n > 0; --n) out += from[random() % from.size()];
    return out;
  };
  auto is_boundary = [](std::string_view text, size_t i) {
    auto is_word = [](char c) { return c != '-'; };
    return i == 0 || i == text.size() || !is_word(text[i - 1]) || !is_word(text[i]);
  };
  int matched = 0;
  for (int i = 0; i < 20000; ++i) {
    auto pattern = pick(i % 2 == 0 ? "ab*-" : "ab*?-", 6), text = pick("ab--", 9);
    bool expected = false;
    for (size_t from = 0; from <= text.size(); ++from)
      for (size_t to = from; to <= text.size(); ++to)
        expected |= is_boundary(text, from) && is_boundary(text, to) &&
                    Glob(pattern).matches(std::string_view(text).substr(from, to - from));
    matched += expected;
    ASSERT_EQ(Glob(pattern).matches_words(text), expected) << pattern << " on " << text;
  }
  EXPECT_GT(matched, 2000);
}

// Attack 18, CVE-2021-29471: patterns with "?" that could be laid over the text in more ways than can be tried. Their
// literal parts are in the text, so none is refused before it is matched.
TEST(Glob, Attack18HostilePatternsAreMatchedInOnePass) {
  std::string pattern, text(60000, 'a');
  for (int i = 0; i < 30; ++i) pattern += "*a?a";
  pattern += "b";
  EXPECT_FALSE(Glob(pattern).matches(text + "bc"));
  EXPECT_TRUE(Glob(pattern).matches(text + "b"));
  EXPECT_FALSE(Glob(pattern).matches_words(text + "bbc"));
  EXPECT_TRUE(Glob(pattern).matches_words(text + "b!"));
}

// Without "?" the time is linear: text times pattern are 3 * 10^13 steps here, hours where one pass takes a second, and
// no test may run for more than five minutes.
TEST(Glob, Attack18WithoutQuestionMarksTimeIsLinear) {
  constexpr size_t kText = size_t{1} << 23, kPattern = kText / 2;
  std::string text(kText, 'a'), part(kPattern, 'a');
  // Every place of the text begins the pattern, and only the last holds it to its end: where it is no word, or too
  // late.
  EXPECT_FALSE(Glob(part + "b").matches_words(text + "bc"));
  EXPECT_TRUE(Glob("*" + part + "b").matches_words(text + "b"));
  // Every place holds the pattern and is no word.
  EXPECT_FALSE(Glob(part).matches_words("x" + text + "x"));
  EXPECT_FALSE(Glob("*" + part + "b*" + part + "b*").matches(text + "b" + part.substr(1) + "b"));
  EXPECT_TRUE(Glob("*" + part + "b*" + part + "b*").matches(text + "b" + part + "b"));
}

// As many stars as there are letters, and what comes after the last of them is nowhere.
TEST(Glob, Attack18ManyStarsAreOnePass) {
  constexpr size_t kStars = 100'000;
  std::string pattern, text(10 * kStars, 'a');
  for (size_t i = 0; i < kStars; ++i) pattern += "*a";
  EXPECT_FALSE(Glob(pattern + "*ab*").matches("ab" + text));
  EXPECT_FALSE(Glob(pattern + "*ab*").matches_words("ab" + text));
  EXPECT_TRUE(Glob(pattern + "*ab*").matches(text + "b"));
}

TEST(FoldCase, LowersLetters) {
  EXPECT_EQ(fold_case("ABC xyz 09_@[`{"), "abc xyz 09_@[`{");
  EXPECT_EQ(fold_case("ÀÉÖØÞ×ß"), "àéöøþ×ß");
  EXPECT_EQ(fold_case("ΑΒΩ ЁЖЯ ŁŹĀŸ"), fold_case("αβω ёжя łźāŸ"));
  EXPECT_EQ(fold_case("日本😀"), "日本😀");
  EXPECT_EQ(fold_case("ΟΔΟΣ Ά Ὀ"), fold_case("οδος ά ὀ"));
  EXPECT_EQ(fold_case("Ґ Қ Ӏ"), "ґ қ ӏ");
  EXPECT_EQ(fold_case("VIỆT Ơ Ư"), "việt ơ ư");
  EXPECT_EQ(fold_case("ՀԱՅ Ａ １ Ⴀ 𐐀"), "հայ ａ １ ⴀ 𐐨");
  EXPECT_EQ(fold_case("Ⱥ"), "ⱥ") << "longer";
  EXPECT_EQ(fold_case("\u212A ſ İ"), "\u212A ſ İ") << "no new words";
  EXPECT_TRUE(Glob("300").matches_words(fold_case("300\u212A outside")));
  EXPECT_EQ(fold_case("\xc3"), "\xc3");
  EXPECT_EQ(fold_case("\xffÀ\x80 A\xed\xa0\x80"), "\xffà\x80 a\xed\xa0\x80");
  EXPECT_TRUE(Glob(fold_case("STRA?E")).matches(fold_case("Straße")));
}

}  // namespace
}  // namespace myelin
