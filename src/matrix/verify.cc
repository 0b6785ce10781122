#include "matrix/verify.h"

#include <algorithm>

#include "base/bytes.h"
#include "matrix/event_builder.h"
#include "matrix/policy_server.h"
#include "matrix/redaction.h"

namespace myelin {
namespace {

// Not whatever has the key: only what the authorization rules compare with an m.room.third_party_invite.
bool is_third_party_invite(const Event& event) {
  if (event.type() != "m.room.member" || json::string_at(event.content(), "membership") != "invite") return false;
  auto invite = json::object_at(event.content(), "third_party_invite");
  return invite && json::object_at(*invite, "signed");
}

using Signatures = std::vector<std::pair<SigningKeyId, const json::Value*>>;

// What the server signed with keys that it publishes. "The policy server key is not expected to be published and
// therefore should be skipped at this stage."
Signatures signatures_of(const Event& event, const ServerName& server) {
  Signatures out;
  auto all = json::object_at(event.object(), "signatures");
  auto own = all ? json::object_at(*all, server.str()) : nullptr;
  if (!own) return out;
  for (auto& [name, value] : *own)
    if (auto key_id = SigningKeyId::parse(name); key_id && name != PolicyServer::kKeyId)
      out.emplace_back(*std::move(key_id), &value);
  return out;
}

Result<void> check_signer(const Event& event, const RoomRules& rules, const ServerName& server,
                          std::string_view message, const KeyLookup& lookup, const BannedKeys& banned) {
  auto signatures = signatures_of(event, server);
  if (signatures.empty()) return fail(Code::kInvalidSignature, "the event is not signed by " + server.str());
  size_t right = 0;
  for (auto& [key_id, value] : signatures) {
    const ServerKey* key = lookup(server, key_id);
    if (!key) continue;
    if (banned.contains(key->public_key))
      return fail(Code::kInvalidSignature, "a key of " + server.str() + " is one whose secret is public");
    if (right == kMaxSignaturesTried || !may_sign_event(*key, event.origin_server_ts(), rules)) continue;
    auto signature = value->is_string() ? from_loose_base64(value->get_string()) : std::nullopt;
    if (!signature || !verify_signature(key->public_key, message, *signature))
      return fail(Code::kInvalidSignature, "the signature of " + server.str() + " is wrong");
    ++right;
  }
  if (right == 0) return fail(Code::kUnavailable, "no valid key of " + server.str() + " is known");
  return {};
}

Result<void> add_signers(const Event& event, const RoomRules& rules, std::vector<ServerName>& signers) {
  auto add = [&](std::string_view server) {
    auto name = ServerName::trusted(std::string(server));
    if (std::ranges::find(signers, name) == signers.end()) signers.push_back(std::move(name));
  };
  if (!is_third_party_invite(event)) add(event.sender().server());
  if (rules.auth.event_id_signature) {  // "if it differs from the originating server"
    auto& id = event.event_id().str();
    auto server = std::string_view(id).substr(id.find(':') + 1);
    if (server != event.sender().server()) add(server);
  }
  // v8, member rule 2: "If content has a join_authorised_via_users_server property: If the event is not validly signed
  // by the homeserver of the user ID denoted by the key, reject." Of joins only, as Synapse reads it too: decision
  // 0006, Both leave the letter.
  if (rules.auth.restricted && event.type() == "m.room.member" &&
      json::string_at(event.content(), "membership") == "join") {
    if (auto via = event.content().if_contains("join_authorised_via_users_server")) {
      auto user = via->is_string() ? UserId::parse(via->get_string()) : fail(Code::kBadJson);
      if (!user) return fail(Code::kBadJson, "join_authorised_via_users_server is not a user ID");
      add(user->server());
    }
  }
  return {};
}

// Server-server API, Inviting to a room; rooms/v8, Authorisation rules: join_authorised_via_users_server.
bool needs_second_signature_of(const Event& event, const RoomRules& rules, const ServerName& server) {
  if (event.type() != "m.room.member" || !event.is_state()) return false;
  auto membership = json::string_at(event.content(), "membership");
  std::optional<std::string_view> user;
  if (membership == "invite") user = *event.state_key();
  if (membership == "join" && rules.auth.restricted)
    user = json::string_at(event.content(), "join_authorised_via_users_server");
  auto id = user ? UserId::parse(*user) : fail(Code::kBadJson);
  return id && id->server() == server.str();
}

// Of what is kept, those who have to have signed it before we do.
Result<void> leave_out_countersigner(Keepable& kept, const RoomRules& rules, const ServerName& own_name) {
  auto& event = *kept.event;
  if (event.sender().server() == own_name.str() || !needs_second_signature_of(event, rules, own_name))
    return fail(Code::kForbidden, "the event needs no second signature of " + own_name.str());
  if (rules.auth.restricted) std::erase(kept.signers, own_name);  // where no event id can ask for it too
  return {};
}

// And what they signed: the same bytes for an event and its redacted copy.
Result<std::string> check_signers(const Keepable& kept, const RoomRules& rules, const KeyLookup& lookup,
                                  const BannedKeys& banned) {
  MYELIN_TRY(std::string message, canonical_redacted(kept.event->object(), rules));
  for (auto& server : kept.signers) MYELIN_CHECK(check_signer(*kept.event, rules, server, message, lookup, banned));
  return message;
}

Result<EventPtr> redacted_copy(const Event& event, const RoomRules& rules) {
  json::Object copy = redact(event.object(), rules);
  MYELIN_TRY(std::string text, json::canonical(copy, rules.format.canonical));
  return EventBuilder::checked(std::move(copy), std::move(text), rules, event.event_id(), ReferenceLimits::kIgnored);
}

}  // namespace

Result<Keepable> Verification::keepable(EventPtr event, const RoomRules& rules) {
  Keepable kept{std::move(event)};
  MYELIN_CHECK(add_signers(*kept.event, rules, kept.signers));
  MYELIN_TRY(std::string expected, content_hash(kept.event->object(), rules));
  auto hashes = json::object_at(kept.event->object(), "hashes");
  if (from_loose_base64(hashes ? json::string_at(*hashes, "sha256").value_or("") : "") == expected) return kept;
  // "the receiving server should use the redacted copy it calculated rather than the full copy it received": a
  // third-party invite may be a plain invite then, which its sender's server must have signed.
  MYELIN_TRY(kept.event, redacted_copy(*kept.event, rules));
  kept.redacted = true;
  MYELIN_CHECK(add_signers(*kept.event, rules, kept.signers));
  return kept;
}

Result<std::vector<KeyRequest>> Verification::required_keys(EventPtr event, const RoomRules& rules,
                                                            const ServerName* countersigner) {
  MYELIN_TRY(auto kept, keepable(std::move(event), rules));
  if (countersigner) MYELIN_CHECK(leave_out_countersigner(kept, rules, *countersigner));
  std::vector<KeyRequest> keys;
  for (auto& server : kept.signers) {
    auto signatures = signatures_of(*kept.event, server);
    if (signatures.empty()) return fail(Code::kInvalidSignature, "the event is not signed by " + server.str());
    for (auto& [key_id, value] : signatures)
      keys.push_back({server, std::move(key_id), rules.enforce_key_validity ? kept.event->origin_server_ts() : 0});
  }
  return keys;
}

Result<VerifiedCopy> Verification::verify(EventPtr event, const RoomRules& rules, const KeyLookup& lookup,
                                          const BannedKeys& banned) {
  MYELIN_TRY(auto kept, keepable(std::move(event), rules));
  MYELIN_CHECK(check_signers(kept, rules, lookup, banned));
  return VerifiedCopy{VerifiedEvent(std::move(kept.event)), kept.redacted};
}

Result<VerifiedCopy> Verification::countersign(EventPtr event, const RoomRules& rules, const ServerName& own_name,
                                               const SigningKey& key, const KeyLookup& lookup,
                                               const BannedKeys& banned) {
  MYELIN_TRY(auto kept, keepable(std::move(event), rules));
  MYELIN_CHECK(leave_out_countersigner(kept, rules, own_name));
  MYELIN_TRY(std::string message, check_signers(kept, rules, lookup, banned));
  // What else is there under our name, others wrote.
  json::Object own{{key.key_id(), base64(key.sign(message))}};
  MYELIN_TRY(kept.event, EventBuilder::with_signatures(*kept.event, rules, own_name, std::move(own)));
  return VerifiedCopy{VerifiedEvent(std::move(kept.event)), kept.redacted};
}

}  // namespace myelin
