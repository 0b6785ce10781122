#include "components/rooms/owner/stage.h"

#include <algorithm>

namespace myelin::rooms {

// What an event is judged by and what it changes.
struct Stager::Surroundings {
  AuthEventSet state;           // for the auth rules
  std::vector<EventPtr> alive;  // its events
  std::vector<EventId> auth_events;
  std::vector<uint32_t> auth_numbers;
  uint32_t generation = 0;  // above those of the auth events
  HeldState replaced;       // of a state event's key
};

namespace {

// The fingerprints of the one entry that goes and the one that comes.
class ChangedEntry final : public ItemSource {
 public:
  ChangedEntry(const FingerprintKey& key, const Event& added, uint32_t added_no, const HeldState& replaced)
      : key_(key), added_(added), added_no_(added_no), replaced_(replaced) {}
  Result<Fingerprint> item(uint32_t, uint32_t event_no) override {
    if (event_no != added_no_ && event_no != replaced_.event_no)
      return fail(Code::kInternal, "a state event that is not the replaced one");
    const auto& event = event_no == added_no_ ? added_ : *replaced_.event;
    return key_.item(added_.type(), *added_.state_key(), event.event_id());
  }

 private:
  const FingerprintKey& key_;
  const Event& added_;
  uint32_t added_no_;
  const HeldState& replaced_;
};

std::optional<Membership> membership_in(const Event* member) {
  return member == nullptr ? std::nullopt
                           : membership_from(json::string_at(member->content(), "membership").value_or(""));
}

// By its type alone, as the event format and the authorization rules have it.
bool is_create(const Draft& draft) { return draft.type == "m.room.create"; }

}  // namespace

Stager::Stager(ServerName name, const SigningKey& key, const FingerprintKey& fingerprint_key, const Clock& clock)
    : server_name_(std::move(name)), key_(key), fingerprint_key_(fingerprint_key), clock_(clock) {}

Result<Stager::Surroundings> Stager::gather(RoomState& room, const Draft& draft, Look& look) const {
  Surroundings out;
  auto use = [&](const HeldState& held) {
    if (!held.event) return;
    out.alive.push_back(held.event);
    out.state.add(held.event.get());
  };
  for (const auto& key : auth_event_keys(*room.rules, draft.type, draft.sender.str(), draft.state_key, draft.content)) {
    const auto& held = look(key.type, key.state_key);
    if (!held.event) continue;
    use(held);
    out.auth_events.push_back(held.event->event_id());
    out.auth_numbers.push_back(held.event_no);
    out.generation = std::max(out.generation, held.generation + 1);
  }
  if (!is_create(draft) && room.rules->auth.room_id_from_create) use(look("m.room.create", ""));
  if (!draft.state_key) return out;
  out.replaced = look(draft.type, *draft.state_key);
  // The nodes that the change will copy.
  auto path = StateMap(room.pages, room.head.current).find(out.replaced.key_no.value_or(room.head.next_key_no));
  auto missing = room.pages.take_missing();
  for (auto page_no : missing) look.page(page_no);
  if (!path && missing.empty()) return std::unexpected(std::move(path).error());
  return out;
}

Result<EventPtr> Stager::build(const RoomState& room, Draft& draft, const Surroundings& around) const {
  EventDraft pdu;
  if (!is_create(draft) || room.rules->format.create_has_room_id) pdu.room_id = room.room;
  pdu.sender = draft.sender;
  pdu.type = draft.type;
  pdu.state_key = draft.state_key;
  pdu.content = std::move(draft.content);
  pdu.redacts = draft.redacts_id;
  pdu.auth_events = around.auth_events;
  pdu.depth = 0;
  const bool with_hashes = room.rules->format.event_references_with_hashes;
  for (const auto& extremity : room.head.extremities) {
    if (with_hashes) pdu.reference_hashes[extremity.event_id] = extremity.reference_hash;
    pdu.prev_events.push_back(extremity.event_id);
    pdu.depth = std::max(pdu.depth, extremity.depth);
  }
  if (with_hashes)
    for (const auto& event : around.alive) {
      MYELIN_TRY(pdu.reference_hashes[event->event_id()], reference_hash(event->object(), *room.rules));
    }
  pdu.depth = next_depth(pdu.depth, *room.rules);
  pdu.origin_server_ts = draft.ts.value_or(clock_.now());
  MYELIN_TRY(auto verified, OwnEvent::build(std::move(pdu), *room.rules, server_name_, key_));
  MYELIN_CHECK(authorize(*room.rules, *verified.event(), around.state));
  return verified.event();
}

// The new state map and the event's numbers. Nothing of `room` changes before everything has gone well.
Result<void> Stager::change_state(RoomState& room, RoomHead& head, StagedEvent& staged,
                                  const Surroundings& around) const {
  const auto& event = *staged.event;
  auto key_no = around.replaced.key_no;
  if (!key_no) staged.new_key_no = key_no = head.next_key_no++;
  if (around.replaced.event) staged.replaces = around.replaced.event_no;
  ChangedEntry items(fingerprint_key_, event, staged.ref.event, around.replaced);
  StateWriter writer(room.pages, items, head.next_page_no);
  MYELIN_TRY(staged.after, writer.with(head.current, *key_no, staged.ref.event));
  staged.pages = writer.new_pages();
  head.next_page_no = writer.next_page_no();
  staged.auth_parents = around.auth_numbers;
  staged.generation = around.generation;
  if (event.type() == "m.room.member")
    staged.memberships.push_back({UserId::trusted(*event.state_key()), membership_in(around.replaced.event.get()),
                                  membership_in(&event).value_or(Membership::kLeave), staged.ref});
  for (const auto& page : staged.pages) room.put(page.page_no, writer.parsed(page.page_no));
  room.put({event.type(), *event.state_key()}, {key_no, staged.ref.event, staged.event, staged.generation});
  return {};
}

PlacedPtr as_placed(const StagedEvent& staged) {
  if (staged.redacted_by || staged.replaces) return nullptr;
  auto placed = std::make_shared<PlacedEvent>();
  placed->ref = staged.ref;
  placed->event = staged.event;
  placed->order = staged.order;
  placed->depth = staged.depth;
  placed->soft_failed = staged.soft_failed;
  placed->rejected = staged.rejected;
  if (staged.transaction) placed->transaction.emplace(staged.transaction->device, staged.transaction->id);
  return placed;
}

Result<Extremity> as_extremity(const StagedEvent& staged, const RoomRules& rules) {
  Extremity out{staged.ref.event, staged.depth, staged.event->event_id()};
  if (rules.format.event_references_with_hashes) {
    MYELIN_TRY(out.reference_hash, reference_hash(staged.event->object(), rules));
  }
  return out;
}

Result<std::variant<StagedEvent, Missing>> Stager::stage(RoomState& room, Draft draft) const {
  Look look(room);
  MYELIN_TRY(auto around, gather(room, draft, look));
  if (look.lacks()) return look.take();

  StagedEvent staged;
  staged.redacts = std::move(draft.redacts);
  staged.transaction = std::move(draft.transaction);
  MYELIN_TRY(staged.event, build(room, draft, around));
  if (!staged.event->is_state()) staged.relation = relation_of(*staged.event);

  auto head = room.head;
  staged.ref = {room.room_no, head.next_event_no++};
  staged.order = head.next_order++;
  staged.depth = staged.event->depth();
  staged.before = staged.after = head.current;
  if (staged.event->is_state()) MYELIN_CHECK(change_state(room, head, staged, around));
  staged.room_before = staged.before;
  staged.room_after = staged.after;
  head.current = staged.after;
  head.max_depth = std::max(head.max_depth, staged.depth);
  MYELIN_TRY(auto extremity, as_extremity(staged, *room.rules));
  head.extremities = {std::move(extremity)};
  head.aside.reset();
  room.head = std::move(head);
  if (staged.redacts && staged.redacts->is_state) room.redacted(staged.redacts->target.event);
  return staged;
}

}  // namespace myelin::rooms
