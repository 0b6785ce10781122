#include "matrix/policy_server.h"

#include "base/bytes.h"
#include "matrix/event_builder.h"
#include "matrix/redaction.h"
#include "matrix/signing.h"

namespace myelin {
namespace {

// "The Key ID for the ed25519 key in m.room.policy is always ed25519:policy_server."
constexpr const char* kKeyId = "ed25519:policy_server";

std::optional<std::string_view> signature_in(const json::Object& signatures, const ServerName& server) {
  auto own = json::object_at(signatures, server.str());
  return own ? json::string_at(*own, kKeyId) : std::nullopt;
}

}  // namespace

// "Valid means content contains at least: A string value for via. An object value for public_keys containing at least a
// string value for ed25519." A server of another name than servers have has no users who could be joined.
std::optional<PolicyServer> PolicyServer::of(const Event* policy) {
  if (!policy || must_sign(*policy)) return std::nullopt;
  auto via = json::string_at(policy->content(), "via");
  auto keys = json::object_at(policy->content(), "public_keys");
  auto key = keys ? json::string_at(*keys, "ed25519") : std::nullopt;
  auto server = via ? ServerName::parse(*via) : fail(Code::kBadJson);
  if (!server || !key) return std::nullopt;
  auto bytes = from_loose_base64(*key);
  return PolicyServer(*std::move(server), bytes && bytes->size() == 32 ? *std::move(bytes) : "");
}

bool PolicyServer::must_sign(const Event& event) { return event.type() != "m.room.policy" || event.state_key() != ""; }

bool PolicyServer::is_signature(const Event& event, const RoomRules& rules, const json::Object& signatures) const {
  auto text = signature_in(signatures, server_);
  auto signature = text ? from_loose_base64(*text) : std::nullopt;
  auto message = canonical_redacted(event.object(), rules);
  return signature && message && !public_key_.empty() && verify_signature(public_key_, *message, *signature);
}

bool PolicyServer::has_signed(const Event& event, const RoomRules& rules) const {
  auto signatures = json::object_at(event.object(), "signatures");
  return signatures && is_signature(event, rules, *signatures);
}

Result<VerifiedEvent> PolicyServer::add_signature(const VerifiedEvent& verified, const RoomRules& rules,
                                                  const json::Object& answer) const {
  auto& event = *verified.event();
  if (!is_signature(event, rules, answer))
    return fail(Code::kInvalidSignature, "the policy server " + server_.str() + " has not signed the event");
  MYELIN_TRY(auto added, EventBuilder::with_signature(event, rules, server_, kKeyId, *signature_in(answer, server_)));
  return VerifiedEvent(std::move(added));
}

}  // namespace myelin
