#include "matrix/server_keys.h"

#include <algorithm>
#include <tuple>

#include "base/bytes.h"

namespace myelin {
namespace {

std::unexpected<Error> bad(const char* what) { return fail(Code::kBadJson, std::string("server keys: ") + what); }

// {"key": base64}, of an Ed25519 key.
Result<std::string> public_key_in(const json::Value& entry) {
  auto object = entry.if_object();
  auto text = object ? json::string_at(*object, "key") : std::nullopt;
  auto bytes = text ? from_base64(*text) : std::nullopt;
  if (!bytes || bytes->size() != 32) return bad("a key is not 32 bytes of base64");
  return *std::move(bytes);
}

Result<ServerKeyMap> verify_keys(const json::Object& answer, int64_t valid_until_ts) {
  auto list = json::object_at(answer, "verify_keys");
  if (!list) return bad("no verify_keys");
  if (list->size() > kMaxVerifyKeys) return fail(Code::kTooLarge, "server keys: too many keys");
  ServerKeyMap keys;
  for (auto& [name, entry] : *list) {
    auto key_id = SigningKeyId::parse(name);
    if (!key_id) continue;
    MYELIN_TRY(std::string public_key, public_key_in(entry));
    keys[*key_id] = {std::move(public_key), valid_until_ts};
  }
  return keys;
}

// Adds those of old_verify_keys. One id for two keys is refused: which of them signed could not be told.
Result<void> add_old_keys(const json::Object& answer, int64_t valid_until_ts, int64_t latest, const BannedKeys& banned,
                          ServerKeyMap& keys) {
  if (!answer.contains("old_verify_keys")) return {};
  auto list = json::object_at(answer, "old_verify_keys");
  if (!list) return bad("old_verify_keys is not an object");
  if (list->size() > kMaxOldVerifyKeys) return fail(Code::kTooLarge, "server keys: too many keys");
  for (auto& [name, entry] : *list) {
    auto key_id = SigningKeyId::parse(name);
    if (!key_id) continue;
    MYELIN_TRY(std::string public_key, public_key_in(entry));
    auto expired_ts = json::integer_at(entry.get_object(), "expired_ts");
    if (!expired_ts) return bad("an old key without expired_ts");
    auto [key, is_new] =
        keys.try_emplace(*key_id, ServerKey{public_key, valid_until_ts, std::min(*expired_ts, latest)});
    if (!is_new && key->second.public_key != public_key) return bad("one key id for two keys");
    if (is_new && banned.contains(public_key)) keys.erase(key);
  }
  return {};
}

// "Digital signatures for this object signed using the verify_keys."
Result<void> keep_those_that_signed(const json::Object& answer, const ServerName& server, const BannedKeys& banned,
                                    ServerKeyMap& keys) {
  auto signatures = json::object_at(answer, "signatures");
  auto own = signatures ? json::object_at(*signatures, server.str()) : nullptr;
  for (auto key = keys.begin(); key != keys.end();) {
    auto& [key_id, value] = *key;
    if (!own || !own->contains(key_id.str()) || banned.contains(value.public_key)) {
      key = keys.erase(key);
      continue;
    }
    MYELIN_CHECK(verify_json(answer, server.str(), key_id.str(), value.public_key, json::CanonicalMode::kLax));
    ++key;
  }
  if (keys.empty())
    return fail(Code::kInvalidSignature, "the keys of " + server.str() + " are not signed by any of them");
  return {};
}

bool is_signed_by(const json::Object& answer, const ServerName& notary, const ServerKeyMap& keys, int64_t now_ms,
                  const BannedKeys& banned) {
  return std::ranges::any_of(keys, [&](auto& entry) {
    auto& [key_id, key] = entry;
    return may_sign_request(key, now_ms) && !banned.contains(key.public_key) &&
           verify_json(answer, notary.str(), key_id.str(), key.public_key, json::CanonicalMode::kLax);
  });
}

}  // namespace

BannedKeys::BannedKeys() {
  for (auto text : {"l/O9hxMVKB6Lg+3Hqf0FQQZhVESQcMzbPN1Cz2nM3og"}) keys_.insert(*from_base64(text));
}

Result<void> BannedKeys::add(std::string_view public_key) {
  auto bytes = from_base64(public_key);
  if (!bytes || bytes->size() != 32) return fail(Code::kInvalidParam, "a banned key is not 32 bytes of base64");
  keys_.insert(*std::move(bytes));
  return {};
}

const BannedKeys& BannedKeys::known() {
  static const BannedKeys keys;
  return keys;
}

bool may_sign_event(const ServerKey& key, int64_t origin_server_ts, const RoomRules& rules) {
  if (key.expired_ts) return *key.expired_ts >= origin_server_ts;
  return !rules.enforce_key_validity || key.valid_until_ts >= origin_server_ts;
}

bool may_sign_request(const ServerKey& key, int64_t now_ms) {
  return key.is_current && !key.expired_ts && key.valid_until_ts >= now_ms;
}

Result<ServerKeys> ServerKeys::check(json::Object answer, const ServerName& server, int64_t fetched_at,
                                     const BannedKeys& banned) {
  if (json::string_at(answer, "server_name") != server.str()) return bad("of another server");
  auto said = json::integer_at(answer, "valid_until_ts");
  if (!said) return bad("no valid_until_ts");
  int64_t latest = fetched_at + kLongestKeyValidity, valid_until_ts = std::min(*said, latest);
  MYELIN_TRY(ServerKeyMap keys, verify_keys(answer, valid_until_ts));
  MYELIN_CHECK(keep_those_that_signed(answer, server, banned, keys));
  MYELIN_CHECK(add_old_keys(answer, valid_until_ts, latest, banned, keys));
  return ServerKeys{server, valid_until_ts, std::move(keys), std::move(answer), fetched_at};
}

Result<ServerKeys> ServerKeys::parse(std::string_view text, const ServerName& server, int64_t fetched_at,
                                     const BannedKeys& banned) {
  MYELIN_TRY(json::Object answer, json::parse_object(text, {.bytes = kMaxServerKeysBytes}));
  return check(std::move(answer), server, fetched_at, banned);
}

namespace {

constexpr int64_t kLongestRequest = 10 * 60 * int64_t{1000};  // answers of one such time may come in any order

bool is_by_server(const ServerKey& key) { return key.said_at.has_value(); }

bool server_speaks(const ServerKeyMap& known, int64_t now_ms) {
  return std::ranges::any_of(
      known, [&](auto& entry) { return is_by_server(entry.second) && may_sign_request(entry.second, now_ms); });
}

// Is it signed by a key in use that the server itself named?
bool is_vouched_for(const ServerKeys& answer, const ServerKeyMap& known) {
  return std::ranges::any_of(answer.keys, [&](auto& entry) {
    auto& [key_id, said] = entry;
    auto before = known.find(key_id);
    return !said.expired_ts && before != known.end() && is_by_server(before->second) &&
           may_sign_request(before->second, answer.fetched_at) && before->second.public_key == said.public_key;
  });
}

void merge_own(ServerKeyMap& known, const ServerKeys& answer) {
  for (auto& [key_id, key] : known)
    if (key.said_at > answer.fetched_at && *key.said_at - answer.fetched_at < kLongestRequest) return;
  for (auto& [key_id, key] : known) {
    key.is_current = false;
    key.valid_until_ts = std::min(key.valid_until_ts, answer.fetched_at);
  }
  for (auto [key_id, said] : answer.keys) {
    said.said_at = answer.fetched_at;
    known.insert_or_assign(key_id, std::move(said));
  }
}

// A key that the server named, and what a notary passes on of it.
void add_to(ServerKey& key, const ServerKey& said, int64_t now_ms, bool is_believed) {
  if (!key.is_current || key.expired_ts || said.public_key != key.public_key) return;
  if (said.expired_ts) {
    if (is_believed && said.expired_ts > key.said_at) key.expired_ts = said.expired_ts;
  } else if (is_believed || key.valid_until_ts >= now_ms) {
    key.valid_until_ts = std::max(key.valid_until_ts, said.valid_until_ts);
  }
}

// A key that only notaries named. It stays retired, and an answer of an earlier validity is an older one.
void update(ServerKey& key, const ServerKey& said) {
  if (said.expired_ts && said.public_key == key.public_key)
    key.expired_ts = std::min(key.expired_ts.value_or(*said.expired_ts), *said.expired_ts);
  else if (!key.expired_ts && said.valid_until_ts >= key.valid_until_ts)
    key = said;
}

void merge_passed_on(ServerKeyMap& known, const ServerKeys& answer) {
  std::optional<int64_t> own_answer_at;
  for (auto& [key_id, key] : known) own_answer_at = std::max(own_answer_at, key.said_at);
  bool is_believed = !server_speaks(known, answer.fetched_at) || is_vouched_for(answer, known);
  for (auto [key_id, said] : answer.keys) {
    said.is_current = is_believed;
    if (!is_believed) said.valid_until_ts = std::min(said.valid_until_ts, *own_answer_at);
    auto [entry, is_new] = known.try_emplace(key_id, said);
    auto& key = entry->second;
    if (is_new) continue;
    if (is_by_server(key))
      add_to(key, answer.keys.at(key_id), answer.fetched_at, is_believed);
    else if (is_believed && !key.is_current)
      key = said;
    else if (is_believed || (!key.is_current && key.public_key == said.public_key))
      update(key, said);
  }
}

void drop_the_least(ServerKeyMap& known, const ServerKeyMap& named) {
  auto worth = [&](auto& entry) {
    auto& [key_id, key] = *entry;
    return std::tuple(is_by_server(key), named.contains(key_id), key.expired_ts.value_or(key.valid_until_ts));
  };
  std::vector<ServerKeyMap::iterator> entries;
  for (auto entry = known.begin(); entry != known.end(); ++entry) entries.push_back(entry);
  std::ranges::sort(entries, {}, worth);
  entries.resize(known.size() - kMaxKnownKeys);
  for (auto& entry : entries) known.erase(entry);
}

}  // namespace

void merge(ServerKeyMap& known, const ServerKeys& answer, AnswerFrom from) {
  if (from == AnswerFrom::kServer)
    merge_own(known, answer);
  else
    merge_passed_on(known, answer);
  if (known.size() > kMaxKnownKeys) drop_the_least(known, answer.keys);
}

int64_t refresh_at(int64_t fetched_at, int64_t valid_until_ts) {
  int64_t end = std::clamp(valid_until_ts, fetched_at, fetched_at + kLongestKeyValidity);
  return fetched_at + (end - fetched_at) / 2;
}

// ---- our own

Result<json::Object> publish_keys(const ServerName& server, std::span<const SigningKey> keys,
                                  std::span<const OldKey> old_keys, int64_t valid_until_ts) {
  json::Object verify, old;
  for (auto& key : keys) {
    if (BannedKeys::known().contains(key.public_key()))
      return fail(Code::kInvalidParam, "the secret of " + key.key_id() + " is public: make a new key");
    if (!verify.emplace(key.key_id(), json::Object{{"key", base64(key.public_key())}}).second)
      return fail(Code::kInvalidParam, "two keys are named " + key.key_id());
  }
  for (auto& key : old_keys) {
    auto& name = key.key_id.str();
    bool is_new =
        old.emplace(name, json::Object{{"key", base64(key.public_key)}, {"expired_ts", key.expired_ts}}).second;
    if (!is_new || verify.contains(name)) return fail(Code::kInvalidParam, "two keys are named " + name);
  }
  if (verify.empty()) return fail(Code::kInvalidParam, "a server has at least one key");
  json::Object answer{{"server_name", server.str()},
                      {"valid_until_ts", valid_until_ts},
                      {"verify_keys", std::move(verify)},
                      {"old_verify_keys", std::move(old)}};
  for (auto& key : keys) MYELIN_CHECK(sign_json(answer, server.str(), key, json::CanonicalMode::kStrict));
  return answer;
}

// ---- notaries

Result<std::vector<KeyQuery>> parse_key_queries(const json::Object& body, int64_t now_ms) {
  auto servers = json::object_at(body, "server_keys");
  if (!servers) return bad("server_keys is not an object");
  std::vector<KeyQuery> queries;
  for (auto& [name, criteria] : *servers) {
    if (!criteria.is_object()) return bad("a query is not an object");
    auto server = ServerName::parse(name);
    if (!server || queries.size() == kMaxQueriedServers) continue;
    KeyQuery query{*std::move(server), now_ms};
    for (auto& [key_name, criterion] : criteria.get_object()) {
      if (!criterion.is_object()) return bad("a criterion is not an object");
      auto given = criterion.get_object().if_contains("minimum_valid_until_ts");
      if (given && !given->is_int64()) return bad("minimum_valid_until_ts is not an integer");
      auto key_id = SigningKeyId::parse(key_name);
      if (key_id && query.keys.size() < kMaxVerifyKeys)
        query.keys[*std::move(key_id)] = given ? given->get_int64() : now_ms;
    }
    bool asks_for_nothing = query.keys.empty() && !criteria.get_object().empty();
    if (!asks_for_nothing) queries.push_back(std::move(query));
  }
  return queries;
}

json::Object key_query_body(std::span<const KeyQuery> queries) {
  json::Object servers;
  for (auto& query : queries) {
    json::Object criteria;
    for (auto& [key_id, time] : query.keys) criteria[key_id.str()] = json::Object{{"minimum_valid_until_ts", time}};
    servers[query.server.str()] = std::move(criteria);
  }
  return {{"server_keys", std::move(servers)}};
}

bool answers(const ServerKeys& held, const KeyQuery& query) {
  if (held.server != query.server) return false;
  if (query.keys.empty()) return held.valid_until_ts >= query.minimum_valid_until_ts;
  return std::ranges::all_of(query.keys, [&](auto& criterion) {
    auto key = held.keys.find(criterion.first);
    return key != held.keys.end() && (key->second.expired_ts || key->second.valid_until_ts >= criterion.second);
  });
}

Result<json::Object> notary_answer(std::span<const ServerKeys> held, const ServerName& own_name,
                                   const SigningKey& key) {
  json::Array list;
  for (auto& each : held) {
    json::Object answer = each.answer;
    MYELIN_CHECK(sign_json(answer, own_name.str(), key, json::CanonicalMode::kLax));
    list.push_back(std::move(answer));
  }
  return json::Object{{"server_keys", std::move(list)}};
}

Result<std::vector<ServerKeys>> read_notary_answer(const json::Object& body, std::span<const KeyQuery> asked,
                                                   const ServerName& notary, const ServerKeyMap& notary_keys,
                                                   int64_t now_ms, const BannedKeys& banned) {
  auto list = json::array_at(body, "server_keys");
  if (!list) return bad("server_keys is not a list");
  std::set<std::string_view> wanted;
  for (auto& query : asked) wanted.insert(query.server.str());
  std::vector<ServerKeys> result;
  for (auto& entry : *list) {
    auto answer = entry.if_object();
    auto name = answer ? json::string_at(*answer, "server_name") : std::nullopt;
    auto server = name ? wanted.find(*name) : wanted.end();
    if (server == wanted.end() || json::serialize(*answer).size() > kMaxServerKeysBytes ||
        !is_signed_by(*answer, notary, notary_keys, now_ms, banned))
      continue;
    auto checked = ServerKeys::check(*answer, ServerName::trusted(std::string(*server)), now_ms, banned);
    if (!checked) continue;
    result.push_back(*std::move(checked));
  }
  return result;
}

}  // namespace myelin
