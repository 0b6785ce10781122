// Server keys (server-server API, Retrieving server keys): published, checked, asked for through a notary. Pure; any
// thread.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "matrix/ids.h"
#include "matrix/json.h"
#include "matrix/room_version.h"
#include "matrix/signing.h"

namespace myelin {

inline constexpr int64_t kLongestKeyValidity = 7 * 24 * 3600 * int64_t{1000};  // after an answer was fetched
inline constexpr size_t kMaxServerKeysBytes = 64 * 1024;                       // of one server's answer
inline constexpr size_t kMaxVerifyKeys = 32, kMaxOldVerifyKeys = 256;
inline constexpr size_t kMaxKnownKeys = 512;       // of one server, from all its answers
inline constexpr size_t kMaxQueriedServers = 100;  // in one question to a notary

// Keys whose secrets are public knowledge: nothing signed with one counts. (CVE-2026-24044: one key shipped to many.)
class BannedKeys {
 public:
  BannedKeys();                                   // those known to us
  Result<void> add(std::string_view public_key);  // base64; kInvalidParam
  bool contains(std::string_view public_key32) const { return keys_.contains(public_key32); }
  static const BannedKeys& known();

 private:
  std::set<std::string, std::less<>> keys_;
};

// A key as its server publishes it (Publishing Keys). No time in it is more than kLongestKeyValidity after the answer
// was fetched, whatever that says: "Servers MUST use the lesser of this field and 7 days into the future".
struct ServerKey {
  std::string public_key;               // 32 bytes
  int64_t valid_until_ts = 0;           // may sign events of that time
  std::optional<int64_t> expired_ts{};  // of old_verify_keys: set once it is retired
  // Of keys that merge() keeps. When the server itself was asked and named the key; nullopt: only notaries did.
  std::optional<int64_t> said_at{};
  bool is_current = true;  // it may sign requests, as far as is known
  friend bool operator==(const ServerKey&, const ServerKey&) = default;
};
using ServerKeyMap = std::map<SigningKeyId, ServerKey>;

// May the key have signed an event of that time? From version 5 on only while it was valid (rooms/v5, Signing key
// validity period).
bool may_sign_event(const ServerKey&, int64_t origin_server_ts, const RoomRules&);
// May it sign requests now? Those of verify_keys only, and that the server still names.
bool may_sign_request(const ServerKey&, int64_t now_ms);

// One server's answer, checked.
struct ServerKeys {
  ServerName server;
  int64_t valid_until_ts = 0;  // at most kLongestKeyValidity after it was fetched
  ServerKeyMap keys;           // verify_keys and old_verify_keys
  json::Object answer;         // as it came: what a notary signs and passes on
  int64_t fetched_at = 0;      // when it was asked for

  // Of `server`, signed by every key of verify_keys that it offers: those that did not sign are left out, as are banned
  // ones and what is named by no SigningKeyId. kBadJson, kTooLarge; kInvalidSignature: a wrong signature, or no key is
  // left.
  static Result<ServerKeys> check(json::Object answer, const ServerName& server, int64_t fetched_at,
                                  const BannedKeys& = BannedKeys::known());
  // The same of text.
  static Result<ServerKeys> parse(std::string_view text, const ServerName& server, int64_t fetched_at,
                                  const BannedKeys& = BannedKeys::known());
};

// What is known of a server, brought up to date key by key.
//
// What the server itself answers holds: its keys are as it says, and those that it does not name are out of use and
// count for events up to then. An answer that was asked for a little earlier than another, and comes later, is left
// out.
//
// A notary may be honest, replay an answer, pass on what a thief made, or lie. While a key is in use that the server
// itself named in its last answer, a notary can give such keys more time, and add keys for events from before that
// answer; and by an answer that such a key has signed it can add keys in use, and retire some after that answer: else
// who stole a key could keep it alive against the server that revokes it. When no such key is left, for the server
// could not be reached for a week or ever, notaries are believed. But no other public key takes the place of one that
// the server named, and what it gave up stays out of use.
//
// When there are too many keys, those that only notaries named go first, then those that ended first.
enum class AnswerFrom : uint8_t { kServer, kNotary };
void merge(ServerKeyMap& known, const ServerKeys& answer, AnswerFrom);

// When an answer fetched at `fetched_at` is to be fetched anew: after half of its lifetime, seven days at most.
int64_t refresh_at(int64_t fetched_at, int64_t valid_until_ts);

// ---- our own

struct OldKey {
  SigningKeyId key_id;
  std::string public_key;  // 32 bytes
  int64_t expired_ts = 0;
};
// The answer of GET /_matrix/key/v2/server, signed with every key. At least one key. kInvalidParam: a banned key, or
// one id twice.
Result<json::Object> publish_keys(const ServerName&, std::span<const SigningKey> keys, std::span<const OldKey>,
                                  int64_t valid_until_ts);

// ---- notaries

// What a notary is asked: {"server_keys": {server: {key id: {"minimum_valid_until_ts": …}}}}.
struct KeyQuery {
  ServerName server;
  int64_t minimum_valid_until_ts = 0;      // when it asks for all keys
  std::map<SigningKeyId, int64_t> keys{};  // minimum_valid_until_ts of each; empty: all keys
};
// Of POST /_matrix/key/v2/query. What has no time gets `now_ms`. Names that no server or key can have are left out, and
// what is more than kMaxQueriedServers, or kMaxVerifyKeys of one: the others of the question, which somebody else may
// have named in an event, get their answers. kBadJson.
Result<std::vector<KeyQuery>> parse_key_queries(const json::Object& body, int64_t now_ms);
json::Object key_query_body(std::span<const KeyQuery>);
// Does what a notary holds answer the question, or must it ask the server?
bool answers(const ServerKeys&, const KeyQuery&);

// {"server_keys": […]} of both notary requests: each answer with our signature added. kBadJson.
Result<json::Object> notary_answer(std::span<const ServerKeys>, const ServerName& own_name, const SigningKey&);
// What a notary says: the answers of the servers asked for that are signed by their own keys and, with a key that may
// sign requests, by the notary. Others are left out, and larger ones than a server's may be. kBadJson: not such an
// answer at all. That a key in one is the server's own nobody but the notary says.
Result<std::vector<ServerKeys>> read_notary_answer(const json::Object& body, std::span<const KeyQuery> asked,
                                                   const ServerName& notary, const ServerKeyMap& notary_keys,
                                                   int64_t now_ms, const BannedKeys& = BannedKeys::known());

}  // namespace myelin
