// The events of a new room, in the order that POST /createRoom prescribes (client-server API, Creation).
#include <algorithm>
#include <set>

#include "components/rooms/owner/owner.h"

namespace myelin::rooms {
namespace {

constexpr int64_t kMaxLevel = (int64_t{1} << 53) - 1;  // that canonical JSON can say

struct Preset {
  std::string_view join_rule, history_visibility, guest_access;
  bool members_invite = false;  // not only moderators
  bool trusted = false;         // invitees are as powerful as the creator
};

Result<Preset> preset_of(std::string_view name) {
  if (name == "private_chat") return Preset{"invite", "shared", "can_join", true};
  if (name == "trusted_private_chat") return Preset{"invite", "shared", "can_join", true, true};
  if (name == "public_chat") return Preset{"public", "shared", "forbidden"};
  return fail(Code::kInvalidParam, "preset must be private_chat, trusted_private_chat or public_chat");
}

json::Object default_power_levels(const CreateRoom& request, const RoomRules& rules, const Preset& preset) {
  json::Object users;
  if (!rules.auth.creators_infinite) {
    users[request.creator.str()] = 100;
    if (preset.trusted)
      for (const auto& user : request.invite) users[user.str()] = 100;
  }
  // Where creators stand above every number, no other may upgrade a room by default.
  int tombstone = rules.auth.creators_infinite ? 150 : 100;
  return {{"users", std::move(users)},
          {"users_default", 0},
          {"events", json::Object{{"m.room.name", 50},
                                  {"m.room.avatar", 50},
                                  {"m.room.canonical_alias", 50},
                                  {"m.room.power_levels", 100},
                                  {"m.room.history_visibility", 100},
                                  {"m.room.encryption", 100},
                                  {"m.room.server_acl", 100},
                                  {"m.room.tombstone", tombstone}}},
          {"events_default", 0},
          {"state_default", 50},
          {"ban", 50},
          {"kick", 50},
          {"redact", 50},
          {"invite", preset.members_invite ? 0 : 50}};
}

// Where creators stand above every number, "the power level for sending m.room.tombstone events MUST explicitly be
// higher than state_default" (Creation): also when only state_default or only other events' levels were asked for.
void raise_tombstone(json::Object& levels, const json::Object& asked) {
  const auto* asked_events = json::object_at(asked, "events");
  if (asked_events != nullptr && asked_events->contains("m.room.tombstone")) return;
  auto* events = levels["events"].if_object();
  const auto* state_default = levels["state_default"].if_int64();
  if (events == nullptr || state_default == nullptr) return;
  (*events)["m.room.tombstone"] = std::min(std::max<int64_t>(150, *state_default + 1), kMaxLevel);
}

Result<json::Object> creation_content(const CreateRoom& request, const RoomRules& rules, const Preset& preset) {
  auto content = request.creation_content;
  content["room_version"] = rules.version;
  content.erase("creator");
  if (!rules.auth.creator_from_sender) content["creator"] = request.creator.str();
  if (!rules.auth.creators_infinite) return content;
  json::Array creators;
  std::set<std::string> known;
  auto add = [&](std::string_view user) {
    if (known.emplace(user).second) creators.emplace_back(user);
  };
  if (const auto* given = content.if_contains("additional_creators")) {
    const auto* list = given->if_array();
    if (list == nullptr) return fail(Code::kBadJson, "additional_creators must be a list of user ids");
    for (const auto& item : *list) {
      if (!item.is_string() || !UserId::parse(item.get_string()))
        return fail(Code::kBadJson, "additional_creators must be a list of user ids");
      add(item.get_string());
    }
  }
  if (preset.trusted)
    for (const auto& user : request.invite) add(user.str());
  if (!creators.empty()) content["additional_creators"] = std::move(creators);
  return content;
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
    out.push_back({request.creator, std::string(*type), std::string(json::string_at(*event, "state_key").value_or("")),
                   *content});
  }
  return out;
}

Draft membership(const UserId& sender, const UserId& target, std::string_view what, const MemberProfile& profile) {
  json::Object content{{"membership", what}};
  if (profile.displayname) content["displayname"] = *profile.displayname;
  if (profile.avatar_url) content["avatar_url"] = *profile.avatar_url;
  return {sender, "m.room.member", target.str(), std::move(content)};
}

// m.room.topic with its plain-text representation (client-server API, m.room.topic).
json::Object topic_content(const std::string& topic) {
  json::Object text{{"body", topic}, {"mimetype", "text/plain"}};
  return {{"topic", topic}, {"m.topic", json::Object{{"m.text", json::Array{std::move(text)}}}}};
}

class Drafts {
 public:
  explicit Drafts(const CreateRoom& request, std::vector<Draft> given) : request_(request), given_(std::move(given)) {}
  void state(std::string_view type, json::Object content) {
    all_.push_back({request_.creator, std::string(type), "", std::move(content)});
  }
  // Unless initial_state has it.
  void by_preset(std::string_view type, json::Object content) {
    if (find(type) == given_.end()) state(type, std::move(content));
  }
  std::optional<json::Object> take_given(std::string_view type) {
    auto it = find(type);
    if (it == given_.end()) return std::nullopt;
    auto content = std::move(it->content);
    given_.erase(it);
    return content;
  }
  void add(Draft draft) { all_.push_back(std::move(draft)); }
  void add_given() {
    for (auto& draft : given_) all_.push_back(std::move(draft));
  }
  std::vector<Draft> take() { return std::move(all_); }

 private:
  std::vector<Draft>::iterator find(std::string_view type) {
    return std::ranges::find_if(given_, [&](const Draft& d) { return d.type == type && d.state_key == ""; });
  }
  const CreateRoom& request_;
  std::vector<Draft> given_, all_;
};

}  // namespace

Result<std::vector<Draft>> new_room_drafts(const CreateRoom& request, const RoomRules& rules) {
  MYELIN_TRY(auto preset, preset_of(request.preset));
  MYELIN_TRY(auto given, initial_state(request));
  MYELIN_TRY(auto create, creation_content(request, rules, preset));
  Drafts drafts(request, std::move(given));
  drafts.state("m.room.create", std::move(create));
  drafts.add(membership(request.creator, request.creator, "join", request.profile));

  auto levels = default_power_levels(request, rules, preset);
  if (auto own = drafts.take_given("m.room.power_levels")) levels = *std::move(own);
  for (const auto& [key, value] : request.power_level_content_override) levels[key] = value;
  if (rules.auth.creators_infinite && !request.power_level_content_override.empty())
    raise_tombstone(levels, request.power_level_content_override);
  drafts.state("m.room.power_levels", std::move(levels));

  if (request.alias) drafts.state("m.room.canonical_alias", {{"alias", *request.alias}});
  drafts.by_preset("m.room.join_rules", {{"join_rule", preset.join_rule}});
  drafts.by_preset("m.room.history_visibility", {{"history_visibility", preset.history_visibility}});
  drafts.by_preset("m.room.guest_access", {{"guest_access", preset.guest_access}});
  drafts.add_given();
  if (request.name) drafts.state("m.room.name", {{"name", *request.name}});
  if (request.topic) drafts.state("m.room.topic", topic_content(*request.topic));

  std::set<UserId> invited;
  for (size_t i = 0; i < request.invite.size(); ++i) {
    if (!invited.insert(request.invite[i]).second) continue;
    auto profile = i < request.invite_profiles.size() ? request.invite_profiles[i] : MemberProfile{};
    auto draft = membership(request.creator, request.invite[i], "invite", profile);
    if (request.is_direct) draft.content["is_direct"] = true;
    drafts.add(std::move(draft));
  }
  return drafts.take();
}

}  // namespace myelin::rooms
