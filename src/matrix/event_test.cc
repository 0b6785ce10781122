#include "matrix/event.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace myelin {
namespace {

const RoomRules& version(std::string_view name) { return *find_room_version(name); }
SigningKey spec_key() {
  return *SigningKey::from_seed(*from_base64("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1"), "1");
}

// Appendices, Cryptographic Test Vectors, Event Signing: the first event, signed.
constexpr std::string_view kSpecEvent =
    R"({"auth_events":[],"content":{},"depth":3,"hashes":{"sha256":"5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos"},)"
    R"("origin":"domain","origin_server_ts":1000000,"prev_events":[],"room_id":"!x:domain","sender":"@a:domain",)"
    R"("signatures":{"domain":{"ed25519:1":"KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg"}},)"
    R"("type":"X","unsigned":{"age_ts":1000000}})";

TEST(EventHashes, FirstVectorOfTheSpecification) {
  auto pdu = *json::parse_object(kSpecEvent);
  auto hash = content_hash(pdu, version("1"));
  EXPECT_EQ(base64(*hash), "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos");
  auto redacted = redact(pdu, version("1"));
  redacted.erase("signatures");
  ASSERT_TRUE(sign_json(redacted, "domain", spec_key(), json::CanonicalMode::kLax));
  EXPECT_EQ(redacted.at("signatures"), pdu.at("signatures"));
}

TEST(EventHashes, SecondVectorOfTheSpecification) {
  auto pdu = *json::parse_object(
      R"({"content":{"body":"Here is the message content"},"event_id":"$0:domain","origin":"domain","origin_server_ts":1000000,
          "type":"m.room.message","room_id":"!r:domain","sender":"@u:domain","signatures":{},"unsigned":{"age_ts":1000000}})");
  EXPECT_EQ(base64(*content_hash(pdu, version("1"))), "onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g");
  pdu["hashes"] = json::Object{{"sha256", "onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g"}};
  auto redacted = redact(pdu, version("1"));
  EXPECT_TRUE(redacted.at("content").as_object().empty());
  redacted.erase("signatures");
  ASSERT_TRUE(sign_json(redacted, "domain", spec_key(), json::CanonicalMode::kLax));
  EXPECT_EQ(redacted.at("signatures").at("domain").at("ed25519:1"),
            "Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA");
}

// Computed once from the specification's event by an independent program.
TEST(EventIds, OfTheSpecificationsEventInEachVersion) {
  auto hash = [](std::string_view v) {
    return base64url(*reference_hash(*json::parse_object(kSpecEvent), version(v)));
  };
  for (auto v : {"4", "5", "6", "7", "8", "9", "10"}) EXPECT_EQ(hash(v), "8yif6p8EqgoSten2BLje9ntKm720NyFLWQv9tn8memc");
  for (auto v : {"11", "12"}) EXPECT_EQ(hash(v), "70O_oKlXzFbkfu0KE88USi98DjSWrOELrPj-8tisl8I");
  EXPECT_EQ(base64url(*reference_hash(*json::parse_object(kSpecEvent), version("3"))),
            "8yif6p8EqgoSten2BLje9ntKm720NyFLWQv9tn8memc");
}

TEST(EventIds, Version3UsesTheOrdinaryAlphabet) {
  for (int depth = 0; depth < 200; ++depth) {
    auto pdu = *json::parse_object(kSpecEvent);
    pdu["depth"] = depth;
    auto text = json::serialize(pdu);
    auto v3 = (*Event::parse(text, version("3")))->event_id().str(),
         v4 = (*Event::parse(text, version("4")))->event_id().str();
    auto translated = v3;
    for (char& c : translated) c = c == '+' ? '-' : c == '/' ? '_' : c;
    EXPECT_EQ(translated, v4);
    if (v3 != v4) return;  // one with + or / was seen
  }
  FAIL() << "no hash of 200 has a + or /";
}

TEST(Event, ReadsItsFields) {
  auto text = std::string(
      R"({"auth_events":["$a","$b"],"content":{"membership":"join"},"depth":9,"hashes":{"sha256":"x"},"origin_server_ts":5,
          "prev_events":["$c"],"room_id":"!r:x","sender":"@u:x:1","signatures":{"x":{"ed25519:1":"s"}},"state_key":"","type":"m.t"})");
  auto event = *Event::parse(text, version("11"));
  EXPECT_EQ(event->room_id().str(), "!r:x");
  EXPECT_EQ(event->sender().str(), "@u:x:1");
  EXPECT_EQ(event->type(), "m.t");
  EXPECT_EQ(event->state_key(), "");
  EXPECT_TRUE(event->is_state());
  EXPECT_TRUE(event->is_state("m.t", ""));
  EXPECT_FALSE(event->is_state("m.t", "x"));
  EXPECT_EQ(json::string_at(event->content(), "membership"), "join");
  EXPECT_EQ(event->auth_events(), (std::vector{EventId::trusted("$a"), EventId::trusted("$b")}));
  EXPECT_EQ(event->prev_events(), std::vector{EventId::trusted("$c")});
  EXPECT_EQ(event->depth(), 9);
  EXPECT_EQ(event->origin_server_ts(), 5);
  EXPECT_EQ(event->text(), text);
  EXPECT_EQ(event->redacts(), std::nullopt);
  EXPECT_GT(event->memory_bytes(), text.size());

  auto restored = *Event::restore(text, event->event_id(), version("11"));
  EXPECT_EQ(restored->event_id(), event->event_id());
  EXPECT_EQ(restored->auth_events(), event->auth_events());
  EXPECT_EQ(restored->state_key(), event->state_key());
  EXPECT_EQ(restored->object(), event->object());
}

TEST(Event, Versions1And2NameEventsTogetherWithTheirHashes) {
  std::string text =
      R"({"auth_events":[["$a:x",{"sha256":"h"}]],"content":{},"depth":9,"event_id":"$e:x","hashes":{"sha256":"x"},
          "origin_server_ts":5,"prev_events":[["$b:x",{}]],"room_id":"!r:x","sender":"@u:x","signatures":{},"type":"m.t"})";
  for (auto v : {"1", "2"}) {
    auto event = Event::parse(text, version(v));
    ASSERT_TRUE(event) << event.error().message;
    EXPECT_EQ((*event)->event_id().str(), "$e:x");
    EXPECT_EQ((*event)->auth_events().at(0).str(), "$a:x");
    EXPECT_EQ((*event)->prev_events().at(0).str(), "$b:x");
    EXPECT_EQ((*Event::restore(text, EventId::trusted("$e:x"), version(v)))->prev_events().at(0).str(), "$b:x");
  }
  EXPECT_FALSE(Event::parse(text, version("3")));
  for (auto odd : {R"(["$b:x"])", R"(["$b:x",{},{}])", R"(["$b:x",5])", R"("$b:x")", "[]"}) {
    auto changed = std::string(text).replace(text.find(R"(["$b:x",{}])"), 11, odd);
    EXPECT_FALSE(Event::parse(changed, version("2"))) << odd;
    if (odd[0] == '[' && odd[1] != ']')
      EXPECT_TRUE(Event::restore(changed, EventId::trusted("$e:x"), version("2"))) << "what was accepted once: " << odd;
  }
}

json::Object good_event(const RoomRules& rules = version("11")) {
  auto object = *json::parse_object(
      R"({"auth_events":["$a"],"content":{},"depth":9,"hashes":{"sha256":"x"},"origin_server_ts":5,"prev_events":["$c"],
          "room_id":"!r:x","sender":"@u:x","signatures":{},"type":"m.t"})");
  if (rules.format.event_references_with_hashes) {
    object["event_id"] = "$e:x";
    object["auth_events"] = *json::parse(R"([["$a:x",{"sha256":"h"}]])");
    object["prev_events"] = *json::parse(R"([["$c:x",{"sha256":"h"}]])");
  }
  return object;
}

// The text of an event in which a field has another value, written like this; "": without the field.
std::string with_field(json::Object event, std::string_view field, std::string_view value) {
  event.erase(field);
  auto text = json::serialize(event);
  if (!value.empty()) text.insert(1, fmt::format("\"{}\":{},", field, value));
  return text;
}

struct Field {
  std::string_view name, value;
};

constexpr Field kMalformed[] = {
    {"type", ""},
    {"type", "5"},
    {"type", "null"},
    {"sender", ""},
    {"sender", R"("u")"},
    {"sender", "[]"},
    {"sender", R"("@u")"},
    {"room_id", ""},
    {"room_id", R"("r:x")"},
    {"room_id", "7"},
    {"state_key", "5"},
    {"state_key", "null"},
    {"content", ""},
    {"content", "[]"},
    {"content", R"("")"},
    {"depth", ""},
    {"depth", "-1"},
    {"depth", R"("1")"},
    {"depth", "1.0"},
    {"depth", "true"},
    {"origin_server_ts", ""},
    {"origin_server_ts", R"("1")"},
    {"origin_server_ts", "1e300"},
    {"auth_events", ""},
    {"auth_events", "{}"},
    {"auth_events", "[1]"},
    {"auth_events", R"(["a"])"},
    {"auth_events", "[null]"},
    {"prev_events", ""},
    {"prev_events", R"("$a")"},
    {"prev_events", R"(["$"])"},
    {"hashes", ""},
    {"hashes", "[]"},
    {"hashes", "{}"},
    {"hashes", R"({"sha256":1})"},
    {"hashes", R"({"sha256":"x","md5":5})"},
    {"hashes", R"({"sha256":"x","md5":null})"},
    {"unsigned", "null"},
    {"unsigned", "[]"},
    {"signatures", ""},
    {"signatures", "[]"},
    {"signatures", R"({"x":1})"},
    {"signatures", R"({"x":{"ed25519:1":1}})"},
};

// Where events name each other by ids alone.
constexpr Field kMalformedIds[] = {
    {"auth_events", R"([["$a",{}]])"},
    {"prev_events", R"([["$c",{}]])"},
    {"event_id", R"("$e:x")"},
    {"event_id", "5"},
};

// Where they name each other together with their hashes, and themselves.
constexpr Field kMalformedPairs[] = {
    {"event_id", ""},
    {"event_id", "5"},
    {"event_id", R"("e:x")"},
    {"event_id", R"("$e")"},
    {"event_id", R"("$e:")"},
    {"event_id", R"("$e:x y")"},
    {"event_id", R"("$e:x:y")"},
    {"auth_events", R"(["$a:x"])"},
    {"auth_events", "[[]]"},
    {"auth_events", R"([[{"sha256":"h"},"$a:x"]])"},
    {"auth_events", R"([[null,{"sha256":"h"}]])"},
    {"auth_events", R"([["a:x",{"sha256":"h"}]])"},
    {"auth_events", R"([{"$a:x":{"sha256":"h"}}])"},
    {"auth_events", R"([["$a:x",{"sha256":5}]])"},
    {"prev_events", R"([["$c:x",{"sha256":"h","md5":5}]])"},
    {"prev_events", R"([["$c:x","h"]])"},
    {"prev_events", R"(["$c:x"])"},
    {"prev_events", R"([["$c:x",{"sha256":"h"}],[]])"},
};

// Numbers that strict JSON does not have.
constexpr Field kLaxNumbers[] = {
    {"depth", "9007199254740992"},
    {"depth", "1e2"},
    {"extra", "1.5"},
    {"extra", R"([{"deep":9007199254740992}])"},
};

TEST(Event, RefusesMalformedFields) {
  for (auto& rules : all_room_versions()) {
    auto good = good_event(rules);
    ASSERT_TRUE(Event::parse(json::serialize(good), rules));
    auto check = [&](std::span<const Field> fields, bool accepted) {
      for (auto& [field, value] : fields) {
        SCOPED_TRACE(fmt::format("version {}, {}: {}", rules.version, field, value));
        auto event = Event::parse(with_field(good, field, value), rules);
        EXPECT_EQ(event.has_value(), accepted);
        if (!event) EXPECT_EQ(event.error().code, Code::kBadJson) << event.error().message;
      }
    };
    check(kMalformed, false);
    if (rules.format.event_references_with_hashes)
      check(kMalformedPairs, false);
    else
      check(kMalformedIds, false);
    check(kLaxNumbers, rules.format.canonical == json::CanonicalMode::kLax);
  }
}

EventDraft draft(const RoomRules&);

// "sender MUST NOT exceed 255 bytes", and so of room_id, state_key, type and, where it is in the event, event_id.
TEST(Event, IdsHaveAtMost255Bytes) {
  struct {
    std::string_view field, before, after, version;
  } cases[] = {{"sender", "@", ":x", "11"}, {"sender", "@", ":x", "1"},   {"room_id", "!", ":x", "11"},
               {"room_id", "!", ":x", "1"}, {"event_id", "$", ":x", "1"}, {"event_id", "$", ":x", "2"},
               {"type", "", "", "1"},       {"type", "", "", "11"},       {"state_key", "", "", "1"},
               {"state_key", "", "", "11"}};
  for (auto& c : cases) {
    for (std::string letter : {"x", "é"}) {
      SCOPED_TRACE(fmt::format("{} in version {}, of {}", c.field, c.version, letter));
      auto parse = [&](size_t bytes) {
        auto object = good_event(version(c.version));
        std::string text(c.before);
        while (text.size() + letter.size() + c.after.size() <= bytes) text += letter;
        if (text.size() + c.after.size() < bytes) text += 'x';
        object[c.field] = text.append(c.after);
        return Event::parse(json::serialize(object), version(c.version));
      };
      EXPECT_TRUE(parse(255));
      auto longer = parse(256);
      ASSERT_FALSE(longer);
      EXPECT_EQ(longer.error().code, Code::kTooLarge);
    }
  }
}

TEST(Event, KeepsTheSizeLimits) {
  auto parse = [](const json::Object& object, ReferenceLimits limits = ReferenceLimits::kEnforced) {
    return Event::parse(json::serialize(object), version("11"), limits);
  };

  auto object = good_event();
  json::Array ids;
  for (int i = 0; i < 10; ++i) ids.emplace_back("$" + std::to_string(i));
  object["auth_events"] = ids;
  EXPECT_TRUE(parse(object));
  ids.emplace_back("$10");
  object["auth_events"] = ids;
  EXPECT_EQ(parse(object).error().code, Code::kBadJson);
  EXPECT_TRUE(parse(object, ReferenceLimits::kIgnored));
  object["auth_events"] = json::Array();
  while (ids.size() < 20) ids.emplace_back("$p" + std::to_string(ids.size()));
  object["prev_events"] = ids;
  EXPECT_TRUE(parse(object));
  ids.emplace_back("$last");
  object["prev_events"] = ids;
  EXPECT_EQ(parse(object).error().code, Code::kBadJson);

  object = good_event();
  object["content"] = json::Object{{"body", ""}};
  size_t rest = json::serialize(object).size();
  object["content"] = json::Object{{"body", std::string(65536 - rest, 'x')}};
  EXPECT_TRUE(parse(object));
  object["content"] = json::Object{{"body", std::string(65537 - rest, 'x')}};
  EXPECT_EQ(parse(object).error().code, Code::kTooLarge);
}

// Attack 8: of a list of any length no more is kept than the limits allow, and where those are not asked for
// (backfill), than fits into the bytes of an event.
TEST(Event, Attack08HugeListsAreRefused) {
  for (auto& rules : all_room_versions()) {
    bool pairs = rules.format.event_id == EventIdFormat::kInEvent;
    for (auto list : {"auth_events", "prev_events"}) {
      for (int length : {21, 1'000, 100'000}) {
        SCOPED_TRACE(fmt::format("version {}, {} {}", rules.version, length, list));
        auto object = good_event(rules);
        json::Array ids;
        for (int i = 0; i < length; ++i) {
          auto id = fmt::format("$listed{}:x", i);
          ids.push_back(pairs ? json::Value(json::Array{id, json::Object()}) : json::Value(id));
        }
        object[list] = std::move(ids);
        auto text = json::serialize(object);
        EXPECT_FALSE(Event::parse(text, rules));
        EXPECT_EQ(Event::parse(text, rules, ReferenceLimits::kIgnored).has_value(), text.size() <= kMaxEventBytes);
      }
    }
  }
}

TEST(Event, TheLimitIsOfTheCanonicalForm) {
  auto object = good_event();
  std::string text = json::serialize(object), spaces(70000, ' ');
  auto event = Event::parse("{" + spaces + text.substr(1), version("11"));
  ASSERT_TRUE(event) << event.error().message;
  EXPECT_EQ((*event)->text(), json::canonical(object, json::CanonicalMode::kStrict));
  EXPECT_EQ(Event::parse("{" + std::string(400000, ' ') + text.substr(1), version("11")).error().code, Code::kTooLarge);
  std::string escaped;
  while (escaped.size() < 6 * 60'000) escaped += "\\u0061";
  auto with_body =
      std::string(text).replace(text.find("\"content\":{}"), 12, "\"content\":{\"body\":\"" + escaped + "\"}");
  EXPECT_TRUE(Event::parse(with_body, version("11"))) << "60 000 letters, each written in six bytes";
  // Version 5: exponents make the canonical form longer than the text.
  std::string powers = "[1e15";
  while (powers.size() < 60000) powers += ",1e15";
  text.replace(text.find("\"content\":{}"), 12, "\"content\":{\"n\":" + powers + "]}");
  ASSERT_LT(text.size(), kMaxEventBytes);
  EXPECT_EQ(Event::parse(text, version("5")).error().code, Code::kTooLarge);
}

// Attack 5, CVE-2025-30355: one number out of range stopped federation. It is refused wherever it stands, when it comes
// and when it would go out.
TEST(Event, Attack05NumbersOutOfRangeAreRefusedEverywhere) {
  for (auto& rules : all_room_versions()) {
    if (rules.format.canonical != json::CanonicalMode::kStrict) continue;
    for (std::string n : {"9007199254740992", "-9007199254740992", "18446744073709551615", "1e400", "1.5", "1e2"}) {
      for (auto& [field, value] : {std::pair{"depth", n},
                                   {"origin_server_ts", n},
                                   {"content", R"({"a":[{"b":)" + n + "}]}"},
                                   {"hashes", R"({"sha256":"x","n":)" + n + "}"},
                                   {"signatures", R"({"x":{"ed25519:1":)" + n + "}}"},
                                   {"org.example.extra", n}}) {
        auto text = with_field(good_event(), field, value);
        EXPECT_FALSE(Event::parse(text, rules)) << rules.version << " " << text;
      }
    }
    EventDraft out = draft(rules);
    out.content["deep"] = json::Array{json::Object{{"n", int64_t{1} << 53}}};
    EXPECT_FALSE(OwnEvent::build(out, rules, ServerName::trusted("domain"), spec_key())) << rules.version;
  }
}

TEST(Event, OldVersionsTakeFloatsAndBigDepths) {
  auto object = good_event();
  object["content"] = json::Object{{"level", 50.5}};
  object["depth"] = int64_t{1} << 60;
  for (auto v : {"3", "4", "5"}) EXPECT_TRUE(Event::parse(json::serialize(object), version(v))) << v;
  for (auto v : {"6", "12"}) EXPECT_FALSE(Event::parse(json::serialize(object), version(v))) << v;
}

// Attack 1: so nobody can make a room under the id of another.
TEST(Event, Attack01RoomIdOfVersion12IsTheCreateEventsHash) {
  auto object = good_event();
  object["type"] = "m.room.create";
  object["state_key"] = "";
  object["auth_events"] = object["prev_events"] = json::Array();
  object.erase("room_id");
  auto create = *Event::parse(json::serialize(object), version("12"));
  EXPECT_EQ(create->room_id().str(), "!" + create->event_id().str().substr(1));
  EXPECT_TRUE(RoomId::parse(create->room_id().str()));
  EXPECT_EQ((*Event::restore(create->text(), create->event_id(), version("12")))->room_id(), create->room_id());
  EXPECT_FALSE(Event::parse(json::serialize(object), version("11")));
  object["type"] = "m.room.member";
  EXPECT_FALSE(Event::parse(json::serialize(object), version("12")));
}

TEST(Event, RestoreRefusesWhatIsNotAnEvent) {
  for (auto text : {"", "[]", "{}", R"({"type":"m.t"})"})
    EXPECT_EQ(Event::restore(text, EventId::trusted("$x"), version("11")).error().code, Code::kCorrupt);
}

EventDraft draft(const RoomRules& rules) {
  EventDraft d;
  d.room_id = RoomId::trusted("!r:domain");
  d.sender = UserId::trusted("@a:domain");
  d.type = "m.room.message";
  d.content = json::Object{{"msgtype", "m.text"}, {"body", "hi \"there\"\n"}};
  d.prev_events = {EventId::trusted("$p:x"), EventId::trusted("$q:x")};
  d.auth_events = {EventId::trusted("$a:x")};
  if (rules.format.event_references_with_hashes)
    for (auto id : {"$p:x", "$q:x", "$a:x"}) d.reference_hashes[EventId::trusted(id)] = sha256(id);
  d.depth = 12;
  d.origin_server_ts = 1234567890123;
  return d;
}

TEST(OwnEvent, IsWhatOthersWouldAccept) {
  auto key = spec_key();
  auto origin = ServerName::trusted("domain");
  for (auto& rules : all_room_versions()) {
    auto d = draft(rules);
    d.state_key = "key";
    d.redacts = EventId::trusted("$r:x");
    auto built = OwnEvent::build(d, rules, origin, key);
    ASSERT_TRUE(built) << built.error().message;
    auto& event = *built->event();
    auto parsed = Event::parse(event.text(), rules);
    ASSERT_TRUE(parsed) << rules.version << parsed.error().message << event.text();
    EXPECT_EQ((*parsed)->event_id(), event.event_id()) << rules.version;
    EXPECT_EQ((*parsed)->object(), event.object());
    EXPECT_EQ((*parsed)->prev_events(), event.prev_events());
    EXPECT_EQ((*parsed)->auth_events(), event.auth_events());
    EXPECT_EQ(event.depth(), 12);
    EXPECT_EQ(event.state_key(), "key");
    EXPECT_EQ(event.text(), json::canonical(event.object(), rules.format.canonical)) << rules.version;
    EXPECT_EQ(json::string_at(event.object().at("hashes").as_object(), "sha256"),
              base64(*content_hash(event.object(), rules)));
    EXPECT_TRUE(
        verify_json(redact(event.object(), rules), "domain", "ed25519:1", key.public_key(), rules.format.canonical));
  }
}

EventDraft create_draft() {
  EventDraft d;
  d.sender = UserId::trusted("@a:domain");
  d.type = "m.room.create";
  d.state_key = "";
  d.content = json::Object{{"room_version", "12"}};
  return d;
}

TEST(OwnEvent, Version12CreateNamesItsRoom) {
  auto d = create_draft();
  auto built = OwnEvent::build(d, version("12"), ServerName::trusted("domain"), spec_key());
  ASSERT_TRUE(built);
  EXPECT_EQ(built->event()->room_id().str(), "!" + built->event()->event_id().str().substr(1));
  EXPECT_FALSE(built->event()->object().contains("room_id"));
  EXPECT_FALSE(OwnEvent::build(d, version("11"), ServerName::trusted("domain"), spec_key()));
}

TEST(OwnEvent, RefusesWhatCannotBeSent) {
  auto& rules = version("12");
  auto build = [&](EventDraft d) {
    return OwnEvent::build(std::move(d), rules, ServerName::trusted("domain"), spec_key());
  };
  auto refused = [&](auto change) {
    EventDraft d = draft(rules);
    change(d);
    auto built = build(std::move(d));
    EXPECT_FALSE(built);
    return built ? Code::kInternal : built.error().code;
  };
  EXPECT_TRUE(build(draft(rules)));
  EXPECT_EQ(refused([](auto& d) { d.content["n"] = 1.5; }), Code::kBadJson);
  EXPECT_EQ(refused([](auto& d) { d.content["n"] = int64_t{1} << 53; }), Code::kBadJson);
  EXPECT_EQ(refused([](auto& d) { d.content["body"] = std::string(65536, 'x'); }), Code::kTooLarge);
  EXPECT_EQ(refused([](auto& d) { d.type = std::string(256, 'x'); }), Code::kTooLarge);
  EXPECT_EQ(refused([](auto& d) { d.state_key = std::string(256, 'x'); }), Code::kTooLarge);
  EXPECT_EQ(refused([](auto& d) { d.type = "\xff"; }), Code::kInvalidParam);
  EXPECT_EQ(refused([](auto& d) { d.depth = kMaxDepth + 1; }), Code::kBadJson);
  EXPECT_EQ(refused([](auto& d) { d.prev_events.resize(21, EventId::trusted("$x")); }), Code::kBadJson);
  EXPECT_EQ(refused([](auto& d) { d.auth_events.resize(11, EventId::trusted("$x")); }), Code::kBadJson);
  EXPECT_EQ(refused([](auto& d) { d.room_id.reset(); }), Code::kInternal);
}

// What we build, peers read.
TEST(OwnEvent, NestingIsLimitedAsPdusAre) {
  for (auto& rules : all_room_versions()) {
    for (int arrays : {98, 99, 126, 127, 300}) {
      auto d = draft(rules);
      auto text = "{\"x\":" + std::string(arrays, '[') + std::string(arrays, ']') + "}";
      d.content = *json::parse_object(text, {.depth = 1000});
      auto event = OwnEvent::build(d, rules, ServerName::trusted("domain"), spec_key());
      ASSERT_EQ(event.has_value(), arrays <= 126) << rules.version << " " << arrays;
      if (!event) EXPECT_EQ(event.error().code, Code::kBadJson);
      if (event) EXPECT_TRUE(Event::parse(event->event()->text(), rules)) << rules.version << " " << arrays;
    }
    // The content that a client may send at most.
    auto deepest =
        "{\"x\":" + std::string(json::kMaxBodyDepth - 1, '[') + std::string(json::kMaxBodyDepth - 1, ']') + "}";
    EXPECT_TRUE(json::parse_object(deepest));
    EXPECT_FALSE(json::parse_object("{\"x\":" + deepest + "}"));
  }
}

// Attack 8: depths below, above and beside the numbers that a depth can be.
TEST(Event, Attack08AbsurdDepthsAreRefused) {
  for (auto& rules : all_room_versions()) {
    for (auto depth : {"-1", "-9223372036854775808", "9223372036854775808", "18446744073709551615", "1e19", "1e400",
                       "99999999999999999999999", "0.5", "\"5\"", "[]"})
      EXPECT_FALSE(Event::parse(with_field(good_event(rules), "depth", depth), rules)) << rules.version << " " << depth;
  }
}

// Attack 8 too: an event at the limit does not stop the room.
TEST(Event, Attack08DepthStopsAtTheLimitOfTheVersion) {
  for (auto& rules : all_room_versions()) {
    bool strict = rules.format.strict_depth;
    EXPECT_EQ(max_depth(rules), strict ? (int64_t{1} << 53) - 1 : INT64_MAX) << rules.version;
    EXPECT_EQ(next_depth(7, rules), 8);
    EXPECT_EQ(next_depth(max_depth(rules) - 1, rules), max_depth(rules));
    EXPECT_EQ(next_depth(max_depth(rules), rules), max_depth(rules));
    EXPECT_EQ(next_depth(INT64_MAX, rules), max_depth(rules));
    auto d = draft(rules);
    d.depth = max_depth(rules);
    auto event = OwnEvent::build(d, rules, ServerName::trusted("domain"), spec_key());
    ASSERT_TRUE(event) << rules.version;
    EXPECT_EQ((*Event::parse(event->event()->text(), rules))->depth(), max_depth(rules));
  }
}

TEST(OwnEvent, SizeLimitIsExact) {
  auto& rules = version("12");
  auto d = draft(rules);
  d.content = json::Object{{"body", ""}};
  size_t rest = OwnEvent::build(d, rules, ServerName::trusted("domain"), spec_key())->event()->text().size();
  d.content["body"] = std::string(kMaxEventBytes - rest, 'x');
  EXPECT_EQ(OwnEvent::build(d, rules, ServerName::trusted("domain"), spec_key())->event()->text().size(),
            kMaxEventBytes);
  d.content["body"] = std::string(kMaxEventBytes - rest + 1, 'x');
  EXPECT_FALSE(OwnEvent::build(d, rules, ServerName::trusted("domain"), spec_key()));
}

TEST(ClientEvent, HasTheFieldsOfEachFormat) {
  auto object = good_event();
  object["content"] = json::Object{{"b", 1}, {"a", "é"}};
  object["state_key"] = "k";
  object["unsigned"] = json::Object{{"from", "remote"}};
  auto event = *Event::parse(json::serialize(object), version("11"));
  auto id = event->event_id().str();
  auto read = [](const std::string& text) { return *json::parse_object(text); };
  json::Object room{{"content", {{"b", 1}, {"a", "é"}}},
                    {"event_id", id},
                    {"origin_server_ts", 5},
                    {"room_id", "!r:x"},
                    {"sender", "@u:x"},
                    {"state_key", "k"},
                    {"type", "m.t"}};
  EXPECT_EQ(read(client_event(*event, ClientFormat::kRoom)), room);
  room["unsigned"] = json::Object{{"age", 3}};
  EXPECT_EQ(read(client_event(*event, ClientFormat::kRoom, {{"age", 3}})), room);
  room.erase("room_id");
  EXPECT_EQ(read(client_event(*event, ClientFormat::kSync, {{"age", 3}})), room);
  EXPECT_EQ(
      read(client_event(*event, ClientFormat::kStripped, {{"age", 3}})),
      (json::Object{{"content", {{"b", 1}, {"a", "é"}}}, {"sender", "@u:x"}, {"state_key", "k"}, {"type", "m.t"}}));
}

TEST(ClientEvent, NamesTheRoomThatAVersion12CreateMakes) {
  auto& rules = version("12");
  auto ours = OwnEvent::build(create_draft(), rules, ServerName::trusted("domain"), spec_key())->event();
  for (auto& create :
       {ours, *Event::parse(ours->text(), rules), *Event::restore(ours->text(), ours->event_id(), rules)}) {
    auto shown = *json::parse_object(client_event(*create, ClientFormat::kRoom));
    EXPECT_EQ(json::string_at(shown, "room_id"), "!" + ours->event_id().str().substr(1));
    EXPECT_FALSE(json::parse_object(client_event(*create, ClientFormat::kSync))->contains("room_id"));
  }
}

TEST(ClientEvent, ShowsRedactsInBothPlaces) {
  for (auto& rules : all_room_versions()) {
    auto d = draft(rules);
    d.type = "m.room.redaction";
    d.content = json::Object{{"reason", "spam"}};
    d.redacts = EventId::trusted("$bad:x");
    auto event = OwnEvent::build(d, rules, ServerName::trusted("domain"), spec_key())->event();
    EXPECT_EQ(event->redacts(), EventId::trusted("$bad:x")) << rules.version;
    EXPECT_EQ(event->object().contains("redacts"), !rules.format.redacts_in_content);
    EXPECT_EQ(event->content().contains("redacts"), rules.format.redacts_in_content);
    auto shown = *json::parse_object(client_event(*event, ClientFormat::kSync));
    EXPECT_EQ(shown.at("redacts"), "$bad:x");
    EXPECT_EQ(shown.at("content").at("redacts"), "$bad:x");
    EXPECT_EQ(shown.at("content").at("reason"), "spam");
  }
}

}  // namespace
}  // namespace myelin
