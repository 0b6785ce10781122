// m.room.third_party_invite (rule 7; 6 in versions 6 to 11), and the invitation of the user who took one up
// (m.room.member, membership invite, "If content has a third_party_invite property").
#include <set>

#include "base/bytes.h"
#include "matrix/auth/rules.h"
#include "matrix/signing.h"

namespace myelin::auth {

Result<void> check_third_party_invite(const Case& the) {
  // "Allow if and only if sender's current power level is greater than or equal to the invite level."
  if (the.sender_level() >= the.levels.invite()) return {};
  return reject("{} may not invite: power level {} is below {}", the.sender, the.sender_level(), the.levels.invite());
}

namespace {

// Pairs of a key and a signature that are tried, of those that differ. Two events of 64 KiB have room for half a
// million pairs, which would take half a minute; identity servers make two keys and one signature.
constexpr int kMaxVerifications = 256;

// Texts in the order in which they came, each once.
class Distinct {
 public:
  void add(std::string text) {
    if (seen_.insert(text).second) in_order_.push_back(std::move(text));
  }
  auto begin() const { return in_order_.begin(); }
  auto end() const { return in_order_.end(); }

 private:
  std::set<std::string> seen_;
  std::vector<std::string> in_order_;
};

// The keys of a third party invite: public_key, and public_key of each of public_keys.
Distinct public_keys(const json::Object& content) {
  Distinct keys;
  auto add = [&](const json::Object& holder) {
    auto text = json::string_at(holder, "public_key");
    auto key = text ? from_loose_base64(*text) : std::nullopt;
    if (key && key->size() == 32) keys.add(*std::move(key));
  };
  add(content);
  if (auto list = json::array_at(content, "public_keys")) {
    for (auto& entry : *list)
      if (auto holder = entry.if_object()) add(*holder);
  }
  return keys;
}

Distinct ed25519_signatures(const json::Object& signed_object) {
  Distinct signatures;
  auto servers = json::object_at(signed_object, "signatures");
  if (!servers) return signatures;
  for (auto& [server, by_key] : *servers) {
    if (!by_key.is_object()) continue;
    for (auto& [key_id, value] : by_key.get_object()) {
      auto signature =
          key_id.starts_with("ed25519:") && value.is_string() ? from_loose_base64(value.get_string()) : std::nullopt;
      if (signature && signature->size() == 64) signatures.add(*std::move(signature));
    }
  }
  return signatures;
}

bool any_signature_matches(const json::Object& signed_object, const json::Object& invite, json::CanonicalMode mode) {
  auto message = json::canonical_without(signed_object, {"signatures", "unsigned"}, mode);
  if (!message) return false;
  int left = kMaxVerifications;
  auto keys = public_keys(invite);
  for (auto& signature : ed25519_signatures(signed_object)) {
    for (auto& key : keys) {
      if (left-- == 0) return false;
      if (verify_signature(key, *message, signature)) return true;
    }
  }
  return false;
}

}  // namespace

Result<void> check_member_by_third_party_invite(const Case& the, const json::Object& third_party_invite) {
  std::string_view target = *the.event.state_key();
  // "If target user is banned, reject."
  if (the.membership(target) == "ban") return reject("{} is banned", target);
  // "If content.third_party_invite does not have a signed property, reject." "If signed does not have mxid and token
  // properties, reject."
  auto signed_object = json::object_at(third_party_invite, "signed");
  if (!signed_object) return reject("the third party invite is not signed");
  auto mxid = json::string_at(*signed_object, "mxid"), token = json::string_at(*signed_object, "token");
  if (!mxid || !token) return reject("the third party invite has no mxid or no token");
  // "If mxid does not match state_key, reject."
  if (*mxid != target) return reject("the third party invite is for another user than {}", target);
  // "If there is no m.room.third_party_invite event in the current room state with state_key matching token, reject."
  auto invite = the.state.find("m.room.third_party_invite", *token);
  if (!invite) return reject("the room has no third party invite with that token");
  // "If sender does not match sender of the m.room.third_party_invite, reject."
  if (invite->sender().str() != the.sender) return reject("the third party invite was made by {}", invite->sender());
  // "If any signature in signed matches any public key in the m.room.third_party_invite event, allow." … "Otherwise,
  // reject."
  if (any_signature_matches(*signed_object, invite->content(), the.rules.format.canonical)) return {};
  return reject("the third party invite is not signed with any of its keys");
}

}  // namespace myelin::auth
