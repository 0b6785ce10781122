#include "components/push/audience.h"

#include <map>

#include "components/accounts/ignored_users.h"
#include "matrix/power_levels.h"

namespace myelin::push {
namespace {

constexpr size_t kRulesBytes = 2u << 20;
constexpr size_t kRoomsBytes = 2u << 20, kBytesPerMember = 512;

using StateKey = std::pair<std::string, std::string>;

}  // namespace

std::string content_text(const Event* event, std::string_view key) {
  auto text = event == nullptr ? std::nullopt : json::string_at(event->content(), key);
  return std::string(text.value_or(""));
}

// What the rules of any member need to know about the room at a state.
struct Audience::Room {
  StateRoot root;
  Pushers::Users with_pusher;  // what the candidates were picked from
  const RoomRules* rules = nullptr;
  int64_t member_count = 0;
  std::vector<UserId> candidates;
  std::map<StateKey, rooms::PlacedPtr> state;

  const Event* at(const std::string& type, const std::string& key) const {
    auto it = state.find({type, key});
    return it == state.end() ? nullptr : it->second->event.get();
  }
};

Audience::Audience(accounts::Accounts& accounts, rooms::Queries& rooms)
    : accounts_(accounts),
      rooms_(rooms),
      rules_("compiled_push_rules", kRulesBytes),
      loaded_("push_audiences", kRoomsBytes) {}

Task<Result<Audience::RoomPtr>> Audience::load(rooms::EventRef ref, EventPtr event, Pushers::Users with_pusher) {
  MYELIN_CO_TRY(auto root, co_await rooms_.root_after(ref));
  if (auto* known = loaded_.find(ref.room); known && (*known)->root == root && (*known)->with_pusher == with_pusher)
    co_return *known;
  auto room = std::make_shared<Room>();
  room->root = root;
  room->with_pusher = with_pusher;
  MYELIN_CO_TRY(auto info, co_await rooms_.room(ref.room));
  room->rules = info.rules;
  MYELIN_CO_TRY(auto members, co_await rooms_.members(ref.room, rooms::Membership::kJoin));
  room->member_count = static_cast<int64_t>(members.size());
  for (auto& member : members)
    if (with_pusher->contains(member)) room->candidates.push_back(std::move(member));
  if (event->type() == "m.room.member" && content_text(event.get(), "membership") == "invite") {
    auto invited = UserId::trusted(event->state_key().value_or(""));
    if (with_pusher->contains(invited)) room->candidates.push_back(std::move(invited));
  }
  if (!room->candidates.empty()) {
    std::vector<StateKey> wanted{{"m.room.create", ""}, {"m.room.power_levels", ""}};
    for (const auto& user : room->candidates) wanted.emplace_back("m.room.member", user.str());
    MYELIN_CO_TRY(auto entries, co_await rooms_.state_of(ref.room, root, std::move(wanted)));
    std::vector<rooms::EventRef> refs;
    for (const auto& entry : entries) refs.push_back(entry.ref);
    MYELIN_CO_TRY(auto events, co_await rooms_.events(std::move(refs)));
    for (size_t i = 0; i < entries.size() && i < events.size(); ++i)
      room->state[{entries[i].type, entries[i].key}] = events[i];
  }
  co_return loaded_.put(ref.room, room, kBytesPerMember * (1 + room->candidates.size()));
}

Task<Result<std::vector<Listener>>> Audience::of(rooms::EventRef ref, Pushers::Users with_pusher) {
  std::vector<Listener> out;
  if (with_pusher->empty()) co_return out;
  MYELIN_CO_TRY(auto events, co_await rooms_.events({ref}));
  if (events.empty() || events[0]->soft_failed || events[0]->rejected || events[0]->redacted_by) co_return out;
  auto event = events[0]->event;
  MYELIN_CO_TRY(auto room, co_await load(ref, event, with_pusher));
  if (room->candidates.empty()) co_return out;
  PushContext context;
  context.member_count = room->member_count;
  context.power_levels.emplace(*room->rules, room->at("m.room.power_levels", ""), room->at("m.room.create", ""));
  for (const auto& user : room->candidates) {
    if (user == event->sender()) continue;
    const auto* member = room->at("m.room.member", user.str());
    auto membership = content_text(member, "membership");  // at the event: who came later does not hear of it
    bool is_target = event->is_state("m.room.member", user.str());
    if (membership != "join" && !(membership == "invite" && is_target)) continue;
    MYELIN_CO_TRY(bool ignored, co_await ignores(user, event->sender()));
    if (ignored) continue;
    MYELIN_CO_TRY(auto rules, co_await rules_of(user));
    context.user = user;
    context.display_name = content_text(member, "displayname");
    auto verdict = rules->evaluate(*event, context);
    if (verdict.notify) out.push_back({user, std::move(verdict.tweaks)});
  }
  co_return out;
}

Task<Result<std::vector<UserId>>> Audience::members(RoomId id, Pushers::Users with_pusher) {
  MYELIN_CO_TRY(auto info, co_await rooms_.room(id));
  MYELIN_CO_TRY(auto members, co_await rooms_.members(info.room_no, rooms::Membership::kJoin));
  std::erase_if(members, [&](const UserId& member) { return !with_pusher->contains(member); });
  co_return members;
}

Task<Result<std::shared_ptr<const PushRules>>> Audience::rules_of(UserId user) {
  MYELIN_CO_TRY(auto source, co_await accounts_.push_rules(user));
  if (const auto* known = rules_.find(user); known != nullptr && known->source == source) co_return known->compiled;
  auto compiled = std::make_shared<const PushRules>(PushRules::compile(*source));
  rules_.put(user, {source, compiled}, 2 * push_rules_weight(*source) + compiled->memory_bytes());
  co_return compiled;
}

Task<Result<bool>> Audience::ignores(UserId user, UserId sender) {
  MYELIN_CO_TRY(auto ignored, co_await accounts::ignored_users(accounts_, user));
  co_return ignored.contains(sender.str());
}

}  // namespace myelin::push
