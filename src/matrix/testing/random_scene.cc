#include "matrix/testing/random_scene.h"

#include <fmt/format.h>

#include "base/bytes.h"

namespace myelin::testing {
namespace {

constexpr int kLevels[] = {0, 0, 1, 10, 49, 50, 50, 51, 99, 100, 100, 101, -1};
constexpr std::string_view kJoinRules[] = {"public", "public",     "invite",     "invite",           "knock",
                                           "knock",  "restricted", "restricted", "knock_restricted", "private"};
constexpr std::string_view kToken = "token";

}  // namespace

RandomScene::RandomScene(uint64_t seed) : Dice(seed), rules_(one_of(all_room_versions())) {
  users_ = {"@ada:a.example", "@ben:a.example",  "@cleo:b.example",
            "@dan:b.example", "@eve:[::1]:8448", "@fay:c.example"};
  for (auto name : {"identity", "ephemeral", "other"})
    identity_keys_.push_back(SigningKey::from_seed(sha256(name), name).value());
  room_id_ = "!room:a.example";
  extreme_ = chance(2);
  put(creator(), "m.room.create", "", create_content());
  room_id_ = state_.begin()->second->room_id().str();
  make_memberships();
  if (chance(80)) put(creator(), "m.room.power_levels", "", levels_content());
  if (chance(90))
    put(creator(), "m.room.join_rules", "",
        chance(97) ? json::Object{{"join_rule", one_of(kJoinRules)}} : json::Object{{"join_rule", 5}});
  if (chance(40)) put(one_of(users_), "m.room.third_party_invite", kToken, third_party_invite_content());
  if (chance(30)) put(creator(), "m.room.topic", "", {{"topic", "all"}});
}

void RandomScene::put(std::string_view sender, std::string_view type, std::string_view state_key,
                      json::Object content) {
  auto spec = draft(sender, type, std::string(state_key), std::move(content));
  auto event = make_hashed_event(rules_, spec);
  state_[{spec.type, *spec.state_key}] = std::move(event);
}

EventPtr RandomScene::another(const Event& of, const std::string& room_id) {
  auto spec = draft(of.sender().str(), of.type(), of.state_key(), of.content());
  spec.room_id = room_id;
  spec.ts = 1000;
  return make_hashed_event(rules_, spec);
}

std::string RandomScene::unknown_id() {
  auto hash = sha256(fmt::format("unknown {}", number()));
  return rules_.format.event_id == EventIdFormat::kInEvent ? "$unknown:a.example" : "$" + base64url(hash);
}

EventSpec RandomScene::draft(std::string_view sender, std::string_view type, std::optional<std::string> state_key,
                             json::Object content) {
  EventSpec spec;
  spec.id = fmt::format("${}:{}", made_++, server_of(sender));  // counts in the versions 1 and 2
  spec.room_id = room_id_;
  spec.sender = sender;
  spec.type = type;
  spec.state_key = std::move(state_key);
  spec.content = std::move(content);
  spec.ts = static_cast<int64_t>(made_);
  return spec;
}

json::Object RandomScene::create_content() {
  json::Object content;
  if (!rules_.auth.creator_from_sender || chance(10)) content["creator"] = chance(95) ? creator() : users_[1];
  if (chance(70)) content["room_version"] = rules_.version;
  if (chance(8)) {
    static const json::Value odd[] = {true, "false", 0, nullptr, "yes"};
    content["m.federate"] = chance(75) ? json::Value(false) : one_of(odd);
  }
  if (chance(rules_.auth.creators_infinite ? 40 : 3)) content["additional_creators"] = json::Array{users_[2]};
  return content;
}

void RandomScene::make_memberships() {
  static constexpr std::string_view kMemberships[] = {"join",   "join",  "join", "join", "join",  "invite",
                                                      "invite", "leave", "ban",  "ban",  "knock", "knock"};
  for (auto& user : users_) {
    bool creators = user == creator();
    if (chance(creators ? 2 : 12)) continue;
    auto membership = creators && chance(97) ? std::string_view("join") : one_of(kMemberships);
    auto& sender = membership == "invite" || membership == "ban" ? creator() : user;
    put(sender, "m.room.member", user, {{"membership", membership}});
  }
}

json::Object RandomScene::levels_content() {
  json::Object users, events;
  for (auto& user : users_) {
    bool creators = user == creator();
    if (rules_.auth.creators_infinite && (creators || user == users_[2])) continue;
    if (creators ? chance(90) : chance(60)) users[user] = level(creators ? 100 : one_of(kLevels));
  }
  json::Object content{{"users", users}};
  for (auto key : kSingleLevels)
    if (chance(25)) content[key] = level(one_of(kLevels));
  for (auto type : {"m.room.topic", "m.room.power_levels", "m.room.message", "m.room.redaction", "m.room.join_rules"})
    if (chance(20)) events[type] = level(one_of(kLevels));
  if (chance(80)) content["events"] = events;
  if (chance(30)) content["notifications"] = json::Object{{"room", level(one_of(kLevels))}};
  // The first levels of a room may say anything, before version 10.
  if (!rules_.auth.integer_power_levels && chance(4)) {
    static constexpr std::string_view kTables[] = {"events", "notifications"};
    if (chance(60))
      content[one_of(kSingleLevels)] = malformed_level();
    else if (chance(50) || !content["events"].is_object())
      content[one_of(kTables)] = malformed_level();
    else
      content["events"].get_object()["m.room.topic"] = malformed_level();
  }
  return content;
}

json::Object RandomScene::third_party_invite_content() {
  auto key_of = [&](size_t i) { return base64(identity_keys_[i].public_key()) + (chance(4) ? "!!!!" : ""); };
  json::Object content{{"display_name", "f...@c..."}};
  if (chance(70)) content["public_key"] = key_of(0);
  if (chance(50)) {
    json::Array list;
    for (size_t i = 0; i < 2; ++i)
      if (chance(70)) list.push_back(json::Object{{"public_key", key_of(i)}});
    content["public_keys"] = list;
  }
  return content;
}

// As the version writes it: a number, in old versions now and then a string or a float that means the same.
json::Value RandomScene::level(int value) {
  if (extreme_ ? chance(25) : chance(1)) return extreme_level();
  if (rules_.auth.integer_power_levels) return value;
  if (chance(12)) {
    switch (pick(5)) {
      case 0:
        return json::Value(fmt::format("{}{}\t", chance(50) ? " " : "\u2003\u00a0", value));
      case 1:
        return json::Value(fmt::format("{:+}", value));
      case 2:
        return json::Value(fmt::format("{:05}", value));
      default:
        return json::Value(std::to_string(value));
    }
  }
  if (rules_.format.canonical == json::CanonicalMode::kLax && chance(6)) return value + (value < 0 ? -0.75 : 0.57);
  return value;
}

json::Value RandomScene::malformed_level() {
  static const json::Value malformed[] = {nullptr,
                                          true,
                                          json::Object(),
                                          json::Array{50},
                                          "50.5",
                                          "many",
                                          "",
                                          "5 0",
                                          "50" /* from version 10 on */,
                                          "5_0",
                                          "٥٠",
                                          "- 5",
                                          "+",
                                          "0x10"};
  return one_of(malformed);
}

// A level far from those that people choose.
json::Value RandomScene::extreme_level() {
  static const json::Value extreme[] = {9007199254740991, -9007199254740991};
  static const json::Value in_strings[] = {"9223372036854775807", "9223372036854775808", "-9223372036854775809",
                                           "99999999999999999999999", "99999999999999999999998"};
  static const json::Value wide[] = {INT64_MAX, INT64_MIN, UINT64_MAX, 1e18, 1e300, -1e300};
  if (!rules_.auth.integer_power_levels && chance(40)) return one_of(in_strings);
  if (rules_.format.canonical == json::CanonicalMode::kLax && chance(60)) return one_of(wide);
  return one_of(extreme);
}

std::string_view RandomScene::join_rule() const {
  auto found = state_.find({"m.room.join_rules", ""});
  return found == state_.end() ? "invite" : json::string_at(found->second->content(), "join_rule").value_or("");
}

std::string_view RandomScene::membership_of(const std::string& user) const {
  auto found = state_.find({"m.room.member", user});
  return found == state_.end() ? "leave" : json::string_at(found->second->content(), "membership").value_or("leave");
}

const std::string& RandomScene::user_with(std::string_view membership) {
  std::vector<const std::string*> users;
  for (auto& user : users_)
    if (membership_of(user) == membership) users.push_back(&user);
  return users.empty() ? one_of(users_) : *one_of(users);
}

}  // namespace myelin::testing
