#include "infra/db/committed.h"

#include <gtest/gtest.h>

namespace myelin::db {
namespace {

class CommittedTest : public ::testing::Test {
 protected:
  CommittedTest() {
    committed_.set_receiver([this](std::vector<OutboxRow> rows) {
      for (const auto& row : rows) seen_.push_back(fmt::format("{}/{}:{}", row.topic, row.partition, row.seq));
    });
  }
  Committed committed_;
  std::vector<std::string> seen_;
  using Seen = std::vector<std::string>;
};

TEST_F(CommittedTest, ALaneThatWasFasterWaitsForTheNumbersBeforeItsOwn) {
  committed_.reserve({"t", 1}, 1);
  committed_.reserve({"t", 1}, 3);
  committed_.reserve({"t", 2}, 1);
  committed_.deliver({{"t", 1, 3, ""}, {"t", 1, 4, ""}, {"t", 2, 1, ""}});
  EXPECT_EQ(seen_, (Seen{"t/2:1"}));
  committed_.deliver({{"t", 1, 1, ""}, {"t", 1, 2, ""}});
  EXPECT_EQ(seen_, (Seen{"t/2:1", "t/1:1", "t/1:2", "t/1:3", "t/1:4"}));
}

TEST_F(CommittedTest, NumbersThatWereNotCommittedHoldNobodyUp) {
  committed_.reserve({"t", 1}, 1);
  committed_.reserve({"t", 1}, 2);
  committed_.deliver({{"t", 1, 2, ""}});
  EXPECT_TRUE(seen_.empty());
  committed_.drop({{{"t", 1}, 1}});
  EXPECT_EQ(seen_, (Seen{"t/1:2"}));
}

}  // namespace
}  // namespace myelin::db
