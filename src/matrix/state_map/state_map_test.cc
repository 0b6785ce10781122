#include "matrix/state_map.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "matrix/state_map/page.h"

namespace myelin {
namespace {

using Model = std::map<uint32_t, uint32_t>;

// Names made from the numbers: key 7 is ("t7", "k7"), event 9 is "$9".
class NumberedItems final : public ItemSource {
 public:
  Result<Fingerprint> item(uint32_t key_no, uint32_t event_no) override {
    auto number = std::to_string(key_no);
    return key_.item("t" + number, "k" + number, EventId::trusted("$" + std::to_string(event_no)));
  }

 private:
  FingerprintKey key_{"0123456789abcdef0123456789abcdef"};
};

// Stands for the table of pages.
struct Store {
  PageSet pages;
  NumberedItems items;
  uint32_t next_page_no = 1;
  size_t bytes = 0;
  std::vector<uint32_t> all;

  StateRoot apply(const StateRoot& root, std::vector<StateEdit> edits) {
    StateWriter writer(pages, items, next_page_no);
    auto result = writer.apply(root, std::move(edits));
    EXPECT_TRUE(result) << result.error().message;
    store(writer);
    return *result;
  }
  void store(const StateWriter& writer) {
    for (auto& page : writer.new_pages()) {
      EXPECT_TRUE(pages.add(page));
      EXPECT_EQ(writer.parsed(page.page_no)->nodes().size(), pages.load(page.page_no).value()->nodes().size());
      bytes += page.bytes.size();
      all.push_back(page.page_no);
    }
    next_page_no = writer.next_page_no();
  }
  Model read(const StateRoot& root) {
    Model model;
    EXPECT_TRUE(StateMap(pages, root).for_each([&](uint32_t key, uint32_t event) { model[key] = event; }));
    return model;
  }
  std::optional<uint32_t> find(const StateRoot& root, uint32_t key) { return StateMap(pages, root).find(key).value(); }
};

std::vector<StateEdit> entries(uint32_t count) {
  std::vector<StateEdit> edits;
  for (uint32_t key = 0; key < count; ++key) edits.push_back({key, key + 1});
  return edits;
}

TEST(StateMap, EmptyMapHoldsNothing) {
  PageSet pages;
  StateMap map(pages);
  EXPECT_TRUE(map.empty());
  EXPECT_EQ(map.find(0).value(), std::nullopt);
  EXPECT_EQ(map.size().value(), 0u);
}

TEST(StateMap, FindsWhatWasPutAndForgetsWhatWasTaken) {
  Store store;
  auto one = store.apply({}, {{5, 50}});
  auto two = store.apply(one, {{70'000, 51}});
  auto three = store.apply(two, {{5, std::nullopt}});
  EXPECT_EQ(store.find(one, 5), 50u);
  EXPECT_EQ(store.find(one, 70'000), std::nullopt);
  EXPECT_EQ(store.find(two, 5), 50u);
  EXPECT_EQ(store.find(two, 70'000), 51u);
  EXPECT_EQ(store.find(three, 5), std::nullopt);
  EXPECT_EQ(store.read(three), (Model{{70'000, 51}}));
  EXPECT_EQ(store.apply(three, {{70'000, std::nullopt}}), StateRoot());
}

TEST(StateMap, HoldsTheLargestNumbers) {
  Store store;
  auto root = store.apply({}, {{0xFFFFFFFF, 0xFFFFFFFF}, {0, 0}});
  EXPECT_EQ(store.read(root), (Model{{0, 0}, {0xFFFFFFFF, 0xFFFFFFFF}}));
}

TEST(StateMap, WithAndWithoutAreSingleEdits) {
  Store store;
  StateWriter writer(store.pages, store.items, 1);
  auto one = writer.with({}, 3, 9).value();
  auto two = writer.with(one, 4, 10).value();
  EXPECT_EQ(StateMap(writer, two).find(3).value(), 9u);
  EXPECT_EQ(writer.without(two, 4).value().fingerprint, one.fingerprint);
  EXPECT_EQ(writer.without(one, 3).value(), StateRoot());
}

TEST(StateMap, TheLastEditOfAKeyCounts) {
  Store store;
  auto root = store.apply({}, {{1, 10}, {1, 11}, {2, 20}, {2, std::nullopt}});
  EXPECT_EQ(store.read(root), (Model{{1, 11}}));
}

TEST(StateMap, AnEditThatChangesNothingWritesNothing) {
  Store store;
  auto root = store.apply({}, entries(300));
  size_t pages = store.all.size();
  EXPECT_EQ(store.apply(root, {{7, 8}, {4'000'000, std::nullopt}, {299, 300}}), root);
  EXPECT_EQ(store.all.size(), pages);
}

TEST(StateMap, EqualContentsHaveEqualFingerprintsWhateverTheWay) {
  Store store;
  auto at_once = store.apply({}, entries(100));
  StateRoot one_by_one;
  for (uint32_t key = 100; key-- > 0;) one_by_one = store.apply(one_by_one, {{key, key + 1}});
  EXPECT_EQ(StateMap(store.pages, at_once), StateMap(store.pages, one_by_one));
  EXPECT_NE(at_once.page, one_by_one.page);
  EXPECT_TRUE(diff(StateMap(store.pages, at_once), StateMap(store.pages, one_by_one)).value().empty());
  auto other = store.apply(at_once, {{50, 7}});
  EXPECT_NE(other.fingerprint, at_once.fingerprint);
  EXPECT_EQ(store.apply(other, {{50, 51}}).fingerprint, at_once.fingerprint);
}

TEST(StateMap, FingerprintsNeedTheKey) {
  FingerprintKey one("0123456789abcdef0123456789abcdef"), two("fedcba9876543210fedcba9876543210");
  auto id = EventId::trusted("$e");
  EXPECT_NE(one.item("a", "b", id), two.item("a", "b", id));
  EXPECT_NE(one.item("ab", "", id), one.item("a", "b", id));
}

TEST(StateMap, DifferenceNamesWhatCameWentAndChanged) {
  Store store;
  auto before = store.apply({}, entries(50));
  auto after = store.apply(before, {{3, 99}, {4, std::nullopt}, {1000, 100}});
  auto changes = diff(StateMap(store.pages, before), StateMap(store.pages, after)).value();
  EXPECT_EQ(changes, (std::vector<StateMapChange>{{3, 4, 99}, {4, 5, std::nullopt}, {1000, std::nullopt, 100}}));
  auto all = diff(StateMap(store.pages), StateMap(store.pages, before)).value();
  EXPECT_EQ(all.size(), 50u);
}

// One change of a large map is one small page; everything else is shared.
TEST(StateMap, AChangeAppendsOneSmallPage) {
  Store store;
  std::mt19937 random(1);
  auto root = store.apply({}, entries(50'000));
  EXPECT_LT(store.bytes, 200'000u);
  EXPECT_LT(store.all.size(), 60u);
  store.bytes = 0;
  store.all.clear();
  constexpr int kChanges = 2000;
  size_t largest = 0;
  for (uint32_t i = 0; i < kChanges; ++i) {
    size_t before = store.bytes;
    root = store.apply(root, {{static_cast<uint32_t>(random() % 50'000), 50'001 + i}});
    largest = std::max(largest, store.bytes - before);
  }
  EXPECT_EQ(store.all.size(), size_t{kChanges});
  EXPECT_LT(store.bytes / kChanges, 256u);
  EXPECT_LT(largest, 512u);
  RecordProperty("bytes_per_change", static_cast<int>(store.bytes / kChanges));
}

TEST(StateMap, ReadsOnlyWhatDiffers) {
  struct Counting final : PageStore {
    PageSet* below;
    std::set<uint32_t> loaded;
    Result<PagePtr> load(uint32_t page_no) override {
      loaded.insert(page_no);
      return below->load(page_no);
    }
  };
  Store store;
  auto base = store.apply({}, entries(50'000));
  auto a = base, b = base;
  for (uint32_t i = 0; i < 10; ++i) {
    a = store.apply(a, {{i * 5000, 60'000 + i}});
    b = store.apply(b, {{i * 5000 + 2500, 70'000 + i}});
  }
  Counting counting;
  counting.below = &store.pages;
  EXPECT_EQ(diff(StateMap(counting, a), StateMap(counting, b)).value().size(), 20u);
  EXPECT_LT(counting.loaded.size(), 80u);
}

TEST(StateMap, ScrubFindsAMapThatIsNotItsRoots) {
  Store store;
  auto root = store.apply({}, entries(40));
  EXPECT_TRUE(StateMap(store.pages, root).check(store.items));
  root.fingerprint[3] ^= 1;
  EXPECT_EQ(StateMap(store.pages, root).check(store.items).error().code, Code::kCorrupt);
}

TEST(StateMap, AMissingPageIsAskedForByNumber) {
  Store store;
  auto root = store.apply({}, entries(10));
  store.pages.erase(root.page);
  EXPECT_EQ(StateMap(store.pages, root).find(1).error().code, Code::kNotFound);
  EXPECT_EQ(store.pages.take_missing(), std::vector<uint32_t>{root.page});
  EXPECT_TRUE(store.pages.take_missing().empty());
}

TEST(StateMap, BehavesLikeAMapUnderRandomOperations) {
  uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  Store store;
  std::vector<std::pair<StateRoot, Model>> versions{{StateRoot{}, Model{}}};
  for (int step = 0; step < 600; ++step) {
    auto [root, model] = versions[random() % versions.size()];
    uint32_t range = random() % 4 == 0 ? 0xFFFFFFFF : 1U << (random() % 14);
    std::vector<StateEdit> edits;
    for (size_t i = random() % (random() % 10 == 0 ? 500 : 6); i-- > 0;) {
      StateEdit edit{static_cast<uint32_t>(random()) % range, static_cast<uint32_t>(random() % 1000)};
      if (random() % 3 == 0) {
        edit.event_no = std::nullopt;
        if (!model.empty() && random() % 4 != 0) edit.key_no = std::next(model.begin(), random() % model.size())->first;
      }
      edits.push_back(edit);
    }
    for (auto& edit : edits) {
      if (edit.event_no) {
        model[edit.key_no] = *edit.event_no;
      } else {
        model.erase(edit.key_no);
      }
    }
    root = store.apply(root, edits);
    ASSERT_EQ(store.read(root), model);
    ASSERT_TRUE(StateMap(store.pages, root).check(store.items));
    for (int i = 0; i < 5; ++i) {
      auto key = static_cast<uint32_t>(random()) % range;
      auto found = model.find(key);
      ASSERT_EQ(store.find(root, key), found == model.end() ? std::nullopt : std::optional(found->second));
    }
    auto& [other_root, other] = versions[random() % versions.size()];
    std::vector<StateMapChange> expected;
    std::set<uint32_t> keys;
    for (auto& [key, event] : other) keys.insert(key);
    for (auto& [key, event] : model) keys.insert(key);
    for (uint32_t key : keys) {
      auto a = other.find(key), b = model.find(key);
      StateMapChange change{key, a == other.end() ? std::nullopt : std::optional(a->second),
                            b == model.end() ? std::nullopt : std::optional(b->second)};
      if (change.before != change.after) expected.push_back(change);
    }
    ASSERT_EQ(diff(StateMap(store.pages, other_root), StateMap(store.pages, root)).value(), expected);
    ASSERT_EQ(other_root.fingerprint == root.fingerprint, expected.empty());
    versions.emplace_back(root, std::move(model));
  }
}

TEST(StateMap, EveryFlippedBitOfAPageIsFound) {
  Store store;
  StateWriter writer(store.pages, store.items, 1);
  auto root = writer.apply({}, entries(100)).value();
  writer.with(root, 17, 12345).value();
  for (auto& page : writer.new_pages()) {
    for (size_t bit = 0; bit < page.bytes.size() * 8; ++bit) {
      auto bytes = page.bytes;
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
      auto parsed = Page::parse(page.page_no, bytes);
      ASSERT_FALSE(parsed);
      ASSERT_EQ(parsed.error().code, Code::kCorrupt);
    }
    for (size_t length = 0; length < page.bytes.size(); ++length)
      ASSERT_FALSE(Page::parse(page.page_no, std::string_view(page.bytes).substr(0, length)));
    EXPECT_FALSE(Page::parse(page.page_no + 1, page.bytes)) << "a page in another's place";
    EXPECT_TRUE(Page::parse(page.page_no, page.bytes));
  }
}

// With a right checksum, but made by a stranger.
TEST(StateMap, NodesThatLeadInCirclesOrUpwardsAreFound) {
  StateNode leaf{.level = 0, .present = 1}, inner{.level = 1, .present = 1}, high{.level = 2, .present = 1};
  inner.value[0] = high.value[0] = 4;
  inner.slot[0] = 1;
  high.slot[0] = 0;
  EXPECT_FALSE(Page::parse(4, encode_page(4, std::array{leaf, inner}))) << "slot 1 leads to itself";
  EXPECT_FALSE(Page::parse(4, encode_page(4, std::array{inner, leaf}))) << "slot 0 leads to a younger node";
  PageSet pages;
  ASSERT_TRUE(pages.add(NewPage{4, encode_page(4, std::array{leaf, high})})) << "a leaf below level 2";
  EXPECT_EQ(StateMap(pages, {4, 1, {}}).find(0).error().code, Code::kCorrupt);
  EXPECT_EQ(StateMap(pages, {4, 9, {}}).find(0).error().code, Code::kCorrupt);
  EXPECT_EQ(StateMap(pages, {4, 256, {}}).find(0).error().code, Code::kCorrupt) << "not slot 0";
  leaf.present = 0;
  EXPECT_FALSE(Page::parse(4, encode_page(4, std::array{leaf}))) << "an empty node";
}

// A room whose row and pages are not of one time, as after a restore in part.
TEST(StateMap, ARootThatIsYetToBeWrittenIsFound) {
  Store store;
  auto root = store.apply({}, {{1, 10}});
  StateWriter behind(store.pages, store.items, root.page);
  EXPECT_EQ(behind.with(root, 1, 10).error().code, Code::kCorrupt);
  EXPECT_EQ(behind.with(root, 2, 20).error().code, Code::kCorrupt);
}

TEST(StateMap, GarbageCollectionKeepsWhatIsReachable) {
  uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int history = 0; history < 20; ++history) {
    Store store;
    std::vector<std::pair<StateRoot, Model>> versions;
    for (int i = 0; i < 60; ++i) {
      auto [root, model] = versions.empty() ? std::pair<StateRoot, Model>() : versions[random() % versions.size()];
      std::vector<StateEdit> edits;
      for (size_t n = 1 + random() % (i == 0 ? 2000 : 4); n-- > 0;)
        edits.push_back({static_cast<uint32_t>(random() % 3000), static_cast<uint32_t>(random() % 100'000)});
      for (auto& edit : edits) model[edit.key_no] = *edit.event_no;
      root = store.apply(root, edits);
      versions.emplace_back(root, std::move(model));
    }
    std::shuffle(versions.begin(), versions.end(), random);
    versions.resize(random() % 8);
    std::vector<StateRoot> roots;
    for (auto& [root, model] : versions) roots.push_back(root);
    auto dead = dead_pages(store.pages, roots, store.all).value();
    for (uint32_t page : dead) store.pages.erase(page);
    for (auto& [root, model] : versions) ASSERT_EQ(store.read(root), model);
    EXPECT_TRUE(dead_pages(store.pages, roots, store.all).value() == dead) << "the same pages a second time";
    if (versions.empty()) EXPECT_EQ(dead.size(), store.all.size());
    EXPECT_GT(dead.size(), 10u);
  }
}

}  // namespace
}  // namespace myelin
