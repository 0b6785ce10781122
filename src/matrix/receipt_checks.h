// What becomes of a received event (server-server API, Checks performed on receipt of a PDU), as one pure function over
// facts that the caller found out. Any thread.
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "matrix/auth.h"
#include "matrix/event.h"

namespace myelin {

// An event that cites a rejected one as an auth event is rejected, so no accepted event does. State resolution meets
// rejected events only where states of other servers rest on them, and judges them as the specification says (Rejected
// events): decision 0006.
enum class Verdict : uint8_t {
  kAccept,
  kSoftFail,  // Soft failure: stored and part of state resolution, not shown to clients, no forward extremity
  kReject,    // Rejection: stored so that what builds on it can be judged, and put into no state
  kDrop,      // not stored
};

enum class PolicyAnswer : uint8_t { kNone /* no policy server, or it was not asked */, kAllowed, kRefused };

struct ReceiptFacts {
  EventPtr event;                          // its format was checked by Event::parse
  bool signatures_valid = true;            // false: drop. Of what is kept: Verification::keepable
  bool content_hash_matches = true;        // false: go on with the redacted event
  std::span<const AuthEvent> auth_events;  // all of event->auth_events()
  AuthEvent create;                        // of the room, where the version derives the room id from it
  const AuthState* before = nullptr;       // the state before the event; nullptr: an outlier, not checked against one
  const AuthState* current = nullptr;      // the room's state now; nullptr: not checked (outliers, backfill)
  PolicyAnswer policy = PolicyAnswer::kNone;
};

struct Receipt {
  Verdict verdict = Verdict::kAccept;
  EventPtr event;         // the one to keep: the given one, or its redacted form
  bool redacted = false;  // because the content hash did not match
  std::string reason;     // for a person, unless accepted
};

// What speaks against the event is in the receipt and no error. kCorrupt, kBadJson: the redacted copy of the event,
// which is asked for where the content hash does not match, cannot be made or read.
Result<Receipt> check_receipt(const RoomRules&, const ReceiptFacts&);

}  // namespace myelin
