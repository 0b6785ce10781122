#include "matrix/property_path.h"

#include <gtest/gtest.h>

namespace myelin {
namespace {

json::Object object(std::string_view text) { return json::parse_object(text).value(); }

TEST(PropertyPath, ExamplesOfTheSpecification) {
  EXPECT_EQ(parse_property_path("content.body"), (PropertyPath{"content", "body"}));
  EXPECT_EQ(parse_property_path(R"(content.m\.relates_to)"), (PropertyPath{"content", "m.relates_to"}));
  EXPECT_EQ(parse_property_path(R"(content.m\\foo)"), (PropertyPath{"content", R"(m\foo)"}));
  EXPECT_EQ(parse_property_path(R"(\x)"), PropertyPath{R"(\x)"}) << "other escape sequences are left as they are";
}

TEST(PropertyPath, AnyTextIsOne) {
  EXPECT_EQ(parse_property_path(""), PropertyPath{""});
  EXPECT_EQ(parse_property_path("."), (PropertyPath{"", ""}));
  EXPECT_EQ(parse_property_path(R"(\.a\)"), PropertyPath{R"(.a\)"});
  EXPECT_EQ(parse_property_path(R"(\\.a)"), (PropertyPath{R"(\)", "a"}));
}

TEST(PropertyPath, LeadsToAProperty) {
  auto in = object(R"({"a":{"b.c":[1],"":2},"d":null})");
  EXPECT_EQ(*property_at(in, parse_property_path(R"(a.b\.c)")), json::Value(json::Array{1}));
  EXPECT_EQ(*property_at(in, parse_property_path("a.")), json::Value(2));
  EXPECT_TRUE(property_at(in, {"d"})->is_null());
  for (auto absent : {"", "e", "a.b", "d.x", "a.b\\.c.0"})
    EXPECT_EQ(property_at(in, parse_property_path(absent)), nullptr) << absent;
}

json::Object select(std::string_view text, std::vector<std::string_view> paths) {
  std::vector<PropertyPath> parsed;
  for (auto path : paths) parsed.push_back(parse_property_path(path));
  return PropertySelection(std::move(parsed)).of(object(text));
}

TEST(PropertySelection, HoldsWhatIsNamedAndNothingElse) {
  auto text = R"({"a":{"b":{"x":1,"y":2},"c":3,"d.e":4},"f":5})";
  EXPECT_EQ(select(text, {"f", "a.c"}), object(R"({"a":{"c":3},"f":5})"));
  EXPECT_EQ(select(text, {"a.b.x", "a.b.y", R"(a.d\.e)"}), object(R"({"a":{"b":{"x":1,"y":2},"d.e":4}})"));
  EXPECT_EQ(select(text, {"a.b.x", "a", "a.b"}), object(R"({"a":{"b":{"x":1,"y":2},"c":3,"d.e":4}})"));
  EXPECT_EQ(select(text, {"a.c", "a.b", "a.c"}), object(R"({"a":{"b":{"x":1,"y":2},"c":3}})"));
  EXPECT_EQ(select(text, {"f.x", "a.b.z", "g", ""}), json::Object());
  EXPECT_EQ(select(text, {}), json::Object());
}

// A path of 63 000 names, and one property named as often.
TEST(PropertySelection, Attack25HugeListsCostWhatTheObjectCosts) {
  std::string deep;
  for (int i = 0; i < 63'000; ++i) deep += "a.";
  EXPECT_EQ(parse_property_path(deep).size(), json::kMaxStoredDepth + 1);
  EXPECT_EQ(select(R"({"a":{"a":{}}})", {deep}), json::Object());
  std::vector<std::string_view> often(6'400, "content");
  std::string large = R"({"content":[)";
  for (int i = 0; i < 30'000; ++i) large += "[],";
  large += "0]}";
  EXPECT_EQ(select(large, often), object(large)) << "two seconds when each copies it";
}

}  // namespace
}  // namespace myelin
