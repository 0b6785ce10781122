// Signatures and hashes of received events (server-server API, Validating hashes and signatures on received events).
// Pure; any thread.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "matrix/event.h"
#include "matrix/server_keys.h"

namespace myelin {

// The key, or null when it is not known.
using KeyLookup = std::function<const ServerKey*(const ServerName&, const SigningKeyId&)>;

struct KeyRequest {
  ServerName server;
  SigningKeyId key_id;
  int64_t valid_until_ts = 0;  // what a key must at least be valid for to count (0: any)
};

struct VerifiedCopy {
  VerifiedEvent event;
  bool redacted = false;  // the content hash did not match, so this is the redacted copy
};

// What may be kept of a received event, and who must have signed: one value, for a redacted copy can need a signature
// that the event did not.
struct Keepable {
  EventPtr event;
  bool redacted = false;  // as in VerifiedCopy
  // The sender's server (unless it is a third-party invite), in versions 1 and 2 the event id's, and the server of the
  // user who authorised a restricted join: of the event as received and of what is kept.
  std::vector<ServerName> signers;
};

inline constexpr size_t kMaxSignaturesTried = 16;  // of one server: each costs a pass over the event

struct Verification {
  // kBadJson when the user who authorised a restricted join is malformed.
  static Result<Keepable> keepable(EventPtr, const RoomRules&);
  // The keys to have at hand: those of the signers that the event names. kInvalidSignature when one of them has not
  // signed at all. For countersign() without our own, and with its kForbidden.
  static Result<std::vector<KeyRequest>> required_keys(EventPtr, const RoomRules&,
                                                       const ServerName* countersigner = nullptr);
  // At least one signature of each signer by a known key that counts, and all such signatures, of which
  // kMaxSignaturesTried are tried, are right. kInvalidSignature: drop the event; a signature by a banned key is wrong.
  // kUnavailable: no key that counts is known of a signer.
  static Result<VerifiedCopy> verify(EventPtr, const RoomRules&, const KeyLookup&,
                                     const BannedKeys& = BannedKeys::known());
  // Another server's member event that needs our signature too, as it comes to /invite or /send_join: the invite of a
  // user of ours, or a join that a user of ours authorises. Verified but for our signature, which is then added. Errors
  // as those of verify(); kForbidden: any other event, and those of our own users; kTooLarge: there is no room left for
  // the signature.
  static Result<VerifiedCopy> countersign(EventPtr, const RoomRules&, const ServerName& own_name, const SigningKey&,
                                          const KeyLookup&, const BannedKeys& = BannedKeys::known());
};

}  // namespace myelin
