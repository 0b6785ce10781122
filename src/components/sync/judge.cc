#include "components/sync/judge.h"

#include <algorithm>

#include "base/lru.h"
#include "components/accounts/ignored_users.h"
#include "matrix/power_levels.h"
#include "matrix/push_rules.h"

namespace myelin::sync {
namespace {

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

// Whom the event invites.
std::optional<UserId> invited(const Event& event) {
  if (event.type() != "m.room.member" || json::string_at(event.content(), "membership") != "invite") return {};
  auto user = UserId::parse(event.state_key().value_or(""));
  return user ? std::optional(std::move(*user)) : std::nullopt;
}

bool mentions_room(const Event& event) {
  const auto* mentions = json::object_at(event.content(), "m.mentions");
  return mentions != nullptr && json::bool_at(*mentions, "room").value_or(false);
}

}  // namespace

struct Judge::Own {
  std::shared_ptr<const json::Object> content;
  PushRules compiled;
  UnreadClasses classes;
  std::set<std::string> ignored;
};
struct Judge::Room {
  std::vector<UserId> special;
  int64_t joined = 0;
};
struct Judge::Rules {
  struct Pending {
    uint32_t room_no;
    UserId user;
    bool joined;
  };
  UserId nobody;
  PushRules defaults;
  Lru<std::string, std::shared_ptr<const Own>> own{"compiled_push_rules", 8u << 20};
  Lru<uint32_t, std::shared_ptr<const Room>> rooms{"rooms_with_own_push_rules", 4u << 20};
  std::vector<Pending> pending;  // membership changes of the batch so far
  uint64_t changes = 0;          // so far: what was read before one is not kept

  explicit Rules(UserId user) : nobody(user), defaults(PushRules::compile(default_push_rules(user))) {}
};

Judge::Judge(ServerName server, db::Database& db, accounts::Accounts& accounts, rooms::Queries& rooms)
    : server_name_(std::move(server)),
      db_(db),
      accounts_(accounts),
      rooms_(rooms),
      rules_(std::make_unique<Rules>(UserId::trusted("@:" + server_name_.str()))) {}  // no user has this id
Judge::~Judge() = default;

void Judge::begin_batch() {
  if (!rules_->pending.empty()) rules_->rooms.clear();  // the last batch was not committed
  rules_->pending.clear();
}
void Judge::batch_committed() { rules_->pending.clear(); }

void Judge::membership_changed(uint32_t room_no, const rooms::MembershipChange& change) {
  bool was = change.before == rooms::Membership::kJoin, is = change.after == rooms::Membership::kJoin;
  if (was == is) return;
  ++rules_->changes;
  rules_->pending.push_back({room_no, change.user, is});
  rules_->rooms.erase(room_no);
}

void Judge::rules_changed() {
  ++rules_->changes;
  rules_->rooms.clear();
  rules_->own.clear();
}
void Judge::forget_all() {
  rules_changed();
  rules_->pending.clear();
}

Task<Result<std::shared_ptr<const Judge::Room>>> Judge::room(uint32_t room_no) {
  if (auto* known = rules_->rooms.find(room_no)) co_return *known;
  auto stamp = rules_->changes;
  MYELIN_CO_TRY(auto members, co_await db_.read([room_no](db::ReadTx& tx) {
    return tx.all(
        "SELECT user_id FROM sync_member WHERE room_no = $1 AND membership = $2",
        [](const db::Row& row) { return UserId::trusted(row.str(0)); }, room_no,
        static_cast<int64_t>(rooms::Membership::kJoin));
  }));
  for (const auto& change : rules_->pending) {
    if (change.room_no != room_no) continue;
    if (change.joined)
      members.push_back(change.user);
    else
      std::erase(members, change.user);
  }
  auto out = std::make_shared<Room>();
  out->joined = static_cast<int64_t>(members.size());
  std::erase_if(members, [this](const UserId& user) { return user.server() != server_name_.str(); });
  MYELIN_CO_TRY(out->special, co_await accounts_.with_own_push_rules(std::move(members)));
  if (stamp == rules_->changes) rules_->rooms.put(room_no, out, 64 + out->special.size() * 64);
  co_return out;
}

Task<Result<std::shared_ptr<const Judge::Own>>> Judge::own_rules(UserId user) {
  MYELIN_CO_TRY(auto content, co_await accounts_.push_rules(user));
  if (auto* known = rules_->own.find(user.str()); known != nullptr && (*known)->content == content) co_return *known;
  auto stamp = rules_->changes;
  MYELIN_CO_TRY(auto ignored, co_await accounts::ignored_users(accounts_, user));
  auto out = std::make_shared<const Own>(
      Own{content, PushRules::compile(*content), unread_classes(*content), std::move(ignored)});
  if (stamp == rules_->changes)
    rules_->own.put(user.str(), out, 2 * push_rules_weight(*content) + out->compiled.memory_bytes());
  co_return out;
}

Task<Result<UnreadClass>> Judge::class_of(UserId user, RoomId room) {
  MYELIN_CO_TRY(auto own, co_await own_rules(user));
  co_return own->classes.of(room.str());
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

bool Judgement::counts() const {
  return room != Verdict{} || std::ranges::any_of(members, [](const auto& member) { return member.own != Verdict{}; });
}

Task<Result<Judgement>> Judge::judge(rooms::PlacedPtr placed, StateRoot root) {
  Judgement out;
  if (placed->redacted_by) co_return out;
  const auto& event = *placed->event;
  uint32_t room_no = placed->ref.room;
  MYELIN_CO_TRY(auto room, co_await this->room(room_no));
  std::set<UserId> users(room->special.begin(), room->special.end());
  for (auto& user : mentioned(event))
    if (user.server() == server_name_.str()) users.insert(std::move(user));
  if (auto user = invited(event); user && user->server() == server_name_.str()) users.insert(std::move(*user));
  users.erase(event.sender());

  PushContext context{.user = rules_->nobody};
  RoomFacts facts;
  if (!users.empty() || mentions_room(event)) {
    MYELIN_CO_TRY(auto info, co_await rooms_.room(room_no));
    MYELIN_CO_TRY(facts, co_await room_facts(rooms_, room_no, root, users));
    context.power_levels.emplace(*info.rules, facts.power_levels.get(), facts.create.get());
    context.member_count = room->joined;
  }
  out.room = to_verdict(rules_->defaults.evaluate(event, context));
  for (const auto& user : users) {
    MYELIN_CO_TRY(auto own, co_await own_rules(user));
    context.user = user;
    context.display_name = facts.names[user.str()];
    Verdict verdict;
    if (!own->ignored.contains(event.sender().str())) verdict = to_verdict(own->compiled.evaluate(event, context));
    out.members.push_back({user, verdict});
  }
  co_return out;
}

}  // namespace myelin::sync
