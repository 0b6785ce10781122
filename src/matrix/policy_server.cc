#include "matrix/policy_server.h"

#include "base/bytes.h"
#include "matrix/event_builder.h"
#include "matrix/redaction.h"
#include "matrix/signing.h"

namespace myelin {

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
  auto own = json::object_at(signatures, server_.str());
  auto text = own ? json::string_at(*own, kKeyId) : std::nullopt;
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
  auto all = json::object_at(event.object(), "signatures");
  auto existing = all ? json::object_at(*all, server_.str()) : nullptr;
  json::Object own = existing ? *existing : json::Object();  // of the policy server as the sender's
  own[kKeyId] = answer.at(server_.str()).at(kKeyId);
  MYELIN_TRY(auto added, EventBuilder::with_signatures(event, rules, server_, std::move(own)));
  return VerifiedEvent(std::move(added));
}

}  // namespace myelin
