#include "matrix/tokens.h"

#include <gtest/gtest.h>

namespace myelin {
namespace {

template <class Token>
void refuses(std::initializer_list<std::string_view> texts) {
  for (auto text : texts) EXPECT_FALSE(Token::parse(text)) << text;
}

TEST(PageToken, GoesThereAndBack) {
  for (PageToken token : {PageToken{}, {7, 12, 0}, {7, -12, 99}, {INT64_MAX, INT64_MIN, INT64_MAX}})
    EXPECT_EQ(PageToken::parse(token.str()), token) << token.str();
  EXPECT_EQ((PageToken{7, -12, 99}).str(), "t7_-12_99");
}
TEST(PageToken, RefusesTheRest) {
  refuses<PageToken>({"", "t", "t1", "t1_2", "t1_2_", "t1_2_3_", "t1_2_3 ", " t1_2_3", "x1_2_3", "t1-2-3", "t+1_2_3",
                      "t01_2_3", "t-0_2_3", "t1_2_99999999999999999999", "s5"});
}

TEST(SyncToken, GoesThereAndBack) {
  for (SyncToken token :
       {SyncToken{}, {5}, {5, 3}, {5, -1, 7, 9}, {5, 0, 7, 0}, {INT64_MAX, 1, UINT32_MAX, UINT64_MAX}})
    EXPECT_EQ(SyncToken::parse(token.str()), token) << token.str();
  EXPECT_EQ((SyncToken{5, 3, 7, 9}).str(), "s5_7.9~3");
  EXPECT_EQ(SyncToken::parse("s5")->to_device_position(), 5);
  EXPECT_EQ(SyncToken::parse("s5~3")->to_device_position(), 3);
}
TEST(SyncToken, RefusesTheRest) {
  refuses<SyncToken>({"", "s", "5", "s-1", "s05", "s5_", "s5_7", "s5_7.", "s5_.9", "s5_7.9~", "s5~-1", "s5~3~4",
                      "s5~3_7.9", "s5_0.0", "s5 ", "s9999999999999999999", "t1_2_3"});
}

TEST(OffsetToken, GoesThereAndBackAndRefusesTheRest) {
  for (uint32_t offset : {0u, 1u, UINT32_MAX}) EXPECT_EQ(OffsetToken::parse(OffsetToken{offset}.str())->offset, offset);
  refuses<OffsetToken>({"", "p", "12", "p-1", "p01", "p1 ", "p1x", "p4294967296"});
}

}  // namespace
}  // namespace myelin
