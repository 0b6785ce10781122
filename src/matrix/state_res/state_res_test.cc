#include "matrix/state_res.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "matrix/testing/events.h"
#include "matrix/testing/random_room.h"
#include "matrix/testing/room_model.h"

namespace myelin {
namespace {

using testing::EventSpec;
using testing::LiteralState;
using testing::make_event;
using testing::object;
using testing::RoomModel;

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
