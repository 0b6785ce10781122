#include "matrix/auth_graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace myelin {
namespace {

using Numbers = std::vector<uint32_t>;
using Set = std::set<uint32_t>;

Set as_set(const Result<Numbers>& numbers) {
  EXPECT_TRUE(numbers);
  return {numbers->begin(), numbers->end()};
}

// Chains by recursion, for comparison.
void add_chain(const AuthGraph& graph, uint32_t event, Set& chain) {
  if (!chain.insert(event).second) return;
  for (uint32_t parent : graph.parents(event)) add_chain(graph, parent, chain);
}

Set slow_difference(const AuthGraph& graph, const std::vector<Set>& sets) {
  std::vector<Set> chains;
  Set all;
  for (auto& set : sets) {
    auto& chain = chains.emplace_back();
    for (uint32_t event : set) add_chain(graph, event, chain);
    all.insert(chain.begin(), chain.end());
  }
  std::erase_if(all, [&](uint32_t event) {
    return std::ranges::all_of(chains, [&](const Set& chain) { return chain.contains(event); });
  });
  return all;
}

Set fast_difference(const AuthGraph& graph, const std::vector<Set>& sets) {
  size_t words = (sets.size() + 63) / 64;
  std::map<uint32_t, std::vector<uint64_t>> masks;
  for (size_t i = 0; i < sets.size(); ++i) {
    for (uint32_t event : sets[i]) {
      auto& mask = masks[event];
      mask.resize(words);
      mask[i / 64] |= uint64_t{1} << i % 64;
    }
  }
  std::vector<AuthGraph::Seed> seeds;
  for (auto& [event, mask] : masks) seeds.push_back({event, mask});
  return as_set(graph.difference(seeds, sets.size()));
}

TEST(AuthGraph, GenerationsAreAboveTheParents) {
  AuthGraph graph;
  EXPECT_EQ(graph.add(10, {}).value(), 0u);
  EXPECT_EQ(graph.add(11, Numbers{10}).value(), 1u);
  EXPECT_EQ(graph.add(12, Numbers{10, 11}).value(), 2u);
  EXPECT_EQ(graph.generation(12), 2u);
  EXPECT_EQ(graph.generation(13), std::nullopt);
  EXPECT_TRUE(graph.parents(13).empty());
  EXPECT_EQ(graph.add(12, {}).value(), 2u) << "known already";
}

// Attack 8: cycles and missing auth events cannot be added at all.
TEST(AuthGraph, Attack08NoCyclesAndNothingMissing) {
  AuthGraph graph;
  EXPECT_EQ(graph.add(1, Numbers{2}).error().code, Code::kNotFound);
  EXPECT_EQ(graph.add(1, Numbers{1}).error().code, Code::kNotFound);
  EXPECT_EQ(graph.size(), 0u);
  graph.add(5, 3, Numbers{4});
  EXPECT_EQ(graph.difference(std::vector<AuthGraph::Seed>{{6, {}}}, 2).error().code, Code::kNotFound);
  uint64_t first = 1;
  EXPECT_EQ(graph.difference(std::vector<AuthGraph::Seed>{{5, {&first, 1}}}, 2).error().code, Code::kNotFound);
  EXPECT_EQ(graph.subgraph_between(Numbers{6}).error().code, Code::kNotFound);
}

// Attack 8: what no event can bring about, rows that are read can say. Whoever is on a cycle has a parent that is not
// below it, so a walk that would follow it meets the lie first.
TEST(AuthGraph, Attack08CyclesClaimedByRowsAreFound) {
  struct Row {
    uint32_t event_no, generation;
    Numbers parents;
  };
  const std::vector<std::vector<Row>> cycles{
      {{1, 0, {1}}},                                                      // cites itself
      {{1, 0, {2}}, {2, 1, {1}}},                                         // two that cite each other
      {{1, 1, {2}}, {2, 1, {1}}},                                         // as deep as each other
      {{1, 5, {2}}, {2, 4, {3}}, {3, 3, {1, 4}}, {4, 0, {}}},             // beside a way out
      {{9, 9, {1}}, {1, 5, {2}}, {2, 4, {3}}, {3, 3, {1}}, {4, 0, {}}}};  // below an event that is on none
  for (auto& rows : cycles) {
    for (size_t sets : {2, 65}) {
      AuthGraph graph;
      Numbers all;  // down to the lowest of which paths are followed
      for (auto& row : rows) {
        graph.add(row.event_no, row.generation, row.parents);
        all.push_back(row.event_no);
      }
      std::vector<uint64_t> first_set((sets + 63) / 64);
      first_set[0] = 1;
      std::vector<AuthGraph::Seed> seeds{{rows.front().event_no, first_set}};
      EXPECT_EQ(graph.difference(seeds, sets).error().code, Code::kCorrupt) << rows.size();
      EXPECT_EQ(graph.subgraph_between(all).error().code, Code::kCorrupt) << rows.size();
    }
  }
}

TEST(AuthGraph, Attack08AbsurdGenerationsAreRefused) {
  constexpr uint32_t kHighest = 1U << 24;  // a queue has a place for every generation
  uint64_t first = 1;
  for (uint32_t generation : {kHighest, kHighest + 1, UINT32_MAX - 1}) {
    AuthGraph graph;
    graph.add(1, generation, {});
    auto difference = graph.difference(std::vector<AuthGraph::Seed>{{1, {&first, 1}}}, 2);
    auto subgraph = graph.subgraph_between(Numbers{1});
    if (generation == kHighest) {
      EXPECT_EQ(difference.value(), Numbers{1});
      EXPECT_EQ(subgraph.value(), Numbers{1});
    } else {
      EXPECT_EQ(difference.error().code, Code::kCorrupt);
      EXPECT_EQ(subgraph.error().code, Code::kCorrupt);
    }
  }
}

TEST(AuthGraph, RowsMayComeInAnyOrder) {
  AuthGraph graph;
  graph.add(3, 2, Numbers{2});
  graph.add(2, 1, Numbers{1});
  graph.add(1, 0, {});
  uint64_t first = 1, second = 2;
  std::vector<AuthGraph::Seed> seeds{{3, {&first, 1}}, {1, {&second, 1}}};
  EXPECT_EQ(as_set(graph.difference(seeds, 2)), (Set{2, 3}));
}

// What an unconflicted event cites is common to all sets, however old.
TEST(AuthGraph, WhatIsInEverySetHidesItsAncestors) {
  AuthGraph graph;
  for (auto& [event, parents] :
       std::vector<std::pair<uint32_t, Numbers>>{{1, {}}, {2, {1}}, {3, {2}}, {4, {3, 1}}, {5, {2}}})
    graph.add(event, parents).value();
  uint64_t first = 1;
  EXPECT_EQ(as_set(graph.difference(std::vector<AuthGraph::Seed>{{4, {&first, 1}}, {5, {}}}, 2)), (Set{3, 4}));
}

TEST(AuthGraph, SubgraphHoldsThePathsBetween) {
  AuthGraph graph;
  // 6 → 4 → 2 → 1, 6 → 5 → 3 → 1: between 6 and 2 lies only 4.
  for (auto& [event, parents] :
       std::vector<std::pair<uint32_t, Numbers>>{{1, {}}, {2, {1}}, {3, {1}}, {4, {2}}, {5, {3}}, {6, {4, 5}}})
    graph.add(event, parents).value();
  EXPECT_EQ(as_set(graph.subgraph_between(Numbers{6, 2})), (Set{2, 4, 6}));
  EXPECT_EQ(as_set(graph.subgraph_between(Numbers{6, 2, 3})), (Set{2, 3, 4, 5, 6}));
  EXPECT_EQ(as_set(graph.subgraph_between(Numbers{4, 5})), (Set{4, 5}));
  EXPECT_EQ(as_set(graph.subgraph_between({})), Set());
}

TEST(AuthGraph, EqualsTheSlowWayOnRandomGraphs) {
  uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 300; ++round) {
    AuthGraph graph;
    auto count = static_cast<uint32_t>(5 + random() % 60);
    for (uint32_t event = 0; event < count; ++event) {
      Set parents;
      for (size_t i = random() % 4; event > 0 && i-- > 0;) parents.insert(event - 1 - random() % std::min(event, 9U));
      graph.add(event, Numbers(parents.begin(), parents.end())).value();
    }
    // More sets than one word has bits, now and then.
    std::vector<Set> sets(2 + random() % (round % 10 == 0 ? 150 : 4));
    for (auto& set : sets)
      for (size_t i = 1 + random() % 6; i-- > 0;) set.insert(static_cast<uint32_t>(random() % count));
    ASSERT_EQ(fast_difference(graph, sets), slow_difference(graph, sets));

    Set ends = sets.front(), expected = ends;
    for (uint32_t from : ends) {
      Set chain;
      add_chain(graph, from, chain);
      for (uint32_t between : chain) {
        Set further;
        for (uint32_t parent : graph.parents(between)) add_chain(graph, parent, further);
        if (std::ranges::any_of(ends, [&](uint32_t end) { return further.contains(end); })) expected.insert(between);
      }
    }
    ASSERT_EQ(as_set(graph.subgraph_between(Numbers(ends.begin(), ends.end()))), expected);
  }
}

// Attack 8: a chain of any length is walked without recursion, and costs less than 100 bytes an event.
TEST(AuthGraph, Attack08ADeepChainIsNoTrouble) {
  AuthGraph graph;
  constexpr uint32_t kDepth = 300'000;
  graph.add(0, {}).value();
  graph.add(1, Numbers{0}).value();
  graph.add(2, Numbers{0, 1}).value();
  for (uint32_t event = 3; event < kDepth; ++event)
    graph.add(event, Numbers{0, event - 1, event - 2, event - 3}).value();
  uint64_t first = 1, second = 2;
  std::vector<AuthGraph::Seed> seeds{{kDepth - 1, {&first, 1}}, {kDepth - 100'001, {&second, 1}}};
  EXPECT_EQ(graph.difference(seeds, 2)->size(), 100'000u);
  EXPECT_EQ(graph.subgraph_between(Numbers{0, kDepth - 1})->size(), kDepth);
  EXPECT_LT(graph.memory_bytes() / graph.size(), 100u);
}

}  // namespace
}  // namespace myelin
