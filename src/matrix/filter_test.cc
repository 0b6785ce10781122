#include "matrix/filter.h"

#include <gtest/gtest.h>

#include "matrix/testing/event.h"

namespace myelin {
namespace {

using testing::make_event;

EventFilter filter(std::string_view text) { return *EventFilter::parse(*json::parse_object(text)); }

TEST(EventFilter, LetsThrough) {
  auto event = make_event(R"({"type":"m.room.message","content":{"url":"mxc://x/y"}})");
  struct {
    const char* filter;
    bool matches;
  } cases[] = {
      {"{}", true},
      {R"({"types":["m.room.message"]})", true},
      {R"({"types":["m.room.member"]})", false},
      {R"({"types":[]})", false},
      {R"({"types":["m.room.*"]})", true},
      {R"({"types":["*"]})", true},
      {R"({"types":["m.room.?essage"]})", false},  // only * is a wildcard
      {R"({"types":["*.message","x"]})", true},
      {R"({"not_types":["m.room.*"]})", false},
      {R"({"not_types":["m.room.member"]})", true},
      {R"({"types":["*"],"not_types":["m.room.message"]})", false},
      {R"({"not_types":[]})", true},
      {R"({"senders":["@alice:x"]})", true},
      {R"({"senders":["@bob:x"]})", false},
      {R"({"senders":[]})", false},
      {R"({"not_senders":["@alice:x"]})", false},
      {R"({"senders":["@alice:x"],"not_senders":["@alice:x"]})", false},
      {R"({"rooms":["!r:x"]})", true},
      {R"({"rooms":["!other:x"]})", false},
      {R"({"rooms":[]})", false},
      {R"({"not_rooms":["!r:x"]})", false},
      {R"({"contains_url":true})", true},
      {R"({"contains_url":false})", false},
      {R"({"unknown":{"future":1}})", true},
  };
  for (auto& c : cases) EXPECT_EQ(filter(c.filter).matches(*event), c.matches) << c.filter;
  EXPECT_TRUE(filter(R"({"contains_url":false})").matches(*make_event("{}")));
  EXPECT_FALSE(filter(R"({"contains_url":true})").matches(*make_event("{}")));
}

TEST(EventFilter, PartsAlone) {
  auto f = filter(R"({"types":["m.typing"],"not_senders":["@a:x"]})");
  EXPECT_TRUE(f.matches_type("m.typing"));
  EXPECT_FALSE(f.matches_type("m.receipt"));
  EXPECT_FALSE(f.matches_sender("@a:x"));
  EXPECT_TRUE(f.matches_sender("@b:x"));
  EXPECT_FALSE(f.matches_everything());
  EXPECT_TRUE(filter(R"({"limit":5,"lazy_load_members":true})").matches_everything());
  EXPECT_TRUE(filter(R"({"types":[]})").includes_no_type());
  EXPECT_FALSE(filter("{}").includes_no_type());
}

TEST(EventFilter, LimitsAndFlags) {
  EXPECT_EQ(filter("{}").limit(), kDefaultFilterLimit);
  EXPECT_EQ(filter("{}").given_limit(), std::nullopt);
  EXPECT_EQ(filter(R"({"limit":3})").limit(), 3u);
  EXPECT_EQ(filter(R"({"limit":0})").limit(), 0u);
  EXPECT_EQ(filter(R"({"limit":1000000})").limit(), kMaxFilterLimit);
  EXPECT_EQ(EventFilter::parse({{"limit", UINT64_MAX}}).error().code, Code::kBadJson) << "no JSON of Matrix";
  auto f = filter(R"({"lazy_load_members":true,"include_redundant_members":true,"unread_thread_notifications":true})");
  EXPECT_TRUE(f.lazy_load_members() && f.include_redundant_members() && f.unread_thread_notifications());
  EXPECT_FALSE(filter("{}").lazy_load_members());
}

TEST(Filter, ReadsItsParts) {
  auto parsed = *Filter::parse(*json::parse_object(R"({
    "presence": {"types": ["p"]}, "account_data": {"types": ["a"]}, "event_fields": ["type", "\\.content"],
    "event_format": "federation",
    "room": {"rooms": ["!in:x"], "not_rooms": ["!out:x"], "include_leave": true, "ephemeral": {"types": ["e"]},
             "state": {"types": ["s"], "lazy_load_members": true}, "timeline": {"limit": 7},
             "account_data": {"types": ["ra"]}}})"));
  EXPECT_TRUE(parsed.presence().matches_type("p"));
  EXPECT_TRUE(parsed.account_data().matches_type("a"));
  EXPECT_TRUE(parsed.ephemeral().matches_type("e"));
  EXPECT_TRUE(parsed.state().matches_type("s"));
  EXPECT_TRUE(parsed.room_account_data().matches_type("ra"));
  EXPECT_FALSE(parsed.room_account_data().matches_type("a"));
  EXPECT_EQ(parsed.timeline().limit(), 7u);
  EXPECT_TRUE(parsed.lazy_load_members());
  EXPECT_FALSE(parsed.include_redundant_members());
  EXPECT_TRUE(parsed.include_leave());
  EXPECT_EQ(parsed.event_format(), EventFormat::kFederation);
  EXPECT_EQ(parsed.event_fields()->of({{"type", 1}, {".content", 2}, {"content", 3}}),
            (json::Object{{"type", 1}, {".content", 2}}));
  EXPECT_FALSE(Filter::parse({{"event_fields", json::Array()}})->event_fields()) << "all of them";
  EXPECT_TRUE(parsed.matches_room(RoomId::trusted("!in:x")));
  EXPECT_FALSE(parsed.matches_room(RoomId::trusted("!other:x")));
  Filter none;
  EXPECT_TRUE(none.matches_room(RoomId::trusted("!any:x")));
  EXPECT_FALSE(none.include_leave());
  EXPECT_TRUE(none.timeline().matches(*make_event("{}")));
}

// Attack 25: filters are kept, so they are no place to put things.
TEST(Filter, Attack25LongEventTypesAreRefused) {
  for (auto wildcard : {"", "*"}) {
    json::Array types{json::Value(std::string(256, 't') + wildcard)};
    EXPECT_EQ(EventFilter::parse({{"types", types}}).error().code, Code::kInvalidParam);
    EXPECT_EQ(EventFilter::parse({{"not_types", types}}).error().code, Code::kInvalidParam);
    types[0] = std::string(254, 't') + wildcard;
    EXPECT_TRUE(EventFilter::parse({{"types", types}}));
  }
}

TEST(Filter, Attack25EventFieldsAreBounded) {
  json::Array paths(100, json::Value("content"));
  EXPECT_TRUE(Filter::parse({{"event_fields", paths}}));
  paths.emplace_back("type");
  EXPECT_EQ(Filter::parse({{"event_fields", paths}}).error().code, Code::kInvalidParam);
}

TEST(Filter, RefusesWrongTypesAndIds) {
  struct {
    const char* text;
    Code code;
  } cases[] = {
      {R"({"presence":{"senders":"@a:b"}})", Code::kBadJson},
      {R"({"presence":[]})", Code::kBadJson},
      {R"({"account_data":5})", Code::kBadJson},
      {R"({"room":"x"})", Code::kBadJson},
      {R"({"room":{"timeline":{"rooms":"not_a_list"}}})", Code::kBadJson},
      {R"({"room":{"timeline":{"rooms":["not_a_room"]}}})", Code::kInvalidParam},
      {R"({"room":{"timeline":{"not_rooms":["#a:x"]}}})", Code::kInvalidParam},
      {R"({"room":{"timeline":{"senders":["alice"]}}})", Code::kInvalidParam},
      {R"({"room":{"timeline":{"not_senders":[1]}}})", Code::kBadJson},
      {R"({"room":{"timeline":{"types":[null]}}})", Code::kBadJson},
      {R"({"room":{"timeline":{"types":"m.room.message"}}})", Code::kBadJson},
      {R"({"room":{"timeline":{"limit":"10"}}})", Code::kBadJson},
      {R"({"room":{"timeline":{"limit":-1}}})", Code::kBadJson},
      {R"({"room":{"timeline":{"limit":1.5}}})", Code::kBadJson},
      {R"({"room":{"timeline":{"contains_url":"yes"}}})", Code::kBadJson},
      {R"({"room":{"state":{"lazy_load_members":1}}})", Code::kBadJson},
      {R"({"room":{"include_leave":"true"}})", Code::kBadJson},
      {R"({"room":{"rooms":["x"]}})", Code::kInvalidParam},
      {R"({"event_format":"raw"})", Code::kBadJson},
      {R"({"event_format":1})", Code::kBadJson},
      {R"({"event_fields":"type"})", Code::kBadJson},
  };
  for (auto& c : cases) {
    auto parsed = Filter::parse(*json::parse_object(c.text));
    ASSERT_FALSE(parsed) << c.text;
    EXPECT_EQ(parsed.error().code, c.code) << c.text;
  }
  json::Array stars;
  for (int i = 0; i < 101; ++i) stars.emplace_back("*" + std::to_string(i));
  EXPECT_EQ(EventFilter::parse({{"types", stars}}).error().code, Code::kInvalidParam);
}

}  // namespace
}  // namespace myelin
