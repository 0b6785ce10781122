// Speed and memory of the Matrix library, one core. `matrix_bench --benchmark_filter=NAME` runs one.
#include <benchmark/benchmark.h>

#include <random>

#include "matrix/auth.h"
#include "matrix/glob.h"
#include "matrix/receipt_checks.h"
#include "matrix/testing/events.h"
#include "matrix/testing/room_model.h"
#include "matrix/verify.h"

// NOLINTBEGIN(readability-identifier-naming): a benchmark is called as its function
namespace myelin {
namespace {

using testing::EventSpec;
using testing::LiteralState;
using testing::RoomModel;

const RoomRules& version(int number) { return *find_room_version(std::to_string(number)); }

SigningKey signing_key() {
  SeededRandom random(1);
  return SigningKey::generate(random, "1");
}

// A message of about 900 bytes, as another server sends it.
std::string received_pdu(const SigningKey& key) {
  EventDraft draft;
  draft.room_id = RoomId::parse("!room:remote.example").value();
  draft.sender = UserId::parse("@someone:remote.example").value();
  draft.type = "m.room.message";
  draft.content = {{"msgtype", "m.text"}, {"body", std::string(302, 'x')}};
  for (char c : {'a', 'b', 'c'}) draft.auth_events.push_back(EventId::trusted("$" + std::string(43, c)));
  draft.prev_events.push_back(EventId::trusted("$" + std::string(43, 'd')));
  draft.origin_server_ts = 1'700'000'000'000;
  return OwnEvent::build(draft, version(11), ServerName::parse("remote.example").value(), key).value().event()->text();
}

void ReceivePdu(benchmark::State& state) {
  auto key = signing_key();
  auto text = received_pdu(key);
  ServerKey known{key.public_key(), 1'800'000'000'000};
  auto lookup = [&](const ServerName&, const SigningKeyId&) { return &known; };
  for (auto _ : state) {
    auto event = Event::parse(text, version(11)).value();
    auto verified = Verification::verify(event, version(11), lookup);
    if (!verified || verified->redacted) state.SkipWithError("not verified");
    benchmark::DoNotOptimize(verified);
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()));
  state.SetLabel(std::to_string(text.size()) + " bytes");
}
BENCHMARK(ReceivePdu);

void ReceivePduWithoutSignature(benchmark::State& state) {
  auto text = received_pdu(signing_key());
  for (auto _ : state) {
    auto event = Event::parse(text, version(11)).value();
    benchmark::DoNotOptimize(content_hash(event->object(), version(11)));
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()));
}
BENCHMARK(ReceivePduWithoutSignature);

// The same with everything that is checked on receipt: by the auth events, the state before and the current state.
void ReceivePduWithReceiptChecks(benchmark::State& state) {
  auto key = signing_key();
  auto& rules = version(11);
  EventDraft draft;
  draft.room_id = RoomId::parse("!room:remote.example").value();
  draft.sender = UserId::parse("@someone:remote.example").value();
  draft.type = "m.room.message";
  draft.content = {{"msgtype", "m.text"}, {"body", std::string(302, 'x')}};
  draft.prev_events.push_back(EventId::trusted("$" + std::string(43, 'd')));
  draft.origin_server_ts = 1'700'000'000'000;
  std::vector<EventPtr> room;
  auto put = [&](std::string_view type, std::string_view state_key, std::string_view content) {
    EventSpec spec{.id = "$" + std::string(42, 'a') + std::to_string(room.size()), .room_id = draft.room_id->str()};
    spec.sender = draft.sender.str();
    spec.type = type;
    spec.state_key = std::string(state_key);
    spec.content = testing::object(content);
    room.push_back(make_event(rules, spec));
    draft.auth_events.push_back(room.back()->event_id());
  };
  put("m.room.create", "", "{}");
  put("m.room.power_levels", "", R"({"users":{"@someone:remote.example":100}})");
  put("m.room.member", draft.sender.str(), R"({"membership":"join"})");
  std::vector<AuthEvent> cited;
  AuthEventSet around;
  for (auto& event : room) {
    cited.push_back({event.get(), false});
    around.add(event.get());
  }
  auto text = OwnEvent::build(draft, rules, ServerName::parse("remote.example").value(), key).value().event()->text();
  ServerKey known{key.public_key(), 1'800'000'000'000};
  auto lookup = [&](const ServerName&, const SigningKeyId&) { return &known; };
  for (auto _ : state) {
    auto event = Event::parse(text, rules).value();
    auto verified = Verification::verify(event, rules, lookup);
    auto receipt = check_receipt(rules, {.event = verified->event.event(),
                                         .content_hash_matches = !verified->redacted,
                                         .auth_events = cited,
                                         .before = &around,
                                         .current = &around});
    if (!receipt || receipt->verdict != Verdict::kAccept) state.SkipWithError("not accepted");
    benchmark::DoNotOptimize(receipt);
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()));
}
BENCHMARK(ReceivePduWithReceiptChecks);

// Nested tables and lists, mostly of text that is not ASCII and of text that must be escaped.
void CanonicalJsonNested(benchmark::State& state) {
  json::Value value = "日本語 Ünïcödé 😀 \"quoted\"\n";
  for (int depth = 0; depth < 40; ++depth) {
    value = depth % 2 == 0 ? json::Value(json::Object{{"é" + std::to_string(depth), value}, {"b", depth}, {"a", "жук"}})
                           : json::Value(json::Array{value, depth, "\t日本\\"});
  }
  json::Object object{{"content", json::Object{{"nested", value}}}, {"type", "org.example.nested"}};
  auto size = json::canonical(object, json::CanonicalMode::kStrict)->size();
  for (auto _ : state) benchmark::DoNotOptimize(json::canonical(object, json::CanonicalMode::kStrict));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * size));
}
BENCHMARK(CanonicalJsonNested);

void CanonicalJson(benchmark::State& state) {
  auto text = received_pdu(signing_key());
  auto object = json::parse_object(text).value();
  for (auto _ : state) benchmark::DoNotOptimize(json::canonical(object, json::CanonicalMode::kStrict));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
}
BENCHMARK(CanonicalJson);

// A room with this many members, who all came one after the other.
class LargeRoom {
 public:
  explicit LargeRoom(int room_version, unsigned members, json::Object create = {}) : room(version(room_version)) {
    auto& rules = room.rules();
    if (!rules.auth.creator_from_sender) create["creator"] = kAdmin;
    add("create", "", "m.room.create", json::serialize(create), kAdmin, {});
    add("admin", kAdmin, "m.room.member", R"({"membership":"join"})", kAdmin, {});
    add("levels", "", "m.room.power_levels",
        rules.auth.creators_infinite ? "{}" : R"({"users":{"@admin:a.example":100}})", kAdmin, {"admin"});
    add("rules", "", "m.room.join_rules", R"({"join_rule":"public"})", kAdmin, {"admin", "levels"});
    for (unsigned i = 0; i < members; ++i) {
      auto name = member(i);
      add(name, name, "m.room.member", R"({"membership":"join"})", name, {"levels", "rules"});
    }
    root = room.store(state);
  }

  static std::string member(unsigned i) { return "@member" + std::to_string(i) + ":b.example"; }

  // An event; it is not put into the state unless `keep`.
  EventId add(const std::string& name, const std::string& state_key, std::string_view type, std::string_view content,
              const std::string& sender, const std::vector<std::string>& auth, bool keep = true) {
    EventSpec spec;
    spec.id = "$" + name;
    spec.room_id = room.rules().auth.room_id_from_create ? "!create" : "!room:a.example";
    spec.sender = sender;
    spec.type = type;
    spec.state_key = state_key;
    spec.content = testing::object(content);
    spec.ts = spec.depth = ++time_;
    if (type != "m.room.create" && !room.rules().auth.room_id_from_create) spec.auth.push_back("$create");
    for (auto& cited : auth) spec.auth.push_back("$" + cited);
    room.add(make_event(room.rules(), spec));
    auto id = EventId::trusted(spec.id);
    if (keep) state[{std::string(type), state_key}] = id;
    return id;
  }
  // The map with these members renamed, under event ids that end in `mark`.
  StateRoot renamed(unsigned first, unsigned count, const std::string& mark) {
    std::vector<StateEdit> edits;
    for (unsigned i = first; i < first + count; ++i) {
      auto id = add(member(i) + mark, member(i), "m.room.member", R"({"membership":"join","displayname":"new"})",
                    member(i), {"levels", "rules", member(i)}, false);
      edits.push_back({room.key_number({"m.room.member", member(i)}), room.number(id)});
    }
    return room.edit(root, std::move(edits));
  }
  StateRoot with(const StateRoot& base, const std::string& state_key, std::string_view type, const EventId& id) {
    return room.edit(base, {{room.key_number({std::string(type), state_key}), room.number(id)}});
  }

  static inline const std::string kAdmin = "@admin:a.example";
  RoomModel room;
  LiteralState state;
  StateRoot root;

 private:
  int64_t time_ = 0;
};

LargeRoom& room_of_50000(int room_version) {
  static LargeRoom v11(11, 50'000), v12(12, 50'000);
  return room_version == 12 ? v12 : v11;
}

void AuthDecision(benchmark::State& state) {
  auto& large = room_of_50000(11);
  AuthEventSet auth;
  auto event = testing::make_event(version(11), {.id = "$message",
                                                 .room_id = "!room:a.example",
                                                 .sender = LargeRoom::member(7),
                                                 .content = testing::object(R"({"body":"hello"})")});
  for (auto& key : auth_event_keys(version(11), *event)) auth.add(&large.room.event(large.state.at(key)));
  for (auto _ : state) {
    auto verdict = authorize(version(11), *event, auth);
    if (!verdict) state.SkipWithError("not allowed");
    benchmark::DoNotOptimize(verdict);
  }
}
BENCHMARK(AuthDecision);

// A moderator kicks a member of a room in which 2 000 users have a level of their own, about as many as an event holds.
void AuthDecisionAmong2000Levels(benchmark::State& state) {
  auto& rules = version(11);
  json::Object users{{LargeRoom::kAdmin, 100}};
  for (unsigned i = 0; i < 2'000; ++i) users[LargeRoom::member(i)] = i % 2 == 0 ? 50 : 10;
  std::vector<EventPtr> events;
  AuthEventSet auth;
  auto put = [&](std::string_view type, std::string_view state_key, const std::string& sender, json::Object content) {
    EventSpec spec{.sender = sender, .type = std::string(type), .state_key = std::string(state_key)};
    spec.content = std::move(content);
    events.push_back(make_event(rules, spec));
    return events.back().get();
  };
  auth.add(put("m.room.create", "", LargeRoom::kAdmin, {}));
  auth.add(put("m.room.power_levels", "", LargeRoom::kAdmin, {{"users", users}}));
  for (unsigned i : {1000U, 1001U})
    auth.add(put("m.room.member", LargeRoom::member(i), LargeRoom::member(i), {{"membership", "join"}}));
  auto kick = put("m.room.member", LargeRoom::member(1001), LargeRoom::member(1000), {{"membership", "leave"}});
  for (auto _ : state) {
    auto verdict = authorize(rules, *kick, auth);
    if (!verdict) state.SkipWithError("not allowed");
    benchmark::DoNotOptimize(verdict);
  }
}
BENCHMARK(AuthDecisionAmong2000Levels);

// The longest rule that a user may have, on the longest text: a keyword that is nearly there all the time, and one of
// "?" that could begin anywhere.
void PushRuleOf64KB(benchmark::State& state) {
  bool questions = state.range(0) == 1;
  constexpr size_t kBytes = 64'000;
  std::string pattern = (questions ? std::string(kBytes, '?') : "*" + std::string(kBytes / 2, 'a') + "*") + "b";
  std::string text = std::string(kBytes, 'a') + "b_";
  Glob glob(pattern);
  for (auto _ : state) {
    if (glob.matches_words(text)) state.SkipWithError("does match");
  }
}
BENCHMARK(PushRuleOf64KB)->ArgName("questions")->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

// Keys and events of the numbers themselves.
class NumberedItems final : public ItemSource {
 public:
  Result<Fingerprint> item(uint32_t key_no, uint32_t event_no) override {
    return key_.item("m.room.member", LargeRoom::member(key_no),
                     EventId::trusted("$" + std::string(36, 'x') + std::to_string(event_no)));
  }

 private:
  FingerprintKey key_{"0123456789abcdef0123456789abcdef"};
};

struct LargeMap {
  PageSet pages;
  NumberedItems items;
  StateRoot root;
  uint32_t next_page_no = 1;

  LargeMap() {
    std::vector<StateEdit> edits;
    for (uint32_t key = 0; key < 50'000; ++key) edits.push_back({key, key + 1});
    root = change(root, std::move(edits)).first;
  }
  std::pair<StateRoot, size_t> change(const StateRoot& from, std::vector<StateEdit> edits) {
    StateWriter writer(pages, items, next_page_no);
    auto to = writer.apply(from, std::move(edits)).value();
    next_page_no = writer.next_page_no();
    size_t bytes = 0;
    for (auto& page : writer.new_pages()) {
      bytes += page.bytes.size();
      pages.add(page.page_no, writer.parsed(page.page_no));
    }
    return {to, bytes};
  }
};

void StateMapOneChange(benchmark::State& state) {
  LargeMap map;
  std::mt19937 random(1);
  uint32_t event_no = 50'000;
  size_t bytes = 0;
  auto root = map.root;
  for (auto _ : state) {
    auto [next, written] = map.change(root, {{static_cast<uint32_t>(random() % 50'000), ++event_no}});
    root = next;
    bytes += written;
  }
  state.counters["bytes_stored"] = static_cast<double>(bytes) / static_cast<double>(state.iterations());
}
BENCHMARK(StateMapOneChange);

void StateMapFind(benchmark::State& state) {
  LargeMap map;
  std::mt19937 random(1);
  StateMap view(map.pages, map.root);
  for (auto _ : state) benchmark::DoNotOptimize(view.find(static_cast<uint32_t>(random() % 50'000)));
}
BENCHMARK(StateMapFind);

// Two maps that came about in different ways, and differ in one entry or in none.
void StateMapEquality(benchmark::State& state) {
  LargeMap map;
  bool equal = state.range(0) == 1;
  auto other = map.change(map.root, {{7, 99'999}}).first;
  if (equal) other = map.change(other, {{7, 8}}).first;
  StateMap a(map.pages, map.root), b(map.pages, other);
  if ((a == b) != equal) state.SkipWithError("not as equal as thought");
  for (auto _ : state) {
    benchmark::DoNotOptimize(a);
    benchmark::DoNotOptimize(b);
    bool same = a == b;
    benchmark::DoNotOptimize(same);
  }
}
BENCHMARK(StateMapEquality)->ArgName("equal")->Arg(0)->Arg(1);

void StateMapDifferenceOf20(benchmark::State& state) {
  LargeMap map;
  auto a = map.root, b = map.root;
  for (uint32_t i = 0; i < 10; ++i) {
    a = map.change(a, {{i * 4999, 60'000 + i}}).first;
    b = map.change(b, {{i * 4999 + 2500, 70'000 + i}}).first;
  }
  for (auto _ : state) {
    auto changes = diff(StateMap(map.pages, a), StateMap(map.pages, b));
    if (changes->size() != 20) state.SkipWithError("not 20 apart");
  }
}
BENCHMARK(StateMapDifferenceOf20)->Unit(benchmark::kMicrosecond);

void run_resolution(benchmark::State& state, LargeRoom& large, const StateRoot& a, const StateRoot& b,
                    size_t conflicts) {
  std::vector<StateMap> sets{StateMap(large.room.pages(), a), StateMap(large.room.pages(), b)};
  for (auto _ : state) {
    auto resolution = resolve(large.room.rules(), sets, large.room.graph(), large.room);
    if (!resolution || resolution->conflicted != conflicts) state.SkipWithError("not as many conflicts as thought");
    benchmark::DoNotOptimize(resolution);
  }
}

// 18 members renamed on either side, one banned, and the join rules changed.
void Resolve20Conflicts(benchmark::State& state) {
  auto& large = room_of_50000(static_cast<int>(state.range(0)));
  static std::map<int64_t, std::pair<StateRoot, StateRoot>> forks;
  if (!forks.contains(state.range(0))) {
    auto a = large.renamed(0, 9, "-a"), b = large.renamed(9, 9, "-b");
    auto ban = large.add("ban", LargeRoom::member(100), "m.room.member", R"({"membership":"ban"})", LargeRoom::kAdmin,
                         {"admin", "levels", LargeRoom::member(100)}, false);
    auto closed = large.add("closed", "", "m.room.join_rules", R"({"join_rule":"invite"})", LargeRoom::kAdmin,
                            {"admin", "levels"}, false);
    forks[state.range(0)] = {large.with(a, LargeRoom::member(100), "m.room.member", ban),
                             large.with(b, "", "m.room.join_rules", closed)};
  }
  auto& [a, b] = forks[state.range(0)];
  run_resolution(state, large, a, b, 20);
}
BENCHMARK(Resolve20Conflicts)->ArgName("version")->Arg(11)->Arg(12)->Unit(benchmark::kMillisecond);

void Resolve10000Memberships(benchmark::State& state) {
  auto& large = room_of_50000(static_cast<int>(state.range(0)));
  static std::map<int64_t, std::pair<StateRoot, StateRoot>> forks;
  if (!forks.contains(state.range(0)))
    forks[state.range(0)] = {large.renamed(20'000, 10'000, "-c"), large.renamed(20'000, 10'000, "-d")};
  auto& [a, b] = forks[state.range(0)];
  run_resolution(state, large, a, b, 10'000);
}
BENCHMARK(Resolve10000Memberships)->ArgName("version")->Arg(11)->Arg(12)->Unit(benchmark::kMillisecond);

// As many forward extremities, each with a member renamed on it and a topic of its own.
void ResolveManySets(benchmark::State& state) {
  auto& large = room_of_50000(11);
  static std::vector<StateRoot> roots;
  auto count = static_cast<size_t>(state.range(0));
  for (auto i = static_cast<unsigned>(roots.size()); i < count; ++i) {
    auto topic =
        large.add("topic" + std::to_string(i), "", "m.room.topic", "{}", LargeRoom::kAdmin, {"admin", "levels"}, false);
    roots.push_back(large.with(large.renamed(40'000 + i, 1, "-e"), "", "m.room.topic", topic));
  }
  std::vector<StateMap> sets;
  for (size_t i = 0; i < count; ++i) sets.emplace_back(large.room.pages(), roots[i]);
  for (auto _ : state) {
    auto resolution = resolve(large.room.rules(), sets, large.room.graph(), large.room);
    if (!resolution || resolution->conflicted != count + 1) state.SkipWithError("not as many conflicts as thought");
    benchmark::DoNotOptimize(resolution);
  }
}
BENCHMARK(ResolveManySets)->ArgName("sets")->Arg(50)->Arg(100)->Arg(200)->Unit(benchmark::kMillisecond);

// A version 12 room of so many creators: 500 bans on either side, each of which asks for the level of its sender.
void ResolveAmongCreators(benchmark::State& state) {
  auto count = static_cast<unsigned>(state.range(0));
  json::Array creators;
  for (unsigned i = 0; i < count; ++i) creators.emplace_back("@c" + std::to_string(i) + ":b");
  LargeRoom large(12, 1'000, {{"additional_creators", std::move(creators)}});
  std::array<StateRoot, 2> forks;
  for (unsigned side = 0; side < 2; ++side) {
    std::vector<StateEdit> edits;
    for (unsigned i = side * 500; i < side * 500 + 500; ++i) {
      auto target = LargeRoom::member(i);
      auto ban = large.add("ban" + target, target, "m.room.member", R"({"membership":"ban"})", LargeRoom::kAdmin,
                           {"admin", "levels", target}, false);
      edits.push_back({large.room.key_number({"m.room.member", target}), large.room.number(ban)});
    }
    forks[side] = large.room.edit(large.root, std::move(edits));
  }
  run_resolution(state, large, forks[0], forks[1], 1'000);
}
BENCHMARK(ResolveAmongCreators)->ArgName("creators")->Arg(1)->Arg(5'000)->Unit(benchmark::kMillisecond);

// Chains of 100 000 events, as of a room whose power levels changed that often: the same but for their last ten.
void AuthDifferenceOfChains(benchmark::State& state) {
  AuthGraph graph;
  auto add = [&](uint32_t event, std::vector<uint32_t> parents) { graph.add(event, parents).value(); };
  add(0, {});
  add(1, {0});
  constexpr uint32_t kLength = 100'000, kOwn = 10;
  for (uint32_t event = 2; event < kLength; ++event) add(event, {0, 1, event - 1});
  uint32_t second = kLength - kOwn - 1;
  for (uint32_t event = kLength; event < kLength + kOwn; ++event) {
    add(event, {0, 1, second});
    second = event;
  }
  uint64_t first_set = 1, second_set = 2;
  std::vector<AuthGraph::Seed> seeds{{kLength - 1, {&first_set, 1}}, {second, {&second_set, 1}}};
  for (auto _ : state)
    if (graph.difference(seeds, 2)->size() != 2 * kOwn) state.SkipWithError("wrong difference");
  state.counters["bytes_per_event"] = static_cast<double>(graph.memory_bytes()) / static_cast<double>(graph.size());
}
BENCHMARK(AuthDifferenceOfChains)->Unit(benchmark::kMicrosecond);

// The worst case: nothing in common but the first two.
void AuthDifferenceOfDisjointChains(benchmark::State& state) {
  AuthGraph graph;
  auto add = [&](uint32_t event, std::vector<uint32_t> parents) { graph.add(event, parents).value(); };
  add(0, {});
  add(1, {0});
  constexpr uint32_t kLength = 100'000;
  for (uint32_t event = 2; event < 2 * kLength; ++event) add(event, {0, 1, event < 4 ? 1 : event - 2});
  uint64_t first_set = 1, second_set = 2;
  std::vector<AuthGraph::Seed> seeds{{2 * kLength - 1, {&first_set, 1}}, {2 * kLength - 2, {&second_set, 1}}};
  for (auto _ : state)
    if (graph.difference(seeds, 2)->size() != 2 * kLength - 2) state.SkipWithError("wrong difference");
}
BENCHMARK(AuthDifferenceOfDisjointChains)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace myelin

BENCHMARK_MAIN();
// NOLINTEND(readability-identifier-naming)
