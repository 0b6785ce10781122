// POST /createRoom: events and their order, presets, both kinds of room id, refusals.
#include "components/rooms/testing/remote_server.h"
#include "components/rooms/testing/world.h"

namespace myelin::rooms {
namespace {
using namespace myelin::rooms::testing;

class CreatingRooms : public OnBothDatabases {
 protected:
  World world{GetParam()};

  std::vector<std::string> types(const RoomId& room, const UserId& viewer) {
    std::vector<std::string> out;
    for (const auto& placed : world.messages(room, viewer, Direction::kForward).events)
      out.push_back(placed->event->type());
    return out;
  }
  const json::Object& content(const RoomId& room, const std::string& type, const std::string& key = "") {
    held_.push_back(world.state_event(room, type, key));
    EXPECT_TRUE(held_.back()) << type;
    return held_.back()->event->content();
  }
  Code refusal(CreateRoom request) {
    return error_of(world.loop.run(world.rooms->commands().create(std::move(request))));
  }

 private:
  std::vector<PlacedPtr> held_;
};

TEST_P(CreatingRooms, SendsTheEventsInTheSpecsOrder) {
  auto request = world.room_of(world.alice, "private_chat", "11");
  request.alias = "#here:here";
  request.name = "Name";
  request.topic = "Topic";
  request.invite = {world.bob, world.carol, world.bob};
  request.invite_profiles = {{"Bob", "mxc://here/bob"}, {"Carol", {}}, {}};
  request.is_direct = true;
  request.initial_state = {
      json::Object{{"type", "m.room.encryption"}, {"content", {{"algorithm", "m.megolm.v1.aes-sha2"}}}},
      json::Object{{"type", "org.example"}, {"state_key", "x"}, {"content", json::Object()}}};
  auto room = world.create(std::move(request));
  EXPECT_EQ(types(room, world.alice),
            (std::vector<std::string>{"m.room.create", "m.room.member", "m.room.power_levels", "m.room.canonical_alias",
                                      "m.room.join_rules", "m.room.history_visibility", "m.room.guest_access",
                                      "m.room.encryption", "org.example", "m.room.name", "m.room.topic",
                                      "m.room.member", "m.room.member"}));
  EXPECT_EQ(content(room, "m.room.topic").at("m.topic").at("m.text").at(0).at("body").as_string(), "Topic");
  const auto& invite = content(room, "m.room.member", world.bob.str());
  EXPECT_EQ(
      invite,
      (json::Object{
          {"membership", "invite"}, {"displayname", "Bob"}, {"avatar_url", "mxc://here/bob"}, {"is_direct", true}}));
  EXPECT_EQ(world.membership(room, world.carol), "invite");
  EXPECT_EQ(world.membership(room, world.alice), "join");
}

TEST_P(CreatingRooms, PresetsDecideTheState) {
  struct Row {
    const char *preset, *rule, *guests;
    int invite;
  };
  for (auto [preset, rule, guests, invite] :
       {Row{"private_chat", "invite", "can_join", 0}, Row{"trusted_private_chat", "invite", "can_join", 0},
        Row{"public_chat", "public", "forbidden", 50}}) {
    auto room = world.create(world.room_of(world.alice, preset, "11"));
    EXPECT_EQ(content(room, "m.room.join_rules").at("join_rule").as_string(), rule) << preset;
    EXPECT_EQ(content(room, "m.room.guest_access").at("guest_access").as_string(), guests) << preset;
    EXPECT_EQ(content(room, "m.room.history_visibility").at("history_visibility").as_string(), "shared") << preset;
    EXPECT_EQ(content(room, "m.room.power_levels").at("invite").as_int64(), invite) << preset;
  }
}

// All that each preset makes of a room, in the versions that differ most.
TEST_P(CreatingRooms, EveryPresetInVersions11And12) {
  struct Row {
    const char *preset, *version, *rule, *guests;
    json::Object users;
    json::Array creators;
    int invite, tombstone;
  };
  const json::Object alone{{"@alice:here", 100}}, both{{"@alice:here", 100}, {"@bob:here", 100}}, nobody;
  const Row rows[] = {
      {"private_chat", "11", "invite", "can_join", alone, {}, 0, 100},
      {"trusted_private_chat", "11", "invite", "can_join", both, {}, 0, 100},
      {"public_chat", "11", "public", "forbidden", alone, {}, 50, 100},
      {"private_chat", "12", "invite", "can_join", nobody, {}, 0, 150},
      {"trusted_private_chat", "12", "invite", "can_join", nobody, {"@bob:here"}, 0, 150},
      {"public_chat", "12", "public", "forbidden", nobody, {}, 50, 150},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(fmt::format("{} {}", row.preset, row.version));
    auto request = world.room_of(world.alice, row.preset, row.version);
    request.invite = {world.bob};
    request.is_direct = true;
    request.creation_content = {{"m.federate", false}};
    auto room = world.create(std::move(request));
    json::Object create{{"m.federate", false}, {"room_version", row.version}};
    if (!row.creators.empty()) create["additional_creators"] = row.creators;
    EXPECT_EQ(content(room, "m.room.create"), create);
    EXPECT_EQ(content(room, "m.room.join_rules"), (json::Object{{"join_rule", row.rule}}));
    EXPECT_EQ(content(room, "m.room.history_visibility"), (json::Object{{"history_visibility", "shared"}}));
    EXPECT_EQ(content(room, "m.room.guest_access"), (json::Object{{"guest_access", row.guests}}));
    EXPECT_EQ(content(room, "m.room.member", "@alice:here"), (json::Object{{"membership", "join"}}));
    EXPECT_EQ(content(room, "m.room.member", "@bob:here"),
              (json::Object{{"membership", "invite"}, {"is_direct", true}}));
    json::Object events{{"m.room.name", 50},
                        {"m.room.avatar", 50},
                        {"m.room.canonical_alias", 50},
                        {"m.room.power_levels", 100},
                        {"m.room.history_visibility", 100},
                        {"m.room.encryption", 100},
                        {"m.room.server_acl", 100},
                        {"m.room.tombstone", row.tombstone}};
    EXPECT_EQ(content(room, "m.room.power_levels"), (json::Object{{"users", row.users},
                                                                  {"users_default", 0},
                                                                  {"events", events},
                                                                  {"events_default", 0},
                                                                  {"state_default", 50},
                                                                  {"ban", 50},
                                                                  {"kick", 50},
                                                                  {"redact", 50},
                                                                  {"invite", row.invite}}));
    EXPECT_EQ(world.state(room).size(), 7u);
    // Nobody of another server comes in.
    RemoteServer there(world.loop, world.rooms, world.clock);
    auto eve = there.user("eve");
    RemoteEvent join{.sender = "eve",
                     .type = "m.room.member",
                     .content = {{"membership", "join"}},
                     .state_key = eve.str(),
                     .prev = extremities_of(head_of(world.loop, *world.db, room))};
    EXPECT_TRUE(value(there.try_send(room, std::move(join))).rejected);
  }
}

TEST_P(CreatingRooms, InitialStateComesBeforePresetsAndOverridesComeLast) {
  auto request = world.room_of(world.alice, "private_chat", "11");
  request.initial_state = {json::Object{{"type", "m.room.join_rules"}, {"content", {{"join_rule", "knock"}}}},
                           json::Object{{"type", "m.room.name"}, {"content", {{"name", "first"}}}}};
  request.name = "second";
  request.power_level_content_override = {{"events_default", 7}};
  auto room = world.create(std::move(request));
  EXPECT_EQ(content(room, "m.room.join_rules").at("join_rule").as_string(), "knock");
  EXPECT_EQ(content(room, "m.room.name").at("name").as_string(), "second");
  EXPECT_EQ(content(room, "m.room.power_levels").at("events_default").as_int64(), 7);
  EXPECT_EQ(content(room, "m.room.power_levels").at("users"), (json::Object{{"@alice:here", 100}}));
}

TEST_P(CreatingRooms, InVersion12OnlyCreatorsUpgradeUnlessAskedFor) {
  struct Row {
    json::Object asked;
    std::optional<int64_t> tombstone;
  };
  const Row rows[] = {
      {{{"state_default", 200}}, 201},
      {{{"state_default", 100}}, 150},
      {{{"state_default", (int64_t{1} << 53) - 1}}, (int64_t{1} << 53) - 1},  // nothing is higher
      {{{"events", json::Object{{"m.room.name", 10}}}}, 150},
      {{{"events", json::Object{{"m.room.tombstone", 60}}}, {"state_default", 70}}, 60},
  };
  for (const auto& [asked, tombstone] : rows) {
    auto request = world.room_of(world.alice, "private_chat", "12");
    request.power_level_content_override = asked;
    const auto& levels = content(world.create(std::move(request)), "m.room.power_levels");
    EXPECT_EQ(levels.at("events").at("m.room.tombstone").as_int64(), tombstone) << json::serialize(asked);
  }
  auto older = world.room_of(world.alice, "private_chat", "11");
  older.power_level_content_override = {{"state_default", 100}};
  EXPECT_EQ(content(world.create(std::move(older)), "m.room.power_levels").at("events").at("m.room.tombstone"), 100);
}

TEST_P(CreatingRooms, Version12NamesTheRoomByItsCreateEvent) {
  auto request = world.room_of(world.alice, "trusted_private_chat", "12");
  request.creation_content = {{"additional_creators", {"@carol:here"}}, {"type", "m.space"}, {"creator", "@x:y"}};
  request.invite = {world.bob, world.carol};
  auto room = world.create(std::move(request));
  auto create = world.state_event(room, "m.room.create")->event;
  EXPECT_EQ(room.str(), "!" + create->event_id().str().substr(1));
  EXPECT_EQ(create->object().contains("room_id"), false);
  EXPECT_EQ(create->room_id(), room);
  EXPECT_EQ(create->content(),
            (json::Object{
                {"additional_creators", {"@carol:here", "@bob:here"}}, {"type", "m.space"}, {"room_version", "12"}}));
  const auto& levels = content(room, "m.room.power_levels");
  EXPECT_EQ(levels.at("users"), json::Object());
  EXPECT_EQ(levels.at("events").at("m.room.tombstone").as_int64(), 150);
  // The auth events of an event do not name the create event.
  auto say = world.event(room, world.say(room, world.alice, "hello"));
  EXPECT_EQ(say->event->auth_events().size(), 2u);
}

TEST_P(CreatingRooms, NobodyOfAnotherServerIsInvited) {
  auto request = world.room_of(world.alice);
  request.invite = {world.bob, UserId::trusted("@eve:there")};
  EXPECT_EQ(refusal(std::move(request)), Code::kForbidden);
}

TEST_P(CreatingRooms, Version11KeepsCreatorsAmongTheUsers) {
  auto request = world.room_of(world.alice, "trusted_private_chat", "11");
  request.invite = {world.bob};
  auto room = world.create(std::move(request));
  EXPECT_EQ(content(room, "m.room.power_levels").at("users"), (json::Object{{"@alice:here", 100}, {"@bob:here", 100}}));
  EXPECT_EQ(content(room, "m.room.create"), (json::Object{{"room_version", "11"}}));
  EXPECT_TRUE(room.str().ends_with(":here"));
}

TEST_P(CreatingRooms, ASecondCreateEventIsRefusedInEveryRoomVersion) {
  for (const char* version : {"1", "6", "10", "11", "12"}) {
    auto it = world.create(world.room_of(world.alice, "public_chat", version));
    for (auto key : {std::optional<std::string>(), std::optional<std::string>(""), std::optional<std::string>("k")})
      EXPECT_EQ(error_of(world.try_send(it, world.alice, "m.room.create", {}, key)), Code::kForbidden) << version;
    world.say(it, world.alice, "the room goes on");
  }
}

TEST_P(CreatingRooms, RefusesWhatCannotBe) {
  auto with = [&](auto change) {
    auto request = world.room_of(world.alice, "private_chat", "12");
    change(request);
    return refusal(std::move(request));
  };
  EXPECT_EQ(with([](auto& r) { r.version = "99"; }), Code::kUnsupportedRoomVersion);
  EXPECT_EQ(with([](auto& r) { r.preset = "cosy"; }), Code::kInvalidParam);
  EXPECT_EQ(with([](auto& r) { r.initial_state = {1}; }), Code::kBadJson);
  EXPECT_EQ(with([](auto& r) { r.initial_state = {json::Object{{"type", "x"}}}; }), Code::kBadJson);
  EXPECT_EQ(with([](auto& r) {
              r.initial_state = {json::Object{{"type", "x"}, {"state_key", 1}, {"content", json::Object()}}};
            }),
            Code::kBadJson);
  EXPECT_EQ(
      with([](auto& r) { r.initial_state = {json::Object{{"type", "m.room.create"}, {"content", json::Object()}}}; }),
      Code::kInvalidRoomState);
  EXPECT_EQ(with([](auto& r) { r.creation_content = {{"additional_creators", {"no user id"}}}; }), Code::kBadJson);
  EXPECT_EQ(with([](auto& r) { r.power_level_content_override = {{"users", {{"@alice:here", 100}}}}; }),
            Code::kInvalidRoomState);  // creators are not among the users
  EXPECT_EQ(with([](auto& r) {
              r.version = "11";
              r.name = "x";
              r.power_level_content_override = {{"users", {{"@alice:here", 10}}}};
            }),
            Code::kInvalidRoomState);  // too low to set the name
  EXPECT_EQ(with([](auto& r) { r.topic = std::string(70'000, 'x'); }), Code::kTooLarge);
  EXPECT_EQ(with([&](auto& r) { r.invite = {r.creator}; }), Code::kInvalidRoomState);
}

TEST_P(CreatingRooms, IsOneTransaction) {
  auto before = world.rows();
  auto request = world.room_of(world.alice, "private_chat", "12");
  request.initial_state = {json::Object{{"type", "x"}, {"content", {{"pad", std::string(70'000, 'x')}}}}};
  EXPECT_EQ(refusal(request), Code::kTooLarge);
  EXPECT_EQ(world.rows(), before);
  request.initial_state.clear();
  // It fails after all of it was written.
  world.db->fail_write({Code::kDiskFull, "no space"});
  EXPECT_EQ(refusal(request), Code::kDiskFull);
  EXPECT_EQ(world.rows(), before);
  auto room = world.create(std::move(request));
  // Every event was announced with the state around it.
  StateRoot root;
  int64_t order = 0;
  for (const auto& message : world.published()) {
    const auto& added = std::get<EventAdded>(message.what);
    EXPECT_EQ(message.room, room);
    EXPECT_EQ(added.before, root);
    EXPECT_EQ(added.order, ++order);
    root = added.after;
  }
  EXPECT_EQ(root, world.current(room));
}

MYELIN_ON_BOTH_DATABASES(CreatingRooms);

}  // namespace
}  // namespace myelin::rooms
