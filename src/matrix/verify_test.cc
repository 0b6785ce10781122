#include "matrix/verify.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/random.h"

namespace myelin {
namespace {

constexpr int64_t kNow = 1'700'000'000'000, kDay = 86'400'000;
const RoomRules& version(std::string_view name) { return *find_room_version(name); }

// Two servers with a key each, and what others know of them.
struct World {
  World() {
    keys[{"a.x", "ed25519:1"}] = {a.public_key(), kNow + kDay, {}};
    keys[{"b.x", "ed25519:1"}] = {b.public_key(), kNow + kDay, {}};
  }
  SeededRandom random{1};
  SigningKey a = SigningKey::generate(random, "1"), b = SigningKey::generate(random, "1");
  std::map<std::pair<std::string, std::string>, ServerKey> keys;

  Result<VerifiedCopy> verify(const json::Object& pdu, const RoomRules& rules) {
    MYELIN_TRY(EventPtr event, Event::parse(json::serialize(pdu), rules));
    return Verification::verify(event, rules, lookup());
  }
  KeyLookup lookup() {
    return [this](const ServerName& server, const SigningKeyId& id) -> const ServerKey* {
      auto found = keys.find({server.str(), id.str()});
      return found == keys.end() ? nullptr : &found->second;
    };
  }
};

EventDraft draft(std::string_view type = "m.room.message", std::string_view content = R"({"body":"hello"})") {
  EventDraft d;
  d.room_id = RoomId::trusted("!r:a.x");
  d.sender = UserId::trusted("@u:a.x");
  d.type = type;
  d.content = *json::parse_object(content);
  d.origin_server_ts = kNow;
  return d;
}
json::Object built(const EventDraft& d, const RoomRules& rules, const SigningKey& key, const char* server = "a.x") {
  return OwnEvent::build(d, rules, ServerName::trusted(server), key)->event()->object();
}
void add_signature(json::Object& pdu, const RoomRules& rules, const char* server, const SigningKey& key) {
  json::Object redacted = redact(pdu, rules);
  ASSERT_TRUE(sign_json(redacted, server, key, rules.format.canonical));
  pdu["signatures"] = redacted.at("signatures");
}
Code error_of(const Result<VerifiedCopy>& result) { return result ? Code::kInternal : result.error().code; }

TEST(Verify, AcceptsOurOwnEventsInEveryVersion) {
  World world;
  for (auto& rules : all_room_versions()) {
    auto pdu = built(draft(), rules, world.a);
    auto result = world.verify(pdu, rules);
    ASSERT_TRUE(result) << rules.version << " " << result.error().message;
    EXPECT_FALSE(result->redacted);
    EXPECT_EQ(result->event.event()->object(), pdu);
  }
}

// Attack 3, CVE-2022-39200: what is stored was verified or is ours, whatever way it came. Only this library makes a
// VerifiedEvent, from an event whose signatures it checked or that it signed.
static_assert(!std::is_default_constructible_v<VerifiedEvent>);
static_assert(!std::is_constructible_v<VerifiedEvent, EventPtr>);
static_assert(!std::is_constructible_v<VerifiedEvent, const Event&>);
static_assert(!std::is_convertible_v<EventPtr, VerifiedEvent>);
static_assert(!std::is_aggregate_v<VerifiedEvent>);
static_assert(!std::is_constructible_v<VerifiedCopy, EventPtr>);

TEST(Verify, Attack03AnUnsignedEventNeverBecomesAVerifiedOne) {
  World world;
  for (auto& rules : all_room_versions()) {
    auto pdu = built(draft(), rules, world.a);
    EXPECT_TRUE(world.verify(pdu, rules)) << rules.version;
    for (auto signatures :
         {R"({})", R"({"b.x":{"ed25519:1":"x"}})", R"({"a.x":{}})", R"({"a.x":{"rsa:1":"x"}})",
          R"({"a.x":{"ed25519:1":5}})", R"({"a.x":{"ed25519:1":""}})", R"({"a.x":{"ed25519:2":"x"}})"}) {
      pdu["signatures"] = *json::parse(signatures);
      EXPECT_FALSE(world.verify(pdu, rules)) << rules.version << signatures;
    }
  }
}

// Nobody has to sign a third-party invite; where its hash is wrong, what is kept is a plain invite.
TEST(Verify, Attack03AThirdPartyInviteThatRedactionMakesAPlainOneIsSignedByItsSender) {
  World world;
  for (auto& rules : all_room_versions()) {
    for (auto invite : {R"({"display_name":"x","signed":{"mxid":"@evil:b.x","token":"t","signatures":{}}})", R"({})",
                        R"({"signed":5})", "null", R"("x")", "[]"}) {
      auto d = draft("m.room.member", R"({"membership":"invite"})");
      d.content["third_party_invite"] = *json::parse(invite);
      d.state_key = "@evil:b.x";
      auto pdu = built(d, rules, world.a);
      auto signatures = std::exchange(pdu["signatures"], json::Object());
      for (bool wrong_hash : {false, true}) {
        if (wrong_hash) pdu["hashes"] = json::Object{{"sha256", "AAAA"}};
        auto result = world.verify(pdu, rules);
        if (!result) {
          EXPECT_EQ(result.error().code, Code::kInvalidSignature);
          continue;
        }
        EXPECT_EQ(result->redacted, wrong_hash);
        auto kept = json::object_at(result->event.event()->content(), "third_party_invite");
        EXPECT_TRUE(kept && json::object_at(*kept, "signed")) << rules.version << invite;
      }
      pdu["signatures"] = json::Object{{"a.x", {{"ed25519:1", base64(std::string(64, 'x'))}}}};
      EXPECT_EQ(world.verify(pdu, rules).has_value(), invite[2] == 'd' && rules.redaction.keep_third_party_signed);
      pdu["signatures"] = json::Object();
      add_signature(pdu, rules, "a.x", world.a);
      EXPECT_TRUE(world.verify(pdu, rules)) << rules.version << invite;
    }
  }
}

TEST(Verify, TheSignersOfWhatIsKeptAreThoseOfBothCopies) {
  World world;
  auto d = draft("m.room.member", R"({"membership":"join","join_authorised_via_users_server":"@admin:b.x"})");
  d.state_key = "@u:a.x";
  for (auto name : {"8", "9"}) {  // version 8 redacts join_authorised_via_users_server
    auto& rules = version(name);
    auto pdu = built(d, rules, world.a);
    pdu["hashes"] = json::Object{{"sha256", "AAAA"}};
    auto kept = *Verification::keepable(*Event::parse(json::serialize(pdu), rules), rules);
    EXPECT_TRUE(kept.redacted);
    EXPECT_EQ(kept.signers, (std::vector{ServerName::trusted("a.x"), ServerName::trusted("b.x")})) << name;
  }
}

TEST(Verify, DropsWhatIsNotSignedByTheSendersServer) {
  World world;
  auto& rules = version("11");
  auto pdu = built(draft(), rules, world.a);
  auto unsigned_pdu = pdu;
  unsigned_pdu["signatures"] = json::Object();
  EXPECT_EQ(error_of(world.verify(unsigned_pdu, rules)), Code::kInvalidSignature);
  auto by_another = unsigned_pdu;
  add_signature(by_another, rules, "b.x", world.b);
  EXPECT_EQ(error_of(world.verify(by_another, rules)), Code::kInvalidSignature);
  auto by_another_key = unsigned_pdu;
  add_signature(by_another_key, rules, "a.x", world.b);
  EXPECT_EQ(error_of(world.verify(by_another_key, rules)), Code::kInvalidSignature);
  for (auto field : {"depth", "origin_server_ts"}) {  // what redaction keeps is under the signature
    auto changed = pdu;
    changed[field] = 77;
    EXPECT_EQ(error_of(world.verify(changed, rules)), Code::kInvalidSignature) << field;
  }
}

TEST(Verify, AChangedContentBecomesTheRedactedCopy) {
  World world;
  for (auto name : {"1", "5", "6", "10", "11", "12"}) {
    auto& rules = version(name);
    auto pdu = built(draft(), rules, world.a);
    auto original = *Event::parse(json::serialize(pdu), rules);
    pdu["content"].as_object()["body"] = "forged";
    auto result = world.verify(pdu, rules);
    ASSERT_TRUE(result) << name;
    EXPECT_TRUE(result->redacted);
    auto& copy = *result->event.event();
    EXPECT_TRUE(copy.content().empty());
    EXPECT_EQ(copy.event_id(), original->event_id());
    EXPECT_EQ(copy.text().find("forged"), std::string::npos);
    EXPECT_TRUE(Event::parse(copy.text(), rules));
    auto again = world.verify(copy.object(), rules);  // a redacted event passes, redacted
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->redacted);
  }
}

TEST(Verify, TheHashIsUnderTheSignature) {
  World world;
  auto& rules = version("11");
  auto pdu = built(draft(), rules, world.a);
  pdu["content"].as_object()["body"] = "forged";
  pdu["hashes"] = json::Object{{"sha256", base64(*content_hash(pdu, rules))}};
  EXPECT_EQ(error_of(world.verify(pdu, rules)), Code::kInvalidSignature);
}

// Attack 2: a signature is no part of the event id, so whoever writes more into it than base64 has would have had the
// event taken by the servers that skip it, and dropped here (decision 0006, Both leave the letter).
TEST(Verify, Attack02Base64IsReadAsOtherServersReadIt) {
  World world;
  for (auto& rules : all_room_versions()) {
    auto pdu = built(draft(), rules, world.a);
    auto& signature = pdu["signatures"].at("a.x").as_object().begin()->value();
    std::string right(signature.as_string());
    for (auto more : {"====", "!!!!", "\n\n\n\n"}) {
      signature = right + more;
      EXPECT_TRUE(world.verify(pdu, rules)) << rules.version << more;
    }
    for (auto more : {"A", "é", "\n"}) {
      signature = right + more;
      EXPECT_EQ(error_of(world.verify(pdu, rules)), Code::kInvalidSignature) << rules.version << more;
    }

    pdu = built(draft(), rules, world.a);
    pdu["hashes"].at("sha256") = base64(*content_hash(pdu, rules)) + "!!!!";
    pdu["signatures"] = json::Object();
    add_signature(pdu, rules, "a.x", world.a);
    EXPECT_FALSE(world.verify(pdu, rules)->redacted) << rules.version;
    pdu["hashes"].at("sha256") = base64(*content_hash(pdu, rules)) + "é";
    add_signature(pdu, rules, "a.x", world.a);
    EXPECT_TRUE(world.verify(pdu, rules)->redacted) << rules.version;
  }
}

TEST(Verify, UnsignedIsNotCovered) {
  World world;
  auto pdu = built(draft(), version("11"), world.a);
  pdu["unsigned"] = json::Object{{"age", 5}};
  EXPECT_FALSE(world.verify(pdu, version("11"))->redacted);
}

// appendices, Checking for a Signature: "intermediate entities can add unsigned data".
TEST(Verify, Attack02NumbersInUnsignedLoseNoEvent) {
  World world;
  for (auto& rules : all_room_versions()) {
    auto pdu = built(draft(), rules, world.a);
    bool strict = rules.format.canonical == json::CanonicalMode::kStrict;
    for (auto number : {"0.5", "1e2", "9007199254740992", "-9007199254740992", "18446744073709551615", "1e400"}) {
      if (!strict && std::string_view(number) == "1e400") continue;  // no number that is kept
      pdu["unsigned"] = json::Object{{"m.x", json::Array{json::Object{{"n", "N"}}}}};
      auto text = json::serialize(pdu);
      auto event = Event::parse(text.replace(text.find("\"N\""), 3, number), rules);
      ASSERT_TRUE(event) << rules.version << number << event.error().message;
      auto kept = Verification::verify(*event, rules, world.lookup());
      ASSERT_TRUE(kept) << rules.version << number << kept.error().message;
      EXPECT_FALSE(kept->redacted);
      EXPECT_EQ((*event)->object().contains("unsigned"), !strict);
      EXPECT_EQ((*event)->text().contains(number), !strict);
    }
    pdu["unsigned"] = 0.5;
    EXPECT_FALSE(Event::parse(json::serialize(pdu), rules)) << rules.version;
  }
}

// "The policy server key … should be skipped at this stage": also where somebody names a key so.
TEST(Verify, Attack15PolicyServerKeysAreNobodys) {
  World world;
  auto& rules = version("11");
  auto pdu = built(draft(), rules, world.a);
  auto& signatures = pdu["signatures"].at("a.x").as_object();
  signatures["ed25519:policy_server"] = "garbage";
  world.keys[{"a.x", "ed25519:policy_server"}] = {world.b.public_key(), kNow + kDay};
  EXPECT_TRUE(world.verify(pdu, rules));
  auto parse = [&] { return Event::parse(json::serialize(pdu), rules).value(); };
  EXPECT_EQ(Verification::required_keys(parse(), rules)->size(), 1u);
  signatures.erase("ed25519:1");
  EXPECT_EQ(Verification::required_keys(parse(), rules).error().code, Code::kInvalidSignature);
  EXPECT_EQ(world.verify(pdu, rules).error().code, Code::kInvalidSignature);
}

TEST(Verify, UnknownKeysAreSkippedButOneMustBeKnown) {
  World world;
  auto& rules = version("11");
  auto pdu = built(draft(), rules, world.a);
  pdu["signatures"].at("a.x").as_object()["ed25519:policy_server"] = "garbage";
  pdu["signatures"].at("a.x").as_object()["rsa:1"] = "of another algorithm";
  EXPECT_TRUE(world.verify(pdu, rules));
  world.keys.clear();
  EXPECT_EQ(error_of(world.verify(pdu, rules)), Code::kUnavailable);
}

TEST(Verify, EverySignatureByAKnownKeyMustBeRight) {  // since v1.19 of the specification
  World world;
  auto& rules = version("11");
  auto pdu = built(draft(), rules, world.a);
  pdu["signatures"].at("a.x").as_object()["ed25519:2"] = base64(std::string(64, 'x'));
  EXPECT_TRUE(world.verify(pdu, rules));
  world.keys[{"a.x", "ed25519:2"}] = {world.b.public_key(), kNow + kDay, {}};
  EXPECT_EQ(error_of(world.verify(pdu, rules)), Code::kInvalidSignature);
  world.keys[{"a.x", "ed25519:2"}].expired_ts = kNow - 1;  // retired before the event: ignored
  EXPECT_TRUE(world.verify(pdu, rules));
}

// A server may have hundreds of keys, and each signature costs a pass over the event.
TEST(Verify, Attack08SignaturesWithoutEnd) {
  World world;
  auto& rules = version("11");
  auto pdu = built(draft(), rules, world.a);
  for (int i = 2; i <= 300; ++i) {
    auto name = std::to_string(i);
    auto key = SigningKey::generate(world.random, name);
    add_signature(pdu, rules, "a.x", key);
    world.keys[{"a.x", "ed25519:" + name}] = {key.public_key(), kNow + kDay, {}};
  }
  EXPECT_TRUE(world.verify(pdu, rules));
  auto& signatures = pdu["signatures"].at("a.x").as_object();
  auto spoil = [&](size_t place) { (signatures.begin() + place)->value() = base64(std::string(64, 'x')); };
  spoil(kMaxSignaturesTried);
  EXPECT_TRUE(world.verify(pdu, rules)) << "it is not tried any more";
  std::string last((signatures.end() - 1)->key());
  world.keys[{"a.x", last}].public_key = *from_base64("l/O9hxMVKB6Lg+3Hqf0FQQZhVESQcMzbPN1Cz2nM3og");
  EXPECT_EQ(error_of(world.verify(pdu, rules)), Code::kInvalidSignature) << "a banned key is seen wherever it stands";
  world.keys.erase({"a.x", last});
  spoil(kMaxSignaturesTried - 1);
  EXPECT_EQ(error_of(world.verify(pdu, rules)), Code::kInvalidSignature);
}

TEST(Verify, KeysOnlyCountWhileValid) {
  World world;
  auto pdu4 = built(draft(), version("4"), world.a), pdu5 = built(draft(), version("5"), world.a);
  auto& key = world.keys[{"a.x", "ed25519:1"}];
  key.valid_until_ts = kNow - 1;  // rooms/v5: valid_until_ts is enforced since then
  EXPECT_TRUE(world.verify(pdu4, version("4")));
  EXPECT_EQ(error_of(world.verify(pdu5, version("5"))), Code::kUnavailable);
  key.valid_until_ts = kNow;
  EXPECT_TRUE(world.verify(pdu5, version("5")));
  key.expired_ts = kNow;  // an old key, good for what was signed before it retired
  EXPECT_TRUE(world.verify(pdu5, version("5")));
  key.expired_ts = kNow - 1;
  EXPECT_EQ(error_of(world.verify(pdu5, version("5"))), Code::kUnavailable);
}

TEST(Verify, RestrictedJoinsNeedTheAuthorisersServer) {
  World world;
  auto d = draft("m.room.member", R"({"membership":"join","join_authorised_via_users_server":"@admin:b.x"})");
  d.state_key = "@u:a.x";
  auto old = built(d, version("7"), world.a);
  EXPECT_TRUE(world.verify(old, version("7")));
  for (auto name : {"8", "9", "10", "11", "12"}) {
    auto& rules = version(name);
    auto pdu = built(d, rules, world.a);
    EXPECT_EQ(error_of(world.verify(pdu, rules)), Code::kInvalidSignature) << name;
    add_signature(pdu, rules, "b.x", world.b);
    EXPECT_TRUE(world.verify(pdu, rules)) << name;
  }
  d.content["join_authorised_via_users_server"] = "nobody";
  EXPECT_EQ(error_of(world.verify(built(d, version("11"), world.a), version("11"))), Code::kBadJson);
}

// Decision 0006, Both leave the letter: left over in another membership, as clients that copy the content do, the key
// asks for nobody's signature. Whoever asked would be alone in a room from then on.
TEST(Verify, OnlyAJoinNeedsTheAuthorisersServer) {
  World world;
  for (auto membership : {"leave", "ban", "invite", "knock"}) {
    auto d = draft("m.room.member", R"({"join_authorised_via_users_server":"@admin:b.x"})");
    d.content["membership"] = membership;
    d.state_key = "@u:a.x";
    for (auto name : {"8", "9", "10", "11", "12"}) {
      auto& rules = version(name);
      EXPECT_TRUE(world.verify(built(d, rules, world.a), rules)) << membership << " in version " << name;
    }
  }
}

TEST(Verify, Versions1And2NeedTheEventIdsServer) {
  World world;
  for (auto name : {"1", "2"}) {
    auto& rules = version(name);
    auto pdu = built(draft(), rules, world.a);
    pdu["event_id"] = "$e:b.x";
    pdu["hashes"] = json::Object{{"sha256", base64(*content_hash(pdu, rules))}};
    pdu["signatures"] = json::Object();
    add_signature(pdu, rules, "a.x", world.a);
    EXPECT_EQ(error_of(world.verify(pdu, rules)), Code::kInvalidSignature);
    add_signature(pdu, rules, "b.x", world.b);
    EXPECT_TRUE(world.verify(pdu, rules));
  }
}

TEST(Verify, ThirdPartyInvitesMayComeFromAnotherServer) {
  World world;
  auto d = draft("m.room.member", R"({"membership":"invite","third_party_invite":{"signed":{}}})");
  d.state_key = "@guest:b.x";
  EXPECT_TRUE(world.verify(built(d, version("11"), world.b, "b.x"), version("11")));
  d.content.erase("third_party_invite");
  EXPECT_EQ(error_of(world.verify(built(d, version("11"), world.b, "b.x"), version("11"))), Code::kInvalidSignature);
}

// "Room versions 1 and 2 also require that a signature is present from the domain in the event_id, if it differs from
// the originating server": of a third-party invite under the sender's own domain, nobody's.
TEST(Verify, ThirdPartyInvitesOfVersions1And2NeedTheEventIdsServerWhereItIsAnother) {
  World world;
  auto d = draft("m.room.member", R"({"membership":"invite","third_party_invite":{"signed":{}}})");
  d.state_key = "@guest:b.x";
  auto& rules = version("2");
  auto pdu = built(d, rules, world.a);
  pdu["signatures"] = json::Object{{"a.x", {{"ed25519:1", base64(std::string(64, 'x'))}}}};
  EXPECT_TRUE(world.verify(pdu, rules));
  pdu["event_id"] = "$e:b.x";
  EXPECT_EQ(error_of(world.verify(pdu, rules)), Code::kInvalidSignature);
}

TEST(Verify, SaysWhichKeysItNeeds) {
  World world;
  auto d = draft("m.room.member", R"({"membership":"join","join_authorised_via_users_server":"@admin:b.x"})");
  d.state_key = "@u:a.x";
  auto& rules = version("11");
  auto pdu = built(d, rules, world.a);
  auto event = *Event::parse(json::serialize(pdu), rules);
  EXPECT_EQ(Verification::required_keys(event, rules).error().code, Code::kInvalidSignature);
  add_signature(pdu, rules, "b.x", world.b);
  event = *Event::parse(json::serialize(pdu), rules);
  auto keys = *Verification::required_keys(event, rules);
  ASSERT_EQ(keys.size(), 2u);
  EXPECT_EQ(keys[0].server.str(), "a.x");
  EXPECT_EQ(keys[0].key_id.str(), "ed25519:1");
  EXPECT_EQ(keys[0].valid_until_ts, kNow);
  EXPECT_EQ(keys[1].server.str(), "b.x");
}

}  // namespace
}  // namespace myelin
