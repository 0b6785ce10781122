#include "matrix/testing/random_room.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "matrix/testing/dice.h"
#include "matrix/testing/events.h"
#include "matrix/testing/room_model.h"

namespace myelin::testing {
namespace {

class RandomRoom : Dice {
 public:
  RandomRoom(Dice dice, RoomRecorder* recorder, Readings readings)
      : Dice(std::move(dice)),
        recorder_(recorder),
        readings_(readings),
        rules_(chance(30) ? *find_room_version("12") : one_of(all_room_versions())),
        model_(rules_) {
    for (unsigned i = 0; i < 3 + pick(4); ++i)
      users_.push_back(fmt::format("@user{}:{}", i, i % 3 == 0 ? "a.example" : "b.example"));
  }

  RandomRoomResult play() {
    begin();
    unsigned wanted = 7 + pick(chance(12) ? 50 : 13);
    for (unsigned tries = 0; nodes_.size() < wanted && tries < 4 * wanted && !result_.difference; ++tries) step();
    for (unsigned i = 0; i < 3 && !result_.difference; ++i) resolve_any();
    result_.events = nodes_.size();
    result_.version = rules_.version;
    return std::move(result_);
  }

 private:
  struct Node {
    EventId id;
    LiteralState after;
  };

  const std::string& any_user() { return one_of(users_); }
  const std::string& creator() { return users_.front(); }

  EventSpec draft(std::string_view sender, std::string_view type, std::string_view state_key, json::Object content) {
    EventSpec spec;
    if (rules_.format.event_id == EventIdFormat::kInEvent)
      spec.id = fmt::format("${:04x}-{}:{}", pick(0x10000), nodes_.size(), sender.substr(sender.find(':') + 1));
    spec.room_id = room_id_;
    spec.sender = sender;
    spec.type = type;
    spec.state_key = std::string(state_key);
    spec.content = std::move(content);
    // Few different times, so that ids decide often; sometimes against the order of events.
    spec.ts = chance(80) ? static_cast<int64_t>(nodes_.size() / 4) : static_cast<int64_t>(pick(12));
    return spec;
  }

  // The room as it is made: the creator, maybe power levels, a join rule, some joins.
  void begin() {
    auto content = rules_.auth.creator_from_sender ? json::Object() : json::Object{{"creator", creator()}};
    if (rules_.auth.creators_infinite && chance(50)) {
      json::Array others{users_[1]};
      if (chance(30)) others.emplace_back(users_[2]);
      content["additional_creators"] = std::move(others);
    }
    room_id_ = "!room:a.example";
    accept(draft(creator(), "m.room.create", "", std::move(content)), {}, {});
    room_id_ = model_.event(nodes_.front().id).room_id().str();
    extend(draft(creator(), "m.room.member", creator(), {{"membership", "join"}}));
    if (chance(85)) extend(draft(creator(), "m.room.power_levels", "", power_levels()));
    static constexpr const char* kRules[] = {"public",     "public",     "invite",          "knock",
                                             "restricted", "restricted", "knock_restricted"};
    extend(draft(creator(), "m.room.join_rules", "", {{"join_rule", one_of(kRules)}}));
    for (auto& user : users_)
      if (chance(60)) extend(draft(user, "m.room.member", user, {{"membership", "join"}}));
  }

  json::Object power_levels() {
    static constexpr int kLevels[] = {0, 0, 10, 50, 50, 100};
    json::Object users;
    for (auto& user : users_) {
      if (user == creator()) {
        if (!rules_.auth.creators_infinite && !chance(5)) users[user] = 100;
      } else if (chance(50)) {
        int level = one_of(kLevels);
        users[user] = level;
        if (!rules_.auth.integer_power_levels && chance(10)) users[user] = fmt::format(" +{}", level);
      }
    }
    json::Object content{{"users", users}};
    if (chance(20)) content["users_default"] = kLevels[pick(4)];
    if (chance(20)) content["state_default"] = one_of(kLevels);
    if (chance(20)) content["invite"] = one_of(kLevels);
    if (chance(20)) content["ban"] = one_of(kLevels);
    if (chance(10)) content["events"] = json::Object{{"m.room.topic", one_of(kLevels)}};
    return content;
  }

  EventSpec any_event() {
    auto sender = chance(35) ? creator() : any_user();
    auto target = any_user();
    switch (pick(15)) {
      case 0:
      case 1:
        return draft(sender, "m.room.power_levels", "", power_levels());
      case 2: {
        static constexpr const char* kRules[] = {"public", "invite", "knock", "restricted", "knock_restricted"};
        return draft(sender, "m.room.join_rules", chance(25) ? "x" : "", {{"join_rule", one_of(kRules)}});
      }
      case 3:
        return draft(sender, "m.room.member", target, {{"membership", "ban"}});
      case 4:
        return draft(sender, "m.room.member", target, {{"membership", "leave"}});
      case 5:
        return draft(sender, "m.room.member", target, {{"membership", "invite"}});
      case 6: {
        json::Object content{{"membership", "join"}};
        if (rules_.auth.restricted) content["join_authorised_via_users_server"] = chance(60) ? creator() : any_user();
        return draft(target, "m.room.member", target, std::move(content));
      }
      case 7:
        return draft(target, "m.room.member", target, {{"membership", chance(30) ? "knock" : "leave"}});
      case 8:
        return draft(target, "m.room.member", target, {{"membership", "join"}, {"displayname", pick(1000)}});
      case 9:
        return draft(sender, "m.room.aliases", sender.substr(sender.find(':') + 1), {});
      case 10:
        return draft(sender, "m.room.third_party_invite", any_token(),
                     {{"public_key", base64(identity_key().public_key())}});
      case 11:
      case 12:
        return third_party_invitation(target);
      default:
        return draft(sender, chance(50) ? "m.room.topic" : "m.room.name", "", {{"text", pick(1000)}});
    }
  }

  // A third party invite is taken up by whoever has the address: mostly as the room made it, now and then not.
  static const SigningKey& identity_key() {
    static const SigningKey key = SigningKey::from_seed(sha256("identity"), "identity").value();
    return key;
  }
  std::string any_token() { return fmt::format("token{}", pick(2)); }
  EventSpec third_party_invitation(const std::string& target) {
    auto token = any_token();
    auto invite = nodes_.back().after.find({"m.room.third_party_invite", token});
    bool known = invite != nodes_.back().after.end() && chance(90);
    json::Object signed_object{{"mxid", chance(95) ? target : creator()}, {"token", token}};
    sign_json(signed_object, "id.example", identity_key(), rules_.format.canonical).value();
    return draft(known ? model_.event(invite->second).sender().str() : creator(), "m.room.member", target,
                 {{"membership", "invite"}, {"third_party_invite", json::Object{{"signed", signed_object}}}});
  }

  // The next event after one to three others, mostly recent ones.
  void step() {
    std::vector<size_t> prev;
    size_t count = chance(60) ? 1 : 2 + pick(2);
    for (size_t i = 0; i < count; ++i) {
      size_t back = chance(70) ? pick(4) : pick(14);
      size_t node = nodes_.size() - 1 - std::min(back, nodes_.size() - 1);
      if (std::ranges::find(prev, node) == prev.end()) prev.push_back(node);
    }
    auto before = resolved(prev);
    if (!before) return;
    auto spec = any_event();
    for (size_t node : prev) spec.prev.push_back(nodes_[node].id.str());
    // The state of another branch, as a server would that knows less: allowed where the rules allow it.
    const auto& cited = chance(10) ? one_of(nodes_).after : *before;
    accept(spec, *before, cited);
  }

  void extend(EventSpec spec) {
    auto before = nodes_.back().after;
    spec.prev = {nodes_.back().id.str()};
    accept(spec, before, before);
  }

  // Adds the event if the rules allow it; now and then also if not, as a rejected one.
  void accept(EventSpec spec, const LiteralState& before, const LiteralState& cited) {
    std::vector<AuthEvent> auth_events;
    for (auto& key : auth_event_keys(rules_, spec.type, spec.sender, spec.state_key, spec.content)) {
      auto found = cited.find(key);
      if (found == cited.end()) continue;
      spec.auth.push_back(found->second.str());
      auth_events.push_back({&model_.event(found->second), model_.is_rejected(found->second)});
    }
    for (auto& prev : spec.prev) spec.depth = std::max(spec.depth, model_.event(EventId::trusted(prev)).depth() + 1);
    if (chance(5)) spec.depth = 1 + pick(10);
    auto event = make_hashed_event(rules_, spec);
    if (model_.contains(event->event_id())) return;
    AuthEventSet by_auth_events(auth_events), by_state;
    for (auto& [key, id] : before) by_state.add(&model_.event(id));
    if (auto create = before.find({"m.room.create", ""}); create != before.end())
      by_auth_events.add(&model_.event(create->second));
    bool allowed = authorize(rules_, *event, by_auth_events) && authorize(rules_, *event, by_state);
    if (!allowed && !chance(6)) return;
    // Rejected here, though part of the state that another server gave us: one in thirty.
    bool rejected = !allowed || (nodes_.size() > 6 && chance(3));
    model_.add(event, rejected);
    if (recorder_) recorder_->event(*event, rejected);
    LiteralState after = before;
    if (allowed) after[{event->type(), *event->state_key()}] = event->event_id();
    nodes_.push_back({event->event_id(), std::move(after)});
  }

  void resolve_any() {
    std::vector<size_t> chosen;
    for (unsigned i = 0; i < 2 + pick(4); ++i) chosen.push_back(pick(nodes_.size()));
    resolved(chosen);
  }

  // nullopt: a difference was found.
  std::optional<LiteralState> resolved(const std::vector<size_t>& nodes) {
    std::vector<LiteralState> sets;
    for (size_t node : nodes) sets.push_back(nodes_[node].after);
    if (sets.size() == 1) return sets.front();
    auto fast = model_.resolve_fast(sets);
    ++result_.resolutions;
    if (model_.last_full_conflicted() > 0) ++result_.conflicted;
    auto literal = model_.resolve_slowly(sets);
    if (recorder_) recorder_->resolution(sets, fast);
    if (fast == literal) {
      if (readings_ == Readings::kCounted) count_readings(sets, literal);
      return fast;
    }
    result_.difference = fmt::format("room version {}, {} events\nfast:\n{}literal:\n{}", rules_.version, nodes_.size(),
                                     describe(fast), describe(literal));
    for (size_t i = 0; i < sets.size(); ++i) *result_.difference += fmt::format("set {}:\n{}", i, describe(sets[i]));
    return std::nullopt;
  }

  void count_readings(const std::vector<LiteralState>& sets, const LiteralState& ours) {
    if (rules_.resolution == StateResolution::kV1) return;
    for (auto letter : {ToTheLetter::kAuthDifference, ToTheLetter::kStep1, ToTheLetter::kPowerOrdering})
      if (model_.resolve_slowly(sets, letter) != ours) ++result_.changed_by_letter[static_cast<size_t>(letter)];
  }

  RoomRecorder* recorder_;
  Readings readings_;
  const RoomRules& rules_;
  RoomModel model_;
  std::vector<std::string> users_;
  std::string room_id_;
  std::vector<Node> nodes_;
  RandomRoomResult result_;
};

}  // namespace

RandomRoomResult play_random_room(uint64_t seed, RoomRecorder* recorder, Readings readings) {
  return RandomRoom(Dice(seed), recorder, readings).play();
}
RandomRoomResult play_random_room(std::function<uint64_t()> numbers) {
  return RandomRoom(Dice(std::move(numbers)), nullptr, Readings::kOurs).play();
}

}  // namespace myelin::testing
