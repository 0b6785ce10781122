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
  auto text = encode_wire("generation", 63, 1ULL << 40, body);
  auto wire = decode_wire(text);
  ASSERT_TRUE(wire);
  EXPECT_EQ(wire->generation, "generation");
  EXPECT_EQ(wire->message.partition, 63u);
  EXPECT_EQ(wire->message.seq, 1ULL << 40);
  EXPECT_EQ(wire->message.body, body);
}

TEST(Wire, WhatIsCutShortOrOutOfRangeIsRefused) {
  auto text = encode_wire("generation", 5, 300, "");
  for (size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(decode_wire(std::string_view(text).substr(0, size)));
  EXPECT_FALSE(decode_wire(encode_wire("g", kPartitions, 1, "x")));
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
