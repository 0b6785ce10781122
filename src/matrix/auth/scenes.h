// Auth rules told as scenes: who does what in which room, in which room versions, and whether it is allowed. For the
// tests of this folder.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "matrix/auth.h"
#include "matrix/testing/events.h"

namespace myelin::auth::scenes {

// A room of alice@a.example. Alice made it (level 100, or a creator's in version 12); Mod is a moderator (50), Bob a
// member without rights (0); Dave is banned; Carol, of another server, was never there.
class Room final : public AuthState {
 public:
  explicit Room(const RoomRules&);

  Room& put(std::string_view type, std::string_view state_key, std::string_view sender, std::string_view content);
  Room& member(std::string_view user, std::string_view membership, std::string_view more = "{}");
  Room& join_rule(std::string_view rule);
  Room& levels(std::string_view content);  // "users" of it holds no creators
  Room& create_content(std::string_view content);
  Room& remove(std::string_view type, std::string_view state_key);

  // What the rules say to these. Nothing is added to the room.
  Result<void> state(std::string_view sender, std::string_view type, std::string_view state_key,
                     std::string_view content) const;
  Result<void> message(std::string_view sender, std::string_view type, std::string_view content = "{}") const;
  Result<void> membership(std::string_view sender, std::string_view target, std::string_view membership,
                          std::string_view more = "{}") const;
  Result<void> judge(const testing::EventSpec&) const;

  const Event* find(std::string_view type, std::string_view state_key) const override;
  const RoomRules& rules() const { return rules_; }
  std::string room_id() const;
  testing::EventSpec spec(std::string_view sender, std::string_view type, std::optional<std::string> state_key,
                          std::string_view content) const;

 private:
  const RoomRules& rules_;
  std::map<TypeAndKey, EventPtr> state_;
};

inline constexpr std::string_view kAlice = "@alice:a.example", kMod = "@mod:a.example", kBob = "@bob:a.example",
                                  kCarol = "@carol:b.example", kDave = "@dave:b.example";

int number_of(const RoomRules&);  // 12 of "12"

// How a scene ends: allowed, or rejected for a reason, of which this is a part. The reason tells the rule that decides
// from another that would refuse the same event.
struct Outcome {
  std::string_view reason;
  bool allowed() const { return reason.empty(); }
};
inline constexpr Outcome kAllowed{};
constexpr Outcome rejected(std::string_view reason) { return {reason}; }

struct Scene {
  std::string_view rule;  // the rule that decides
  int first, last;        // room versions
  Outcome outcome;
  std::string_view story;
  std::function<Result<void>(Room&)> play;
};

// Plays each scene in each of its versions.
void play(const std::vector<Scene>&);

// Every scene of every test: what rules_test.cc compares with the rules of the specification.
std::vector<Scene> all_scenes();
struct SceneList {
  explicit SceneList(std::vector<Scene> (*)());
};

// A test that plays the scenes which its body returns.
#define AUTH_SCENES(suite, name)                                        \
  std::vector<Scene> scenes_of_##suite##_##name();                      \
  const SceneList list_of_##suite##_##name{scenes_of_##suite##_##name}; \
  TEST(suite, name) { play(scenes_of_##suite##_##name()); }             \
  std::vector<Scene> scenes_of_##suite##_##name()

}  // namespace myelin::auth::scenes
