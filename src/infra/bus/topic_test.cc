#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "infra/bus/wire.h"

namespace myelin::bus {
namespace {

// Stored messages lie where this function said: it may never give another number.
TEST(Topic, SpineRuleB12PartitionsAreFixedForLife) {
  EXPECT_EQ(kPartitions, 64u);
  EXPECT_EQ(partition_of(""), 17u);
  EXPECT_EQ(partition_of("!room:example.org"), 19u);
  EXPECT_EQ(partition_of("@alice:example.org"), 21u);
  std::set<uint32_t> seen;
  for (int i = 0; i < 2'000; ++i) seen.insert(partition_of("!" + std::to_string(i) + ":example.org"));
  EXPECT_EQ(seen.size(), kPartitions);
  EXPECT_EQ(*seen.rbegin(), kPartitions - 1);
}

TEST(Wire, ComesBackAsItWas) {
  std::string body("\0\xff body", 7);
  auto text = encode_wire("generation", {"", 63, 1ULL << 40, body});
  auto wire = decode_wire(text);
  ASSERT_TRUE(wire);
  EXPECT_EQ(wire->generation, "generation");
  ASSERT_EQ(wire->messages.size(), 1u);
  EXPECT_EQ(wire->messages[0].partition, 63u);
  EXPECT_EQ(wire->messages[0].seq, 1ULL << 40);
  EXPECT_EQ(wire->messages[0].body, body);
}

TEST(Wire, ManyComeBackInTheirOrder) {
  std::vector<db::OutboxRow> rows{{"t", 63, 1ULL << 40, std::string("\0\xff", 2)}, {"t", 0, 1, ""}, {"t", 63, 2, "x"}};
  auto text = encode_wire("generation", rows);
  auto wire = decode_wire(text);
  ASSERT_TRUE(wire);
  EXPECT_EQ(wire->generation, "generation");
  ASSERT_EQ(wire->messages.size(), rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(wire->messages[i].partition, rows[i].partition);
    EXPECT_EQ(wire->messages[i].seq, rows[i].seq);
    EXPECT_EQ(wire->messages[i].body, rows[i].body);
  }
}

TEST(Wire, WhatIsCutShortOrOutOfRangeIsRefused) {
  auto text = encode_wire("generation", {"", 5, 300, ""});
  for (size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(decode_wire(std::string_view(text).substr(0, size)));
  EXPECT_FALSE(decode_wire(encode_wire("g", {"", kPartitions, 1, "x"})));
  std::vector<db::OutboxRow> rows{{"", 5, 300, ""}, {"", kPartitions, 1, "x"}};
  EXPECT_FALSE(decode_wire(encode_wire("g", rows)));
  rows[1].partition = 6;
  auto many = encode_wire("g", rows);
  EXPECT_TRUE(decode_wire(many));
  EXPECT_FALSE(decode_wire(std::string_view(many).substr(0, many.size() - 1)));
}

// The bus in memory and its faults are for tests: the build's line for the program has the real one only.
TEST(Program, DoesNotLinkTheBusOfTheTests) {
  std::ifstream file(MYELIN_BUILD_FILE);
  std::string line, program;
  while (std::getline(file, line))
    if (line.starts_with("build myelin: ")) program = line;
  EXPECT_NE(program.find("libmyelin_bus.a"), std::string::npos) << "the line was found";
  EXPECT_EQ(program.find("bus_testing"), std::string::npos) << program;
}

}  // namespace
}  // namespace myelin::bus
