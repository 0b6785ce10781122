// Any events as the state and as the one judged: the rules end in a verdict, the same each time, and look only at the
// keys that authorizing_keys() names. Input: a byte for the room version, then a JSON list of PDUs, the judged one
// last.
#include <cstdlib>

#include "matrix/auth.h"
#include "matrix/power_levels.h"
#include "matrix/receipt_checks.h"

namespace {

using namespace myelin;

class Watched final : public AuthState {
 public:
  Watched(const AuthState& state, std::vector<TypeAndKey> keys) : state_(state), keys_(std::move(keys)) {}
  const Event* find(std::string_view type, std::string_view state_key) const override {
    TypeAndKey key{std::string(type), std::string(state_key)};
    if (std::ranges::find(keys_, key) == keys_.end()) std::abort();
    return state_.find(type, state_key);
  }

 private:
  const AuthState& state_;
  std::vector<TypeAndKey> keys_;
};

void check_levels(const RoomRules& rules, const AuthState& state, const Event& event) {
  PowerLevels levels(rules, state.find("m.room.power_levels", ""), state.find("m.room.create", ""));
  int64_t highest = rules.auth.creators_infinite ? kInfiniteLevel : kInfiniteLevel - 1;
  if (levels.user_level(event.sender().str()) > highest) std::abort();
  for (int64_t level : {levels.event_level(event.type(), event.is_state()), levels.ban(), levels.kick(),
                        levels.redact(), levels.invite(), levels.notification("room"), levels.users_default()})
    if (level == kInfiniteLevel) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  auto& rules = all_room_versions()[data[0] % all_room_versions().size()];
  auto list = json::parse({reinterpret_cast<const char*>(data + 1), size - 1});
  if (!list || !list->is_array()) return 0;
  std::vector<EventPtr> events;
  for (auto& pdu : list->get_array()) {
    if (!pdu.is_object()) return 0;
    auto given = json::string_at(pdu.get_object(), "event_id");
    auto id = given ? EventId::parse(*given) : EventId::trusted("$" + std::to_string(events.size()));
    if (!id) return 0;
    auto event = Event::restore(json::serialize(pdu.get_object()), *id, rules);
    if (!event) return 0;
    events.push_back(*event);
  }
  if (events.empty()) return 0;
  auto judged = events.back();
  events.pop_back();
  AuthEventSet state;
  std::vector<AuthEvent> auth_events;
  for (auto& event : events) {
    state.add(event.get());
    auth_events.push_back({event.get(), event->depth() % 7 == 6});
  }
  auto verdict = authorize(rules, *judged, Watched(state, authorizing_keys(rules, *judged)));
  if (verdict.has_value() != authorize(rules, *judged, state).has_value()) std::abort();
  if (!verdict && verdict.error().code != Code::kForbidden) std::abort();
  check_levels(rules, state, *judged);

  ReceiptFacts facts;
  facts.event = judged;
  facts.content_hash_matches = data[0] < 128;
  facts.auth_events = auth_events;
  facts.create = {state.find("m.room.create", ""), false};
  facts.before = facts.current = &state;
  auto receipt = check_receipt(rules, facts);
  if (!receipt || (receipt->verdict == Verdict::kAccept) != receipt->reason.empty()) std::abort();
  return 0;
}
