#include "components/rooms/owner/reception.h"

#include <algorithm>

#include "components/rooms/state_root.h"
#include "matrix/handling_redactions.h"
#include "matrix/receipt_checks.h"
#include "matrix/visibility.h"

namespace myelin::rooms {
namespace {

struct Known {  // an event of the room that the new one refers to
  EventRef ref;
  int64_t depth = 0;
  bool rejected = false, soft_failed = false;
  StateRoot after;
};

std::optional<Known> find_event(db::ReadTx& tx, uint32_t room_no, const EventId& id) {
  return tx.one(
      "SELECT ref, depth, flags, coalesce(state_after, state_before) FROM event WHERE event_id = $1 AND room_no = $2",
      [](const db::Row& row) {
        return Known{EventRef::from_row(row.i64(0)), row.i64(1), (row.i64(2) & kRejectedFlag) != 0,
                     (row.i64(2) & kSoftFailedFlag) != 0, decode_root(row.blob(3))};
      },
      id.str(), room_no);
}

// The state at a root, as the auth rules ask for it. The first failure is kept.
class RootState final : public AuthState {
 public:
  RootState(RowRoom& room, PageStore& pages, StateRoot root) : room_(room), pages_(pages), root_(root) {}
  const Event* find(std::string_view type, std::string_view state_key) const override {
    auto number = room_.find(pages_, root_, type, state_key);
    if (number && !*number) return nullptr;
    auto event = number ? room_.event(**number) : std::unexpected(number.error());
    if (event) return event->get();  // the room holds on to it
    if (status_) status_ = std::unexpected(std::move(event).error());
    return nullptr;
  }
  const Result<void>& status() const { return status_; }

 private:
  RowRoom& room_;
  PageStore& pages_;
  StateRoot root_;
  mutable Result<void> status_;
};

class Receiver {
 public:
  Receiver(db::ReadTx& tx, PageCache& cache, const FingerprintKey& key, const ReceivingRoom& room, EventPtr event)
      : tx_(tx),
        room_(room),
        rows_(tx, cache, room.room_no, *room.rules, key),
        event_(std::move(event)),
        head_(room.head),
        writer_(rows_.pages(), rows_, room.head.next_page_no) {}

  Result<Reception> run() {
    if (auto known = find_event(tx_, room_.room_no, event_->event_id()))
      return Reception{{known->ref, known->rejected, known->soft_failed, {}}, std::nullopt, {}};
    MYELIN_CHECK(find_references());
    std::vector<StateRoot> roots;
    for (const auto& prev : prevs_) roots.push_back(prev.after);
    MYELIN_TRY(staged_.before, rows_.merge(writer_, roots));
    MYELIN_CHECK(judge());
    MYELIN_CHECK(place());
    MYELIN_CHECK(apply_redactions());
    staged_.pages = writer_.new_pages();
    head_.next_page_no = writer_.next_page_no();
    Received answer{staged_.ref, staged_.rejected, staged_.soft_failed, reason_};
    return Reception{std::move(answer), std::move(staged_), std::move(head_)};
  }

 private:
  Result<void> find_references() {
    staged_.ref = {room_.room_no, head_.next_event_no++};
    for (const auto& id : event_->prev_events()) {
      auto prev = find_event(tx_, room_.room_no, id);
      if (!prev) return fail(Code::kNotFound, "a prev event is not here: " + id.str());
      staged_.depth = std::max(staged_.depth, prev->depth);
      prevs_.push_back(std::move(*prev));
    }
    if (prevs_.empty()) return fail(Code::kForbidden, "the event has no prev events");
    // A hostile depth moves nothing.
    staged_.depth = std::min(event_->depth(), staged_.depth + 1);
    for (const auto& id : event_->auth_events()) {
      auto auth = find_event(tx_, room_.room_no, id);
      if (!auth) return fail(Code::kNotFound, "an auth event is not here: " + id.str());
      MYELIN_TRY(auto event, rows_.event(auth->ref.event));
      auth_events_.push_back({event.get(), auth->rejected});
      staged_.auth_parents.push_back(auth->ref.event);
      auto generation = tx_.one(
          "SELECT generation FROM auth_event WHERE ref = $1", [](const db::Row& row) { return row.i64(0); },
          auth->ref.row());
      staged_.generation = std::max(staged_.generation, static_cast<uint32_t>(generation.value_or(0)) + 1);
    }
    return {};
  }

  Result<void> judge() {
    RootState before(rows_, writer_, staged_.before), current(rows_, writer_, head_.current);
    ReceiptFacts facts;
    facts.event = event_;
    facts.auth_events = auth_events_;
    facts.create = {before.find("m.room.create", ""), false};
    facts.before = &before;
    facts.current = &current;
    MYELIN_TRY(auto receipt, check_receipt(*room_.rules, facts));
    MYELIN_CHECK(before.status());
    MYELIN_CHECK(current.status());
    if (receipt.verdict == Verdict::kDrop) return fail(Code::kForbidden, receipt.reason);
    event_ = staged_.event = receipt.event;
    staged_.rejected = receipt.verdict == Verdict::kReject;
    staged_.soft_failed = receipt.verdict == Verdict::kSoftFail;
    reason_ = receipt.reason;
    return {};
  }

  // The state after the event, and what the room's becomes.
  Result<void> place() {
    if (!staged_.rejected) staged_.order = head_.next_order++;
    staged_.after = staged_.before;
    if (event_->is_state()) MYELIN_CHECK(change_state());
    if (!staged_.rejected && !staged_.soft_failed && !event_->is_state()) staged_.relation = relation_of(*event_);
    head_.max_depth = std::max(head_.max_depth, staged_.rejected ? 0 : staged_.depth);
    staged_.room_before = staged_.room_after = head_.current;
    if (staged_.rejected || staged_.soft_failed) return {};
    std::erase_if(head_.extremities, [&](const Extremity& extremity) {
      return std::ranges::find(event_->prev_events(), extremity.event_id) != event_->prev_events().end();
    });
    MYELIN_TRY(auto added, as_extremity(staged_, *room_.rules));
    head_.extremities.push_back(std::move(added));
    std::ranges::sort(head_.extremities, std::greater(), &Extremity::depth);
    std::vector<StateRoot> roots;
    for (const auto& extremity : head_.extremities) {
      MYELIN_TRY(auto root, root_after(extremity));
      roots.push_back(root);
    }
    if (head_.aside) roots.push_back(*head_.aside);
    MYELIN_TRY(head_.current, rows_.merge(writer_, roots));
    if (head_.extremities.size() > kMaxPrevEvents) {  // the next event of ours names as many as it can
      MYELIN_TRY(head_.aside, rows_.merge(writer_, std::span(roots).subspan(kMaxPrevEvents)));
      head_.extremities.resize(kMaxPrevEvents);
    }
    staged_.room_after = head_.current;
    return note_memberships();
  }

  Result<void> change_state() {
    TypeAndKey key{event_->type(), *event_->state_key()};
    MYELIN_TRY(auto key_no, rows_.key_no(key.type, key.state_key));
    if (!key_no) {
      staged_.new_key_no = key_no = head_.next_key_no++;
      rows_.add_key(*key_no, key);
    }
    rows_.add_event(staged_.ref.event, event_, staged_.auth_parents);
    if (staged_.rejected) return {};
    MYELIN_TRY(staged_.replaces, StateMap(writer_, staged_.before).find(*key_no));
    MYELIN_TRY(staged_.after, writer_.with(staged_.before, *key_no, staged_.ref.event));
    return {};
  }

  Result<StateRoot> root_after(const Extremity& extremity) {
    if (extremity.event_no == staged_.ref.event) return staged_.after;
    auto root = tx_.one(
        "SELECT coalesce(state_after, state_before) FROM event WHERE ref = $1",
        [](const db::Row& row) { return decode_root(row.blob(0)); }, EventRef{room_.room_no, extremity.event_no}.row());
    if (!root) return fail(Code::kCorrupt, "an extremity is not there");
    return *root;
  }

  Result<void> note_memberships() {
    MYELIN_TRY(auto changes, diff(StateMap(writer_, staged_.room_before), StateMap(writer_, staged_.room_after)));
    for (const auto& change : changes) {
      MYELIN_TRY(auto before, change.before ? rows_.event(*change.before) : Result<EventPtr>());
      MYELIN_TRY(auto after, change.after ? rows_.event(*change.after) : Result<EventPtr>());
      const auto& any = after ? after : before;
      if (any->type() != "m.room.member") continue;
      MembershipChange member;
      member.user = UserId::trusted(*any->state_key());
      if (before) member.before = membership_from(membership_of(before.get()));
      member.after = membership_from(membership_of(after.get())).value_or(Membership::kLeave);
      member.ref = {room_.room_no, change.after.value_or(staged_.ref.event)};
      if (member.before != member.after || after) staged_.memberships.push_back(std::move(member));
    }
    return {};
  }

  // Applied once both events are here.
  Result<void> apply_redactions() {
    if (staged_.rejected) return {};
    if (auto id = event_->redacts(); id && !staged_.soft_failed) {
      if (auto target = find_event(tx_, room_.room_no, *id)) {
        MYELIN_TRY(auto redacted, rows_.event(target->ref.event));
        MYELIN_TRY(bool allowed, may_redact(*event_, staged_.before, *redacted));
        if (allowed) staged_.redacts = Redacts{target->ref, id->str(), relation_of(*redacted), redacted->is_state()};
      } else {
        staged_.redacts_unseen = *id;
      }
    }
    struct Waiting {
      EventRef ref;
      StateRoot before;
    };
    auto waiting = tx_.all(
        "SELECT e.ref, e.state_before FROM redaction_waiting w JOIN event e ON e.ref = w.ref "
        "WHERE w.room_no = $1 AND w.target_id = $2 ORDER BY e.ref",
        [](const db::Row& row) { return Waiting{EventRef::from_row(row.i64(0)), decode_root(row.blob(1))}; },
        room_.room_no, event_->event_id().str());
    for (const auto& [ref, before] : waiting) {
      MYELIN_TRY(auto redaction, rows_.event(ref.event));
      MYELIN_TRY(bool allowed, may_redact(*redaction, before, *event_));
      if (!allowed) continue;
      staged_.redacted_by = ref;
      staged_.relation.reset();
      break;
    }
    return {};
  }

  Result<bool> may_redact(const Event& redaction, StateRoot at, const Event& target) {
    RootState state(rows_, writer_, at);
    bool allowed = takes_effect(*room_.rules, redaction, target, state);
    MYELIN_CHECK(state.status());
    return allowed;
  }

  db::ReadTx& tx_;
  const ReceivingRoom& room_;
  RowRoom rows_;
  EventPtr event_;
  RoomHead head_;
  StateWriter writer_;
  StagedEvent staged_;
  std::vector<Known> prevs_;
  std::vector<AuthEvent> auth_events_;
  std::string reason_;
};

}  // namespace

Result<Reception> receive_event(db::ReadTx& tx, PageCache& cache, const FingerprintKey& key, const ReceivingRoom& room,
                                const EventPtr& event) {
  return Receiver(tx, cache, key, room, event).run();
}

}  // namespace myelin::rooms
