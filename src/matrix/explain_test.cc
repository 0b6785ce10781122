#include "matrix/explain.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <random>

#include "base/bytes.h"
#include "matrix/testing/cpu_time.h"

namespace myelin {
namespace {

// Alice's room as a file would hold it: real PDUs, each naming the ones before it.
class Book {
 public:
  explicit Book(const RoomRules& rules) : rules_(rules) {
    write("create", "alice", "m.room.create", "", {{"room_version", rules.version}, {"creator", "@alice:x"}}, {});
    room_ = events_.at("create")->room_id();
    write("alice", "alice", "m.room.member", "@alice:x", {{"membership", "join"}}, {"create"});
    json::Object users{{"@bob:x", 0}};
    if (!rules.auth.creators_infinite) users["@alice:x"] = 100;
    write("levels", "alice", "m.room.power_levels", "", {{"users", users}}, {"alice"}, {"alice"});
    write("rules", "alice", "m.room.join_rules", "", {{"join_rule", "public"}}, {"levels"}, {"alice", "levels"});
    write("bob", "bob", "m.room.member", "@bob:x", {{"membership", "join"}}, {"rules"}, {"levels", "rules"});
  }

  // `auth` without the create event.
  void write(const std::string& name, std::string_view sender, std::string_view type, std::optional<std::string> key,
             json::Object content, std::vector<std::string> prev, std::vector<std::string> auth = {}) {
    EventDraft draft;
    bool is_create = type == "m.room.create";
    if (is_create ? rules_.format.create_has_room_id : true)
      draft.room_id = is_create ? RoomId::trusted("!r:x") : room_;
    draft.sender = UserId::trusted("@" + std::string(sender) + ":x");
    draft.type = type;
    draft.state_key = std::move(key);
    draft.content = std::move(content);
    draft.depth = draft.origin_server_ts = static_cast<int64_t>(lines_.size()) + 1;
    if (!is_create && !rules_.auth.room_id_from_create) auth.insert(auth.begin(), "create");
    for (auto [names, ids] : {std::pair{&prev, &draft.prev_events}, {&auth, &draft.auth_events}}) {
      for (auto& each : *names) {
        auto& event = *events_.at(each);
        ids->push_back(event.event_id());
        draft.reference_hashes[event.event_id()] = *reference_hash(event.object(), rules_);
      }
    }
    static SeededRandom random(1);
    static const SigningKey signing_key = SigningKey::generate(random, "k");
    auto event = OwnEvent::build(std::move(draft), rules_, ServerName::trusted("x"), signing_key).value().event();
    names_[event->event_id()] = name;
    events_[name] = event;
    lines_.push_back(event->text());
  }
  void add_line(std::string line) { lines_.push_back(std::move(line)); }
  std::vector<std::string>& lines() { return lines_; }
  const std::string& name(const Event& event) const { return names_.at(event.event_id()); }
  EventPtr event(const std::string& name) const { return events_.at(name); }

  Explanation explained() const {
    std::string text;
    for (auto& line : lines_) text += line + "\n";
    return explain_room(text).value();
  }
  // The names of the state, sorted.
  std::vector<std::string> state(const Explanation& explanation) const {
    std::vector<std::string> names;
    for (auto& event : explanation.state) names.push_back(names_.at(event->event_id()));
    std::ranges::sort(names);
    return names;
  }
  const ExplainedEvent& told(const Explanation& explanation, const std::string& name) const {
    return *std::ranges::find_if(explanation.events,
                                 [&](auto& told) { return told.event && names_.at(told.event->event_id()) == name; });
  }

 private:
  const RoomRules& rules_;
  RoomId room_;
  std::map<std::string, EventPtr> events_;
  std::map<EventId, std::string> names_;
  std::vector<std::string> lines_;
};

using Names = std::vector<std::string>;

TEST(Explain, SaysWhyEachEventWasAcceptedOrRejected) {
  for (auto& rules : all_room_versions()) {
    Book book(rules);
    book.write("topic", "bob", "m.room.topic", "", {{"topic", "bob's"}}, {"bob"}, {"levels", "bob"});
    book.write("hello", "bob", "m.room.message", std::nullopt, {{"body", "hi"}}, {"topic"}, {"levels", "bob"});
    auto explanation = book.explained();
    EXPECT_EQ(explanation.rules, &rules);
    EXPECT_EQ(explanation.room, book.event("create")->room_id());
    EXPECT_EQ(book.state(explanation), (Names{"alice", "bob", "create", "levels", "rules"})) << rules.version;
    EXPECT_EQ(book.told(explanation, "hello").verdict, Verdict::kAccept);
    auto& topic = book.told(explanation, "topic");
    EXPECT_EQ(topic.verdict, Verdict::kReject);
    EXPECT_NE(topic.reason.find("needs 50"), std::string::npos) << topic.reason;
    EXPECT_EQ(explanation.extremities, std::vector{book.event("hello")->event_id()});
    auto text = to_text(explanation);
    EXPECT_NE(
        text.find("rejected " + book.event("topic")->event_id().str() + " m.room.topic \"\" by @bob:x\n  because:"),
        std::string::npos)
        << text;
    EXPECT_NE(text.find("state after 1 forward extremity:\n"), std::string::npos) << text;
  }
}

TEST(Explain, ResolvesForksWhateverTheOrderOfTheLines) {
  std::mt19937 random(4);
  for (auto& rules : all_room_versions()) {
    Book book(rules);
    book.write("ban", "alice", "m.room.member", "@bob:x", {{"membership", "ban"}}, {"bob"}, {"levels", "alice", "bob"});
    book.write("bob renamed", "bob", "m.room.member", "@bob:x", {{"membership", "join"}, {"displayname", "B."}},
               {"bob"}, {"levels", "bob", "rules"});
    auto forked = book.explained();
    EXPECT_EQ(forked.extremities.size(), 2u);
    EXPECT_EQ(book.state(forked), (Names{"alice", "ban", "create", "levels", "rules"})) << rules.version;
    // What Bob says after the fork was healed is rejected by the state before it, not by his auth events.
    book.write("healed", "alice", "m.x", std::nullopt, {}, {"ban", "bob renamed"}, {"levels", "alice"});
    book.write("late", "bob", "m.x", std::nullopt, {}, {"healed"}, {"levels", "bob renamed"});
    auto text = to_text(book.explained());
    for (int i = 0; i < 5; ++i) {
      auto explanation = book.explained();
      EXPECT_EQ(book.state(explanation), (Names{"alice", "ban", "create", "levels", "rules"}));
      auto& late = book.told(explanation, "late");
      EXPECT_EQ(late.verdict, Verdict::kReject);
      EXPECT_TRUE(late.reason.starts_with("by the state before it")) << late.reason;
      std::ranges::shuffle(book.lines(), random);
    }
  }
}

TEST(Explain, NamesTheLinesThatAreNoEvents) {
  Book book(*find_room_version("11"));
  book.add_line("");
  book.add_line("nonsense");
  book.add_line("{}");
  book.add_line(book.event("bob")->text());
  auto explanation = book.explained();
  std::map<size_t, std::string> dropped;
  for (auto& told : explanation.events)
    if (told.verdict == Verdict::kDrop) dropped[told.line] = told.reason;
  ASSERT_EQ(dropped.size(), 3u);
  EXPECT_TRUE(dropped.contains(7) && dropped.contains(8) && dropped.contains(9));
  EXPECT_EQ(dropped.at(9), "it was there before");
  EXPECT_NE(to_text(explanation).find("dropped  line 7\n  because: the text is not JSON"), std::string::npos);
}

TEST(Explain, Attack01OtherRoomsAndOtherCreateEventsAreNoPartOfIt) {
  for (auto& rules : all_room_versions()) {
    Book book(rules);
    auto create_of = [&](std::string_view room, std::string_view user) {
      json::Object pdu{{"type", "m.room.create"},
                       {"sender", user},
                       {"state_key", ""},
                       {"content", json::Object{{"room_version", rules.version}, {"creator", user}}},
                       {"depth", 1},
                       {"origin_server_ts", 1},
                       {"prev_events", json::Array()},
                       {"auth_events", json::Array()},
                       {"hashes", json::Object{{"sha256", "x"}}},
                       {"signatures", json::Object()}};
      if (rules.format.create_has_room_id) pdu["room_id"] = room;
      if (rules.format.event_id == EventIdFormat::kInEvent) pdu["event_id"] = fmt::format("$forged:{}", user.substr(9));
      return json::serialize(pdu);
    };
    book.add_line(create_of("!other:b", "@mallory:b"));
    book.add_line(create_of("!r:x", "@mallory:x"));
    auto explanation = book.explained();
    std::map<size_t, std::string> dropped;
    for (auto& told : explanation.events)
      if (told.verdict == Verdict::kDrop) dropped[told.line] = told.reason;
    ASSERT_EQ(dropped.size(), 2u) << rules.version;
    EXPECT_TRUE(dropped.at(6).starts_with("it is of another room, !")) << dropped.at(6);
    auto& create = book.event("create")->event_id();
    if (rules.format.create_has_room_id) EXPECT_EQ(dropped.at(7), "the room's create event is " + create.str());
    EXPECT_EQ(book.state(explanation), (Names{"alice", "bob", "create", "levels", "rules"})) << rules.version;
  }
}

TEST(Explain, SaysWhatAllowedAnEvent) {
  for (auto& rules : all_room_versions()) {
    Book book(rules);
    book.write("hello", "bob", "m.room.message", std::nullopt, {{"body", "hi"}}, {"bob"}, {"levels", "bob"});
    auto names_of = [&](const std::string& name) {
      Names names;
      for (auto& event : book.told(book.explained(), name).allowed_by) names.push_back(book.name(*event));
      std::ranges::sort(names);
      return names;
    };
    EXPECT_EQ(names_of("hello"), (Names{"bob", "create", "levels"})) << rules.version;
    EXPECT_EQ(names_of("bob"), (Names{"create", "levels", "rules"})) << rules.version;
    EXPECT_EQ(names_of("create"), Names{}) << rules.version;
    auto& levels = book.event("levels")->event_id();
    EXPECT_NE(to_text(book.explained()).find(fmt::format("{} m.room.power_levels \"\", ", levels)), std::string::npos);
    // Where what came before is not here, its auth events did.
    book.write("after", "bob", "m.room.message", std::nullopt, {{"body", "hm"}}, {"hello"}, {"levels", "bob"});
    std::erase_if(book.lines(), [&](auto& line) { return line == book.event("hello")->text(); });
    Names listed{"bob", "levels"};
    if (!rules.auth.room_id_from_create) listed.insert(listed.begin() + 1, "create");
    EXPECT_EQ(names_of("after"), listed) << rules.version;
  }
}

TEST(Explain, TellsWhatWasRedactedAndWhatIsMissing) {
  Book book(*find_room_version("11"));
  book.write("one", "bob", "m.x", std::nullopt, {{"body", "one"}}, {"bob"}, {"levels", "bob"});
  book.write("two", "bob", "m.x", std::nullopt, {{"body", "two"}}, {"one"}, {"levels", "bob"});
  auto changed = book.event("two")->object();
  changed["content"] = json::Object{{"body", "changed"}};
  book.lines()[5].clear();
  book.lines()[6] = json::serialize(changed);
  auto explanation = book.explained();
  auto& two = explanation.events.back();
  EXPECT_EQ(two.verdict, Verdict::kAccept);
  EXPECT_TRUE(two.event->content().empty());
  EXPECT_EQ(two.notes, "not all events before it are here; redacted: its hash is another");
  // Without Bob's membership nothing of his counts.
  book.lines()[4].clear();
  EXPECT_EQ(book.explained().events.back().reason, "auth events: an auth event is missing");
}

// Attack 8: in versions 1 and 2 ids are chosen, so events can claim to build on each other.
TEST(Explain, Attack08CirclesAreDropped) {
  Book book(*find_room_version("2"));
  for (auto [id, other] : {std::pair{"$a:x", "$b:x"}, {"$b:x", "$a:x"}, {"$self:x", "$self:x"}}) {
    auto pdu = book.event("bob")->object();
    pdu["event_id"] = id;
    pdu["prev_events"].as_array()[0].as_array()[0] = other;
    book.add_line(json::serialize(pdu));
  }
  auto explanation = book.explained();
  EXPECT_EQ(std::ranges::count(explanation.events, std::string("it builds on itself"), &ExplainedEvent::reason), 3);
  EXPECT_EQ(book.state(explanation).size(), 5u);
  auto create = book.event("create")->object();
  create["prev_events"] = book.event("bob")->object().at("prev_events");
  create["prev_events"].as_array()[0].as_array()[0] = create.at("event_id");
  book.lines() = {json::serialize(create)};
  EXPECT_EQ(book.explained().events.front().reason, "it builds on itself");
  EXPECT_TRUE(book.explained().state.empty());
}

// Attack 8: a room of nothing but forks, each with a state of its own.
TEST(Explain, Attack08OnlySoManyForksAreResolved) {
  Book book(*find_room_version("11"));
  std::vector<std::string> all;
  for (int i = 0; i < 230; ++i) {
    all.push_back(std::to_string(i));
    book.write(all.back(), "alice", "m.x", all.back(), {}, {"bob"}, {"levels", "alice"});
  }
  auto explanation = book.explained();
  EXPECT_EQ(explanation.extremities.size(), 230u);
  EXPECT_EQ(explanation.resolved, 200u);
  EXPECT_EQ(explanation.state.size(), 205u);
  EXPECT_NE(to_text(explanation).find("state after the 200 deepest of 230 forward extremities:"), std::string::npos);
  auto object = book.event("bob")->object();  // more than we would build
  object["prev_events"] = json::Array();
  for (auto& name : all) object["prev_events"].as_array().emplace_back(book.event(name)->event_id().str());
  book.add_line(json::serialize(object));
  auto joined = book.explained();
  EXPECT_EQ(joined.events.back().notes.find("of the states before it only 200 of 230 are resolved"), 0u)
      << joined.events.back().notes;
}

// Attack 8: one fork, joined again and again, is resolved once: that costs as much as going on from one of its ends.
TEST(Explain, Attack08AForkIsResolvedOnce) {
  Book joined(*find_room_version("11"));
  Names ends{"bob", "bob"};
  for (int i = 0; i < 400; ++i) {
    auto& end = ends[static_cast<size_t>(i) % 2];
    auto name = std::to_string(i);
    joined.write(name, "alice", "m.x", name, {}, {std::exchange(end, name)}, {"levels", "alice"});
  }
  Book alone = joined;
  for (int i = 0; i < 1'000; ++i) {
    auto name = "message " + std::to_string(i);
    joined.write(name, "alice", "m.room.message", std::nullopt, {}, ends, {"levels", "alice"});
    alone.write(name, "alice", "m.room.message", std::nullopt, {}, {ends[0]}, {"levels", "alice"});
  }
  auto explanation = joined.explained();
  EXPECT_EQ(explanation.extremities.size(), 1'000u);
  EXPECT_EQ(explanation.state.size(), 405u);
  double cost = testing::cpu_seconds_of([&] { (void)joined.explained(); });
  EXPECT_LT(cost, 5 * testing::cpu_seconds_of([&] { (void)alone.explained(); }));
}

TEST(Explain, ACreateEventMayCiteAnything) {
  Book book(*find_room_version("2"));
  auto pdu = book.event("create")->object();
  pdu["auth_events"] = pdu["prev_events"];
  pdu["auth_events"].as_array().push_back(book.event("bob")->object().at("prev_events").at(0));
  pdu["auth_events"].as_array()[0].as_array()[0] = "$nowhere:x";
  book.lines()[0] = json::serialize(pdu);
  EXPECT_EQ(book.explained().events.front().verdict, Verdict::kAccept);
}

// A create event is read as any other, however deeply its content is nested.
TEST(Explain, ReadsACreateEventAsDeepAsEventsMayBe) {
  constexpr size_t kAround = 2;  // the event and its content
  auto explained = [](size_t depth) {
    auto nested = std::string(depth - kAround, '[') + std::string(depth - kAround, ']');
    Book book(*find_room_version("11"));
    auto pdu = book.event("create")->object();
    pdu["content"].as_object()["x"] = *json::parse(nested, {.depth = json::kMaxStoredDepth});
    pdu["hashes"].as_object()["sha256"] = base64(*content_hash(pdu, *find_room_version("11")));
    return explain_room(json::serialize(pdu));
  };
  for (size_t depth : {json::kMaxBodyDepth, json::kMaxBodyDepth + 1, json::kMaxPduDepth}) {
    auto explanation = explained(depth);
    ASSERT_TRUE(explanation) << depth << ": " << explanation.error().message;
    EXPECT_EQ(explanation->events.front().verdict, Verdict::kAccept) << depth;
  }
  EXPECT_EQ(explained(json::kMaxPduDepth + 1).error().code, Code::kInvalidParam);
}

std::string refusal(std::string_view lines) {
  auto explained = explain_room(lines);
  if (explained) return "";
  EXPECT_EQ(explained.error().code, Code::kInvalidParam);
  return explained.error().message;
}

TEST(Explain, NeedsACreateEventOfAKnownVersion) {
  EXPECT_EQ(refusal(""), "there is no m.room.create event");
  EXPECT_EQ(refusal("{}\n5\n"), "there is no m.room.create event");
  auto create = [](std::string_view version) {
    return R"({"type":"m.room.create","content":{"room_version":)" + std::string(version) + "}}";
  };
  EXPECT_EQ(refusal(create(R"("99")")), "room version 99 is not known");
  EXPECT_EQ(refusal(create("12")), "room version 12 is not known") << "a number is none";
  EXPECT_EQ(refusal(create(R"("\u001b[2J")")), "room version \\x1b[2J is not known") << "nothing steers the terminal";
  EXPECT_EQ(refusal(create('"' + std::string(100, 'x') + '"')), "room version of 100 bytes is not known");
  EXPECT_TRUE(refusal(create(R"("1")")).contains("event; line 1 is no m.room.create event: "));
}

TEST(Explain, TakesARoomAsFilesHaveIt) {
  std::ifstream file("src/matrix/examples/room.jsonl");
  std::string room{std::istreambuf_iterator<char>(file), {}};
  auto text = to_text(explain_room(room).value());
  EXPECT_EQ(to_text(explain_room("\xEF\xBB\xBF" + room).value()), text) << "a byte order mark";
  auto escaped = room;
  escaped.replace(escaped.find("m.room.create"), 13, "m.room.cre\\u0061te");
  EXPECT_EQ(to_text(explain_room(escaped).value()), text);
  auto malformed = R"({"type":"m.room.create","content":{"room_version":"1"}})"
                   "\n" +
                   room;
  EXPECT_EQ(explain_room(malformed).value().rules->version, explain_room(room).value().rules->version);
  std::ranges::replace(room, '\n', ',');
  EXPECT_TRUE(refusal("[" + room + "0]").contains("line 1 is no JSON object, as each line has to be"));
}

TEST(Explain, EventsDoNotSteerTheTerminal) {
  Book book(*find_room_version("11"));
  book.write("odd", "bob", "m.\x1b[2J\x7f\xc2\x9b\nrejected", std::nullopt, {}, {"bob"}, {"levels", "bob"});
  auto text = to_text(book.explained());
  EXPECT_NE(text.find(" m.\\x1b[2J\\x7f\\x9b\\x0arejected by"), std::string::npos) << text;
}

}  // namespace
}  // namespace myelin
