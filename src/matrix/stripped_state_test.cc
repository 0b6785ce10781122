#include "matrix/stripped_state.h"

#include <gtest/gtest.h>

#include <set>

namespace myelin {
namespace {

const ServerName kServer = ServerName::trusted("a.example");
constexpr int64_t kNow = 1'700'000'000'000;

const SigningKey& key() {
  static SeededRandom random(9);
  static const SigningKey key = SigningKey::generate(random, "k");
  return key;
}

// Ada's room in one version: events that are signed as they should be.
class Room {
 public:
  explicit Room(std::string_view version) : rules(*find_room_version(version)) {
    EventDraft draft;
    if (rules.format.create_has_room_id) draft.room_id = RoomId::trusted("!room:a.example");
    draft.content = {{"room_version", version}, {"creator", "@ada:a.example"}};
    create = build(std::move(draft), "m.room.create");
    id = create->room_id();
  }
  EventPtr state(std::string_view type, json::Object content, const RoomId* room = nullptr) const {
    EventDraft draft;
    draft.room_id = room ? *room : id;
    draft.content = std::move(content);
    return build(std::move(draft), type);
  }
  EventPtr build(EventDraft draft, std::string_view type) const {
    draft.sender = UserId::trusted("@ada:a.example");
    draft.type = type;
    draft.state_key = "";
    draft.origin_server_ts = kNow;
    return OwnEvent::build(std::move(draft), rules, kServer, key()).value().event();
  }
  Result<StrippedState> read(const json::Value& list, Faulty faulty) const {
    return read_stripped_state(&list, id, rules, faulty);
  }
  Code refusal(const json::Value& list) const {
    auto state = read(list, Faulty::kRefuse);
    EXPECT_FALSE(state) << json::serialize(list);
    return state ? Code::kInternal : state.error().code;
  }

  const RoomRules& rules;
  EventPtr create;
  RoomId id;
};

json::Value list_of(std::initializer_list<json::Value> entries) { return json::Array(entries.begin(), entries.end()); }

TEST(StrippedState, ServersExchangePdusAndClientsGetFourFields) {
  for (auto& rules : all_room_versions()) {
    Room room(rules.version);
    auto name = room.state("m.room.name", {{"name", "Tea"}});
    auto sent = stripped_state_pdus(std::array{name, room.create});
    ASSERT_TRUE(sent);
    EXPECT_EQ(*sent, (json::Array{room.create->object(), name->object()})) << "the create event comes first";
    auto read = room.read(*sent, Faulty::kRefuse);
    ASSERT_TRUE(read) << rules.version << read.error().message;
    ASSERT_EQ(read->events.size(), 2u);
    EXPECT_EQ(read->events[1]->event_id(), name->event_id());
    EXPECT_EQ(client_events(*read)[1],
              R"({"content":{"name":"Tea"},"sender":"@ada:a.example","state_key":"","type":"m.room.name"})");
  }
  EXPECT_EQ(stripped_state_pdus({}).error().code, Code::kBadState);
}

// Client-server API, Stripped state.
TEST(StrippedState, IsOfTheTypesOfTheSpecification) {
  auto types = stripped_state_types();
  EXPECT_EQ(types.size(), 7u);
  EXPECT_EQ(std::set(types.begin(), types.end()),
            (std::set<std::string_view>{"m.room.create", "m.room.name", "m.room.avatar", "m.room.topic",
                                        "m.room.join_rules", "m.room.canonical_alias", "m.room.encryption"}));
}

TEST(StrippedState, Version12RefusesAnInviteWithoutTheRoomsPdus) {
  Room room("12");
  auto other = RoomId::trusted("!" + std::string(43, 'o'));
  auto create = room.create->object(), name = room.state("m.room.name", {})->object();
  EXPECT_TRUE(room.read(list_of({create}), Faulty::kRefuse));
  EXPECT_EQ(read_stripped_state(nullptr, room.id, room.rules, Faulty::kRefuse).error().code, Code::kInvalidParam);
  for (auto& list :
       {json::Value(nullptr), json::Value(5), json::Value("x"), list_of({}), list_of({name}), list_of({create, 5}),
        list_of({create, json::Object()}),
        list_of({create,
                 json::Object{
                     {"type", "m.room.name"}, {"state_key", ""}, {"sender", "@a:x"}, {"content", json::Object()}}})})
    EXPECT_EQ(room.refusal(list), Code::kInvalidParam) << json::serialize(list);
  // MSC4311: the room id is the hash of its create event, so another create event is another room's.
  auto changed = create;
  changed["content"].as_object()["m.federate"] = false;
  EXPECT_EQ(room.refusal(list_of({changed})), Code::kInvalidParam);
  EXPECT_EQ(room.refusal(list_of({create, room.state("m.room.name", {}, &other)->object()})), Code::kInvalidParam);
  auto message = name;
  message.erase("state_key");
  EXPECT_EQ(room.refusal(list_of({create, message})), Code::kInvalidParam);
}

TEST(StrippedState, OlderVersionsTakeWhatOlderServersSend) {
  Room room("11");
  auto stripped =
      *json::parse(R"({"type":"m.room.name","state_key":"","sender":"@a:x","content":{"name":"Tea"},"extra":1})");
  auto read = room.read(list_of({stripped}), Faulty::kRefuse);
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->events.empty());
  EXPECT_EQ(
      client_events(*read),
      (std::vector<std::string>{R"({"content":{"name":"Tea"},"sender":"@a:x","state_key":"","type":"m.room.name"})"}));
  EXPECT_TRUE(room.read(json::Value(nullptr), Faulty::kRefuse)->unchecked.empty());
  EXPECT_TRUE(read_stripped_state(nullptr, room.id, room.rules, Faulty::kRefuse));
}

// Attack 9: null or malformed entries broke users' syncs, CVE-2024-52815; large ones stopped federation,
// CVE-2023-32323.
TEST(StrippedState, Attack09MalformedEntriesReachNoClient) {
  for (auto version : {"6", "11", "12"}) {
    Room room(version);
    auto list = *json::parse(
        R"([null,5,"x",[],{},{"type":5},{"type":"m.room.name"},{"type":"m.room.name","state_key":"","sender":"@a:x"},
            {"type":"m.room.name","state_key":null,"sender":"@a:x","content":{}},
            {"type":"m.room.name","state_key":"","sender":"nobody","content":{}},
            {"type":"m.room.name","state_key":"","sender":"@a:x","content":null},
            {"type":"m.room.name","state_key":"","sender":"@a:x","content":[]}])");
    list.as_array().push_back(room.create->object());
    auto read = room.read(list, Faulty::kLeaveOut);
    ASSERT_TRUE(read) << version;
    EXPECT_EQ(client_events(*read).size(), 1u) << version;
  }
  Room room("11");
  auto long_type = *json::parse(R"({"state_key":"","sender":"@a:x","content":{}})");
  long_type.as_object()["type"] = std::string(256, 't');
  EXPECT_TRUE(client_events(*room.read(list_of({long_type}), Faulty::kLeaveOut)).empty());
}

TEST(StrippedState, Attack09OversizedListsAreCutOrRefused) {
  for (auto version : {"11", "12"}) {
    Room room(version);
    json::Array many{room.create->object()};
    for (size_t i = 0; i < 3 * kMaxStrippedEvents; ++i) {
      EventDraft draft;
      draft.room_id = room.id;
      many.push_back(room.build(std::move(draft), "m.x" + std::to_string(i))->object());
    }
    EXPECT_EQ(room.read(many, Faulty::kLeaveOut)->events.size(), kMaxStrippedEvents);
    std::vector<EventPtr> large{room.create};
    json::Array large_list{room.create->object()};
    for (int i = 0; i < 20; ++i) {
      large.push_back(room.state("m.x" + std::to_string(i), {{"x", std::string(60'000, 'x')}}));
      large_list.push_back(large.back()->object());
    }
    size_t kept = room.read(large_list, Faulty::kLeaveOut)->events.size();
    EXPECT_GT(kept, 1u);
    EXPECT_LE(kept, kMaxStrippedBytes / 60'000 + 1);
    if (room.rules.format.validates_stripped_state) {
      EXPECT_EQ(room.refusal(many), Code::kTooLarge);
      EXPECT_EQ(room.refusal(large_list), Code::kTooLarge);
    }
    // What we send ourselves stays small enough for others.
    EXPECT_TRUE(room.read(stripped_state_pdus(large).value(), Faulty::kRefuse));
    EXPECT_EQ(stripped_state_pdus(large)->size(), kept);
  }
}

TEST(StrippedState, OneEntryOfEachKeyCounts) {
  Room room("12");
  auto first = room.state("m.room.name", {{"name", "1"}}), second = room.state("m.room.name", {{"name", "2"}});
  auto read = room.read(list_of({room.create->object(), first->object(), second->object()}), Faulty::kRefuse);
  ASSERT_EQ(read->events.size(), 2u);
  EXPECT_EQ(read->events[1]->event_id(), first->event_id());
}

TEST(StrippedState, AnUnsignedThirdPartyInviteWithAWrongHashIsNoEntry) {
  KeyLookup nobody = [](const ServerName&, const SigningKeyId&) -> const ServerKey* { return nullptr; };
  for (auto version : {"6", "10"}) {  // whose redaction makes it a plain invite
    Room room(version);
    json::Object invite{{"signed", json::Object()}};
    auto entry = room.state("m.room.member", {{"membership", "invite"}, {"third_party_invite", invite}})->object();
    entry["signatures"] = json::Object();
    entry["hashes"] = json::Object{{"sha256", "AAAA"}};
    auto read = room.read(list_of({entry}), Faulty::kLeaveOut).value();
    ASSERT_EQ(read.events.size(), 1u);
    EXPECT_TRUE(required_keys(read, room.rules).empty());
    auto verified = verified_stripped_state(read, room.rules, nobody, Faulty::kLeaveOut);
    EXPECT_TRUE(verified->events.empty()) << version;
  }
}

TEST(StrippedState, SignaturesAreVerified) {
  ServerKey known{key().public_key(), kNow + 1000, {}};
  KeyLookup lookup = [&](const ServerName& server, const SigningKeyId& id) {
    return server == kServer && id.str() == "ed25519:k" ? &known : nullptr;
  };
  KeyLookup nobody = [](const ServerName&, const SigningKeyId&) -> const ServerKey* { return nullptr; };
  for (auto version : {"11", "12"}) {
    Room room(version);
    bool validates = room.rules.format.validates_stripped_state;
    auto name = room.state("m.room.name", {{"name", "Tea"}})->object();
    auto read = [&](json::Object entry) {
      return room.read(list_of({room.create->object(), entry}), Faulty::kRefuse).value();
    };
    auto verify = [&](StrippedState state, const KeyLookup& keys, Faulty faulty) {
      return verified_stripped_state(std::move(state), room.rules, keys, faulty);
    };
    auto good = read(name);
    EXPECT_EQ(required_keys(good, room.rules).size(), 2u);
    EXPECT_EQ(verify(good, lookup, Faulty::kRefuse)->events.size(), 2u);
    // A changed content is shown redacted.
    auto changed = name;
    changed["content"].as_object()["name"] = "Coffee";
    auto redacted = verify(read(changed), lookup, Faulty::kRefuse).value();
    EXPECT_TRUE(redacted.events[1]->content().empty());
    // A changed sender is a wrong signature.
    auto forged = name;
    forged["sender"] = "@eve:a.example";
    EXPECT_EQ(verify(read(forged), lookup, Faulty::kLeaveOut)->events.size(), 1u);
    EXPECT_EQ(verify(read(forged), lookup, Faulty::kRefuse).has_value(), !validates);
    auto unsigned_entry = name;
    unsigned_entry["signatures"] = json::Object();
    EXPECT_EQ(verify(read(unsigned_entry), lookup, Faulty::kLeaveOut)->events.size(), 1u);
    EXPECT_EQ(required_keys(read(unsigned_entry), room.rules).size(), 1u);
    // Keys that cannot be had.
    EXPECT_EQ(verify(good, nobody, Faulty::kRefuse).has_value(), !validates);
    EXPECT_EQ(verify(good, nobody, Faulty::kLeaveOut)->events.size(), validates ? 0u : 2u);
  }
}

}  // namespace
}  // namespace myelin
