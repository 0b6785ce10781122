#include "components/rooms/owner/stage.h"

#include <algorithm>

namespace myelin::rooms {
namespace {

// Fingerprints of state entries from the events in memory and the one being staged.
class Items final : public ItemSource {
 public:
  Items(const FingerprintKey& key, const RoomState& room, const EventPtr& added, uint32_t added_no)
      : key_(key), room_(room), added_(added), added_no_(added_no) {}
  Result<Fingerprint> item(uint32_t key_no, uint32_t event_no) override {
    const auto* name = room_.keys.name(key_no);
    if (name == nullptr) return fail(Code::kInternal, "a state key without a name");
    if (event_no == added_no_) return key_.item(name->type, name->state_key, added_->event_id());
    auto it = room_.state_events.find(event_no);
    if (it == room_.state_events.end()) return fail(Code::kInternal, "a replaced state event is not in memory");
    return key_.item(name->type, name->state_key, it->second->event_id());
  }

 private:
  const FingerprintKey& key_;
  const RoomState& room_;
  const EventPtr& added_;
  uint32_t added_no_;
};

class Authorising final : public AuthState {
 public:
  void add(EventPtr event) { events_.push_back(std::move(event)); }
  const Event* find(std::string_view type, std::string_view state_key) const override {
    for (const auto& event : events_)
      if (event->is_state(type, state_key)) return event.get();
    return nullptr;
  }

 private:
  std::vector<EventPtr> events_;
};

std::optional<StagedEvent::Relation> relation_of(const json::Object& content) {
  const auto* relates = json::object_at(content, "m.relates_to");
  if (relates == nullptr) return std::nullopt;
  auto type = json::string_at(*relates, "rel_type"), parent = json::string_at(*relates, "event_id");
  if (!type || !parent || type->size() > kMaxFieldBytes || parent->size() > kMaxFieldBytes) return std::nullopt;
  return StagedEvent::Relation{std::string(*parent), std::string(*type)};
}

}  // namespace

Stager::Stager(ServerName name, const SigningKey& key, const FingerprintKey& fingerprint_key, const Clock& clock)
    : server_name_(std::move(name)), key_(key), fingerprint_key_(fingerprint_key), clock_(clock) {}

Result<std::variant<std::optional<uint32_t>, Missing>> Stager::state_event_no(RoomState& room, std::string_view type,
                                                                              std::string_view key) {
  auto key_no = room.keys.find(type, key);
  if (!key_no) return std::optional<uint32_t>();
  auto found = StateMap(room.pages, room.head.current).find(*key_no);
  if (found) return *found;
  if (auto pages = room.pages.take_missing(); !pages.empty()) return Missing{std::move(pages), {}};
  return std::unexpected(std::move(found).error());
}

Result<std::variant<EventPtr, Missing>> Stager::state_event(RoomState& room, std::string_view type, std::string_view key) {
  MYELIN_TRY(auto found, state_event_no(room, type, key));
  if (auto* missing = std::get_if<Missing>(&found)) return std::move(*missing);
  auto event_no = std::get<std::optional<uint32_t>>(found);
  if (!event_no) return EventPtr();
  auto known = room.state_events.find(*event_no);
  if (known == room.state_events.end()) return Missing{{}, {*event_no}};
  return known->second;
}

Result<std::variant<StagedEvent, Missing>> Stager::stage(RoomState& room, const Draft& draft) const {
  // Everything the event is judged by, and what it replaces, must be in memory.
  Missing missing;
  auto gather = [&](std::string_view type, std::string_view key) -> Result<EventPtr> {
    MYELIN_TRY(auto found, state_event(room, type, key));
    if (auto* absent = std::get_if<Missing>(&found)) {
      missing.pages.insert(missing.pages.end(), absent->pages.begin(), absent->pages.end());
      missing.events.insert(missing.events.end(), absent->events.begin(), absent->events.end());
      return EventPtr();
    }
    return std::get<EventPtr>(found);
  };
  bool is_create = draft.type == "m.room.create" && draft.state_key == "";
  Authorising authorising;
  std::vector<EventId> auth_ids;
  std::vector<uint32_t> auth_numbers;
  for (const auto& key : auth_event_keys(*room.rules, draft.type, draft.sender.str(), draft.state_key, draft.content)) {
    MYELIN_TRY(auto event, gather(key.type, key.state_key));
    if (!event) continue;
    auth_ids.push_back(event->event_id());
    auto number = std::get<std::optional<uint32_t>>(*state_event_no(room, key.type, key.state_key));
    auth_numbers.push_back(*number);
    authorising.add(std::move(event));
  }
  if (!is_create && authorising.find("m.room.create", "") == nullptr) {
    MYELIN_TRY(auto create, gather("m.room.create", ""));
    if (create) authorising.add(std::move(create));
  }
  EventPtr replaced;
  if (draft.state_key) {
    MYELIN_TRY(replaced, gather(draft.type, *draft.state_key));
  }
  if (!missing.pages.empty() || !missing.events.empty()) return missing;

  StagedEvent staged;
  EventDraft pdu;
  if (!is_create || room.rules->format.create_has_room_id) pdu.room_id = room.room;
  pdu.sender = draft.sender;
  pdu.type = draft.type;
  pdu.state_key = draft.state_key;
  pdu.content = draft.content;
  pdu.redacts = draft.redacts;
  pdu.auth_events = std::move(auth_ids);
  auto extremities = room.head.extremities;
  if (extremities.size() > kMaxPrevEvents) {  // the deepest say most
    std::ranges::sort(extremities, std::greater(), &Extremity::depth);
    extremities.resize(kMaxPrevEvents);
  }
  for (const auto& extremity : extremities) {
    pdu.prev_events.push_back(extremity.event_id);
    staged.depth = std::max(staged.depth, extremity.depth);
  }
  staged.depth = pdu.depth = std::min(staged.depth + 1, kMaxDepth);
  pdu.origin_server_ts = clock_.now();
  MYELIN_TRY(auto verified, OwnEvent::build(std::move(pdu), *room.rules, server_name_, key_));
  staged.event = verified.event();
  MYELIN_CHECK(authorize(*room.rules, *staged.event, authorising));

  staged.redacts = draft.redacts_no;
  staged.transaction = draft.transaction;
  staged.auth_parents = std::move(auth_numbers);
  if (!draft.state_key) staged.relation = relation_of(draft.content);
  if (draft.state_key && draft.type == "m.room.member") {
    MembershipChange change;
    change.user = UserId::trusted(*draft.state_key);
    if (replaced) change.before = membership_from(json::string_at(replaced->content(), "membership").value_or(""));
    change.after = membership_from(json::string_at(draft.content, "membership").value_or("")).value_or(Membership::kLeave);
    staged.membership = change;
  }
  MYELIN_CHECK(advance(room, staged));
  return staged;
}

// Gives the event its numbers and makes it the room's newest.
Result<void> Stager::advance(RoomState& room, StagedEvent& staged) const {
  auto head = room.head;
  staged.event_no = head.next_event_no++;
  staged.order = head.next_order++;
  staged.before = staged.after = head.current;
  if (staged.event->is_state()) {
    const auto& type = staged.event->type();
    const auto& key = *staged.event->state_key();
    auto key_no = room.keys.find(type, key);
    if (!key_no) {
      key_no = head.next_key_no++;
      staged.new_key = TypeAndKey{type, key};
      room.keys.add(*key_no, type, key);
    }
    staged.key_no = *key_no;
    MYELIN_TRY(staged.replaces, StateMap(room.pages, head.current).find(*key_no));
    Items items(fingerprint_key_, room, staged.event, staged.event_no);
    StateWriter writer(room.pages, items, head.next_page_no);
    MYELIN_TRY(staged.after, writer.with(head.current, *key_no, staged.event_no));
    for (const auto& page : writer.new_pages()) {
      room.pages.add(page.page_no, writer.parsed(page.page_no));
      staged.pages.push_back(page);
    }
    head.next_page_no = writer.next_page_no();
    room.state_events[staged.event_no] = staged.event;
    for (auto parent : staged.auth_parents) staged.generation = std::max(staged.generation, room.generations[parent] + 1);
    room.generations[staged.event_no] = staged.generation;
  }
  head.current = staged.after;
  head.extremities = {{staged.event_no, staged.depth, staged.event->event_id()}};
  room.head = std::move(head);
  return {};
}

}  // namespace myelin::rooms
