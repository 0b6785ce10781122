#include "matrix/visibility.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "matrix/testing/event.h"

namespace myelin {
namespace {

using testing::make_event;

EventPtr setting(std::string_view value) {
  return make_event(R"({"type":"m.room.history_visibility","state_key":"","content":{"history_visibility":")" +
                    std::string(value) + R"("}})");
}
EventPtr member(std::string_view value, std::string_view user = "@viewer:x") {
  return make_event(R"({"type":"m.room.member","state_key":")" + std::string(user) + R"(","content":{"membership":")" +
                    std::string(value) + R"("}})");
}
const UserId kViewer = UserId::trusted("@viewer:x");

bool may_see(const UserId& viewer, const Event& event, const Event* visibility, const Event* member,
             bool joined_later) {
  auto sights = sights_of(viewer, event, {history_visibility_of(visibility), membership_of(member)});
  return std::ranges::any_of(sights, [&](auto& sight) { return is_visible(sight, joined_later); });
}

// Client-server API, Room History Visibility: the five rules, in full.
TEST(Visibility, OfAMessage) {
  struct {
    const char *setting, *membership;
    bool never_joined_later, joined_later;
  } cases[] = {
      {"world_readable", "", true, true},
      {"world_readable", "leave", true, true},
      {"world_readable", "invite", true, true},
      {"world_readable", "join", true, true},
      {"world_readable", "ban", true, true},
      {"world_readable", "knock", true, true},
      {"shared", "", false, true},
      {"shared", "leave", false, true},
      {"shared", "invite", false, true},
      {"shared", "join", true, true},
      {"shared", "ban", false, true},
      {"shared", "knock", false, true},
      {"invited", "", false, false},
      {"invited", "leave", false, false},
      {"invited", "invite", true, true},
      {"invited", "join", true, true},
      {"invited", "ban", false, false},
      {"invited", "knock", false, false},
      {"joined", "", false, false},
      {"joined", "leave", false, false},
      {"joined", "invite", false, false},
      {"joined", "join", true, true},
      {"joined", "ban", false, false},
      {"joined", "knock", false, false},
      {"nonsense", "", false, true},
      {"", "leave", false, true},  // shared is the default
  };
  auto event = make_event("{}");
  for (auto& c : cases) {
    auto visibility = *c.setting ? setting(c.setting) : nullptr;
    auto membership = *c.membership ? member(c.membership) : nullptr;
    EXPECT_EQ(may_see(kViewer, *event, visibility.get(), membership.get(), false), c.never_joined_later)
        << c.setting << " " << c.membership;
    EXPECT_EQ(may_see(kViewer, *event, visibility.get(), membership.get(), true), c.joined_later)
        << c.setting << " " << c.membership;
  }
}

TEST(Visibility, OfAVisibilityEventIsBeforeOrAfter) {
  auto world = setting("world_readable"), joined = setting("joined");
  EXPECT_TRUE(may_see(kViewer, *joined, world.get(), nullptr, false));
  EXPECT_TRUE(may_see(kViewer, *world, joined.get(), nullptr, false));
  EXPECT_FALSE(may_see(kViewer, *joined, joined.get(), nullptr, false));
  EXPECT_FALSE(may_see(kViewer, *setting("shared"), joined.get(), nullptr, false));
  EXPECT_TRUE(may_see(kViewer, *setting("shared"), joined.get(), nullptr, true));
  // Only the event of the empty state key is the setting.
  auto other = make_event(
      R"({"type":"m.room.history_visibility","state_key":"x","content":{"history_visibility":"world_readable"}})");
  EXPECT_FALSE(may_see(kViewer, *other, joined.get(), nullptr, false));
}

TEST(Visibility, OfTheViewersMemberEventIsBeforeOrAfter) {
  auto joined = setting("joined");
  auto join = member("join"), leave = member("leave"), invite = member("invite"), ban = member("ban");
  EXPECT_TRUE(may_see(kViewer, *join, joined.get(), invite.get(), false));
  EXPECT_TRUE(may_see(kViewer, *leave, joined.get(), join.get(), false));
  EXPECT_TRUE(may_see(kViewer, *ban, joined.get(), join.get(), false));
  EXPECT_FALSE(may_see(kViewer, *leave, joined.get(), invite.get(), false));
  EXPECT_FALSE(may_see(kViewer, *invite, joined.get(), nullptr, false));
  EXPECT_TRUE(may_see(kViewer, *invite, setting("invited").get(), nullptr, false));
  EXPECT_FALSE(may_see(kViewer, *member("join", "@other:x"), joined.get(), nullptr, false));
}

TEST(Visibility, TheLastSightHasTheMembershipAfterTheEvent) {
  Sight before{HistoryVisibility::kJoined, "join"};
  EXPECT_EQ(sights_of(kViewer, *make_event("{}"), before), (std::vector{before}));
  EXPECT_EQ(sights_of(kViewer, *member("leave"), before),
            (std::vector<Sight>{before, {HistoryVisibility::kJoined, "leave"}}));
  EXPECT_EQ(sights_of(kViewer, *member("leave", "@other:x"), before), (std::vector{before}));
  EXPECT_EQ(sights_of(kViewer, *setting("invited"), before),
            (std::vector<Sight>{before, {HistoryVisibility::kInvited, "join"}}));
}

// Attack 12: another server gets only what one of its users may see.
TEST(Visibility, Attack12AServerGetsWhatItsUsersMaySee) {
  auto server = ServerName::trusted("x"), other = ServerName::trusted("y");
  auto message = make_event("{}");
  auto shared = setting("shared"), invited = setting("invited"), joined = setting("joined"),
       world = setting("world_readable");
  EXPECT_FALSE(may_give(server, *message, shared.get(), "leave", false)) << "it was never there";
  EXPECT_TRUE(may_give(server, *message, shared.get(), "leave", true));
  EXPECT_TRUE(may_give(server, *message, world.get(), "leave", false));
  EXPECT_FALSE(may_give(server, *message, invited.get(), "leave", true));
  EXPECT_TRUE(may_give(server, *message, invited.get(), "invite", false));
  EXPECT_FALSE(may_give(server, *message, joined.get(), "invite", true));
  EXPECT_TRUE(may_give(server, *message, joined.get(), "join", false));
  EXPECT_FALSE(may_give(server, *message, nullptr, "leave", false));
  auto join = member("join");
  EXPECT_TRUE(may_give(server, *join, joined.get(), "leave", false)) << "its own user's";
  EXPECT_FALSE(may_give(other, *join, joined.get(), "leave", false));
  EXPECT_TRUE(may_give(other, *setting("world_readable"), joined.get(), "leave", false));
}

}  // namespace
}  // namespace myelin
