// Every authorization rule of every room version, as the specification lists them, and whether it has its scenes: one
// in which it lets something through, and one in which it rejects. A rule that later versions drop ends with the last
// that has it.
#include <map>
#include <set>

#include "matrix/auth/scenes.h"

namespace myelin::auth::scenes {
namespace {

struct Rule {
  std::string_view name;  // that of its scenes
  int first, last;        // the room versions that have it
};

// In the order of rooms/v1 to rooms/v12, Authorization rules.
constexpr Rule kRules[] = {
    {"create: prev_events", 1, 12},
    {"create: room_id's domain", 1, 11},
    {"create: no room_id", 12, 12},
    {"create: room_version", 1, 12},
    {"create: creator", 1, 10},
    {"create: additional_creators", 12, 12},
    {"auth events: room id", 12, 12},
    {"room id", 12, 12},
    {"auth events: duplicates", 1, 12},
    {"auth events: selection", 1, 12},
    {"auth events: rejected", 1, 12},
    {"auth events: create", 1, 11},
    {"auth events: same room", 1, 12},
    {"create event", 1, 12},
    {"m.federate", 1, 12},
    {"aliases: state key", 1, 5},
    {"aliases: of one's own server", 1, 5},
    {"aliases: as any state", 6, 12},
    {"member: state_key and membership", 1, 12},
    {"join: signed by the authoriser's server", 8, 12},
    {"join: the creator's first", 1, 12},
    {"join: sender is state_key", 1, 12},
    {"join: banned", 1, 12},
    {"join: rule invite", 1, 12},
    {"join: rule knock", 7, 12},
    {"join: rule restricted", 8, 12},
    {"join: rule knock_restricted", 10, 12},
    {"join: authoriser may invite", 8, 12},
    {"join: authoriser joined", 8, 12},
    {"join: rule public", 1, 12},
    {"join: rule unknown to the version", 1, 12},
    {"taken up: banned", 1, 12},
    {"taken up: signed", 1, 12},
    {"taken up: mxid and token", 1, 12},
    {"taken up: mxid is state_key", 1, 12},
    {"taken up: token", 1, 12},
    {"taken up: sender", 1, 12},
    {"taken up: key", 1, 12},
    {"invite: sender joined", 1, 12},
    {"invite: target's membership", 1, 12},
    {"invite: level", 1, 12},
    {"leave: one's own", 1, 12},
    {"leave: one's own knock", 7, 12},
    {"leave: sender joined", 1, 12},
    {"leave: unban", 1, 12},
    {"leave: kick level", 1, 12},
    {"leave: target's level", 1, 12},
    {"leave: a creator's level", 12, 12},
    {"ban: sender joined", 1, 12},
    {"ban: level", 1, 12},
    {"ban: target's level", 1, 12},
    {"knock: join rule", 7, 12},
    {"knock: rule knock_restricted", 10, 12},
    {"knock: sender is state_key", 7, 12},
    {"knock: membership", 7, 12},
    {"member: unknown membership", 1, 12},
    {"sender joined", 1, 12},
    {"third party invite: level", 1, 12},
    {"required level: state", 1, 12},
    {"required level: messages", 1, 12},
    {"required level: one type", 1, 12},
    {"state keys of users", 1, 12},
    {"levels: single values are integers", 10, 12},
    {"levels: events are integers", 10, 12},
    {"levels: notifications are integers", 10, 12},
    {"levels: users", 1, 12},
    {"levels: integers in strings", 1, 9},
    {"levels: floats", 1, 5},
    {"levels: no creators among users", 12, 12},
    {"levels: the first", 1, 12},
    {"users_default", 1, 12},
    {"events_default", 1, 12},
    {"state_default", 1, 12},
    {"ban", 1, 12},
    {"redact", 1, 12},
    {"kick", 1, 12},
    {"invite", 1, 12},
    {"levels: events, changed or removed", 1, 12},
    {"levels: events, added or changed", 1, 12},
    {"levels: notifications, changed or removed", 6, 12},
    {"levels: notifications, added or changed", 6, 12},
    {"levels: users, changed or removed", 1, 12},
    {"levels: users, added or changed", 1, 12},
    {"redaction: level", 1, 2},
    {"redaction: of one's own server", 1, 2},
    {"redaction: as any event", 3, 12},
};

TEST(AuthRules, EachHasAnAllowedAndARejectedSceneInEachVersion) {
  std::map<std::pair<std::string_view, int>, std::set<bool>> outcomes;  // allowed or not, by rule and version
  auto scenes = all_scenes();
  for (auto& scene : scenes)
    for (int version = scene.first; version <= scene.last; ++version)
      outcomes[{scene.rule, version}].insert(scene.outcome.allowed());
  for (auto& rule : kRules) {
    for (auto& rules : all_room_versions()) {
      int version = number_of(rules);
      auto found = outcomes.extract(std::pair(rule.name, version));
      bool has_rule = version >= rule.first && version <= rule.last;
      EXPECT_EQ(found.empty() ? 0u : found.mapped().size(), has_rule ? 2u : 0u)
          << rule.name << ", version " << version << (has_rule ? ": a scene is missing" : ": there is no such rule");
    }
  }
  for (auto& [rule, found] : outcomes)
    ADD_FAILURE() << rule.first << ", version " << rule.second << ": a scene of no rule in the list";
}

}  // namespace
}  // namespace myelin::auth::scenes
