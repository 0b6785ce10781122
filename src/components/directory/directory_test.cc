// Aliases from reservation to removal, who may do what, and the list of published rooms.
#include "components/directory/directory.h"

#include "components/rooms/testing/world.h"

namespace myelin::directory {
namespace {
using namespace myelin::rooms::testing;

class DirectoryTest : public OnBothDatabases {
 protected:
  DirectoryTest() { open(); }
  void open() { directory = make_directory(world.server, *world.db, *world.rooms, world.clock); }
  void restart() {
    directory.reset();
    world.restart();
    open();
  }
  Result<void> reserve(const UserId& who) { return world.loop.run(directory->reserve(alias, who)); }
  Result<void> bind(const RoomId& to, const UserId& who) { return world.loop.run(directory->bind(alias, to, who)); }
  Result<void> remove(const UserId& who) { return world.loop.run(directory->remove(alias, who)); }
  Result<Resolved> resolve() { return world.loop.run(directory->resolve(alias)); }
  std::vector<RoomAlias> aliases(const RoomId& of) { return value(world.loop.run(directory->aliases(of))); }
  std::vector<RoomId> published() { return value(world.loop.run(directory->published_rooms())); }

  World world{GetParam()};
  std::unique_ptr<Directory> directory;
  RoomId room = world.create(world.room_of(world.alice)), other = world.create(world.room_of(world.bob));
  const RoomAlias alias = RoomAlias::trusted("#here:here");
};

TEST_P(DirectoryTest, AnAliasIsReservedBoundAndFound) {
  EXPECT_EQ(error_of(resolve()), Code::kNotFound);
  check(reserve(world.alice));
  EXPECT_EQ(error_of(resolve()), Code::kNotFound) << "only reserved";
  EXPECT_TRUE(aliases(room).empty());
  check(bind(room, world.alice));
  restart();
  auto found = value(resolve());
  EXPECT_EQ(found.room, room);
  ASSERT_EQ(found.servers.size(), 1u);
  EXPECT_EQ(found.servers[0], world.server);
  EXPECT_EQ(aliases(room), (std::vector<RoomAlias>{alias}));
  EXPECT_TRUE(aliases(other).empty());
}

TEST_P(DirectoryTest, AReservationKeepsOthersOutUntilItIsOver) {
  check(reserve(world.alice));
  EXPECT_EQ(error_of(reserve(world.bob)), Code::kRoomInUse);
  EXPECT_EQ(error_of(bind(other, world.bob)), Code::kRoomInUse);
  world.clock.advance(60'001);  // its room was never made
  check(reserve(world.bob));
  EXPECT_EQ(error_of(bind(room, world.alice)), Code::kRoomInUse) << "too late";
  check(bind(other, world.bob));
  world.clock.advance(3'600'000);
  EXPECT_EQ(error_of(reserve(world.alice)), Code::kRoomInUse) << "what is bound stays";
}

TEST_P(DirectoryTest, AReleasedReservationIsFreeAtOnce) {
  check(reserve(world.alice));
  check(world.loop.run(directory->release(alias)));
  check(reserve(world.bob));
  check(bind(other, world.bob));
  check(world.loop.run(directory->release(alias)));  // of a bound one: nothing
  EXPECT_EQ(value(resolve()).room, other);
}

TEST_P(DirectoryTest, ABoundAliasIsNotTakenOver) {
  check(bind(room, world.alice));
  EXPECT_EQ(error_of(bind(other, world.bob)), Code::kRoomInUse);
  EXPECT_EQ(error_of(bind(other, world.alice)), Code::kRoomInUse);
  EXPECT_EQ(value(resolve()).room, room);
}

TEST_P(DirectoryTest, AnAliasIsRemovedByItsCreatorOrTheRoomsModerators) {
  EXPECT_EQ(error_of(remove(world.alice)), Code::kNotFound);
  world.join(room, world.bob);
  check(bind(room, world.bob));  // by an ordinary member
  EXPECT_EQ(error_of(remove(world.carol)), Code::kForbidden) << "who is not there";
  world.join(room, world.carol);
  EXPECT_EQ(error_of(remove(world.carol)), Code::kForbidden) << "who has not the level";
  check(remove(world.bob));
  EXPECT_EQ(error_of(resolve()), Code::kNotFound);
  check(bind(room, world.bob));
  check(remove(world.alice));
  check(bind(room, world.bob));
  world.set(room, world.alice, "m.room.power_levels", {{"users", json::Object{{world.carol.str(), 50}}}});
  check(remove(world.carol));
  check(reserve(world.bob));
  EXPECT_EQ(error_of(remove(world.bob)), Code::kNotFound) << "a reservation is no alias yet";
}

TEST_P(DirectoryTest, TheLevelToChangeAliasesIsThatOfTheCanonicalOne) {
  auto may = [&](const UserId& who) { return value(world.loop.run(directory->may_change_aliases(room, who))); };
  EXPECT_TRUE(may(world.alice));
  EXPECT_FALSE(may(world.bob));
  world.join(room, world.bob);
  EXPECT_FALSE(may(world.bob));
  world.set(room, world.alice, "m.room.power_levels", {{"events", json::Object{{"m.room.canonical_alias", 0}}}});
  EXPECT_TRUE(may(world.bob));
  world.leave(room, world.bob);
  EXPECT_FALSE(may(world.bob)) << "who is gone may nothing";
  EXPECT_FALSE(value(world.loop.run(directory->may_change_aliases(RoomId::trusted("!none"), world.alice))));
}

TEST_P(DirectoryTest, RoomsArePublishedAndTakenBack) {
  auto publish = [&](const RoomId& which, bool listed) { check(world.loop.run(directory->publish(which, listed))); };
  EXPECT_TRUE(published().empty());
  publish(room, true);
  publish(room, true);
  publish(other, true);
  restart();
  auto expected = std::vector<RoomId>{room, other};
  std::ranges::sort(expected);
  EXPECT_EQ(published(), expected);
  EXPECT_TRUE(value(world.loop.run(directory->published(room))));
  publish(room, false);
  publish(room, false);
  EXPECT_EQ(published(), (std::vector<RoomId>{other}));
  EXPECT_FALSE(value(world.loop.run(directory->published(room))));
}

MYELIN_ON_BOTH_DATABASES(DirectoryTest);

}  // namespace
}  // namespace myelin::directory
