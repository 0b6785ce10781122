#include "matrix/auth/scenes.h"

#include <charconv>

namespace myelin::auth::scenes {

using myelin::testing::EventSpec;
using myelin::testing::make_event;
using myelin::testing::object;

Room::Room(const RoomRules& rules) : rules_(rules) {
  create_content(rules.auth.creator_from_sender ? "{}" : R"({"creator":"@alice:a.example"})");
  levels(R"({"users":{"@mod:a.example":50}})");
  join_rule("invite");
  for (auto user : {kAlice, kMod, kBob}) member(user, "join");
  member(kDave, "ban");
}

Room& Room::create_content(std::string_view content) {
  EventSpec create{.id = "$create", .type = "m.room.create", .state_key = "", .content = object(content)};
  create.content["room_version"] = rules_.version;
  state_[{"m.room.create", ""}] = make_event(rules_, create);
  return *this;
}

std::string Room::room_id() const { return rules_.auth.room_id_from_create ? "!create" : "!room:a.example"; }

EventSpec Room::spec(std::string_view sender, std::string_view type, std::optional<std::string> state_key,
                     std::string_view content) const {
  // Versions 1 and 2 name the sender's server in the event id.
  return {.id = "$event:" + std::string(sender.substr(sender.find(':') + 1)),
          .room_id = room_id(),
          .sender = std::string(sender),
          .type = std::string(type),
          .state_key = std::move(state_key),
          .content = object(content),
          .prev = {"$before"}};
}

Room& Room::put(std::string_view type, std::string_view state_key, std::string_view sender, std::string_view content) {
  state_[{std::string(type), std::string(state_key)}] =
      make_event(rules_, spec(sender, type, std::string(state_key), content));
  return *this;
}

int number_of(const RoomRules& rules) {
  int version = 0;
  std::from_chars(rules.version.data(), rules.version.data() + rules.version.size(), version);
  return version;
}

namespace {

std::string member_content(std::string_view membership, std::string_view more) {
  auto content = object(more);
  content["membership"] = membership;
  return json::serialize(content);
}

}  // namespace

Room& Room::member(std::string_view user, std::string_view membership, std::string_view more) {
  return put("m.room.member", user, user, member_content(membership, more));
}

Room& Room::join_rule(std::string_view rule) {
  return put("m.room.join_rules", "", kAlice, json::serialize(json::Object{{"join_rule", rule}}));
}

Room& Room::levels(std::string_view content) {
  auto with_creator = object(content);
  if (!rules_.auth.creators_infinite) {
    if (!with_creator.contains("users")) with_creator["users"] = json::Object();
    auto& users = with_creator["users"];
    if (users.is_object() && !users.get_object().contains(kAlice)) users.get_object()[kAlice] = 100;
  }
  return put("m.room.power_levels", "", kAlice, json::serialize(with_creator));
}

Room& Room::remove(std::string_view type, std::string_view state_key) {
  state_.erase({std::string(type), std::string(state_key)});
  return *this;
}

const Event* Room::find(std::string_view type, std::string_view state_key) const {
  auto found = state_.find({std::string(type), std::string(state_key)});
  return found == state_.end() ? nullptr : found->second.get();
}

Result<void> Room::judge(const EventSpec& spec) const { return authorize(rules_, *make_event(rules_, spec), *this); }

Result<void> Room::state(std::string_view sender, std::string_view type, std::string_view state_key,
                         std::string_view content) const {
  return judge(spec(sender, type, std::string(state_key), content));
}

Result<void> Room::message(std::string_view sender, std::string_view type, std::string_view content) const {
  return judge(spec(sender, type, std::nullopt, content));
}

Result<void> Room::membership(std::string_view sender, std::string_view target, std::string_view membership,
                              std::string_view more) const {
  return state(sender, "m.room.member", target, member_content(membership, more));
}

void play(const std::vector<Scene>& scenes) {
  for (auto& scene : scenes) {
    for (auto& rules : all_room_versions()) {
      int version = number_of(rules);
      if (version < scene.first || version > scene.last) continue;
      Room room(rules);
      auto result = scene.play(room);
      SCOPED_TRACE(fmt::format("{}, version {}: {}", scene.rule, rules.version, scene.story));
      std::string reason = result ? "" : result.error().message;
      EXPECT_EQ(result.has_value(), scene.outcome.allowed()) << "because " << reason;
      if (result || scene.outcome.allowed()) continue;
      EXPECT_EQ(result.error().code, Code::kForbidden);
      EXPECT_TRUE(reason.contains(scene.outcome.reason)) << "not because " << scene.outcome.reason << " but " << reason;
    }
  }
}

namespace {
std::vector<std::vector<Scene> (*)()>& lists() {
  static std::vector<std::vector<Scene> (*)()> lists;
  return lists;
}
}  // namespace

SceneList::SceneList(std::vector<Scene> (*scenes)()) { lists().push_back(scenes); }

std::vector<Scene> all_scenes() {
  std::vector<Scene> all;
  for (auto list : lists())
    for (auto& scene : list()) all.push_back(std::move(scene));
  return all;
}

}  // namespace myelin::auth::scenes
