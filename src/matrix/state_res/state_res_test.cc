#include "matrix/state_res.h"

#include <gtest/gtest.h>

#include <iostream>
#include <random>

#include "matrix/testing/events.h"
#include "matrix/testing/random_room.h"
#include "matrix/testing/room_model.h"

namespace myelin {
namespace {

using testing::EventSpec;
using testing::LiteralState;
using testing::object;
using testing::RoomModel;

// A tale in a room of Ada's: events by short names, each naming its auth events itself.
class Tale {
 public:
  explicit Tale(std::string_view version) : room_(*find_room_version(version)) {
    tell("create", "ada", "m.room.create", "",
         room_.rules().auth.creator_from_sender ? "{}" : R"({"creator":"@ada:x"})", {});
  }

  // `auth` without the create event, which is put first where the version wants it.
  Tale& tell(const std::string& name, std::string_view sender, std::string_view type, std::string_view state_key,
             std::string_view content, std::vector<std::string> auth, bool rejected = false) {
    EventSpec spec;
    spec.id = "$" + name;
    spec.room_id = room_.rules().auth.room_id_from_create ? "!create" : "!room:x";
    spec.sender = user(sender);
    spec.type = type;
    spec.state_key = std::string(state_key);
    spec.content = object(content);
    spec.ts = spec.depth = ++time_;
    if (type != "m.room.create" && !room_.rules().auth.room_id_from_create) spec.auth.push_back("$create");
    for (auto& id : auth) spec.auth.push_back("$" + id);
    room_.add(make_event(room_.rules(), spec), rejected);
    return *this;
  }
  Tale& member(const std::string& name, std::string_view sender, std::string_view target, std::string_view content,
               std::vector<std::string> auth) {
    return tell(name, sender, "m.room.member", user(target), content, std::move(auth));
  }

  LiteralState state(const auto& names) const {
    LiteralState state;
    for (auto& name : names) {
      auto& event = room_.event(EventId::trusted("$" + name));
      state[{event.type(), *event.state_key()}] = event.event_id();
    }
    return state;
  }
  // The names that are left, of the states that these names make.
  std::set<std::string> resolve(const std::vector<std::vector<std::string>>& sets) {
    std::vector<LiteralState> states;
    for (auto& names : sets) states.push_back(state(names));
    auto fast = room_.resolve_fast(states);
    EXPECT_EQ(fast, room_.resolve_slowly(states));
    std::ranges::reverse(states);
    EXPECT_EQ(fast, room_.resolve_fast(states)) << "the order of the sets matters";
    std::set<std::string> names;
    for (auto& [key, id] : fast) names.insert(id.str().substr(1));
    return names;
  }
  RoomModel& room() { return room_; }

 private:
  static std::string user(std::string_view name) { return fmt::format("@{}:x", name); }
  RoomModel room_;
  int64_t time_ = 0;
};

using Names = std::set<std::string>;
constexpr std::string_view kJoin = R"({"membership":"join"})", kLeave = R"({"membership":"leave"})",
                           kBan = R"({"membership":"ban"})", kPublic = R"({"join_rule":"public"})",
                           kInvite = R"({"join_rule":"invite"})";

// Ada (level 100), Ben (50) and Cleo (0) in a public room.
Tale public_room(std::string_view version) {
  Tale tale(version);
  tale.member("ada", "ada", "ada", kJoin, {});
  bool creator_listed = !find_room_version(version)->auth.creators_infinite;
  tale.tell("levels", "ada", "m.room.power_levels", "",
            creator_listed ? R"({"users":{"@ada:x":100,"@ben:x":50}})" : R"({"users":{"@ben:x":50}})", {"ada"});
  tale.tell("rules", "ada", "m.room.join_rules", "", kPublic, {"ada", "levels"});
  tale.member("ben", "ben", "ben", kJoin, {"levels", "rules"});
  tale.member("cleo", "cleo", "cleo", kJoin, {"levels", "rules"});
  return tale;
}

Names with(std::initializer_list<std::string> more, Names names = {"create", "levels", "rules", "ada"}) {
  names.insert(more);
  return names;
}
std::vector<std::string> set_of(const Names& names) { return {names.begin(), names.end()}; }

class EveryVersion : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Versions, EveryVersion,
                         ::testing::Values("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"));

TEST_P(EveryVersion, EqualStatesNeedNoResolution) {
  auto tale = public_room(GetParam());
  auto state = set_of(with({"ben", "cleo"}));
  EXPECT_EQ(tale.resolve({state, state, state}), with({"ben", "cleo"}));
  EXPECT_EQ(tale.room().last_full_conflicted(), 0u);
}

TEST_P(EveryVersion, JoinsOnTwoForksAreBothKept) {
  auto tale = public_room(GetParam());
  EXPECT_EQ(tale.resolve({set_of(with({"ben"})), set_of(with({"cleo"}))}), with({"ben", "cleo"}));
}

TEST_P(EveryVersion, ATopicOfABannedUserLoses) {
  auto tale = public_room(GetParam());
  tale.tell("topic by ben", "ben", "m.room.topic", "", "{}", {"levels", "ben"});
  tale.member("ban of ben", "ada", "ben", kBan, {"levels", "ada", "ben"});
  tale.tell("topic by ada", "ada", "m.room.topic", "", "{}", {"levels", "ada"});
  auto names = tale.resolve({set_of(with({"ban of ben", "topic by ada"})), set_of(with({"ben", "topic by ben"}))});
  EXPECT_EQ(names, with({"ban of ben", "topic by ada"}));
}

TEST_P(EveryVersion, ADemotionBeatsWhatTheDemotedDidMeanwhile) {
  auto tale = public_room(GetParam());
  bool listed = !tale.room().rules().auth.creators_infinite;
  tale.tell("demotion", "ada", "m.room.power_levels", "",
            listed ? R"({"users":{"@ada:x":100}})" : R"({"users":{"@cleo:x":1}})", {"levels", "ada"});
  tale.tell("rules by ben", "ben", "m.room.join_rules", "", kInvite, {"levels", "ben"});
  auto names =
      tale.resolve({{"create", "ada", "ben", "demotion", "rules"}, {"create", "ada", "ben", "levels", "rules by ben"}});
  EXPECT_TRUE(names.contains("demotion"));
  EXPECT_TRUE(names.contains("rules")) << "Ben's rules are later, but he had been demoted";
}

// A power event by its type alone would be applied first, and what it cites with it: Ben would be gone (decision 0004).
TEST_P(EveryVersion, JoinRulesUnderAnotherStateKeyAreNoPowerEvent) {
  auto tale = public_room(GetParam());
  tale.member("leave", "ben", "ben", kLeave, {"levels", "ben"});
  tale.member("back", "ben", "ben", kJoin, {"levels", "rules", "ben"});
  tale.tell("odd", "ben", "m.room.join_rules", "x", kPublic, {"levels", "back"});
  EXPECT_EQ(tale.resolve({set_of(with({"leave"})), set_of(with({"back", "odd"}))}), with({"back", "odd"}));
}

// Version 1 goes by depth, which the sender chooses, and takes the first event of a key unseen: it is how rooms were
// taken over. Later versions judge every event in conflict.
TEST_P(EveryVersion, Attack01AForgedDepthWinsInVersion1Only) {
  auto tale = public_room(GetParam());
  auto& rules = tale.room().rules();
  EventSpec coup{.id = "$coup", .sender = "@cleo:x", .type = "m.room.power_levels", .state_key = "", .depth = 0};
  coup.room_id = rules.auth.room_id_from_create ? "!create" : "!room:x";
  coup.content = object(R"({"users":{"@cleo:x":100}})");
  coup.auth = {"$levels", "$cleo"};
  if (!rules.auth.room_id_from_create) coup.auth.push_back("$create");
  tale.room().add(make_event(rules, coup));
  auto names = tale.resolve({set_of(with({"cleo"})), {"create", "ada", "rules", "cleo", "coup"}});
  bool succeeds = rules.resolution == StateResolution::kV1;
  EXPECT_EQ(names.contains("coup"), succeeds);
  EXPECT_EQ(names.contains("levels"), !succeeds);
}

// Of two events with equal timestamps the smaller id comes first, so the greater one stands.
TEST(StateRes, EqualTimestampsAreDecidedByEventId) {
  for (auto version : {"2", "6", "11", "12"}) {
    auto tale = public_room(version);
    for (auto name : {"topic a", "topic b"}) {
      EventSpec spec{
          .id = std::string("$") + name, .sender = "@ada:x", .type = "m.room.topic", .state_key = "", .ts = 99};
      spec.room_id = tale.room().rules().auth.room_id_from_create ? "!create" : "!room:x";
      spec.auth = {"$levels", "$ada"};
      if (!tale.room().rules().auth.room_id_from_create) spec.auth.push_back("$create");
      tale.room().add(make_event(tale.room().rules(), spec));
    }
    EXPECT_EQ(tale.resolve({set_of(with({"topic a"})), set_of(with({"topic b"}))}), with({"topic b"})) << version;
  }
}

// MSC4297, problem A. A server that was told an old state sends on it: Ada had closed the room and left it. With the
// join rules in conflict and their author gone, resolution from the unconflicted state loses them all.
Tale problem_a(std::string_view version) {
  auto tale = public_room(version);
  tale.tell("closed", "ada", "m.room.join_rules", "", kInvite, {"levels", "ada"});
  tale.member("ada leaves", "ada", "ada", kLeave, {"levels", "ada"});
  tale.member("ben renamed", "ben", "ben", R"({"membership":"join","displayname":"Benno"})",
              {"levels", "ben", "closed"});
  tale.member("cleo renamed", "cleo", "cleo", R"({"membership":"join","displayname":"C."})",
              {"levels", "cleo", "closed"});
  return tale;
}
const std::vector<std::vector<std::string>> kProblemA{
    {"create", "levels", "cleo", "closed", "ada leaves", "ben renamed"},
    {"create", "levels", "rules", "ben", "ada leaves", "cleo renamed"}};

TEST(StateRes, Attack01ProblemAOfMsc4297IsSolvedInVersion12) {
  auto tale = problem_a("12");
  EXPECT_EQ(tale.resolve(kProblemA),
            (Names{"create", "levels", "closed", "ada leaves", "ben renamed", "cleo renamed"}));
}
TEST(StateRes, Attack01ProblemAOfMsc4297LosesJoinRulesInVersion11) {
  auto tale = problem_a("11");
  EXPECT_EQ(tale.resolve(kProblemA), (Names{"create", "levels", "ada leaves", "ben renamed", "cleo renamed"}));
}

// MSC4297, problem B. The oldest power levels come back as if current (one server's state lost two changes); the change
// that leads from them to the newest is in neither state, so it is judged only where the conflicted subgraph brings it
// in.
Tale problem_b(std::string_view version) {
  Tale tale(version);
  bool listed = !find_room_version(version)->auth.creators_infinite;
  auto levels = [&](std::string users) {
    return R"({"users":{)" + (listed ? R"("@ada:x":100)" + (users.empty() ? "" : "," + users) : users) + "}}";
  };
  tale.member("ada", "ada", "ada", kJoin, {});
  tale.tell("levels 1", "ada", "m.room.power_levels", "", levels(""), {"ada"});
  tale.tell("rules", "ada", "m.room.join_rules", "", kPublic, {"ada", "levels 1"});
  tale.member("ben", "ben", "ben", kJoin, {"levels 1", "rules"});
  tale.tell("levels 2", "ada", "m.room.power_levels", "", levels(R"("@ben:x":50)"), {"ada", "levels 1"});
  tale.tell("levels 3", "ben", "m.room.power_levels", "", levels(R"("@ben:x":50,"@cleo:x":50)"), {"ben", "levels 2"});
  tale.member("zoe", "zoe", "zoe", kJoin, {"levels 3", "rules"});
  tale.member("eve", "eve", "eve", kJoin, {"levels 3", "rules"});
  tale.member("eve renamed", "eve", "eve", R"({"membership":"join","displayname":"E."})", {"levels 3", "eve", "rules"});
  return tale;
}
const std::vector<std::vector<std::string>> kProblemB{{"create", "ada", "levels 1", "rules", "ben", "eve renamed"},
                                                      {"create", "ada", "levels 3", "rules", "ben", "zoe"}};

TEST(StateRes, Attack01ProblemBOfMsc4297IsSolvedInVersion12) {
  auto tale = problem_b("12");
  EXPECT_EQ(tale.resolve(kProblemB), (Names{"create", "ada", "levels 3", "rules", "ben", "eve renamed", "zoe"}));
}
TEST(StateRes, Attack01ProblemBOfMsc4297ResetsLevelsInVersion11) {
  auto tale = problem_b("11");
  EXPECT_EQ(tale.resolve(kProblemB), (Names{"create", "ada", "levels 1", "rules", "ben", "eve renamed", "zoe"}));
}

// A version 12 creator's level is above every number, in the ordering too: Ada's later ban comes before Ben's earlier
// one.
TEST(StateRes, CreatorsComeFirstInTheOrderOfPower) {
  Tale tale("12");
  tale.member("ada", "ada", "ada", kJoin, {});
  tale.tell("levels", "ada", "m.room.power_levels", "", R"({"users":{"@ben:x":9007199254740991}})", {"ada"});
  tale.tell("rules", "ada", "m.room.join_rules", "", kPublic, {"ada", "levels"});
  tale.member("ben", "ben", "ben", kJoin, {"levels", "rules"});
  tale.tell("closed by ben", "ben", "m.room.join_rules", "", kInvite, {"levels", "ben"});
  tale.member("ban of ben", "ada", "ben", kBan, {"levels", "ada", "ben"});
  auto names = tale.resolve(
      {{"create", "ada", "levels", "rules", "ban of ben"}, {"create", "ada", "levels", "closed by ben", "ben"}});
  EXPECT_EQ(names, (Names{"create", "ada", "levels", "rules", "ban of ben"}));
}

// A topic by Mallory, whose join was rejected here or not, in a room where everybody may set one.
Tale topic_of_mallory(bool join_rejected) {
  auto tale = public_room("11");
  tale.tell("mallory", "mallory", "m.room.member", "@mallory:x", kJoin, {"levels", "rules"}, join_rejected);
  tale.tell("topic", "mallory", "m.room.topic", "", "{}", {"mallory"});
  tale.tell("open levels", "ada", "m.room.power_levels", "", R"({"state_default":0,"users":{"@ada:x":100}})",
            {"levels", "ada"});
  return tale;
}
const std::vector<std::vector<std::string>> kWithAndWithoutTopic{{"create", "ada", "open levels", "rules", "topic"},
                                                                 {"create", "ada", "open levels", "rules"}};

// An event rejected here authorises nothing, even where a state of another server rests on it: "the appropriate state
// event from the event's auth_events is used if the auth event is not rejected". Itself it is judged like any other,
// and a join that these states allow comes in through the auth difference: "Events that have been rejected due to
// failing auth based on the state at the event … are handled as usual by the algorithm, unless otherwise specified"
// (decision 0006, first row). Only states of other servers hold an event that rests on one: Receipts.Attack06….
TEST(StateRes, Attack06RejectedEventsAuthoriseNothing) {
  for (bool rejected : {false, true}) {
    auto tale = topic_of_mallory(rejected);
    auto names = tale.resolve(kWithAndWithoutTopic);
    EXPECT_EQ(names.contains("topic"), !rejected);
    EXPECT_TRUE(names.contains("mallory")) << (rejected ? "rejected, and allowed by the states" : "not rejected");
  }
}

// Asks only for the events in conflict and what authorises them, however large the room and however long its past.
class LoadsOnlyWhatItNeeds : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(StateRes, LoadsOnlyWhatItNeeds, ::testing::Values("1", "10", "11", "12"));

TEST_P(LoadsOnlyWhatItNeeds, OfAnOldRoomWithManyMembers) {
  auto tale = public_room(GetParam());
  bool listed = !tale.room().rules().auth.creators_infinite;
  std::string levels = "levels";
  for (int i = 0; i < 200; ++i) {
    auto next = fmt::format("levels{}", i);
    tale.tell(next, "ada", "m.room.power_levels", "",
              fmt::format(R"({{"users":{{{}"@ben:x":{}}}}})", listed ? R"("@ada:x":100,)" : "", i % 50),
              {levels, "ada"});
    levels = next;
  }
  Names everyone{"create", "ada", "rules", levels};
  for (int i = 0; i < 500; ++i) {
    auto name = fmt::format("guest{}", i);
    tale.member(name, name, name, kJoin, {levels, "rules"});
    everyone.insert(name);
  }
  size_t before = tale.room().loads();
  std::vector<StateMap> maps;
  for (std::string guest : {"late1", "late2"}) {
    tale.member(guest, guest, guest, kJoin, {levels, "rules"});
    maps.emplace_back(tale.room().pages(), tale.room().store(tale.state(with({guest}, everyone))));
  }
  auto resolution = resolve(tale.room().rules(), maps, tale.room().graph(), tale.room());
  ASSERT_TRUE(resolution);
  EXPECT_EQ(resolution->edits.size(), 1u);
  EXPECT_EQ(resolution->conflicted, 2u);
  EXPECT_LT(tale.room().loads() - before, 10u);
}

// Attack 8: a room with very many forward extremities, each with a member and a topic of its own. Every event is loaded
// once, however many of the states it is compared with.
TEST_P(EveryVersion, Attack08ManyExtremitiesAreResolvedAtOnce) {
  auto tale = public_room(GetParam());
  constexpr size_t kForks = 200;
  Names everyone = with({});
  std::vector<std::vector<std::string>> forks;
  for (size_t i = 0; i < kForks; ++i) {
    auto guest = fmt::format("guest{}", i), topic = fmt::format("topic{}", i);
    tale.member(guest, guest, guest, kJoin, {"levels", "rules"});
    tale.tell(topic, "ada", "m.room.topic", "", "{}", {"levels", "ada"});
    everyone.insert(guest);
    forks.push_back(set_of(with({guest, topic})));
  }
  everyone.insert(fmt::format("topic{}", kForks - 1));
  size_t before = tale.room().loads();
  EXPECT_EQ(tale.resolve(forks), everyone);
  constexpr size_t kResolutions = 2;  // of each order
  EXPECT_LE(tale.room().loads() - before, kResolutions * (2 * kForks + 10));
}

// Attack 8: rows of an auth graph in which two power levels cite each other do not make a resolution run for ever.
TEST(StateRes, Attack08ACycleOfPowerLevelsIsAnError) {
  auto tale = public_room("11");
  tale.tell("levels 2", "ada", "m.room.power_levels", "", R"({"users":{"@ada:x":100}})", {"levels", "ada"});
  tale.member("eve", "eve", "eve", kJoin, {"levels", "rules"});
  auto& room = tale.room();
  uint32_t first = room.number(EventId::trusted("$levels")), second = room.number(EventId::trusted("$levels 2"));
  AuthGraph graph;
  for (uint32_t event_no = 0; event_no < room.graph().size(); ++event_no) {
    std::vector<uint32_t> parents;
    for (uint32_t parent : room.graph().parents(event_no)) parents.push_back(parent);
    if (event_no == first) parents.push_back(second);
    graph.add(event_no, *room.graph().generation(event_no), parents);
  }
  std::vector<StateMap> maps;
  for (auto name : {"cleo", "eve"})
    maps.emplace_back(room.pages(), room.store(tale.state(Names{"create", "levels 2", "rules", "ada", name})));
  EXPECT_EQ(resolve(room.rules(), maps, graph, room).error().code, Code::kCorrupt);
}

TEST(StateRes, AFailingSourceFailsTheResolution) {
  struct Failing final : ResolutionSource {
    RoomModel* room;
    uint32_t missing;
    Result<EventPtr> event(uint32_t event_no) override {
      if (event_no == missing) return fail(Code::kUnavailable, "not now");
      return room->event(event_no);
    }
    Result<bool> rejected(uint32_t event_no) override { return room->rejected(event_no); }
    Result<std::optional<uint32_t>> key_no(std::string_view type, std::string_view key) override {
      return room->key_no(type, key);
    }
  };
  auto tale = public_room("11");
  auto& room = tale.room();
  std::vector<StateMap> maps;
  for (auto& names : {with({"ben"}), with({"cleo"})}) maps.emplace_back(room.pages(), room.store(tale.state(names)));
  Failing source;
  source.room = &room;
  for (auto name : {"$ben", "$levels", "$create", "$rules"}) {
    source.missing = room.number(EventId::trusted(name));
    auto result = resolve(room.rules(), maps, room.graph(), source);
    ASSERT_FALSE(result) << name;
    EXPECT_EQ(result.error().code, Code::kUnavailable);
  }
  AuthGraph empty;
  EXPECT_EQ(resolve(room.rules(), maps, empty, room).error().code, Code::kNotFound);
}

// The edits of these states, after which the same key asks for them.
std::vector<StateEdit> remembered(RoomModel& room, std::span<const StateRoot> roots,
                                  std::map<std::string, std::vector<StateEdit>>& memory) {
  std::vector<StateMap> maps;
  for (auto& root : roots) maps.emplace_back(room.pages(), root);
  auto edits = resolve(room.rules(), maps, room.graph(), room).value().edits;
  return memory.try_emplace(resolution_key(roots), edits).first->second;
}

TEST(StateRes, ResultsAreRememberedByWhatIsResolved) {
  auto tale = public_room("11");
  tale.tell("topic", "ada", "m.room.topic", "", "{}", {"levels", "ada"});
  auto& room = tale.room();
  std::vector<StateRoot> roots;
  for (auto name : {"ben", "cleo", "topic"}) roots.push_back(room.store(tale.state(with({name}))));
  auto resolved = room.load(room.store(tale.state(with({"ben", "cleo", "topic"}))));
  std::map<std::string, std::vector<StateEdit>> memory;
  std::ranges::sort(roots, {}, &StateRoot::fingerprint);
  do {
    auto edits = remembered(room, roots, memory);
    EXPECT_EQ(room.load(room.edit(roots.front(), edits)), resolved) << "edits of another first set";
    auto twice = roots;
    twice.insert(twice.end(), roots.begin(), roots.end());
    EXPECT_EQ(remembered(room, twice, memory), edits);
  } while (std::ranges::next_permutation(roots, {}, &StateRoot::fingerprint).found);
  EXPECT_EQ(memory.size(), roots.size()) << "the order of the others does not matter";
  EXPECT_TRUE(remembered(room, std::span(roots).first(1), memory).empty());
}

// What an event is to the source is no part of the key: what was resolved with it has to be forgotten.
TEST(StateRes, ARejectionChangesTheResultOfTheSameKey) {
  std::set<std::string> keys;
  std::set<std::size_t> edits;
  for (bool rejected : {false, true}) {
    auto tale = topic_of_mallory(rejected);
    auto& room = tale.room();
    std::vector<StateRoot> roots;
    for (auto& names : kWithAndWithoutTopic) roots.push_back(room.store(tale.state(names)));
    std::map<std::string, std::vector<StateEdit>> memory;
    edits.insert(remembered(room, roots, memory).size());
    keys.insert(memory.begin()->first);
  }
  EXPECT_EQ(keys.size(), 1u);
  EXPECT_EQ(edits.size(), 2u);
}

TEST(StateRes, FastEqualsLiteralOnRandomRooms) {
  uint64_t seed = std::random_device()();
  constexpr int kRooms = 2000;
  size_t conflicted = 0;
  for (int i = 0; i < kRooms; ++i) {
    auto result = testing::play_random_room(seed + static_cast<uint64_t>(i));
    conflicted += result.conflicted;
    ASSERT_FALSE(result.difference) << "seed " << seed + static_cast<uint64_t>(i) << ": " << *result.difference;
  }
  EXPECT_GT(conflicted, size_t{kRooms}) << "the rooms are too tame";
  std::cout << "2000 random rooms from seed " << seed << ", " << conflicted << " conflicted resolutions\n";
}

}  // namespace
}  // namespace myelin
