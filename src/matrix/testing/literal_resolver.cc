#include "matrix/testing/literal_resolver.h"

#include <openssl/sha.h>

#include <algorithm>
#include <limits>

#include "matrix/power_levels.h"

namespace myelin::testing {
namespace {

using Ids = std::set<EventId>;
using List = std::vector<EventId>;

const TypeAndKey kCreate{"m.room.create", ""}, kPowerLevels{"m.room.power_levels", ""};

TypeAndKey key_of(const Event& event) { return {event.type(), *event.state_key()}; }

class Literal {
 public:
  Literal(const LiteralRoom& room, const std::vector<LiteralState>& states, ToTheLetter letter)
      : room_(room), states_(states), letter_(letter) {}

  // rooms/fragments/v2-state-res, Algorithm.
  LiteralState version_2() {
    LiteralState unconflicted = unconflicted_state_map();
    Ids full = full_conflicted_set();
    bool empty = room_.rules->resolution == StateResolution::kV2_1;
    // 1. "Select the set X of all power events that appear in the full conflicted set. For each such power event P,
    // enlarge X by adding the events from P's auth chain which also belong to the full conflicted set. Sort X into a
    // list using the reverse topological power ordering."
    Ids x;
    for (auto& id : full) {
      if (is_power_event(event(id))) enlarge(x, id, full);
    }
    // 2. "Apply the iterative auth checks algorithm, starting from the unconflicted state map [v12: an empty state
    // map], to the list of events from the previous step to get a partially resolved state."
    LiteralState partial = iterative_auth_checks(empty ? LiteralState() : unconflicted, power_ordering(x));
    // 3. "Take all remaining events that weren't picked in step 1 and order them by the mainline ordering based on the
    // power level in the partially resolved state obtained in step 2."
    List rest;
    for (auto& id : full)
      if (!x.contains(id)) rest.push_back(id);
    auto power_levels = partial.find(kPowerLevels);
    mainline_ordering(rest, power_levels == partial.end() ? EventId() : power_levels->second);
    // 4. "Apply the iterative auth checks algorithm on the partial resolved state and the list of events from the
    // previous step."
    LiteralState result = iterative_auth_checks(partial, rest);
    // 5. "Update the result by replacing any event with the event with the same key from the unconflicted state map, if
    // such an event exists, to get the final resolved state."
    for (auto& [key, id] : unconflicted) result[key] = id;
    return result;
  }

  // rooms/v1, State resolution.
  LiteralState version_1() {
    std::map<TypeAndKey, Ids> seen;
    for (auto& state : states_)
      for (auto& [key, id] : state) seen[key].insert(id);
    // "Start by setting R to the union of the states to be resolved, excluding any conflicting events."
    LiteralState r;
    for (auto& [key, ids] : seen)
      if (ids.size() == 1) r[key] = *ids.begin();
    for (auto type : {"m.room.power_levels", "m.room.join_rules", "m.room.member"}) {
      LiteralState resolved;
      for (auto& [key, ids] : seen) {
        if (key.type != type || ids.size() == 1) continue;
        List list = by_depth(ids);
        // "Add the first event in the list to R. For each subsequent event in the list, check that the event would be
        // allowed by the authorization rules for a room in state R. If the event would be allowed, then update R with
        // the event and continue with the next event in the list. If it would not be allowed, stop."
        LiteralState with = r;
        with[key] = list.front();
        for (size_t i = 1; i < list.size() && allowed(list[i], with); ++i) with[key] = list[i];
        resolved[key] = with[key];
      }
      for (auto& [key, id] : resolved) r[key] = id;
    }
    // "For all other conflicts, just pick the event with the highest depth and lowest sha1(event_id) that passes
    // authentication in R and add it to R."
    LiteralState result = r;
    for (auto& [key, ids] : seen) {
      if (ids.size() == 1 || r.contains(key)) continue;
      List list = by_depth(ids);
      auto best = std::find_if(list.rbegin(), list.rend(), [&](const EventId& id) { return allowed(id, r); });
      if (best != list.rend()) result[key] = *best;
    }
    return result;
  }

 private:
  const Event& event(const EventId& id) { return *room_.events.at(id); }

  // "If a given key K is present in every S_i with the same value V in each state map, then the pair (K, V) belongs to
  // the unconflicted state map."
  LiteralState unconflicted_state_map() {
    LiteralState result;
    for (auto& [key, id] : states_.front()) {
      bool everywhere = std::ranges::all_of(states_, [&](const LiteralState& state) {
        auto found = state.find(key);
        return found != state.end() && found->second == id;
      });
      if (everywhere) result[key] = id;
    }
    return result;
  }

  Ids conflicted_state_set() {
    LiteralState unconflicted = unconflicted_state_map();
    Ids result;
    for (auto& state : states_)
      for (auto& [key, id] : state)
        if (!unconflicted.contains(key)) result.insert(id);
    return result;
  }

  void add_auth_chain(Ids& chain, const EventId& id) {
    for (auto& auth_event : event(id).auth_events())
      if (chain.insert(auth_event).second) add_auth_chain(chain, auth_event);
  }

  // "∪ C_i − ∩ C_i". C_i holds the events of the state beside their auth chains: so every server reads it.
  Ids auth_difference() {
    std::vector<Ids> chains;
    Ids all;
    for (auto& state : states_) {
      Ids chain;
      for (auto& [key, id] : state) {
        if (letter_ != ToTheLetter::kAuthDifference) chain.insert(id);
        add_auth_chain(chain, id);
      }
      all.insert(chain.begin(), chain.end());
      chains.push_back(std::move(chain));
    }
    Ids result;
    for (auto& id : all)
      if (!std::ranges::all_of(chains, [&](const Ids& chain) { return chain.contains(id); })) result.insert(id);
    return result;
  }

  // rooms/v12: "Starting from an event in the conflicted state set and following auth_events edges may lead to another
  // event in the conflicted state set. The union of all such paths between any pair of events in the conflicted state
  // set (including endpoints) forms a subgraph of the original auth_event graph, called the conflicted state subgraph."
  Ids conflicted_state_subgraph() {
    Ids conflicted = conflicted_state_set(), result = conflicted;
    for (auto& from : conflicted) {
      Ids reached;
      add_auth_chain(reached, from);
      for (auto& between : reached) {
        Ids further;
        add_auth_chain(further, between);
        if (std::ranges::any_of(further, [&](const EventId& id) { return conflicted.contains(id); }))
          result.insert(between);
      }
    }
    return result;
  }

  Ids full_conflicted_set() {
    Ids result = conflicted_state_set();
    result.merge(auth_difference());
    if (room_.rules->resolution == StateResolution::kV2_1) result.merge(conflicted_state_subgraph());
    return result;
  }

  static bool is_power_event(const Event& event) {
    if (event.type() == "m.room.power_levels" || event.type() == "m.room.join_rules") return event.state_key() == "";
    auto membership = json::string_at(event.content(), "membership");
    return event.type() == "m.room.member" && event.is_state() && (membership == "leave" || membership == "ban") &&
           event.sender().str() != *event.state_key();
  }

  void enlarge(Ids& x, const EventId& id, const Ids& full) {
    if (!x.insert(id).second) return;
    if (letter_ == ToTheLetter::kStep1) {
      Ids chain;
      add_auth_chain(chain, id);
      for (auto& auth_event : chain)
        if (full.contains(auth_event)) x.insert(auth_event);
      return;
    }
    for (auto& auth_event : event(id).auth_events())
      if (full.contains(auth_event)) enlarge(x, auth_event, full);
  }

  const Event* auth_event(const Event& of, const TypeAndKey& key) {
    for (auto& id : of.auth_events())
      if (event(id).is_state(key.type, key.state_key)) return &event(id);
    return nullptr;
  }

  // Version 12 leaves the create event out of auth_events: it is the one of the room.
  const Event* create_event(const Event* of) {
    if (!room_.rules->auth.room_id_from_create) return of ? auth_event(*of, kCreate) : nullptr;
    for (auto& state : states_)
      if (auto found = state.find(kCreate); found != state.end()) return &event(found->second);
    return nullptr;
  }

  // "x < y if x's sender has greater power level than y's sender, when looking at their respective auth_events; or the
  // senders have the same power level, but x's origin_server_ts is less than y's origin_server_ts; or … x's event_id is
  // less."
  bool power_less(const EventId& x, const EventId& y) {
    auto level = [&](const Event& of) {
      return PowerLevels(*room_.rules, auth_event(of, kPowerLevels), create_event(&of)).user_level(of.sender().str());
    };
    return std::tuple(-level(event(x)), event(x).origin_server_ts(), x) <
           std::tuple(-level(event(y)), event(y).origin_server_ts(), y);
  }

  bool waits_for_one_of(const EventId& id, const Ids& x) {
    Ids before;
    if (letter_ == ToTheLetter::kPowerOrdering)
      add_auth_chain(before, id);
    else
      before.insert(event(id).auth_events().begin(), event(id).auth_events().end());
    return std::ranges::any_of(before, [&](const EventId& auth_event) { return x.contains(auth_event); });
  }

  // "Kahn's algorithm … at each step selecting, among all the candidate vertices, the smallest vertex."
  List power_ordering(Ids x) {
    List result;
    while (!x.empty()) {
      const EventId* smallest = nullptr;
      for (auto& id : x) {
        if (!waits_for_one_of(id, x) && (!smallest || power_less(id, *smallest))) smallest = &id;
      }
      result.push_back(*smallest);
      x.erase(result.back());
    }
    return result;
  }

  void mainline_ordering(List& list, const EventId& p) {
    List mainline;
    for (const Event* at = p.empty() ? nullptr : &event(p); at; at = auth_event(*at, kPowerLevels))
      mainline.push_back(at->event_id());
    auto position = [&](const EventId& id) {
      for (const Event* at = auth_event(event(id), kPowerLevels); at; at = auth_event(*at, kPowerLevels)) {
        auto found = std::ranges::find(mainline, at->event_id());
        if (found != mainline.end()) return found - mainline.begin();
      }
      return std::numeric_limits<std::ptrdiff_t>::max();
    };
    std::ranges::sort(list, [&](const EventId& x, const EventId& y) {
      return std::tuple(-position(x), event(x).origin_server_ts(), x) <
             std::tuple(-position(y), event(y).origin_server_ts(), y);
    });
  }

  struct View final : AuthState {
    const Event* find(std::string_view type, std::string_view state_key) const override {
      auto found = events.find({std::string(type), std::string(state_key)});
      return found == events.end() ? nullptr : found->second;
    }
    std::map<TypeAndKey, const Event*> events;
  };

  bool allowed(const EventId& id, const LiteralState& state) {
    View view;
    for (auto& [key, value] : state) view.events[key] = &event(value);
    if (room_.rules->auth.room_id_from_create) view.events[kCreate] = create_event(nullptr);
    return authorize(*room_.rules, event(id), view).has_value();
  }

  // "If a (event_type, state_key) key that is required for checking the authorization rules is not present in the
  // state, then the appropriate state event from the event's auth_events is used if the auth event is not rejected."
  LiteralState iterative_auth_checks(LiteralState state, const List& list) {
    for (auto& id : list) {
      LiteralState required;
      for (auto& auth_event : event(id).auth_events())
        if (!room_.rejected.contains(auth_event) && event(auth_event).is_state())
          required.emplace(key_of(event(auth_event)), auth_event);
      for (auto& key : authorizing_keys(*room_.rules, event(id)))
        if (auto found = state.find(key); found != state.end()) required[key] = found->second;
      if (allowed(id, required)) state[key_of(event(id))] = id;
    }
    return state;
  }

  List by_depth(const Ids& ids) {
    List list(ids.begin(), ids.end());
    auto sha1 = [](const EventId& id) {
      std::string hash(SHA_DIGEST_LENGTH, '\0');
      SHA1(reinterpret_cast<const unsigned char*>(id.str().data()), id.str().size(),
           reinterpret_cast<unsigned char*>(hash.data()));
      return hash;
    };
    // "Sort the list by ascending depth then descending sha1(event_id)."
    std::ranges::sort(list, [&](const EventId& a, const EventId& b) {
      return event(a).depth() != event(b).depth() ? event(a).depth() < event(b).depth() : sha1(a) > sha1(b);
    });
    return list;
  }

  const LiteralRoom& room_;
  const std::vector<LiteralState>& states_;
  const ToTheLetter letter_;
};

}  // namespace

LiteralState resolve_literally(const LiteralRoom& room, const std::vector<LiteralState>& states, ToTheLetter letter) {
  Literal literal(room, states, letter);
  return room.rules->resolution == StateResolution::kV1 ? literal.version_1() : literal.version_2();
}

}  // namespace myelin::testing
