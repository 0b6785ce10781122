#include "matrix/testing/random_pdu.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "matrix/redaction.h"
#include "matrix/testing/dice.h"

namespace myelin::testing {
namespace {

constexpr int64_t kExpired = 1000;                  // when ed25519:old was retired
constexpr int64_t kValidUntil = 4'000'000'000'000;  // of the others: long after every event
constexpr std::string_view kNumberHere = "\"the number\"";

class RandomPdu : Dice {
 public:
  explicit RandomPdu(uint64_t seed) : Dice(seed), rules_(one_of(all_room_versions())) {}

  PduCase make() {
    result_.rules = &rules_;
    generate();
    hash_and_sign();
    change();
    judge();
    return std::move(result_);
  }

 private:
  bool lax() const { return any_numbers_ || rules_.format.canonical == json::CanonicalMode::kLax; }

  std::string random_text() {
    static const std::string pieces[] = {"a",      "Z9",       " ",    "\"",     "\\",      "/",      "\n\t",
                                         "\b\f\r", "\x01\x1f", "\x7f", "é",      "\u2028",  "日本",   "😀",
                                         "\uffff", "e\u0301",  "<&>'", "\u200b", "𝔘nicode", "\u0080", "null"};
    std::string text;
    for (unsigned i = pick(5); i > 0; --i) text += one_of(pieces);
    return text;
  }

  json::Value random_number() {
    static constexpr int64_t kIntegers[] = {0, 1, -1, 50, 9007199254740991, -9007199254740991, 1234567890123};
    static constexpr int64_t kWide[] = {9007199254740992, -9007199254740993, INT64_MAX, INT64_MIN};
    static constexpr double kDoubles[] = {0.5, -0.1, 1.5e-7, 1e16, 123456789.125, 5e-324, 1.7976931348623157e308, 1e21};
    if (lax() && chance(15)) return one_of(kWide);
    if (lax() && chance(10)) return UINT64_MAX;
    if (lax() && chance(20)) return one_of(kDoubles);
    return one_of(kIntegers);
  }

  json::Value random_value(unsigned depth = 0) {
    switch (pick(depth < 3 ? 8 : 5)) {
      case 0:
        return nullptr;
      case 1:
        return chance(50);
      case 2:
        return random_number();
      case 3:
      case 4:
        return json::Value(random_text());
      case 5: {
        json::Array list;
        for (unsigned i = pick(4); i > 0; --i) list.push_back(random_value(depth + 1));
        return list;
      }
      default:
        return random_object(depth + 1);
    }
  }

  json::Object random_object(unsigned depth) {
    json::Object object;
    for (unsigned i = pick(5); i > 0; --i) object[random_text()] = random_value(depth);
    return object;
  }

  // Keys that some redaction rule names, and others.
  json::Object random_content(std::string_view type) {
    static constexpr std::string_view kKeys[] = {"membership",
                                                 "creator",
                                                 "join_rule",
                                                 "allow",
                                                 "ban",
                                                 "events",
                                                 "events_default",
                                                 "invite",
                                                 "kick",
                                                 "redact",
                                                 "state_default",
                                                 "users",
                                                 "users_default",
                                                 "aliases",
                                                 "history_visibility",
                                                 "redacts",
                                                 "notifications",
                                                 "body",
                                                 "additional_creators",
                                                 "m.federate",
                                                 "third_party_invite",
                                                 "room_version",
                                                 "displayname",
                                                 "signed"};
    json::Object content = random_object(1);
    for (auto key : kKeys)
      if (chance(30)) content[key] = random_value(1);
    if (chance(30)) content["third_party_invite"] = json::Object{{"signed", random_value(1)}, {"display_name", "x"}};
    if (type == "m.room.member") {
      static constexpr std::string_view kMemberships[] = {"join", "join", "invite", "leave", "ban", "knock"};
      content["membership"] = one_of(kMemberships);
      if (chance(70)) content.erase("third_party_invite");
      if (chance(40)) content["join_authorised_via_users_server"] = chance(50) ? "@v:a.example" : "@v:b.example";
    }
    return content;
  }

  json::Array references() {
    json::Array list;
    for (unsigned i = pick(4); i > 0; --i) {
      auto id = rules_.format.event_id == EventIdFormat::kInEvent
                    ? fmt::format("$e{}:b.example", pick(100))
                    : "$" + base64url(sha256(fmt::format("{}", pick(100))));
      if (rules_.format.event_references_with_hashes)
        list.push_back(json::Array{id, json::Object{{"sha256", base64(sha256(id))}}});
      else
        list.emplace_back(id);
    }
    return list;
  }

  void generate() {
    static constexpr std::string_view kTypes[] = {
        "m.room.member",       "m.room.member",      "m.room.create",  "m.room.join_rules",
        "m.room.power_levels", "m.room.aliases",     "m.room.message", "m.room.history_visibility",
        "m.room.redaction",    "org.example.ünusual"};
    auto type = one_of(kTypes);
    std::string server = chance(70) ? "a.example" : "b.example";
    pdu_ = {{"type", type},
            {"sender", "@u:" + server},
            {"depth", pick(1000)},
            {"origin_server_ts", 500 + pick(1000)},
            {"prev_events", references()},
            {"auth_events", references()},
            {"content", random_content(type)}};
    if (rules_.format.create_has_room_id || type != "m.room.create")
      pdu_["room_id"] = rules_.auth.room_id_from_create ? "!" + base64url(sha256("room")) : "!room:a.example";
    if (type == "m.room.create")
      pdu_["state_key"] = "";  // only such a one is the room's, to any server
    else if (chance(70))
      pdu_["state_key"] = chance(50) ? "" : "@u:" + server;
    if (rules_.format.event_id == EventIdFormat::kInEvent)
      pdu_["event_id"] = fmt::format("$e:{}", chance(80) ? server : "b.example");
    for (auto key : {"origin", "membership", "prev_state", "redacts", "foo", "m.relates_to"})
      if (chance(8)) pdu_[key] = chance(50) ? json::Value("x") : random_value();
    if (chance(20)) pdu_["unsigned"] = random_object(2);
  }

  void sign(const std::string& server, const std::string& key_id) {
    auto& by_server = pdu_["signatures"].get_object()[server];
    if (!by_server.is_object()) by_server = json::Object();
    auto& key = known_keys().at(server).at(key_id).key;
    by_server.get_object()[key_id] = base64(key.sign(canonical_redacted(pdu_, rules_).value()));
  }

  // Whatever the hash says.
  void sign_by_all() {
    pdu_["signatures"] = json::Object();
    for (auto& [server, keys] : known_keys()) sign(server, "ed25519:1");
  }
  void rehash() {
    pdu_["hashes"] = json::Object{{"sha256", base64(content_hash(pdu_, rules_).value())}};
    sign_by_all();
  }
  // By everyone who must, with one key or two.
  void hash_and_sign() {
    pdu_["hashes"] = json::Object{{"sha256", base64(content_hash(pdu_, rules_).value())}};
    pdu_["signatures"] = json::Object();
    auto event = Event::parse(json::serialize(pdu_), rules_);
    if (!event) throw std::logic_error(event.error().message);
    for (auto& server : Verification::keepable(*event, rules_).value().signers) {
      if (chance(10)) {
        sign(server.str(), "ed25519:old");
        if (chance(50)) continue;
      }
      sign(server.str(), "ed25519:1");
    }
  }

  json::Object& signatures_of_sender() {
    auto sender = json::string_at(pdu_, "sender").value();
    auto& server = pdu_["signatures"].get_object()[sender.substr(sender.find(':') + 1)];
    if (!server.is_object()) server = json::Object();
    return server.get_object();
  }

  void change() {
    using Change = std::pair<std::string_view, void (RandomPdu::*)()>;
    static constexpr Change kChanges[] = {
        {"none", nullptr},
        {"spelling", nullptr},
        {"content", &RandomPdu::change_content},
        {"a field", &RandomPdu::change_field},
        {"signatures", &RandomPdu::change_signatures},
        {"hashes", &RandomPdu::change_hashes},
        {"a number", &RandomPdu::put_number},
        {"depth", &RandomPdu::change_depth},
        {"sizes", &RandomPdu::change_sizes},
    };
    auto [name, apply] = one_of(kChanges);
    result_.change = name;
    if (apply) (this->*apply)();
    result_.text = name == "spelling" ? respelled() : json::serialize(pdu_);
    if (size_t at = result_.text.find(kNumberHere); at != std::string::npos)
      result_.text.replace(at, kNumberHere.size(), number_);
  }

  void change_content() {
    auto& content = pdu_["content"].get_object();
    if (!content.empty() && chance(40))
      content.erase(content.begin()->key());
    else if (!content.empty() && chance(50))
      content.begin()->value() = random_value();
    else
      content[random_text()] = random_value();
  }

  void change_field() {
    static constexpr std::string_view kKeys[] = {"type",        "sender",      "origin_server_ts", "room_id",
                                                 "prev_events", "auth_events", "state_key",        "unsigned",
                                                 "foo",         "origin",      "membership",       "redacts"};
    std::string key(one_of(kKeys));
    if (chance(rules_.format.event_id == EventIdFormat::kInEvent ? 20 : 4)) key = "event_id";
    result_.change += " " + key;
    if (key == "unsigned" && chance(80)) {
      any_numbers_ = true;
      pdu_[key] =
          chance(70) ? json::Value(json::Object{{"n", random_number()}, {"m", random_value()}}) : random_value();
      any_numbers_ = false;
      return;
    }
    if (key.ends_with("_events") && rules_.format.event_references_with_hashes && chance(50)) {
      static const json::Value hashes[] = {json::Object{{"sha256", 5}}, json::Object{{"md5", "x"}}, json::Object(),
                                           json::Object{{"sha256", "x"}, {"md5", nullptr}}, "$c:c"};
      pdu_[key] = json::Array{json::Array{"$b:b.example", one_of(hashes)}};
      rehash();
      return;
    }
    static const std::map<std::string, json::Value> values = {{"type", "m.room.topic"},
                                                              {"sender", "@w:a.example"},
                                                              {"origin_server_ts", 77},
                                                              {"room_id", "!other:b.example"},
                                                              {"prev_events", json::Array()},
                                                              {"auth_events", json::Array()},
                                                              {"state_key", "x"},
                                                              {"unsigned", json::Object{{"age", 5}}}};
    auto value = values.find(key);
    pdu_[key] = value == values.end() ? json::Value("changed") : value->second;
  }

  void change_signatures() {
    auto& signatures = signatures_of_sender();
    switch (pick(9)) {
      case 0:
        return signatures.clear();
      case 1:
        pdu_["signatures"] = json::Object();
        return;
      case 2:  // of something else
        signatures["ed25519:1"] = base64(known_keys().at("a.example").at("ed25519:1").key.sign("something else"));
        return;
      case 3:
        signatures["ed25519:1"] = one_of(std::array<json::Value, 4>{"", "no base64!", "YWJj", 5});
        return;
      case 4: {
        auto& signature = signatures["ed25519:1"];
        if (signature.is_string()) signature = spoiled(std::string(signature.get_string()));
        return;
      }
      case 5:  // a key that nobody knows, beside those there
        signatures["ed25519:unknown"] = base64(std::string(64, 'x'));
        return;
      case 6:
        signatures.clear();
        signatures["ed25519:unknown"] = base64(std::string(64, 'x'));
        return;
      case 7:  // the first of two keys is wrong
        signatures["ed25519:old"] = base64(std::string(64, 'x'));
        return;
      default:  // another server's, that need not sign
        pdu_["signatures"].get_object()["c.example"] = json::Object{{"ed25519:1", base64(std::string(64, 'x'))}};
    }
  }

  // Base64 with more in it than base64 has.
  std::string spoiled(std::string text) {
    static constexpr std::string_view kMore[] = {"!!!!", "====", "\n", "é", "!", "=", " - ", "A", "AAAA"};
    auto more = one_of(kMore);
    return text.insert(chance(50) ? text.size() : pick(static_cast<unsigned>(text.size())), more);
  }

  void change_hashes() {
    const json::Value hashes[] = {
        json::Object{{"sha256", spoiled(base64(content_hash(pdu_, rules_).value()))}},
        json::Object{{"sha256", spoiled(base64(content_hash(pdu_, rules_).value()))}},
        json::Object{{"sha256", "A"}},
        json::Object{{"sha256", base64(std::string(32, 'x'))}},
        json::Object{{"sha256", "no base64!"}},
        json::Object{{"sha256", ""}},
        json::Object{{"sha512", "x"}},
        json::Object(),
        json::Object{{"sha256", base64(content_hash(pdu_, rules_).value()) + "="}, {"md5", "x"}},
        json::Object{{"sha256", base64(content_hash(pdu_, rules_).value())}, {"md5", 5}},
        json::Object{{"sha256", base64(content_hash(pdu_, rules_).value())}, {"md5", nullptr}}};
    pdu_["hashes"] = one_of(hashes);
    if (chance(50)) sign_by_all();
  }

  // A number as text, in the content; hashed and signed as we read it, where we do.
  void put_number() {
    static constexpr std::string_view kNumbers[] = {"9007199254740991",
                                                    "9007199254740992",
                                                    "-9007199254740992",
                                                    "1.0",
                                                    "1e10",
                                                    "1E2",
                                                    "-0",
                                                    "-0.0",
                                                    "0.1",
                                                    "18446744073709551616",
                                                    "1e400",
                                                    "1e-400",
                                                    "1.5e3",
                                                    "123e-1",
                                                    "1e16",
                                                    "12345678901234567890123"};
    number_ = one_of(kNumbers);
    result_.change += fmt::format(" {}", number_);
    auto value = json::parse(number_);
    auto& content = pdu_["content"].get_object();
    content["n"] = value && json::canonical(*value, rules_.format.canonical) ? *value : json::Value(0);
    hash_and_sign();
    pdu_["content"].get_object()["n"] = kNumberHere.substr(1, kNumberHere.size() - 2);
  }

  void change_depth() {
    static const json::Value depths[] = {
        -1, 0, 9007199254740991, 9007199254740992, INT64_MAX, static_cast<uint64_t>(INT64_MAX) + 1, "5", 1.5, nullptr};
    pdu_["depth"] = one_of(depths);
    if (content_hash(pdu_, rules_)) rehash();
  }

  void change_sizes() {
    // 255 bytes are allowed; 255 characters of more bytes are not.
    auto long_text = [&] {
      std::string text;
      const std::string piece = chance(50) ? "x" : "é";
      size_t wanted = chance(50) ? 255 - piece.size() : chance(50) ? 255 : 256;
      while (text.size() < wanted) text += piece;
      return text;
    };
    bool is_create = pdu_.at("type") == "m.room.create";
    switch (is_create ? 2 : pick(3)) {
      case 0:
        pdu_["type"] = long_text();
        break;
      case 1:
        pdu_["state_key"] = long_text();
        break;
      default: {
        auto& content = pdu_["content"].get_object();
        content["padding"] = "";
        size_t size = json::canonical(pdu_, json::CanonicalMode::kLax).value().size();
        content["padding"] = std::string(kMaxEventBytes - size - (chance(50) ? 0 : 1) + (chance(50) ? 1 : 0), 'p');
      }
    }
    if (chance(70)) rehash();
  }

  // The same JSON, written otherwise: with spaces where they may be, and escapes where none are needed.
  std::string respelled() {
    static constexpr std::string_view kSpaces[] = {" ", "\n", "\t", "\r\n  "}, kEmoji = "😀";
    std::string text, compact = json::serialize(pdu_);
    bool in_string = false;
    for (size_t i = 0; i < compact.size(); ++i) {
      char c = compact[i];
      if (in_string && c == '\\') {
        text.append(compact, i, 2);
        ++i;
      } else if (in_string && c == 'e' && chance(20)) {
        text += "\\u0065";
      } else if (in_string && c == '/' && chance(50)) {
        text += "\\/";
      } else if (in_string && chance(50) && compact.compare(i, kEmoji.size(), kEmoji) == 0) {
        text += "\\ud83d\\uDE00";
        i += kEmoji.size() - 1;
      } else {
        if (c == '"') in_string = !in_string;
        text += c;
        bool may_follow = !in_string && std::string_view("{[,:\"").contains(c);
        if (may_follow && chance(20)) text += one_of(kSpaces);
      }
    }
    return text;
  }

  void judge() {
    result_.verdict = "refused";
    auto event = Event::parse(result_.text, rules_);
    if (!event) {
      result_.reason = event.error().message;
      return;
    }
    auto& object = (*event)->object();
    auto text = [](const Result<std::string>& result) { return result ? std::optional(*result) : std::nullopt; };
    auto hash = [](const Result<std::string>& result) {
      return result ? std::optional(base64(*result)) : std::nullopt;
    };
    if (object.contains("unsigned") == pdu_.contains("unsigned"))  // else left out
      result_.canonical = text(json::canonical(object, rules_.format.canonical));
    result_.content_hash = hash(content_hash(object, rules_));
    result_.reference_hash = hash(reference_hash(object, rules_));
    result_.event_id = (*event)->event_id().str();
    result_.redacted = text(json::canonical(redact(object, rules_), rules_.format.canonical));

    std::map<std::string, ServerKey> found;
    auto look_up = [&](const ServerName& server, const SigningKeyId& key_id) -> const ServerKey* {
      auto keys = known_keys().find(server.str());
      if (keys == known_keys().end()) return nullptr;
      auto known = keys->second.find(key_id.str());
      if (known == keys->second.end()) return nullptr;
      ServerKey key{known->second.key.public_key(), kValidUntil, known->second.expired_ts};
      return &found.insert_or_assign(server.str() + key_id.str(), key).first->second;
    };
    auto copy = Verification::verify(*event, rules_, look_up);
    if (copy)
      result_.verdict = copy->redacted ? "redacted" : "whole";
    else
      result_.reason = copy.error().message;
  }

  const RoomRules& rules_;
  bool any_numbers_ = false;  // also those that the room version forbids
  json::Object pdu_;
  std::string number_;
  PduCase result_;
};

}  // namespace

const std::map<std::string, std::map<std::string, KnownKey>>& known_keys() {
  static const auto keys = [] {
    std::map<std::string, std::map<std::string, KnownKey>> all;
    for (std::string server : {"a.example", "b.example"}) {
      all[server].insert({"ed25519:1", {SigningKey::from_seed(sha256(server), "1").value(), std::nullopt}});
      all[server].insert({"ed25519:old", {SigningKey::from_seed(sha256(server + " old"), "old").value(), kExpired}});
    }
    return all;
  }();
  return keys;
}

PduCase random_pdu_case(uint64_t seed) { return RandomPdu(seed).make(); }

}  // namespace myelin::testing
