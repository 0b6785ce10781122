#include "matrix/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <cmath>
#include <random>

#include "matrix/testing/cpu_time.h"

namespace myelin::json {
namespace {

std::string canonical_of(std::string_view text, CanonicalMode mode = CanonicalMode::kLax) {
  auto value = json::parse(text);
  if (!value) return "not parsed: " + value.error().message;
  auto out = canonical(*value, mode);
  return out ? *out : "refused";
}

// Appendices, Canonical JSON, Examples.
TEST(CanonicalJson, ExamplesOfTheSpecification) {
  struct {
    std::string_view in, out;
  } cases[] = {
      {"{}", "{}"},
      {"{\n  \"one\": 1,\n  \"two\": \"Two\"\n}", R"({"one":1,"two":"Two"})"},
      {"{\n  \"b\": \"2\",\n  \"a\": \"1\"\n}", R"({"a":"1","b":"2"})"},
      {R"({"b":"2","a":"1"})", R"({"a":"1","b":"2"})"},
      {R"({"auth": {"success": true, "mxid": "@john.doe:example.com", "profile": {"display_name": "John Doe",
           "three_pids": [{"medium": "email", "address": "john.doe@example.org"},
                          {"medium": "msisdn", "address": "123456789"}]}}})",
       R"({"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}})"},
      {R"({"a": "日本語"})", R"({"a":"日本語"})"},
      {R"({"本": 2, "日": 1})", R"({"日":1,"本":2})"},
      {R"({"a": "\u65E5"})", R"({"a":"日"})"},
      {R"({"a": null})", R"({"a":null})"},
      {R"({"a": -0, "b": 1e10})", R"({"a":0,"b":10000000000})"},
  };
  for (auto& c : cases) EXPECT_EQ(canonical_of(c.in), c.out) << c.in;
}

TEST(CanonicalJson, SortsByCodePointNotByUtf16) {
  // U+FF61 is before U+10002, though its UTF-16 code unit is after the surrogates of the other.
  EXPECT_EQ(canonical_of(R"({"\ud800\udc02":2,"\uff61":1})"), "{\"\uff61\":1,\"\U00010002\":2}");
  EXPECT_EQ(canonical_of(R"({"aa":1,"a":2,"":3,"B":4})"), R"({"":3,"B":4,"a":2,"aa":1})");
}

TEST(CanonicalJson, EscapesOnlyWhatItMust) {
  EXPECT_EQ(canonical_of(R"("\u0000\u0001\b\t\n\u000b\f\r\u001f\"\\\/\u007f\u2028é")"),
            "\"\\u0000\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f\\\"\\\\/\x7f\u2028é\"");
  for (size_t before = 0; before < 20; ++before) {  // the escape at every place in a word
    std::string in = std::string(before, 'x') + "\n" + std::string(9, 'y');
    std::string out;
    append_quoted(out, in);
    EXPECT_EQ(out, "\"" + std::string(before, 'x') + "\\n" + std::string(9, 'y') + "\"");
  }
}

TEST(CanonicalJson, StrictTakesIntegersInRangeOnly) {
  for (auto in : {"9007199254740991", "-9007199254740991", "0", "-0"})
    EXPECT_NE(canonical_of(in, CanonicalMode::kStrict), "refused") << in;
  for (auto in : {"9007199254740992", "-9007199254740992", "9223372036854775808", "1.0", "0.5", "1e-1", "1e300"})
    EXPECT_EQ(canonical_of(std::string("[{\"a\":") + in + "}]", CanonicalMode::kStrict), "refused") << in;
}

TEST(CanonicalJson, LaxKeepsWhatIsFound) {
  struct {
    std::string_view in, out;
  } cases[] = {
      {"9007199254740993", "9007199254740993"},
      {"-9223372036854775808", "-9223372036854775808"},
      {"18446744073709551615", "18446744073709551615"},
      {"1.0", "1.0"},
      {"0.5", "0.5"},
      {"100.25", "100.25"},
      {"0.0001", "0.0001"},
      {"0.00001", "1e-05"},
      {"1.5e-7", "1.5e-07"},
      {"123456789.125", "123456789.125"},
      {"9999999999999998.0", "9999999999999998.0"},
      {"10000000000000000.0", "1e+16"},
      {"1.7976931348623157e308", "1.7976931348623157e+308"},
      {"5e-324", "5e-324"},
      {"0.1", "0.1"},
      {"-0.1", "-0.1"},
      {"1e3", "1000"},
      {"9e15", "9000000000000000"},
      {"1e16", "1e+16"},
      {"1e+16", "1e+16"},
      {"-12e20", "-1.2e+21"},
      {"-12E+2", "-1200"},
  };
  for (auto& c : cases) EXPECT_EQ(canonical_of(c.in), c.out) << c.in;
}

// Doubles are read correctly rounded and written with the fewest digits that read back.
TEST(CanonicalJson, DoublesRoundTrip) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    double value = std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    std::string text = json::serialize(Value(value));
    auto back = json::parse(text);
    ASSERT_TRUE(back) << text;
    ASSERT_TRUE(back->is_double()) << text;
    EXPECT_EQ(back->get_double(), value) << text;
  }
  for (auto whole : {1.0, -3.0, 1e10, 9999999999999998.0, 1e16, -1e18, 1e300}) {  // a float stays a float
    auto back = json::parse(json::serialize(Value(whole)));
    EXPECT_TRUE(back->is_double() && back->get_double() == whole) << whole;
  }
}

TEST(CanonicalJson, WithoutKeysLeavesThemOutAtTheTopOnly) {
  auto object = *parse_object(R"({"z":{"a":1},"a":2,"unsigned":{}})");
  EXPECT_EQ(canonical_without(object, {"a", "unsigned"}, CanonicalMode::kStrict), R"({"z":{"a":1}})");
}

TEST(CanonicalJson, SortsManyKeys) {
  Object object;
  std::map<std::string, int> sorted;
  for (int i = 0; i < 200; ++i) {
    auto key = std::to_string(i * 7919 % 1000);
    object[key] = i;
    sorted[key] = i;
  }
  std::string expected;
  for (auto& [key, value] : sorted)
    expected += (expected.empty() ? "{\"" : ",\"") + key + "\":" + std::to_string(value);
  EXPECT_EQ(canonical(object, CanonicalMode::kStrict), expected + "}");
}

TEST(Json, ReadsEveryKindOfValue) {
  auto object = *parse_object(R"( { "o": {"x": []}, "a": [1, true, null], "s": "\u00e9\ud83d\ude00", "i": -5,
                                     "b": false, "d": 1.5, "e": "" } )");
  ASSERT_NE(object_at(object, "o"), nullptr);
  ASSERT_NE(array_at(object, "a"), nullptr);
  EXPECT_EQ(array_at(object, "a")->size(), 3u);
  EXPECT_EQ(string_at(object, "s"), "é😀");
  EXPECT_EQ(string_at(object, "e"), "");
  EXPECT_EQ(integer_at(object, "i"), -5);
  EXPECT_EQ(bool_at(object, "b"), false);
  EXPECT_EQ(integer_at(object, "d"), std::nullopt);
  EXPECT_EQ(integer_at(object, "s"), std::nullopt);
  EXPECT_EQ(object_at(object, "a"), nullptr);
  EXPECT_EQ(array_at(object, "absent"), nullptr);
  EXPECT_EQ(string_at(object, "i"), std::nullopt);
  EXPECT_EQ(bool_at(object, "i"), std::nullopt);
  EXPECT_EQ(json::serialize(object), R"({"o":{"x":[]},"a":[1,true,null],"s":"é😀","i":-5,"b":false,"d":1.5,"e":""})");
}

TEST(Json, RefusesHostileText) {
  using namespace std::string_literals;
  struct {
    std::string text;
    Code code;
  } cases[] = {
      {"", Code::kNotJson},
      {" ", Code::kNotJson},
      {"{", Code::kNotJson},
      {"{}}", Code::kNotJson},
      {"{} x", Code::kNotJson},
      {"1 2", Code::kNotJson},
      {"{}\0"s, Code::kNotJson},
      {"\xef\xbb\xbf{}", Code::kNotJson},  // byte order mark
      {"{'a':1}", Code::kNotJson},
      {"{\"a\":1,}", Code::kNotJson},
      {"[1,]", Code::kNotJson},
      {"[,1]", Code::kNotJson},
      {"{\"a\" 1}", Code::kNotJson},
      {"{1:2}", Code::kNotJson},
      {"// c\n{}", Code::kNotJson},
      {"/**/{}", Code::kNotJson},
      {"nul", Code::kNotJson},
      {"nulll", Code::kNotJson},
      {"True", Code::kNotJson},
      {"NaN", Code::kNotJson},
      {"Infinity", Code::kNotJson},
      {"-Infinity", Code::kNotJson},
      {"-", Code::kNotJson},
      {"+1", Code::kNotJson},
      {"01", Code::kNotJson},
      {"-01", Code::kNotJson},
      {"1.", Code::kNotJson},
      {".5", Code::kNotJson},
      {"1e", Code::kNotJson},
      {"1e+", Code::kNotJson},
      {"0x10", Code::kNotJson},
      {"1_000", Code::kNotJson},
      {"0e99999999999", Code::kNotJson},
      {"1e999", Code::kBadJson},     // no double has it
      {"\"a\nb\"", Code::kNotJson},  // raw control character
      {"\"\0\""s, Code::kNotJson},
      {"\"\\x41\"", Code::kNotJson},
      {"\"\\u12g4\"", Code::kNotJson},
      {"\"\\ud800\"", Code::kNotJson},  // lone surrogates
      {"\"\\udc00\"", Code::kNotJson},
      {"\"\\ud800x\"", Code::kNotJson},
      {"\"\\ud800\\n\"", Code::kNotJson},
      {"\"\\ud800\\ud800\"", Code::kNotJson},
      {"\"\\ud800\\u0041\"", Code::kNotJson},
      {"{\"\\udc00\":1}", Code::kNotJson},
      {"\"\xff\"", Code::kNotJson},  // invalid UTF-8
      {"\"\xc0\x80\"", Code::kNotJson},
      {"\"\xc1\xbf\"", Code::kNotJson},
      {"\"\xe0\x80\x80\"", Code::kNotJson},
      {"\"\xed\xa0\x80\"", Code::kNotJson},  // a surrogate in UTF-8
      {"\"\xf0\x80\x80\x80\"", Code::kNotJson},
      {"\"\xf4\x90\x80\x80\"", Code::kNotJson},
      {"\"\xe2\x82\"", Code::kNotJson},
      {"{\"\x80\":1}", Code::kNotJson},
      {R"({"a":1,"a":1})", Code::kBadJson},
      {R"({"a":1,"\u0061":2})", Code::kBadJson},  // the same key, written differently
      {R"([{"x":{"k":1,"l":2,"k":3}}])", Code::kBadJson},
      {std::string(101, '[') + std::string(101, ']'), Code::kBadJson},
      {std::string(100000, '['), Code::kBadJson},
  };
  for (auto& c : cases) {
    auto value = json::parse(c.text);
    ASSERT_FALSE(value) << c.text.substr(0, 60);
    EXPECT_EQ(value.error().code, c.code) << c.text.substr(0, 60) << ": " << value.error().message;
  }
}

TEST(Json, KeepsItsLimits) {
  EXPECT_TRUE(json::parse(std::string(100, '[') + std::string(100, ']')));
  EXPECT_FALSE(json::parse("[[]]", {.depth = 1}));
  EXPECT_TRUE(json::parse("[[]]", {.depth = 2}));
  EXPECT_EQ(json::parse("[1,2]", {.bytes = 4}).error().code, Code::kTooLarge);
  EXPECT_TRUE(json::parse("[1,2]", {.bytes = 5}));
  EXPECT_EQ(parse_object("[]").error().code, Code::kBadJson);
  EXPECT_TRUE(json::parse(" \r\n\t{} \r\n\t"));
}

TEST(Json, IntegersOnly) {
  for (auto text : {"1e2", "1.0", "9007199254740992", "-9007199254740992", "18446744073709551615", "1E0"})
    EXPECT_EQ(json::parse(text, {.integers_only = true}).error().code, Code::kBadJson) << text;
  for (auto text : {"0", "-0", "9007199254740991", "-9007199254740991"})
    EXPECT_TRUE(json::parse(text, {.integers_only = true})) << text;
  json::ParseLimits except{.integers_only = true, .except_unsigned = true};
  for (auto text :
       {R"({"unsigned":{"a":1.5,"b":[9007199254740992,{"unsigned":1e2}]},"c":1})", R"({"\u0075nsigned":0.5})"}) {
    EXPECT_TRUE(json::parse(text, except)) << text;
    EXPECT_FALSE(json::parse(text, {.integers_only = true})) << text;
  }
  for (auto text : {R"({"unsigned":{"a":1.5},"c":1.5})", R"({"c":{"unsigned":1.5}})", R"([{"unsigned":1.5}])",
                    R"({"unsigned":1,"unsigned2":1.5})", R"({"a":{"unsigned":1},"b":1.5})"})
    EXPECT_FALSE(json::parse(text, except)) << text;
}

TEST(Json, NumbersAtTheEdgesOfTheTypes) {
  EXPECT_EQ(json::parse("9223372036854775807")->get_int64(), INT64_MAX);
  EXPECT_EQ(json::parse("-9223372036854775808")->get_int64(), INT64_MIN);
  EXPECT_EQ(json::parse("9223372036854775808")->get_uint64(), uint64_t{1} << 63);
  EXPECT_TRUE(json::parse("18446744073709551616")->is_double());
  EXPECT_TRUE(json::parse("-9223372036854775809")->is_double());
  EXPECT_EQ(json::parse("-0")->get_int64(), 0);
  // A double that Boost.JSON's own reading gets wrong in the last place.
  EXPECT_EQ(json::parse("5.708990770823839207320493820740630171355185151999e-3")->get_double(),
            5.708990770823839207320493820740630171355185151999e-3);
  EXPECT_EQ(json::parse("[" + std::string(400, '1') + ".5]").error().code, Code::kBadJson);
  EXPECT_EQ(json::parse("1e-400")->get_double(), 0.0);
  EXPECT_TRUE(std::signbit(json::parse("-1e-400")->get_double()));
  EXPECT_EQ(json::parse("1e400").error().code, Code::kBadJson);
}

TEST(Json, LongStringsAndKeysSurvive) {  // longer than the parser's own buffer
  std::string text(20000, 'k');
  Object object{{text, text + "\n\"é"}};
  auto back = parse_object(json::serialize(object));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, object);
}

TEST(CanonicalJson, TextKeepsTheDigitsOfItsIntegers) {
  auto text_of = [](std::string_view text, CanonicalMode mode) {
    auto out = canonical_text(text, mode);
    return out ? *out : "refused";
  };
  std::string nines(1000, '9');
  EXPECT_EQ(
      text_of(R"({"b": 18446744073709551616, "a": [-)" + nines + ", -0, 1e2, 1.50, 1e400000]}", CanonicalMode::kLax),
      "refused");
  EXPECT_EQ(text_of(R"({"b": 18446744073709551616, "a": [-)" + nines + ", -0, 1e2, 1.50, " + nines + ".0e-999]}",
                    CanonicalMode::kLax),
            R"({"a":[-)" + nines + R"(,0,100,1.5,10.0],"b":18446744073709551616})");
  EXPECT_EQ(canonical_of(nines), "1.7976931348623157e+308") << "as a value: the nearest double";
  EXPECT_EQ(canonical_of("-" + nines), "-1.7976931348623157e+308");
  EXPECT_EQ(text_of("18446744073709551616", CanonicalMode::kLax), "18446744073709551616");
  EXPECT_EQ(text_of("18446744073709551616", CanonicalMode::kStrict), "refused");
  EXPECT_EQ(text_of("9007199254740992", CanonicalMode::kStrict), "refused");
  EXPECT_EQ(text_of("[1,1", CanonicalMode::kLax), "refused");
  for (auto text : {R"({"b":1,"a":{"d":[1.5,null,true,"é\n"],"c":-1}})", "18446744073709551615", "\"x\"", "1e16"})
    EXPECT_EQ(text_of(text, CanonicalMode::kLax), canonical_of(text)) << text;
}

// Attack 8: keys that a table without a secret keeps in one list: it has as many buckets as the text has keys, 2^16,
// and Boost's own hash is FNV-1a over the table's address and the key, whose low 16 bits come from the low 16 bits of
// both.
class CollidingKeys {
 public:
  static constexpr size_t kCount = 1 << 16;

  // All in the first bucket of a table at an address that ends with these bits.
  static std::string object(uint64_t address) {
    std::vector<std::vector<std::string>> starts(kCount);  // by the hash after three letters
    for_each_word([&](const std::string& word) {
      uint64_t hash = kBasis + address;
      for (char c : word) hash = (static_cast<uint64_t>(c) ^ hash) * kPrime;
      starts[hash % kCount].push_back(word);
    });
    uint64_t inverse = 1;  // of the prime, modulo 2^64
    for (int i = 0; i < 6; ++i) inverse *= 2 - kPrime * inverse;
    std::string text = "{";
    size_t count = 0;
    for_each_word([&](const std::string& word) {
      uint64_t hash = 0;  // backwards from the bucket
      for (size_t i = word.size(); i-- > 0;) hash = (hash * inverse) ^ static_cast<uint64_t>(word[i]);
      for (auto& start : starts[hash % kCount])
        if (count++ < kCount) text.append("\"").append(start).append(word).append("\":1,");
    });
    EXPECT_GE(count, kCount);
    text.back() = '}';
    return text;
  }
  static std::string plain_object() {
    std::string text = "{";
    for (size_t i = 0; i < kCount; ++i) text += "\"" + std::to_string(100000 + i) + "\":1,";
    text.back() = '}';
    return text;
  }

 private:
  static constexpr uint64_t kBasis = 0xcbf29ce484222325, kPrime = 0x100000001b3;

  static void for_each_word(auto use) {
    static constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    for (char a : kLetters)
      for (char b : kLetters)
        for (char c : kLetters) use(std::string{a, b, c});
  }
};

// Where Boost keeps the members: behind the table's sizes and salt.
uintptr_t table_of(const Object& object) { return reinterpret_cast<uintptr_t>(object.begin()) - 16; }

// How many members Boost's own hash would put into one bucket, the fullest.
size_t in_one_bucket(const Object& object) {
  std::vector<size_t> buckets(object.capacity());
  for (auto& member : object) {
    auto key = member.key();
    ++buckets[boost::json::detail::digest(key.begin(), key.end(), table_of(object)) % buckets.size()];
  }
  return std::ranges::max(buckets);
}

struct Handled {
  double seconds = 0;
  uintptr_t table = 0;
  size_t in_one_bucket = 0;
};

// Reading, copying, comparing and writing.
Handled handled(const std::string& text) {
  double start = testing::cpu_seconds();
  auto value = json::parse(text);
  EXPECT_TRUE(value && value->get_object().size() == CollidingKeys::kCount);
  Object copy = value->get_object(), built;
  for (auto& [key, member] : copy) built[key] = member;
  EXPECT_TRUE(copy == value->get_object() && built == copy);
  EXPECT_TRUE(canonical(copy, CanonicalMode::kStrict));
  return {testing::cpu_seconds() - start, table_of(value->get_object()), in_one_bucket(value->get_object())};
}

TEST(Json, Attack08KeysThatCollideCostWhatOtherKeysCost) {
  auto plain_text = CollidingKeys::plain_object();
  // The hash takes only the low byte of the address in otherwise than by adding. It is mostly the same where a table of
  // that size is put into pages of its own.
  mallopt(M_MMAP_THRESHOLD, 128 * 1024);
  Handled first = handled(plain_text);
  double plain = std::min(first.seconds, handled(plain_text).seconds);
  EXPECT_LT(first.in_one_bucket, 100U);
  Handled colliding = first;
  for (int tries = 0; tries < 8 && colliding.in_one_bucket != CollidingKeys::kCount; ++tries)
    colliding = handled(CollidingKeys::object(colliding.table % 256));
  ASSERT_EQ(colliding.in_one_bucket, CollidingKeys::kCount) << "no attack on this Boost, or allocator";
  EXPECT_LT(colliding.seconds, 20 * plain) << "plain keys: " << plain << " s";
}

}  // namespace
}  // namespace myelin::json
