// Rooms, by the first byte. Even: a room of the other bytes, each a choice of who does what after which events, one of
// them lost and one changed on the way: it is explained as a literal judge sees it, whichever line comes first. Odd:
// any lines as a room: it is explained or refused, and the text steers no terminal.
#include <fmt/format.h>

#include <cstdlib>
#include <set>

#include "matrix/explain.h"
#include "matrix/testing/dice.h"
#include "matrix/testing/events.h"
#include "matrix/testing/literal_resolver.h"

namespace {

using namespace myelin;
using testing::EventSpec;
using testing::LiteralState;

void require(bool condition) {
  if (!condition) std::abort();
}

Explanation explained_twice(const std::string& lines) {
  auto explanation = explain_room(lines), again = explain_room(lines);
  require(explanation && again && to_text(*explanation) == to_text(*again));
  return *std::move(explanation);
}

// Explains events one by one, each after those it builds on, with states as std::map.
class LiteralJudge {
 public:
  explicit LiteralJudge(const RoomRules& rules) { room_.rules = &rules; }

  void judge(const EventPtr& event, bool hash_matches) {
    auto before = state_after(event->prev_events());
    AuthEventSet view;
    for (auto& [key, id] : before) view.add(room_.events.at(id).get());
    std::vector<AuthEvent> auth_events;
    for (auto& id : event->auth_events()) auth_events.push_back(known(id));
    ReceiptFacts facts;
    facts.event = event;
    facts.content_hash_matches = hash_matches;
    facts.auth_events = auth_events;
    facts.create = known(create_);
    bool is_create = event->type() == "m.room.create";
    bool is_gap = !event->prev_events().empty() && !knows(event->prev_events());
    if (!is_create && !is_gap) facts.before = &view;
    auto receipt = check_receipt(*room_.rules, facts).value();
    auto& id = event->event_id();
    bool accepted = receipt.verdict == Verdict::kAccept;
    if (is_create) create_ = id;
    if (accepted) room_.events[id] = receipt.event;
    if (accepted && event->is_state()) before[{event->type(), *event->state_key()}] = id;
    nodes_[id] = {receipt.event, accepted, std::move(before)};
  }

  // Of events that were judged, resolved; others do not count.
  const LiteralState& state_after(const std::vector<EventId>& ids) {
    auto [place, is_new] = states_.try_emplace(known_of(ids));
    auto& [known, state] = *place;
    if (!is_new) return state;
    std::vector<LiteralState> sets;
    for (auto& id : known) sets.push_back(nodes_.at(id).after);
    if (!sets.empty()) state = sets.size() == 1 ? sets.front() : resolve_literally(room_, sets);
    return state;
  }
  bool knows(const std::vector<EventId>& ids) const { return !known_of(ids).empty(); }
  bool accepted(const EventId& id) const { return nodes_.at(id).accepted; }

  // Accepted events that no accepted one builds on, over rejected ones too.
  std::vector<EventId> extremities() const {
    std::set<EventId> built_on;
    for (auto& [id, node] : nodes_)
      if (node.accepted) build_on(node, built_on);
    std::vector<EventId> ends;
    for (auto& [id, node] : nodes_)
      if (node.accepted && !built_on.contains(id)) ends.push_back(id);
    return ends;
  }

 private:
  struct Node {
    EventPtr event;
    bool accepted = false;
    LiteralState after;
  };

  AuthEvent known(const EventId& id) const {
    auto found = nodes_.find(id);
    if (found == nodes_.end()) return {};
    return {found->second.event.get(), !found->second.accepted};
  }
  std::vector<EventId> known_of(std::vector<EventId> ids) const {
    std::erase_if(ids, [&](const EventId& id) { return !nodes_.contains(id); });
    return ids;
  }
  void build_on(const Node& node, std::set<EventId>& built_on) const {
    for (auto& id : known_of(node.event->prev_events()))
      if (built_on.insert(id).second && !nodes_.at(id).accepted) build_on(nodes_.at(id), built_on);
  }

  testing::LiteralRoom room_;
  std::map<EventId, Node> nodes_;
  std::map<std::vector<EventId>, LiteralState> states_;  // after these
  EventId create_;
};

class Program : testing::Dice {
 public:
  explicit Program(std::function<uint64_t()> next)
      : Dice(std::move(next)), rules_(one_of(all_room_versions())), judge_(rules_) {}

  void run() {
    unsigned first_line = pick(256), steps = pick(25);
    lost_ = pick(256);
    changed_ = pick(256);
    begin();
    while (steps-- > 0) step();

    auto joined = [&] { return fmt::format("{}\n", fmt::join(lines_, "\n")); };
    if (lost_ == 0) return require(explain_room(joined()).error().code == Code::kInvalidParam);  // no create event
    std::ranges::rotate(lines_, lines_.begin() + first_line % lines_.size());
    auto explanation = explained_twice(joined());
    require(explanation.rules == &rules_ && explanation.events.size() == lines_.size());
    for (auto& each : explanation.events) {
      require(each.event && each.verdict != Verdict::kDrop);
      require((each.verdict == Verdict::kAccept) == judge_.accepted(each.event->event_id()));
    }
    auto ends = explanation.extremities;
    std::ranges::sort(ends);
    require(ends == judge_.extremities());
    LiteralState state;
    for (auto& event : explanation.state) state[{event->type(), *event->state_key()}] = event->event_id();
    require(state == judge_.state_after(ends));
  }

 private:
  static constexpr const char* kUsers[] = {"@alice:a", "@bob:b", "@carol:b", "@dave:a"};

  void begin() {
    std::string alice = kUsers[0], bob = kUsers[1], carol = kUsers[2];
    write(alice, "m.room.create", "", {{"room_version", rules_.version}, {"creator", alice}}, {});
    after_last(alice, "m.room.member", alice, {{"membership", "join"}});
    after_last(alice, "m.room.power_levels", "", levels(bob, 50));
    after_last(alice, "m.room.join_rules", "", {{"join_rule", "public"}});
    for (auto& user : {bob, carol}) after_last(user, "m.room.member", user, {{"membership", "join"}});
  }

  json::Object levels(const std::string& user, int64_t level) const {
    json::Object users{{user, level}};
    if (!rules_.auth.creators_infinite) users[kUsers[0]] = 100;
    return {{"users", users}};
  }

  void step() {
    std::string who = chance(40) ? kUsers[0] : one_of(kUsers), target = one_of(kUsers);
    std::vector<EventId> prev;
    for (unsigned count = 1 + pick(3); count-- > 0;) {
      auto& id = events_[events_.size() - 1 - pick(std::min<size_t>(events_.size(), 8))]->event_id();
      if (std::ranges::find(prev, id) == prev.end()) prev.push_back(id);
    }
    static constexpr const char* kJoinRules[] = {"public", "invite", "knock"};
    static constexpr const char* kMemberships[] = {"ban", "leave", "invite"};
    static constexpr int kLevels[] = {0, 50, 100};
    switch (pick(8)) {
      case 0:
        return write(who, "m.room.power_levels", "", levels(target, one_of(kLevels)), prev);
      case 1:
        return write(who, "m.room.join_rules", "", {{"join_rule", one_of(kJoinRules)}}, prev);
      case 2:
      case 3:
        return write(who, "m.room.member", target, {{"membership", one_of(kMemberships)}}, prev);
      case 4:
        return write(who, "m.room.member", who, {{"membership", chance(30) ? "knock" : "join"}}, prev);
      case 5:
        return write(who, "m.room.message", {}, {{"body", pick(256)}}, prev);
      default:
        return write(who, "m.room.topic", "", {{"topic", pick(256)}}, prev);
    }
  }

  void after_last(const std::string& sender, const char* type, std::string state_key, json::Object content) {
    write(sender, type, std::move(state_key), std::move(content), {events_.back()->event_id()});
  }

  void write(const std::string& sender, const char* type, std::optional<std::string> state_key, json::Object content,
             const std::vector<EventId>& prev) {
    EventSpec spec{.id = fmt::format("${}:{}", events_.size(), sender.substr(sender.find(':') + 1)),
                   .room_id = events_.empty() ? "!r:a" : events_.front()->room_id().str(),
                   .sender = sender,
                   .type = type,
                   .state_key = std::move(state_key),
                   .content = std::move(content)};
    for (auto& id : prev) spec.prev.push_back(id.str());
    spec.depth = static_cast<int64_t>(events_.size()) + 1;
    spec.ts = static_cast<int64_t>(events_.size() / 4);  // few different ones, so that ids decide
    // By the state before it, or that of another branch, as a server would that knows less.
    bool elsewhere = !prev.empty() && !(judge_.knows(prev) && chance(90));
    auto cited = judge_.state_after(elsewhere ? std::vector{one_of(events_)->event_id()} : prev);
    for (auto& key : auth_event_keys(rules_, spec.type, spec.sender, spec.state_key, spec.content))
      if (auto found = cited.find(key); found != cited.end()) spec.auth.push_back(found->second.str());
    events_.push_back(make_hashed_event(rules_, spec));
    if (events_.size() == lost_ + 1) return;
    auto arrived = events_.back();
    bool is_changed = events_.size() == changed_ + 1;
    if (is_changed) {
      auto object = arrived->object();
      object["content"].as_object()["changed"] = true;
      arrived = Event::parse(json::serialize(object), rules_).value();
    }
    lines_.push_back(arrived->text());
    judge_.judge(arrived, !is_changed);
  }

  const RoomRules& rules_;
  LiteralJudge judge_;
  std::vector<EventPtr> events_;    // as they were made
  std::vector<std::string> lines_;  // as they arrived
  size_t lost_ = 0, changed_ = 0;   // which of them
};

void explain_text(std::string_view lines) {
  auto explanation = explain_room(lines);
  if (!explanation) return require(explanation.error().code == Code::kInvalidParam);
  for (auto& told : explanation->events) require((told.verdict == Verdict::kAccept) == told.reason.empty());
  auto text = to_text(*explanation);
  for (char c : text) require(static_cast<unsigned char>(c) >= 0x20 || c == '\n');
  require(to_text(*explain_room(lines)) == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  if (data[0] % 2 == 0) {
    size_t at = 1;
    Program([&]() -> uint64_t { return at < size ? data[at++] : 0; }).run();
  } else {
    explain_text({reinterpret_cast<const char*>(data + 1), size - 1});
  }
  return 0;
}
