// Joining, leaving, inviting, kicking, banning.
#include "components/rooms/testing/world.h"

namespace myelin::rooms {
namespace {
using namespace myelin::rooms::testing;
using Action = MembershipAction;

class Memberships : public ::testing::Test {
 protected:
  World world;
  RoomId room = world.create(world.room_of(world.alice));
  RoomId closed = world.create(world.room_of(world.alice, "private_chat"));
  Code refusal(const RoomId& where, const UserId& sender, const UserId& target, Action action) {
    return error_of(world.try_change(where, sender, target, action));
  }
  void restrict(const RoomId& where, const std::string& allowed) {
    json::Array allow{json::Object{{"type", "m.room_membership"}, {"room_id", allowed}}};
    world.set(where, world.alice, "m.room.join_rules", {{"join_rule", "restricted"}, {"allow", std::move(allow)}});
  }
  // The closed room, to members of the other one: bob, and carol, who is not in it yet.
  void let_bob_in_and_restrict() {
    world.join(room, world.bob);
    world.join(room, world.carol);
    world.change(closed, world.alice, world.bob, Action::kInvite);
    world.join(closed, world.bob);
    restrict(closed, room.str());
  }
};

TEST_F(Memberships, PublicRoomsLetEverybodyIn) {
  auto first = world.join(room, world.bob);
  EXPECT_EQ(world.membership(room, world.bob), "join");
  EXPECT_EQ(world.join(room, world.bob), first);  // again: the same event
  EXPECT_EQ(error_of(world.try_join(closed, world.bob)), Code::kForbidden);
  EXPECT_EQ(error_of(world.try_join(RoomId::trusted("!none"), world.bob)), Code::kNotFound);
}

TEST_F(Memberships, InvitesOpenClosedRooms) {
  auto invite = world.change(closed, world.alice, world.bob, Action::kInvite);
  EXPECT_EQ(world.change(closed, world.alice, world.bob, Action::kInvite), invite);
  EXPECT_EQ(world.membership(closed, world.bob), "invite");
  world.join(closed, world.bob);
  EXPECT_EQ(refusal(closed, world.alice, world.bob, Action::kInvite), Code::kForbidden);
  EXPECT_EQ(refusal(closed, world.carol, world.dave, Action::kInvite), Code::kForbidden);
}

TEST_F(Memberships, UsersOfOtherServersCannotBeInvited) {
  auto eve = UserId::trusted("@eve:there");
  EXPECT_EQ(refusal(room, world.alice, eve, Action::kInvite), Code::kForbidden);
  EXPECT_EQ(error_of(world.try_send(room, world.alice, "m.room.member", {{"membership", "invite"}}, eve.str())),
            Code::kForbidden);
  EXPECT_EQ(world.membership(room, eve), "none");
  world.change(room, world.alice, eve, Action::kBan);  // that needs nobody to be told
}

TEST_F(Memberships, LeavingIsSaidOnce) {
  world.join(room, world.bob);
  auto left = world.leave(room, world.bob);
  EXPECT_EQ(world.leave(room, world.bob), left);
  EXPECT_EQ(refusal(room, world.carol, world.carol, Action::kLeave), Code::kForbidden);  // was never there
  world.change(closed, world.alice, world.bob, Action::kInvite);
  world.leave(closed, world.bob);  // rejects the invite
  EXPECT_EQ(world.membership(closed, world.bob), "leave");
}

TEST_F(Memberships, WhoWasJoinedLeftOnceWhateverComesLater) {
  auto left_by = [&](const UserId& who) {
    auto ref = value(world.loop.run(world.queries().last_left(world.info(room).room_no, who)));
    if (!ref) return std::string("never");
    return value(world.loop.run(world.queries().events({*ref}))).front()->event->event_id().str();
  };
  world.change(room, world.alice, world.bob, Action::kInvite);
  EXPECT_EQ(left_by(world.bob), "never");
  EXPECT_EQ(left_by(world.carol), "never");
  world.join(room, world.bob);
  EXPECT_EQ(left_by(world.bob), "never");
  auto kicked = world.change(room, world.alice, world.bob, Action::kKick).str();
  EXPECT_EQ(left_by(world.bob), kicked);
  world.change(room, world.alice, world.bob, Action::kInvite);
  EXPECT_EQ(left_by(world.bob), kicked);
  world.leave(room, world.bob);
  EXPECT_EQ(left_by(world.bob), kicked);
  world.change(room, world.alice, world.bob, Action::kBan);
  world.change(room, world.alice, world.bob, Action::kUnban);
  EXPECT_EQ(left_by(world.bob), kicked);
  world.join(room, world.bob);
  EXPECT_EQ(left_by(world.bob), "never");
  auto banned = world.change(room, world.alice, world.bob, Action::kBan).str();
  EXPECT_EQ(left_by(world.bob), banned);
}

TEST_F(Memberships, KickingNeedsSomebodyToKick) {
  EXPECT_EQ(refusal(room, world.alice, world.bob, Action::kKick), Code::kForbidden);
  world.join(room, world.bob);
  EXPECT_EQ(refusal(room, world.carol, world.bob, Action::kKick), Code::kForbidden);  // not here
  world.join(room, world.carol);
  EXPECT_EQ(refusal(room, world.carol, world.bob, Action::kKick), Code::kForbidden);  // no power
  world.change(room, world.alice, world.bob, Action::kKick);
  EXPECT_EQ(world.membership(room, world.bob), "leave");
  EXPECT_EQ(refusal(room, world.alice, world.bob, Action::kKick), Code::kForbidden);  // has left
}

TEST_F(Memberships, BansHoldUntilTheyAreLifted) {
  world.join(room, world.bob);
  EXPECT_EQ(refusal(room, world.carol, world.bob, Action::kBan), Code::kForbidden);  // not here
  EXPECT_EQ(refusal(room, world.alice, world.bob, Action::kUnban), Code::kForbidden);
  auto ban = world.change(room, world.alice, world.bob, Action::kBan);
  EXPECT_EQ(world.change(room, world.alice, world.bob, Action::kBan), ban);
  EXPECT_EQ(world.membership(room, world.bob), "ban");
  EXPECT_EQ(error_of(world.try_join(room, world.bob)), Code::kForbidden);
  EXPECT_EQ(refusal(room, world.alice, world.bob, Action::kInvite), Code::kForbidden);
  EXPECT_EQ(refusal(room, world.bob, world.bob, Action::kLeave), Code::kForbidden);
  world.change(room, world.alice, world.carol, Action::kBan);  // who was never there
  world.change(room, world.alice, world.bob, Action::kUnban);
  world.join(room, world.bob);
}

TEST_F(Memberships, ForgettingNeedsLeavingFirst) {
  auto forget = [&](const UserId& who) { return world.loop.run(world.rooms->commands().forget(room, who)); };
  EXPECT_EQ(error_of(forget(world.bob)), Code::kUnknown);
  world.join(room, world.bob);
  EXPECT_EQ(error_of(forget(world.bob)), Code::kUnknown);
  world.leave(room, world.bob);
  check(forget(world.bob));
  EXPECT_TRUE(value(world.loop.run(world.queries().membership(room, world.bob)))->forgotten);
  world.join(room, world.bob);
  EXPECT_FALSE(value(world.loop.run(world.queries().membership(room, world.bob)))->forgotten);
}

TEST_F(Memberships, ProfilesAreWrittenIntoMemberEvents) {
  auto change = [&](MemberProfile profile) {
    ChangeMembership request{room, world.alice, world.alice, Action::kProfile, std::move(profile)};
    return value(world.loop.run(world.rooms->commands().change_membership(std::move(request))));
  };
  auto first = change({"Alice", "mxc://here/a"});
  EXPECT_EQ(change({"Alice", "mxc://here/a"}), first);
  auto second = world.event(room, change({"Alicia", {}}));
  EXPECT_EQ(second->event->content(), (json::Object{{"membership", "join"}, {"displayname", "Alicia"}}));
  EXPECT_EQ(second->replaces_state, first);
  EXPECT_EQ(world.served(room, second->event->event_id(), {world.alice}).prev_content->at("displayname").as_string(),
            "Alice");
  EXPECT_EQ(refusal(room, world.bob, world.bob, Action::kProfile), Code::kForbidden);
}

TEST_F(Memberships, RestrictedRoomsAskForAMemberOfAnother) {
  restrict(closed, room.str());
  EXPECT_EQ(error_of(world.try_join(closed, world.bob)), Code::kForbidden);
  world.join(room, world.bob);
  auto join = world.event(closed, world.join(closed, world.bob));
  EXPECT_EQ(json::string_at(join->event->content(), "join_authorised_via_users_server"), world.alice.str());
  world.leave(closed, world.bob);
  world.leave(room, world.bob);
  EXPECT_EQ(error_of(world.try_join(closed, world.bob)), Code::kForbidden);
  world.change(closed, world.alice, world.bob, Action::kInvite);
  auto invited = world.event(closed, world.join(closed, world.bob));
  EXPECT_FALSE(invited->event->content().contains("join_authorised_via_users_server"));
}

TEST_F(Memberships, AnyMemberAuthorisesWhereAnyMemberMayInvite) {
  let_bob_in_and_restrict();
  world.leave(closed, world.alice);
  auto join = world.event(closed, world.join(closed, world.carol));
  EXPECT_EQ(json::string_at(join->event->content(), "join_authorised_via_users_server"), world.bob.str());
}

TEST_F(Memberships, WhoIsAboutToLeaveAuthorisesNobody) {
  let_bob_in_and_restrict();
  std::vector<Task<Result<EventId>>> tasks;
  tasks.push_back(world.rooms->commands().change_membership({closed, world.alice, world.alice, Action::kLeave}));
  tasks.push_back(world.rooms->commands().join({closed, world.carol, {}}));
  auto join = world.event(closed, value(world.loop.run_all(std::move(tasks)).back()));
  EXPECT_EQ(json::string_at(join->event->content(), "join_authorised_via_users_server"), world.bob.str());
}

TEST_F(Memberships, MalformedMembersBySendAreRefused) {
  EXPECT_EQ(error_of(world.try_send(room, world.alice, "m.room.member", {{"membership", "guest"}}, world.alice.str())),
            Code::kBadJson);
  EXPECT_EQ(error_of(world.try_send(room, world.alice, "m.room.member", {{"membership", "invite"}}, "nobody")),
            Code::kBadJson);
  world.set(room, world.alice, "m.room.member", {{"membership", "invite"}}, world.bob.str());
  EXPECT_EQ(world.membership(room, world.bob), "invite");
}

TEST_F(Memberships, AreListedPerUserAndRoom) {
  world.join(room, world.bob);
  world.change(closed, world.alice, world.bob, Action::kInvite);
  std::map<RoomId, Membership> found;
  for (const auto& row : value(world.loop.run(world.queries().memberships(world.bob))))
    found[row.room] = row.membership;
  EXPECT_EQ(found, (std::map<RoomId, Membership>{{room, Membership::kJoin}, {closed, Membership::kInvite}}));
  EXPECT_EQ(value(world.loop.run(world.queries().members(world.info(closed).room_no, Membership::kJoin))),
            std::vector<UserId>{world.alice});
  EXPECT_EQ(value(world.loop.run(world.queries().users_sharing_a_room(world.bob))), std::vector<UserId>{world.alice});
}

TEST_F(Memberships, ChangesTravelWithTheirEvents) {
  world.join(room, world.bob);
  world.change(room, world.alice, world.bob, Action::kKick);
  auto all = world.published();
  const auto& joined = std::get<EventAdded>(all[all.size() - 2].what).memberships;
  const auto& kicked = std::get<EventAdded>(all.back().what).memberships;
  ASSERT_EQ(joined.size(), 1u);
  ASSERT_EQ(kicked.size(), 1u);
  EXPECT_EQ(joined[0].user, world.bob);
  EXPECT_EQ(joined[0].before, std::nullopt);
  EXPECT_EQ(joined[0].after, Membership::kJoin);
  EXPECT_EQ(kicked[0].before, Membership::kJoin);
  EXPECT_EQ(kicked[0].after, Membership::kLeave);
  EXPECT_EQ(kicked[0].ref, std::get<EventAdded>(all.back().what).ref);
}

}  // namespace
}  // namespace myelin::rooms
