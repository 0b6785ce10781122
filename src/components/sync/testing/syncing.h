// What tests of single answers of /sync share. Thread: the test's.
#pragma once
#include <algorithm>
#include <numeric>

#include "components/sync/testing/world.h"

namespace myelin::sync::testing {

class Syncing : public OnBothDatabases {
 protected:
  json::Object room_in(const json::Object& answer, const char* section, const RoomId& room) {
    const auto* all = json::object_at(answer, "rooms");
    const auto* rooms = all ? json::object_at(*all, section) : nullptr;
    const auto* found = rooms ? json::object_at(*rooms, room.str()) : nullptr;
    return found ? *found : json::Object();
  }
  std::optional<json::Array> users_typing(const json::Object& answer, const RoomId& room) {
    auto found = room_in(answer, "join", room);
    const auto* ephemeral = json::object_at(found, "ephemeral");
    if (ephemeral == nullptr) return std::nullopt;
    for (const auto& event : ephemeral->at("events").as_array())
      if (event.at("type") == "m.typing") return event.at("content").at("user_ids").as_array();
    return std::nullopt;
  }
  static std::vector<std::string> ids(const json::Object& room, const char* part) {
    std::vector<std::string> out;
    if (const auto* section = json::object_at(room, part))
      for (const auto& event : section->at("events").as_array()) out.emplace_back(event.at("event_id").as_string());
    return out;
  }
  json::Object sync(const accounts::Session& who, std::optional<std::string> since = {}, std::string filter = "") {
    world.deliver();
    return world.sync_now(who, std::move(since), std::move(filter));
  }
  std::string token(const accounts::Session& who) { return World::next_batch(sync(who)); }
  static bool has(const std::vector<std::string>& list, const EventId& id) {
    return std::ranges::find(list, id.str()) != list.end();
  }
  void send_to(const accounts::Session& to, int n, int copies = 1) {
    for (int i = 0; i < copies; ++i) {
      json::Object devices{{to.device.str(), json::Object{{"n", n + i}}}};
      json::Object messages{{to.user.str(), std::move(devices)}};
      check(world.loop.run(
          world.keys->send_to_device(alice, "org.example", fmt::format("txn{}", n + i), std::move(messages))));
    }
  }
  static std::vector<int64_t> numbers(const json::Object& answer) {
    std::vector<int64_t> out;
    if (const auto* section = json::object_at(answer, "to_device"))
      for (const auto& event : section->at("events").as_array()) out.push_back(event.at("content").at("n").as_int64());
    return out;
  }

  World world{GetParam()};
  accounts::Session alice = world.register_user("alice"), bob = world.register_user("bob"),
                    carol = world.register_user("carol");
};

}  // namespace myelin::sync::testing
