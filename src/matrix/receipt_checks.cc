#include "matrix/receipt_checks.h"

namespace myelin {
namespace {

// What is left of the event when its content does not have the hash that it names.
Result<EventPtr> redacted(const Event& event, const RoomRules& rules) {
  return Event::restore(json::serialize(redact(event.object(), rules)), event.event_id(), rules);
}

}  // namespace

// The numbers are those of server-server API, Checks performed on receipt of a PDU.
Result<Receipt> check_receipt(const RoomRules& rules, const ReceiptFacts& facts) {
  Receipt receipt;
  receipt.event = facts.event;
  auto end = [&](Verdict verdict, std::string reason) {
    receipt.verdict = verdict;
    receipt.reason = std::move(reason);
    return std::move(receipt);
  };
  // 2. "Passes signature checks, otherwise it is dropped."
  if (!facts.signatures_valid) return end(Verdict::kDrop, "a signature is missing or wrong");
  // 3. "Passes hash checks, otherwise it is redacted before being processed further."
  if (!facts.content_hash_matches) {
    MYELIN_TRY(receipt.event, redacted(*facts.event, rules));
    receipt.redacted = true;
  }
  const Event& event = *receipt.event;
  // 4. "Passes authorisation rules based on the event's auth events, otherwise it is rejected." (Rejection)
  if (auto listed = check_auth_events(rules, event, facts.auth_events, facts.create); !listed)
    return end(Verdict::kReject, "auth events: " + listed.error().message);
  AuthEventSet auth_events(facts.auth_events, rules.auth.room_id_from_create ? facts.create.event : nullptr);
  if (auto allowed = authorize(rules, event, auth_events); !allowed)
    return end(Verdict::kReject, "by its auth events: " + allowed.error().message);
  // 5. "Passes authorisation rules based on the state before the event, otherwise it is rejected."
  if (facts.before) {
    if (auto allowed = authorize(rules, event, *facts.before); !allowed)
      return end(Verdict::kReject, "by the state before it: " + allowed.error().message);
  }
  // 6. "Passes authorisation rules based on the current state of the room, otherwise it is 'soft failed'." (Soft
  // failure)
  if (facts.current) {
    if (auto allowed = authorize(rules, event, *facts.current); !allowed)
      return end(Verdict::kSoftFail, "by the current state: " + allowed.error().message);
  }
  // 7. "Is validated by the Policy Server, if the room is using a Policy Server, otherwise it is 'soft failed'."
  if (facts.policy == PolicyAnswer::kRefused) return end(Verdict::kSoftFail, "the policy server refused it");
  return receipt;
}

}  // namespace myelin
