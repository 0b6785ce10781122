// What the push rules make of events (client-server API, Push Rules), for counts.
#include "components/sync/unread.h"

#include <map>
#include <set>

#include "base/lru.h"
#include "matrix/power_levels.h"
#include "matrix/push_rules.h"

namespace myelin::sync {
namespace {

bool has_no_notify(const json::Object& rule) {
  const auto* actions = json::array_at(rule, "actions");
  return actions == nullptr || std::ranges::none_of(*actions, [](const json::Value& action) {
           return action.is_string() && action.as_string() == "notify";
         });
}

bool is_enabled(const json::Object& rule) { return json::bool_at(rule, "enabled").value_or(true); }

// An override rule whose one condition is the room.
bool mutes(const json::Object& rule, const RoomId& room) {
  const auto* conditions = json::array_at(rule, "conditions");
  if (conditions == nullptr || conditions->size() != 1 || !conditions->front().is_object()) return false;
  const auto& condition = conditions->front().as_object();
  return json::string_at(condition, "kind") == "event_match" && json::string_at(condition, "key") == "room_id" &&
         json::string_at(condition, "pattern") == room.str();
}

template <class Matches>
bool any_rule(const json::Object& push_rules, std::string_view kind, Matches matches) {
  const auto* global = json::object_at(push_rules, "global");
  const auto* rules = global ? json::array_at(*global, kind) : nullptr;
  return rules != nullptr && std::ranges::any_of(*rules, [&](const json::Value& value) {
           return value.is_object() && is_enabled(value.as_object()) && has_no_notify(value.as_object()) &&
                  matches(value.as_object());
         });
}

Verdict to_verdict(const PushVerdict& verdict) { return {verdict.notify ? 1 : 0, verdict.highlight ? 1 : 0}; }

// The users whom m.mentions names.
std::vector<UserId> mentioned(const Event& event) {
  std::vector<UserId> out;
  const auto* mentions = json::object_at(event.content(), "m.mentions");
  const auto* ids = mentions ? json::array_at(*mentions, "user_ids") : nullptr;
  if (ids == nullptr) return out;
  for (const auto& id : *ids)
    if (id.is_string())
      if (auto user = UserId::parse(id.as_string())) out.push_back(std::move(*user));
  return out;
}

bool mentions_room(const Event& event) {
  const auto* mentions = json::object_at(event.content(), "m.mentions");
  return mentions != nullptr && json::bool_at(*mentions, "room").value_or(false);
}

}  // namespace

UnreadClass unread_class(const json::Object& push_rules, const RoomId& room) {
  if (any_rule(push_rules, "override", [&](const json::Object& rule) { return mutes(rule, room); }))
    return UnreadClass::kMute;
  auto names_room = [&](const json::Object& rule) { return json::string_at(rule, "rule_id") == room.str(); };
  if (any_rule(push_rules, "room", names_room)) return UnreadClass::kMentionsOnly;
  return UnreadClass::kDefault;
}

std::set<std::string> ignored_in(std::string_view ignored_user_list) {
  std::set<std::string> out;
  auto content = json::parse_object(ignored_user_list);
  if (!content) return out;
  if (const auto* users = json::object_at(*content, "ignored_users"))
    for (const auto& [user, unused] : *users) out.insert(std::string(user));
  return out;
}

// The rules of nobody in particular, and of those who have their own.
struct Judge::Rules {
  struct Own {
    std::shared_ptr<const json::Object> content;
    std::shared_ptr<const PushRules> compiled;
    std::set<std::string> ignored;
  };
  struct Room {
    std::vector<UserId> special;
    int64_t member_count = 0;
  };
  UserId nobody;
  PushRules defaults;
  Lru<std::string, Own> own{"compiled_push_rules", 8u << 20};
  Lru<uint32_t, Room> rooms{"rooms_with_own_push_rules", 4u << 20};
  uint64_t changes = 0;  // so far: what was read before one is not kept

  explicit Rules(UserId user) : nobody(user), defaults(PushRules::compile(default_push_rules(user))) {}
};

Judge::Judge(ServerName server, accounts::Accounts& accounts, rooms::Queries& rooms)
    : server_name_(std::move(server)),
      accounts_(accounts),
      rooms_(rooms),
      rules_(std::make_unique<Rules>(UserId::trusted("@:" + server_name_.str()))) {}  // no user has this id
Judge::~Judge() = default;

void Judge::membership_changed(uint32_t room_no) {
  ++rules_->changes;
  rules_->rooms.erase(room_no);
}
void Judge::rules_changed() {
  ++rules_->changes;
  rules_->rooms.clear();
  rules_->own.clear();
}

Task<Result<std::vector<UserId>>> Judge::special_members(uint32_t room_no) {
  if (auto* known = rules_->rooms.find(room_no)) co_return known->special;
  auto stamp = rules_->changes;
  MYELIN_CO_TRY(auto members, co_await rooms_.members(room_no, rooms::Membership::kJoin));
  auto count = static_cast<int64_t>(members.size());
  std::erase_if(members, [this](const UserId& user) { return user.server() != server_name_.str(); });
  MYELIN_CO_TRY(auto special, co_await accounts_.with_own_push_rules(std::move(members)));
  if (stamp == rules_->changes) rules_->rooms.put(room_no, {special, count}, 64 + special.size() * 64);
  co_return special;
}

Task<Result<std::set<std::string>>> Judge::ignored_by(UserId user) {
  auto list = co_await accounts_.account_data(user, std::nullopt, "m.ignored_user_list");
  if (!list && list.error().code != Code::kNotFound) co_return std::unexpected(list.error());
  co_return ignored_in(list.value_or(""));
}

namespace {

// What rules ask about besides the event: from the room's state before it.
struct RoomFacts {
  EventPtr power_levels, create;
  std::map<std::string, std::string> names;  // display names, of those asked for
};

Task<Result<RoomFacts>> room_facts(rooms::Queries& rooms, uint32_t room_no, StateRoot root, std::set<UserId> users) {
  std::vector<std::pair<std::string, std::string>> wanted{{"m.room.power_levels", ""}, {"m.room.create", ""}};
  for (const auto& user : users) wanted.emplace_back("m.room.member", user.str());
  MYELIN_CO_TRY(auto entries, co_await rooms.state_of(room_no, root, std::move(wanted)));
  std::vector<rooms::EventRef> refs;
  for (const auto& entry : entries) refs.push_back(entry.ref);
  MYELIN_CO_TRY(auto events, co_await rooms.events(std::move(refs)));
  RoomFacts out;
  for (size_t i = 0; i < entries.size(); ++i) {
    const auto& event = events[i]->event;
    if (entries[i].type == "m.room.power_levels") out.power_levels = event;
    if (entries[i].type == "m.room.create") out.create = event;
    if (entries[i].type == "m.room.member")
      out.names[entries[i].key] = json::string_at(event->content(), "displayname").value_or("");
  }
  co_return out;
}

}  // namespace

Task<Result<Judgement>> Judge::judge(rooms::PlacedPtr placed, RoomId room, StateRoot root) {
  const auto& event = *placed->event;
  uint32_t room_no = placed->ref.room;
  MYELIN_CO_TRY(auto special, co_await special_members(room_no));
  std::set<UserId> users(special.begin(), special.end());
  for (auto& user : mentioned(event))
    if (user.server() == server_name_.str()) users.insert(std::move(user));
  users.erase(event.sender());

  PushContext context{.user = rules_->nobody};
  RoomFacts facts;
  if (!users.empty() || mentions_room(event)) {
    MYELIN_CO_TRY(auto info, co_await rooms_.room(room_no));
    MYELIN_CO_TRY(facts, co_await room_facts(rooms_, room_no, root, users));
    PowerLevels levels(*info.rules, facts.power_levels.get(), facts.create.get());
    context.sender_level = levels.user_level(event.sender().str());
    if (facts.power_levels)
      context.notification_levels = json::object_at(facts.power_levels->content(), "notifications");
    if (auto* known = rules_->rooms.find(room_no)) context.member_count = known->member_count;
  }
  Judgement out;
  out.room = to_verdict(rules_->defaults.evaluate(event, context));
  for (const auto& user : users) {
    MYELIN_CO_TRY(auto content, co_await accounts_.push_rules(user));
    Rules::Own fresh;
    auto* own = rules_->own.find(user.str());
    if (own == nullptr || own->content != content) {
      auto stamp = rules_->changes;
      MYELIN_CO_TRY(fresh.ignored, co_await ignored_by(user));
      fresh.content = content;
      fresh.compiled = std::make_shared<const PushRules>(PushRules::compile(*content));
      own = stamp == rules_->changes ? &rules_->own.put(user.str(), std::move(fresh), 16'384) : &fresh;
    }
    context.user = user;
    context.display_name = facts.names[user.str()];
    Verdict verdict;
    if (!own->ignored.contains(event.sender().str())) verdict = to_verdict(own->compiled->evaluate(event, context));
    if (verdict != by_class(unread_class(*content, room), out.room)) out.exceptions.push_back({user, verdict});
  }
  co_return out;
}

}  // namespace myelin::sync
