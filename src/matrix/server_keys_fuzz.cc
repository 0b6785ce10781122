// Any JSON object as the keys of a server, as a question to a notary and as its answer. A server key with a known
// secret is put in and the answer signed with it, so that what stands behind the signatures is reached.
#include <cstdlib>

#include "base/bytes.h"
#include "matrix/server_keys.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace myelin;
  static const SigningKey key = SigningKey::from_seed(std::string(32, 's'), "k").value();
  static const auto server = ServerName::trusted("a.example");
  auto body = json::parse_object({reinterpret_cast<const char*>(data), size}, {.bytes = kMaxServerKeysBytes});
  if (!body) return 0;
  (void)ServerKeys::check(*body, server, 5);
  if (auto queries = parse_key_queries(*body, 5)) {
    auto again = parse_key_queries(key_query_body(*queries), 5);
    if (!again || again->size() != queries->size()) std::abort();
  }
  ServerKeyMap notary_keys{{SigningKeyId::trusted("ed25519:k"), {key.public_key(), 10, {}}}};
  (void)read_notary_answer(*body, std::array{KeyQuery{server}}, server, notary_keys, 5);

  (*body)["server_name"] = "a.example";
  auto& keys = (*body)["verify_keys"];
  if (!keys.is_object()) keys = json::Object();
  keys.get_object()["ed25519:k"] = json::Object{{"key", base64(key.public_key())}};
  if (!sign_json(*body, server.str(), key, json::CanonicalMode::kLax)) return 0;
  auto checked = ServerKeys::check(*body, server, 5);
  if (!checked) return 0;
  if (!checked->keys.contains(SigningKeyId::trusted("ed25519:k")) ||
      checked->keys.size() > kMaxVerifyKeys + kMaxOldVerifyKeys)
    std::abort();
  auto passed_on = notary_answer(std::array{*checked}, server, key);
  if (!passed_on) std::abort();
  auto read = read_notary_answer(*passed_on, std::array{KeyQuery{server}}, server, notary_keys, 5);
  if (!read || read->size() != 1 || read->front().keys != checked->keys) std::abort();
  ServerKeyMap known;
  merge(known, *checked, AnswerFrom::kServer);
  for (auto& [id, said] : checked->keys) said.said_at = checked->fetched_at;
  if (known != checked->keys) std::abort();
  return 0;
}
