// Iterative auth checks (rooms/fragments/v2-state-res): "applying the state event to the room state if the state event
// is allowed by the authorisation rules"; and the state that they make.
#include <algorithm>

#include "matrix/state_res/steps.h"

namespace myelin::state_res {

// What the auth rules see. A look-up that fails ends in error(), and the verdict is then worthless.
class PartialState::View final : public AuthState {
 public:
  enum class Fallback : uint8_t { kNone, kAuthEvents };
  View(PartialState& state, uint32_t event_no, Fallback fallback)
      : state_(state), event_no_(event_no), fallback_(fallback) {}

  const Event* find(std::string_view type, std::string_view state_key) const override {
    auto found = look_up(type, state_key);
    if (found) return *found;
    error_ = found.error();
    return nullptr;
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  Result<const Event*> look_up(std::string_view type, std::string_view state_key) const {
    auto& events = state_.events_;
    if (events.rules().auth.room_id_from_create && type == "m.room.create") return state_.create_event();
    MYELIN_TRY(uint32_t event_no, state_.find(type, state_key));
    // "If a (event_type, state_key) key that is required for checking the authorisation rules is not present in the
    // state, then the appropriate state event from the event's auth_events is used if the auth event is not rejected."
    if (event_no == Events::kNone && fallback_ == Fallback::kAuthEvents) {
      MYELIN_TRY(event_no, accepted_auth_event(type, state_key));
    }
    if (event_no == Events::kNone) return nullptr;
    return events.get(event_no);
  }
  Result<uint32_t> accepted_auth_event(std::string_view type, std::string_view state_key) const {
    // Rejected events: "Rejected auth events are deliberately excluded from use in the iterative auth checks"; other
    // rejected events "are handled as usual by the algorithm".
    MYELIN_TRY(uint32_t event_no, state_.events_.auth_event(event_no_, type, state_key));
    if (event_no == Events::kNone) return event_no;
    MYELIN_TRY(bool rejected, state_.events_.source().rejected(event_no));
    return rejected ? Events::kNone : event_no;
  }

  PartialState& state_;
  uint32_t event_no_;
  Fallback fallback_;
  mutable std::optional<Error> error_;
};

PartialState::PartialState(Events& events, const StateMap& first_set, std::span<const ConflictedKey> conflicts,
                           Start start)
    : events_(events), first_set_(first_set), conflicts_(conflicts), start_(start) {}

bool PartialState::conflicted(uint32_t key_no) const {
  auto found = std::ranges::lower_bound(conflicts_, key_no, {}, &ConflictedKey::key_no);
  return found != conflicts_.end() && found->key_no == key_no;
}

Result<uint32_t> PartialState::unconflicted(uint32_t key_no) const {
  if (conflicted(key_no)) return Events::kNone;
  MYELIN_TRY(auto event_no, first_set_.find(key_no));
  return event_no.value_or(Events::kNone);
}

Result<uint32_t> PartialState::find(std::string_view type, std::string_view state_key) {
  MYELIN_TRY(auto key, events_.source().key_no(type, state_key));
  if (!key) return Events::kNone;
  auto decided = decided_.find(*key);
  if (decided != decided_.end()) return decided->second;
  return start_ == Start::kUnconflicted ? unconflicted(*key) : Events::kNone;
}

Result<const Event*> PartialState::create_event() {
  MYELIN_TRY(auto key, events_.source().key_no("m.room.create", ""));
  if (!key) return nullptr;
  MYELIN_TRY(uint32_t event_no, unconflicted(*key));
  if (event_no == Events::kNone) {
    // Sets that are no whole states may lack it; one that has it has the room's only one.
    auto conflict = std::ranges::lower_bound(conflicts_, *key, {}, &ConflictedKey::key_no);
    if (conflict == conflicts_.end() || conflict->key_no != *key) return nullptr;
    event_no = distinct_events(*conflict).front();
  }
  return events_.get(event_no);
}

Result<uint32_t> PartialState::key_no(const Event& event) {
  MYELIN_TRY(auto key, events_.source().key_no(event.type(), *event.state_key()));
  if (!key) return fail(Code::kCorrupt, fmt::format("the key of {} has no number", event.event_id()));
  return *key;
}

Result<void> PartialState::check_and_apply(uint32_t event_no) {
  MYELIN_TRY(const Event* event, events_.get(event_no));
  if (!event->is_state()) return {};
  View view(*this, event_no, View::Fallback::kAuthEvents);
  bool allowed = authorize(events_.rules(), *event, view).has_value();
  if (view.error()) return std::unexpected(*view.error());
  // "If the state event is not allowed by the authorisation rules, then the event is ignored."
  if (!allowed) return {};
  MYELIN_TRY(uint32_t key, key_no(*event));
  set(key, event_no);
  return {};
}

Result<void> PartialState::check_and_apply(std::span<const uint32_t> event_nos) {
  for (uint32_t event_no : event_nos) MYELIN_CHECK(check_and_apply(event_no));
  return {};
}

Result<bool> PartialState::allows(uint32_t event_no) {
  MYELIN_TRY(const Event* event, events_.get(event_no));
  View view(*this, event_no, View::Fallback::kNone);
  bool allowed = authorize(events_.rules(), *event, view).has_value();
  if (view.error()) return std::unexpected(*view.error());
  return allowed;
}

// Step 5: "Update the result by replacing any event with the event with the same key from the unconflicted state map,
// if such an event exists, to get the final resolved state."
Result<std::vector<StateEdit>> PartialState::edits() const {
  std::vector<StateEdit> edits;
  for (auto& [key_no, event_no] : decided_) {
    if (conflicted(key_no)) continue;
    MYELIN_TRY(uint32_t there, unconflicted(key_no));
    if (there == Events::kNone) edits.push_back({key_no, event_no});
  }
  for (auto& key : conflicts_) {
    auto decided = decided_.find(key.key_no);
    auto event = decided == decided_.end() ? std::nullopt : std::optional(decided->second);
    if (event != key.events[0]) edits.push_back({key.key_no, event});
  }
  std::ranges::sort(edits, {}, &StateEdit::key_no);
  return edits;
}

}  // namespace myelin::state_res
