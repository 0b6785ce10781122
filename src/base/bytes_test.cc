#include "base/bytes.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace myelin {
namespace {

// Appendices, Unpadded Base64: the specification's examples.
TEST(Base64, FollowsTheSpecification) {
  std::pair<const char*, const char*> examples[] = {
      {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
      {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
  for (auto [plain, encoded] : examples) {
    EXPECT_EQ(base64(plain), encoded);
    EXPECT_EQ(from_base64(encoded), plain);
  }
}

TEST(Base64, GoesThereAndBack) {
  SeededRandom random(1);
  for (size_t size = 0; size < 100; ++size) {
    std::string bytes(size, '\0');
    random.fill({reinterpret_cast<uint8_t*>(bytes.data()), size});
    EXPECT_EQ(from_base64(base64(bytes)), bytes);
    EXPECT_EQ(from_base64(base64url(bytes)), bytes);
  }
}

TEST(Base64, TakesPaddingAndRefusesTheRest) {
  EXPECT_EQ(from_base64("Zg=="), "f");
  EXPECT_FALSE(from_base64("Z"));
  EXPECT_FALSE(from_base64("Zm 8"));
  EXPECT_FALSE(from_base64("====="));
}

// What Python's unpaddedbase64 says.
TEST(Base64, ReadLooselyIsWhatPythonMakesOfIt) {
  struct {
    std::string_view text;
    std::optional<std::string> bytes;
  } cases[] = {{"", ""},          {"YWJj", "abc"},        {"YWJj====", "abc"}, {"YWJj!!!!", "abc"}, {"YW!!Jj", "abc"},
               {"YWJj=", "abc"},  {"YWJj==", "abc"},      {"YWJ=j", "ab"},     {"YQ", "a"},         {"YQ=", "a"},
               {"YQ==", "a"},     {"YQ===", "a"},         {"YQ!=", {}},        {"Y", {}},           {"é", {}},
               {"YWJj\n", "abc"}, {"YWJ j", "abc"},       {"YW==Jj", "a"},     {"YW==é", {}},       {"Y!WJj", "abc"},
               {"=YWJj", "abc"},  {"====YWJj", "abc"},    {"YWJjY", {}},       {"YWJjYQ!", {}},     {"YW-_", "ao\xbf"},
               {"YW+/-", {}},     {"Y-Jj!", "c\xe2\x63"}, {"YR", "a"},         {"YWI", "ab"}};
  for (auto& c : cases) EXPECT_EQ(from_loose_base64(c.text), c.bytes) << c.text;
}

TEST(Varint, GoesThereAndBack) {
  for (uint64_t value :
       {uint64_t{0}, uint64_t{1}, uint64_t{127}, uint64_t{128}, uint64_t{300}, uint64_t{1} << 63, UINT64_MAX}) {
    std::string out;
    append_varint(out, value);
    std::string_view in = out;
    EXPECT_EQ(read_varint(in), value);
    EXPECT_TRUE(in.empty());
  }
}

TEST(Varint, RefusesWhatIsCutShortOrTooLong) {
  std::string_view cut = "\x80", over = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02";
  EXPECT_FALSE(read_varint(cut));
  EXPECT_FALSE(read_varint(over));
  std::string_view text =
      "\x05"
      "abc";
  EXPECT_FALSE(read_string(text));
}

TEST(Sha256, IsTheKnownOne) {
  EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace myelin
