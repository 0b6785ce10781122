#include "infra/lease/balance.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <random>
#include <set>

namespace myelin::lease {
namespace {

std::vector<uint32_t> range(uint32_t from, uint32_t to) {
  std::vector<uint32_t> out(to - from);
  std::iota(out.begin(), out.end(), from);
  return out;
}
std::set<uint32_t> set_of(const std::vector<uint32_t>& parts) { return {parts.begin(), parts.end()}; }

TEST(Balance, AloneItTakesAll) {
  auto plan = balance({64, {"a"}, {}, {}, range(0, 64)}, "a");
  EXPECT_EQ(set_of(plan.take), set_of(range(0, 64)));
  EXPECT_TRUE(plan.let_go.empty());
}

TEST(Balance, ThoseWhoStartTogetherTakeNothingTwice) {
  std::set<uint32_t> all;
  for (std::string me : {"a", "b", "c"}) {
    auto plan = balance({64, {"a", "b", "c"}, {}, {}, range(0, 64)}, me);
    EXPECT_EQ(plan.take.size(), 22u);
    for (size_t i = 0; i < 21; ++i) EXPECT_TRUE(all.insert(plan.take[i]).second) << me << " " << plan.take[i];
  }
}

TEST(Balance, NoMoreIsLetGoThanIsTooMuch) {
  auto plan = balance({64, {"a", "b", "c"}, range(0, 32), {}, {}}, "a");
  EXPECT_EQ(plan.let_go.size(), 10u);
  EXPECT_TRUE(plan.take.empty());
  plan = balance({64, {"a", "b", "c"}, range(0, 22), {}, range(60, 64)}, "a");
  EXPECT_TRUE(plan.let_go.empty() && plan.take.empty());
}

TEST(Balance, WhatAFormerLifeHeldComesFirst) {
  auto plan = balance({4, {"a", "b"}, {}, {1, 2, 3}, {0}}, "a");
  EXPECT_EQ(plan.take, (std::vector<uint32_t>{1, 2}));
  EXPECT_EQ(plan.give_up, (std::vector<uint32_t>{3}));
}

TEST(Balance, AConsumerAsAWholeStaysWhereItIs) {
  EXPECT_TRUE(balance({1, {"a", "b", "c"}, {0}, {}, {}}, "c").let_go.empty());
  EXPECT_TRUE(balance({1, {"a", "b", "c"}, {}, {}, {}}, "a").take.empty());
  EXPECT_EQ(balance({1, {"a", "b", "c"}, {}, {}, {0}}, "b").take.size(), 1u);
}

TEST(Balance, WhoDoesNotWantItKeepsNothing) {
  auto plan = balance({4, {"b"}, {0, 1}, {2}, {3}}, "a");
  EXPECT_EQ(plan.let_go.size(), 2u);
  EXPECT_EQ(plan.give_up.size(), 1u);
  EXPECT_TRUE(plan.take.empty());
}

// Processes come and go; each plans by itself, one after the other. Soon all is held, evenly, and nothing moves.
TEST(Balance, ItComesToRest) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    auto count = static_cast<uint32_t>(1 + random() % 64);
    std::vector<std::string> alive;
    for (char c = 'a'; c < 'g'; ++c)
      if (random() % 2 == 0) alive.emplace_back(1, c);
    if (alive.empty()) continue;
    std::map<std::string, std::set<uint32_t>> held;
    std::set<uint32_t> free;
    for (uint32_t part = 0; part < count; ++part) {
      auto who = random() % (alive.size() + 1);
      if (who == alive.size())
        free.insert(part);
      else
        held[alive[who]].insert(part);
    }
    size_t moves = 1;
    for (int step = 0; step < 3 && moves > 0; ++step) {
      moves = 0;
      for (const auto& me : alive) {
        auto plan = balance({count, alive, {held[me].begin(), held[me].end()}, {}, {free.begin(), free.end()}}, me);
        moves += plan.take.size() + plan.let_go.size();
        for (auto part : plan.let_go) EXPECT_TRUE(held[me].erase(part) == 1 && free.insert(part).second);
        for (auto part : plan.take) EXPECT_TRUE(free.erase(part) == 1 && held[me].insert(part).second);
      }
    }
    EXPECT_EQ(moves, 0u);
    EXPECT_TRUE(free.empty());
    for (const auto& me : alive) EXPECT_LE(held[me].size(), (count + alive.size() - 1) / alive.size());
  }
}

}  // namespace
}  // namespace myelin::lease
