// The events that somebody sends in a RandomScene.
#include <fmt/format.h>

#include "base/bytes.h"
#include "matrix/testing/random_scene.h"

namespace myelin::testing {
namespace {

// Some are user ids nevertheless: server names have ports of up to five digits, and localparts may be empty.
const std::string kOddUsers[] = {"",         "ben",        "@ben",        "@:a.example",
                                 "!a:b",     "@ben:",      "@ben:a_b",    "@ben:a.example:99999",
                                 "@ben:a:b", "@ben:[::g]", "@ben:[::1]:", "@" + std::string(300, 'x') + ":a.example"};

}  // namespace

EventSpec RandomScene::candidate() {
  unsigned kind = pick(100);
  EventSpec spec = kind < 56 ? membership() : kind < 74 ? power_levels() : kind < 78 ? create() : other_event();
  if (spec.prev.empty() && spec.type != "m.room.create") {
    spec.prev.push_back(unknown_id());
    if (chance(20)) spec.prev.push_back(unknown_id());
  }
  spec.depth = 20;
  return spec;
}

EventSpec RandomScene::membership() {
  bool third_party = state_.contains({"m.room.third_party_invite", "token"}),
       knockable = join_rule().starts_with("knock");
  unsigned kind = pick(100);
  if (kind < 30) return join();
  if (kind < 44) return invite();
  if (kind < 60) return third_party || chance(10) ? third_party_invitation() : invite();
  if (kind < 84) return leave_or_ban();
  if (kind < 98) return knockable || chance(10) ? knock() : join();
  return odd_membership();
}

EventSpec RandomScene::join() {
  json::Object content{{"membership", "join"}};
  if (chance(35)) content["join_authorised_via_users_server"] = chance(95) ? actor() : "nobody";
  auto& user = chance(40) ? user_with("invite") : one_of(users_);
  auto spec = draft(chance(94) ? user : actor(), "m.room.member", user, std::move(content));
  if (chance(10)) {  // the creator's first
    spec.prev = {state_.begin()->second->event_id().str()};
    if (chance(80)) spec.state_key = spec.sender = creator();
    if (chance(10)) spec.prev.push_back(unknown_id());
  }
  return spec;
}

// A user with that membership, or now and then a state key that is none.
std::string RandomScene::target_with(std::string_view membership) {
  return chance(3) ? one_of(kOddUsers) : user_with(membership);
}

EventSpec RandomScene::invite() {
  static constexpr std::string_view kTargets[] = {"leave", "leave", "leave", "knock", "join", "ban", "invite"};
  auto target = target_with(one_of(kTargets));
  return draft(actor(), "m.room.member", target, {{"membership", "invite"}});
}

json::Object RandomScene::signed_object(const std::string& mxid, const std::string& token) {
  json::Object object{{"mxid", mxid}, {"token", token}};
  auto sign = [&](size_t i) {
    sign_json(object, chance(90) ? "id.example" : "other.example", identity_keys_[i], rules_.format.canonical).value();
  };
  if (chance(80)) sign(0);
  if (chance(20)) sign(1);
  if (chance(10)) sign(2);
  if (chance(5)) object["more"] = "that was not signed";
  if (chance(4)) object.erase(chance(50) ? "mxid" : "token");
  if (chance(2)) object.erase("signatures");
  return object;
}

EventSpec RandomScene::third_party_invitation() {
  auto found = state_.find({"m.room.third_party_invite", "token"});
  auto sender = found != state_.end() && chance(85) ? found->second->sender().str() : actor();
  auto& target = user_with(chance(85) ? "leave" : "ban");
  json::Value signed_value = signed_object(chance(92) ? target : one_of(users_), chance(92) ? "token" : "another");
  json::Value invite = json::Object{{"display_name", "f"}, {"signed", signed_value}};
  if (chance(3)) invite = json::Object{{"display_name", "f"}};
  if (chance(2)) invite = "none";
  return draft(sender, "m.room.member", target, {{"membership", "invite"}, {"third_party_invite", invite}});
}

EventSpec RandomScene::leave_or_ban() {
  static constexpr std::string_view kTargets[] = {"join", "join", "invite", "knock", "ban", "ban", "leave"};
  auto target = target_with(one_of(kTargets));
  json::Object content{{"membership", chance(60) ? "leave" : "ban"}};
  if (chance(4)) content["join_authorised_via_users_server"] = creator();
  return draft(chance(30) ? target : actor(), "m.room.member", target, std::move(content));
}

EventSpec RandomScene::knock() {
  auto& user =
      user_with(chance(75) ? "leave" : one_of(std::array<std::string_view, 4>{"knock", "invite", "join", "ban"}));
  return draft(chance(92) ? user : actor(), "m.room.member", user, {{"membership", "knock"}});
}

EventSpec RandomScene::odd_membership() {
  auto& user = one_of(users_);
  switch (pick(4)) {
    case 0:
      return draft(user, "m.room.member", user, {{"membership", "present"}});
    case 1:
      return draft(user, "m.room.member", user, {});
    case 2:
      return draft(user, "m.room.member", user, {{"membership", 5}});
    default:
      return draft(user, "m.room.member", std::nullopt, {{"membership", "join"}});
  }
}

void RandomScene::alter_entry(json::Object& table, std::string_view key) {
  static constexpr int kNear[] = {-1, 0, 49, 50, 51, 99, 100, 101, 1000};
  if (chance(25)) {
    table.erase(key);
  } else if (chance(extreme_ ? 40 : 1)) {
    table[key] = extreme_level();
  } else {
    table[key] = chance(96) ? level(one_of(kNear)) : malformed_level();
  }
}

void RandomScene::alter_levels(json::Object& content) {
  static constexpr std::string_view kTypes[] = {"m.room.topic", "m.room.name", "m.room.power_levels", "m.room.message"};
  auto table = [&](std::string_view name) -> json::Object& {
    auto& value = content[name];
    if (!value.is_object()) value = json::Object();
    return value.get_object();
  };
  switch (pick(8)) {
    case 0:
    case 1:
      alter_entry(content, one_of(kSingleLevels));
      break;
    case 2:
    case 3:
    case 4:
      alter_entry(table("users"), one_of(users_));
      break;
    case 5:
      alter_entry(table("events"), one_of(kTypes));
      break;
    case 6:
      alter_entry(table("notifications"), "room");
      break;
    default:
      if (chance(30)) table("users")[one_of(kOddUsers)] = 0;
      if (chance(8))
        content[one_of(std::array<std::string_view, 3>{"users", "events", "notifications"})] = malformed_level();
      break;
  }
}

EventSpec RandomScene::power_levels() {
  auto found = state_.find({"m.room.power_levels", ""});
  json::Object content = found == state_.end() ? levels_content() : found->second->content();
  auto& sender = chance(25) ? user_with("join") : actor();
  for (unsigned i = 0; i < 1 + pick(2); ++i) alter_levels(content);
  auto spec = draft(sender, "m.room.power_levels", "", std::move(content));
  if (chance(6)) spec.state_key = chance(60) ? "x" : sender;
  return spec;
}

EventSpec RandomScene::create() {
  auto content = create_content();
  if (chance(10)) content["room_version"] = chance(50) ? json::Value("no such version") : json::Value(1);
  if (chance(10)) content.erase("creator");
  if (chance(15)) {
    static const json::Value creators[] = {"@ben:a.example",
                                           json::Array{},
                                           json::Array{5},
                                           json::Array{"ben"},
                                           json::Array{"@ben:a.example", "@cleo:b.example"},
                                           json::Array{"@ben:a_b"},
                                           json::Array{"@ben:a.example:99999"},
                                           json::Array{"@" + std::string(300, 'x') + ":a.example"}};
    content["additional_creators"] = one_of(creators);
  }
  auto spec = draft(chance(90) ? creator() : one_of(users_), "m.room.create", "", std::move(content));
  if (chance(8)) spec.prev.push_back(unknown_id());
  return spec;
}

EventSpec RandomScene::other_event() {
  auto& sender = chance(70) ? user_with("join") : actor();
  std::string server(server_of(sender));
  switch (pick(8)) {
    case 0:
      return draft(sender, "m.room.message", std::nullopt, {{"body", "hello"}});
    case 1:
      return draft(sender, chance(50) ? "m.room.topic" : "m.room.name", "", {{"name", "all"}});
    case 2:
      return draft(sender, "m.room.join_rules", "", {{"join_rule", "public"}});
    case 3:  // of a user
      return draft(sender, "org.example.state", chance(50) ? sender : one_of(users_), {});
    case 4:
      return draft(sender, "m.room.third_party_invite", "new", third_party_invite_content());
    case 5:
      return draft(sender, "m.room.aliases",
                   chance(85) ? std::optional(chance(60) ? server : "b.example") : std::nullopt,
                   {{"aliases", json::Array()}});
    default: {
      auto spec = draft(sender, "m.room.redaction", std::nullopt, {{"reason", "so"}});
      if (chance(95)) spec.redacts = fmt::format("$said:{}", chance(60) ? server : server_of(one_of(users_)));
      return spec;
    }
  }
}

}  // namespace myelin::testing
