// Policy servers (server-server API, Policy Servers; m.room.policy): whose signature tells that an event is welcome in
// a room. Receipt checks take what comes of it as ReceiptFacts::policy. Pure; any thread.
#pragma once
#include <optional>
#include <string>

#include "matrix/event.h"

namespace myelin {

class PolicyServer {
 public:
  static constexpr std::string_view kKeyId =
      "ed25519:policy_server";  // always: the room has the key, no server publishes it
  // By the m.room.policy event with an empty state key of the room's current state; null: there is none. nullopt: it is
  // not valid. The room uses it while `server()` has a user who is joined.
  static std::optional<PolicyServer> of(const Event* policy);
  const ServerName& server() const { return server_; }

  // All but what names the policy server itself.
  static bool must_sign(const Event&);
  // By the key in the room's state: "the event is recommended for inclusion".
  bool has_signed(const Event&, const RoomRules&) const;
  // The event with the signature that POST /_matrix/policy/v1/sign answered, and nothing else of that answer.
  // kInvalidSignature: it is not there or wrong. kTooLarge: there is no room left for it.
  Result<VerifiedEvent> add_signature(const VerifiedEvent&, const RoomRules&, const json::Object& answer) const;

 private:
  PolicyServer(ServerName server, std::string public_key)
      : server_(std::move(server)), public_key_(std::move(public_key)) {}
  bool is_signature(const Event&, const RoomRules&, const json::Object& signatures) const;
  ServerName server_;
  std::string public_key_;  // 32 bytes; "": the event names none that can be used
};

}  // namespace myelin
