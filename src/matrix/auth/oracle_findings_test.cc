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

// "If the join_rule is invite then allow if membership state is invite or join. … Otherwise, reject": a join rule that
// is not even a string is none of those named, so it lets nobody in. Only a rule that is not there is `invite`.
TEST(OracleFindings, AJoinRuleThatIsNoStringLetsNobodyIn) {
  for (auto& rules : all_room_versions()) {
    for (auto content : {R"({"join_rule":5})", R"({"join_rule":null})", R"({"join_rule":["invite"]})"}) {
      Room room(rules);
      room.put("m.room.join_rules", "", kAlice, content).member(kCarol, "invite");
      EXPECT_FALSE(room.membership(kCarol, kCarol, "join")) << rules.version << content;
    }
    Room room(rules);
    room.put("m.room.join_rules", "", kAlice, "{}").member(kCarol, "invite");
    EXPECT_TRUE(room.membership(kCarol, kCarol, "join")) << rules.version;
  }
}

}  // namespace
}  // namespace myelin::auth::scenes
