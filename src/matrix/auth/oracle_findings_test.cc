// Where the foreign oracle (make oracle) found our rules wrong.
#include <gtest/gtest.h>

#include "matrix/auth/scenes.h"

namespace myelin::auth::scenes {
namespace {

// "If membership is join, content.join_authorised_via_users_server is present, and the room version supports restricted
// rooms": left over in another membership, the key selects nothing.
TEST(OracleFindings, OnlyAJoinSelectsTheMembershipOfItsAuthoriser) {
  auto has_carol = [](std::string_view membership) {
    json::Object content{{"membership", membership}, {"join_authorised_via_users_server", kCarol}};
    auto keys = auth_event_keys(*find_room_version("8"), "m.room.member", kBob, std::string(kBob), content);
    return std::ranges::find(keys, TypeAndKey{"m.room.member", std::string(kCarol)}) != keys.end();
  };
  EXPECT_TRUE(has_carol("join"));
  for (auto membership : {"leave", "ban", "invite", "knock"}) EXPECT_FALSE(has_carol(membership)) << membership;
}

}  // namespace
}  // namespace myelin::auth::scenes
