// The events of a new room, in the order that POST /createRoom prescribes (client-server API, Creation).
#include <algorithm>

#include "components/rooms/owner/owner.h"

namespace myelin::rooms {
namespace {

struct Preset {
  std::string_view join_rule, history_visibility, guest_access;
};

Result<Preset> preset_of(std::string_view name) {
  if (name == "private_chat" || name == "trusted_private_chat") return Preset{"invite", "shared", "can_join"};
  if (name == "public_chat") return Preset{"public", "shared", "forbidden"};
  return fail(Code::kInvalidParam, "preset must be private_chat, trusted_private_chat or public_chat");
}

json::Object default_power_levels(const CreateRoom& request, const RoomRules& rules) {
  json::Object users;
  if (!rules.auth.creators_infinite) {
    users[request.creator.str()] = 100;
    if (request.preset == "trusted_private_chat")
      for (const auto& user : request.invite) users[user.str()] = 100;
  }
  // Where creators are above every number, only they may upgrade a room by default (rooms/v12).
  int64_t tombstone = rules.auth.creators_infinite ? 150 : 100;
  return {{"users", std::move(users)},
          {"users_default", 0},
          {"events",
           json::Object{{"m.room.name", 50},
                        {"m.room.power_levels", 100},
                        {"m.room.history_visibility", 100},
                        {"m.room.canonical_alias", 50},
                        {"m.room.avatar", 50},
                        {"m.room.tombstone", tombstone},
                        {"m.room.server_acl", 100},
                        {"m.room.encryption", 100}}},
          {"events_default", 0},
          {"state_default", 50},
          {"ban", 50},
          {"kick", 50},
          {"redact", 50},
          {"invite", request.preset == "private_chat" || request.preset == "trusted_private_chat" ? 0 : 50},
          {"historical", 100}};
}

// initial_state: [{type, state_key = "", content}]
Result<std::vector<Draft>> initial_state(const CreateRoom& request) {
  std::vector<Draft> out;
  for (const auto& item : request.initial_state) {
    const auto* event = item.if_object();
    if (event == nullptr) return fail(Code::kBadJson, "initial_state must hold events");
    auto type = json::string_at(*event, "type");
    const auto* content = json::object_at(*event, "content");
    if (!type || content == nullptr) return fail(Code::kBadJson, "initial_state: an event needs type and content");
    if (event->contains("state_key") && !json::string_at(*event, "state_key"))
      return fail(Code::kBadJson, "initial_state: state_key must be a string");
    if (*type == "m.room.create" || *type == "m.room.member")
      return fail(Code::kInvalidRoomState, "initial_state cannot hold " + std::string(*type));
    out.push_back({request.creator, std::string(*type), std::string(json::string_at(*event, "state_key").value_or("")), *content});
  }
  return out;
}

}  // namespace

Result<json::Object> creation_content(const CreateRoom& request, const RoomRules& rules) {
  auto content = request.creation_content;
  content["room_version"] = rules.version;
  if (!rules.auth.creator_from_sender) content["creator"] = request.creator.str();
  if (rules.auth.creators_infinite && request.preset == "trusted_private_chat") {
    json::Array creators;
    if (const auto* given = json::array_at(content, "additional_creators")) creators = *given;
    for (const auto& user : request.invite)
      if (std::ranges::none_of(creators, [&](const json::Value& v) { return v.is_string() && v.as_string() == user.str(); }))
        creators.emplace_back(user.str());
    if (!creators.empty()) content["additional_creators"] = std::move(creators);
  }
  return content;
}

Result<std::vector<Draft>> new_room_drafts(const CreateRoom& request, const RoomRules& rules) {
  MYELIN_TRY(auto preset, preset_of(request.preset));
  MYELIN_TRY(auto given, initial_state(request));
  std::vector<Draft> drafts;
  auto state = [&](std::string_view type, json::Object content) {
    drafts.push_back({request.creator, std::string(type), "", std::move(content)});
  };
  auto is_given = [&](std::string_view type) {
    return std::ranges::any_of(given, [&](const Draft& d) { return d.type == type && d.state_key == ""; });
  };

  json::Object join{{"membership", "join"}};
  if (request.profile.displayname) join["displayname"] = *request.profile.displayname;
  if (request.profile.avatar_url) join["avatar_url"] = *request.profile.avatar_url;
  drafts.push_back({request.creator, "m.room.member", request.creator.str(), std::move(join)});

  auto levels = default_power_levels(request, rules);
  for (const auto& [key, value] : request.power_level_content_override) levels[key] = value;
  if (is_given("m.room.power_levels")) {  // replaces the default wholly
    auto own = std::ranges::find(given, "m.room.power_levels", &Draft::type);
    levels = own->content;
    given.erase(own);
  }
  state("m.room.power_levels", std::move(levels));

  if (request.alias) state("m.room.canonical_alias", {{"alias", *request.alias}});
  if (!is_given("m.room.join_rules")) state("m.room.join_rules", {{"join_rule", preset.join_rule}});
  if (!is_given("m.room.history_visibility"))
    state("m.room.history_visibility", {{"history_visibility", preset.history_visibility}});
  if (!is_given("m.room.guest_access") && preset.guest_access == "can_join")
    state("m.room.guest_access", {{"guest_access", preset.guest_access}});
  for (auto& draft : given) drafts.push_back(std::move(draft));
  if (request.name) state("m.room.name", {{"name", *request.name}});
  if (request.topic)
    state("m.room.topic",
          {{"topic", *request.topic},
           {"m.topic", json::Object{{"m.text", json::Array{json::Object{{"body", *request.topic}, {"mimetype", "text/plain"}}}}}}});
  for (size_t i = 0; i < request.invite.size(); ++i) {
    json::Object invite{{"membership", "invite"}};
    if (i < request.invite_profiles.size()) {
      const auto& profile = request.invite_profiles[i];
      if (profile.displayname) invite["displayname"] = *profile.displayname;
      if (profile.avatar_url) invite["avatar_url"] = *profile.avatar_url;
    }
    if (request.is_direct) invite["is_direct"] = true;
    drafts.push_back({request.creator, "m.room.member", request.invite[i].str(), std::move(invite)});
  }
  return drafts;
}

}  // namespace myelin::rooms
