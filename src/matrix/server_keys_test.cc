#include "matrix/server_keys.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "matrix/verify.h"
#include "matrix/x_matrix.h"

namespace myelin {
namespace {

const ServerName kServer = ServerName::trusted("a.example"), kNotary = ServerName::trusted("notary.example");
constexpr int64_t kNow = 1'700'000'000'000, kDay = 24 * 3600 * int64_t{1000};

SigningKey make_key(std::string version) {
  static SeededRandom random(3);
  return SigningKey::generate(random, std::move(version));
}
const SigningKey kKey = make_key("one"), kSecond = make_key("two"), kNotaryKey = make_key("n");
const SigningKeyId kOneId = SigningKeyId::trusted("ed25519:one"), kTwoId = SigningKeyId::trusted("ed25519:two"),
                   kOldId = SigningKeyId::trusted("ed25519:old"), kNotaryId = SigningKeyId::trusted("ed25519:n");
const OldKey kOld{kOldId, make_key("old").public_key(), kNow - kDay};

json::Object published(int64_t valid_until_ts = kNow + kDay) {
  return publish_keys(kServer, std::array{kKey, kSecond}, std::array{kOld}, valid_until_ts).value();
}
// A published answer with one field replaced, signed anew by the keys given.
json::Object with(std::string_view field, json::Value value, std::vector<SigningKey> signers = {kKey, kSecond}) {
  auto answer = published();
  answer[field] = std::move(value);
  answer.erase("signatures");
  for (auto& key : signers) EXPECT_TRUE(sign_json(answer, kServer.str(), key, json::CanonicalMode::kLax));
  return answer;
}
Code refusal(json::Object answer) {
  auto checked = ServerKeys::check(std::move(answer), kServer, kNow);
  EXPECT_FALSE(checked);
  return checked ? Code::kInternal : checked.error().code;
}

TEST(ServerKeys, WhatIsPublishedIsAccepted) {
  auto answer = published();
  EXPECT_EQ(answer.at("server_name"), "a.example");
  EXPECT_EQ(answer.at("valid_until_ts"), kNow + kDay);
  EXPECT_EQ(answer.at("verify_keys").at("ed25519:one").at("key").as_string(), base64(kKey.public_key()));
  EXPECT_EQ(answer.at("old_verify_keys").at("ed25519:old").at("expired_ts"), kNow - kDay);
  auto checked = ServerKeys::parse(json::serialize(answer), kServer, kNow);
  ASSERT_TRUE(checked) << checked.error().message;
  EXPECT_EQ(checked->server, kServer);
  EXPECT_EQ(checked->valid_until_ts, kNow + kDay);
  EXPECT_EQ(checked->keys, (ServerKeyMap{{kOneId, {kKey.public_key(), kNow + kDay, {}}},
                                         {kTwoId, {kSecond.public_key(), kNow + kDay, {}}},
                                         {kOldId, {kOld.public_key, kNow + kDay, kNow - kDay}}}));
  EXPECT_EQ(checked->answer, answer);
}

TEST(ServerKeys, PublishingRefusesWhatOthersWouldNotTake) {
  auto publish = [](std::vector<SigningKey> keys, std::vector<OldKey> old) {
    return publish_keys(kServer, keys, old, kNow);
  };
  EXPECT_EQ(publish({}, {}).error().code, Code::kInvalidParam);
  EXPECT_EQ(publish({kKey, make_key("one")}, {}).error().code, Code::kInvalidParam);
  EXPECT_EQ(publish({kKey}, {{kOneId, kOld.public_key, 1}}).error().code, Code::kInvalidParam);
  EXPECT_EQ(publish({kKey}, {kOld, kOld}).error().code, Code::kInvalidParam);
}

TEST(ServerKeys, EveryKeyMustHaveSigned) {
  auto answer = published();
  answer["signatures"].as_object()[kServer.str()].as_object().erase("ed25519:two");
  auto checked = ServerKeys::check(answer, kServer, kNow);
  ASSERT_TRUE(checked);
  EXPECT_TRUE(checked->keys.contains(kOneId));
  EXPECT_FALSE(checked->keys.contains(kTwoId)) << "nobody has shown that the server has its secret";
  answer.erase("signatures");
  EXPECT_EQ(refusal(answer), Code::kInvalidSignature);
  // One right and one wrong signature: somebody changed it.
  answer = published();
  answer["signatures"].as_object()[kServer.str()].as_object()["ed25519:two"] = base64(std::string(64, 'x'));
  EXPECT_EQ(refusal(answer), Code::kInvalidSignature);
  answer = published();
  answer["valid_until_ts"] = kNow + 2 * kDay;
  EXPECT_EQ(refusal(answer), Code::kInvalidSignature);
}

TEST(ServerKeys, RefusesMalformedAnswers) {
  EXPECT_EQ(ServerKeys::check(published(), kNotary, kNow).error().code, Code::kBadJson);
  EXPECT_EQ(refusal(with("server_name", "b.example")), Code::kBadJson);
  EXPECT_EQ(refusal(with("server_name", nullptr)), Code::kBadJson);
  for (json::Value time : {json::Value("soon"), json::Value(1.5), json::Value(nullptr)})
    EXPECT_EQ(refusal(with("valid_until_ts", time)), Code::kBadJson);
  for (auto keys : {R"([])", R"({"ed25519:one":"x"})", R"({"ed25519:one":{}})", R"({"ed25519:one":{"key":5}})",
                    R"({"ed25519:one":{"key":"c2hvcnQ"}})", R"({"ed25519:one":{"key":"*"}})"})
    EXPECT_EQ(refusal(with("verify_keys", *json::parse(keys))), Code::kBadJson) << keys;
  auto old_key = base64(kOld.public_key);
  for (auto keys : {std::string("[]"), R"({"ed25519:o":{"key":")" + old_key + "\"}}",
                    R"({"ed25519:o":{"key":")" + old_key + R"(","expired_ts":"x"}})",
                    std::string(R"({"ed25519:o":{"expired_ts":5}})")})
    EXPECT_EQ(refusal(with("old_verify_keys", *json::parse(keys))), Code::kBadJson) << keys;
  // Other algorithms are passed over.
  EXPECT_EQ(refusal(with("verify_keys", *json::parse(R"({"rsa:1":{"key":5}})"))), Code::kInvalidSignature);
  EXPECT_FALSE(ServerKeys::parse("[]", kServer, kNow));
  EXPECT_EQ(ServerKeys::parse(std::string(kMaxServerKeysBytes + 1, ' '), kServer, kNow).error().code, Code::kTooLarge);
}

// "The version must have characters matching the regular expression [a-zA-Z0-9_]": what is no key id is passed over.
TEST(ServerKeys, OnlyKeyIdsNameKeys) {
  for (auto& odd : std::vector<std::string>{"ed25519:", "ed25519:a-b", "ed25519:a b", "ed25519",
                                            "ed25519:" + std::string(248, 'a')}) {
    auto answer = published();
    answer.erase("signatures");
    answer["verify_keys"].as_object()[odd] = json::Object{{"key", base64(kKey.public_key())}};
    answer["old_verify_keys"].as_object()[odd] = json::Object{{"key", base64(kKey.public_key())}, {"expired_ts", 1}};
    EXPECT_TRUE(sign_json(answer, kServer.str(), kKey, json::CanonicalMode::kLax));
    auto& signatures = answer["signatures"].as_object()[kServer.str()].as_object();
    signatures[odd] = json::Value(signatures.at("ed25519:one"));
    EXPECT_EQ(ServerKeys::check(answer, kServer, kNow)->keys.size(), 2u) << odd;
    auto queries = parse_key_queries({{"server_keys", json::Object{{"a.example", json::Object{{odd, json::Object()}}},
                                                                   {"b.example", json::Object()}}}},
                                     kNow);
    ASSERT_EQ(queries->size(), 1u) << odd;
    EXPECT_EQ(queries->front().server.str(), "b.example") << odd;
  }
}

// Attack 14: a distribution shipped one signing key to everybody.
TEST(ServerKeys, Attack14BannedKeysCountForNothing) {
  EXPECT_TRUE(BannedKeys::known().contains(*from_base64("l/O9hxMVKB6Lg+3Hqf0FQQZhVESQcMzbPN1Cz2nM3og")));
  BannedKeys banned;
  EXPECT_EQ(banned.add("short").error().code, Code::kInvalidParam);
  ASSERT_TRUE(banned.add(base64(kKey.public_key())));
  auto checked = ServerKeys::check(published(), kServer, kNow, banned);
  ASSERT_TRUE(checked);
  EXPECT_FALSE(checked->keys.contains(kOneId));
  EXPECT_TRUE(checked->keys.contains(kTwoId));
  ASSERT_TRUE(banned.add(base64(kSecond.public_key())));
  ASSERT_TRUE(banned.add(base64(kOld.public_key)));
  EXPECT_EQ(ServerKeys::check(published(), kServer, kNow, banned).error().code, Code::kInvalidSignature);

  // A key that was stored before it was banned signs neither events nor requests.
  auto& rules = *find_room_version("11");
  EventDraft draft;
  draft.room_id = RoomId::trusted("!r:a.example");
  draft.sender = UserId::trusted("@a:a.example");
  draft.type = "m.x";
  draft.origin_server_ts = kNow;
  auto event = OwnEvent::build(draft, rules, kServer, kKey)->event();
  ServerKey stored{kKey.public_key(), kNow + kDay, {}};
  auto lookup = [&](const ServerName&, const SigningKeyId&) { return &stored; };
  EXPECT_TRUE(Verification::verify(event, rules, lookup));
  EXPECT_EQ(Verification::verify(event, rules, lookup, banned).error().code, Code::kInvalidSignature);
  SignedRequest request{"GET", "/_matrix/federation/v1/version"};
  auto authorization = sign_request(request, kServer, kNotary, kKey).value();
  EXPECT_TRUE(verify_request(request, authorization, kNotary, kKey.public_key()));
  EXPECT_EQ(verify_request(request, authorization, kNotary, kKey.public_key(), banned).error().code,
            Code::kUnauthorized);
}

TEST(ServerKeys, ValidityOfEventsFollowsTheRoomVersion) {
  auto &v4 = *find_room_version("4"), &v5 = *find_room_version("5");
  ServerKey key{kKey.public_key(), kNow - kDay, {}}, expired{kKey.public_key(), kNow + kDay, kNow - 10};
  EXPECT_TRUE(may_sign_event(key, kNow - kDay, v5));
  EXPECT_FALSE(may_sign_event(key, kNow, v5));
  EXPECT_TRUE(may_sign_event(key, kNow, v4));
  for (auto rules : {&v4, &v5}) {
    EXPECT_TRUE(may_sign_event(expired, kNow - 10, *rules));
    EXPECT_FALSE(may_sign_event(expired, kNow - 9, *rules));
  }
  EXPECT_FALSE(may_sign_request(expired, kNow));
  EXPECT_FALSE(may_sign_request(key, kNow));
  key.valid_until_ts = kNow;
  EXPECT_TRUE(may_sign_request(key, kNow));
}

// Attack 15: an old answer replayed by a notary brings nothing back; one key id is not two keys.
TEST(ServerKeys, Attack15OldAnswersChangeNothing) {
  auto current = ServerKeys::check(published(kNow + kDay), kServer, kNow).value();
  auto before = publish_keys(kServer, std::array{SigningKey(make_key("old")), kKey}, {}, kNow - kDay).value();
  auto old = ServerKeys::check(before, kServer, kNow - 5).value();
  ServerKeyMap known;
  merge(known, old, AnswerFrom::kServer);
  EXPECT_EQ(known.size(), 2u);
  EXPECT_FALSE(known.at(kOldId).expired_ts);
  merge(known, current, AnswerFrom::kServer);
  EXPECT_EQ(known.size(), 3u);
  EXPECT_TRUE(known.at(kOldId).expired_ts);
  auto now_known = known;
  merge(known, old, AnswerFrom::kServer);
  EXPECT_EQ(known, now_known) << "an answer to an earlier request, that came later, revived a key";
  old.fetched_at = kNow + 1;
  merge(known, old, AnswerFrom::kNotary);
  EXPECT_EQ(known, now_known) << "the replayed answer revived a key";

  auto two_keys = json::Object{{"ed25519:one", json::Object{{"key", base64(kOld.public_key)}, {"expired_ts", 5}}}};
  EXPECT_EQ(refusal(with("old_verify_keys", two_keys)), Code::kBadJson);
  auto same_key = json::Object{{"ed25519:one", json::Object{{"key", base64(kKey.public_key())}, {"expired_ts", 5}}}};
  EXPECT_FALSE(ServerKeys::check(with("old_verify_keys", same_key), kServer, kNow)->keys.at(kOneId).expired_ts);
}

// Attack 15: the keys of who stole "ed25519:one" and of its owner after that.
constexpr int64_t kForEver = 9007199254740991;
ServerKeys stolen(int64_t fetched_at, std::vector<OldKey> old = {}) {
  std::vector<SigningKey> keys{old.empty() ? kKey : kSecond};
  return ServerKeys::check(publish_keys(kServer, keys, old, kForEver).value(), kServer, fetched_at).value();
}
ServerKeys revoked(int64_t at) {
  auto answer =
      publish_keys(kServer, std::array{kSecond}, std::array{OldKey{kOneId, kKey.public_key(), at}}, at + kDay);
  return ServerKeys::check(answer.value(), kServer, at).value();
}

// keys.yaml: "Servers MUST use the lesser of this field and 7 days into the future when determining if a key is valid.
// This is to avoid a situation where an attacker publishes a key which is valid for a significant amount of time
// without a way for the homeserver owner to revoke it."
TEST(ServerKeys, Attack15NoKeyIsValidForMoreThanSevenDays) {
  auto answer = stolen(kNow);
  EXPECT_EQ(answer.answer.at("valid_until_ts"), kForEver);
  EXPECT_EQ(answer.valid_until_ts, kNow + 7 * kDay);
  ServerKeyMap known;
  merge(known, answer, AnswerFrom::kServer);
  auto& key = known.at(kOneId);
  auto& v5 = *find_room_version("5");
  EXPECT_TRUE(may_sign_event(key, kNow + 7 * kDay, v5));
  EXPECT_FALSE(may_sign_event(key, kNow + 7 * kDay + 1, v5));
  EXPECT_TRUE(may_sign_request(key, kNow + 7 * kDay));
  EXPECT_FALSE(may_sign_request(key, kNow + 7 * kDay + 1));
  EXPECT_FALSE(answers(answer, {kServer, kNow + 7 * kDay + 1}));

  merge(known, stolen(kNow, {{kOldId, kOld.public_key, kForEver}}), AnswerFrom::kServer);
  EXPECT_EQ(known.at(kOldId).expired_ts, kNow + 7 * kDay) << "nor is one retired in the future";
  for (int64_t said : {INT64_MIN, INT64_MAX})
    EXPECT_LE(ServerKeys::check(with("valid_until_ts", said), kServer, kNow)->valid_until_ts, kNow + 7 * kDay);
}

TEST(ServerKeys, Attack15AStolenKeyCanBeRevoked) {
  ServerKeyMap known;
  merge(known, stolen(kNow), AnswerFrom::kServer);
  merge(known, revoked(kNow + 1), AnswerFrom::kServer);
  auto& key = known.at(kOneId);
  EXPECT_EQ(key.expired_ts, kNow + 1);
  EXPECT_FALSE(may_sign_request(key, kNow + 2));
  for (auto& rules : all_room_versions()) EXPECT_FALSE(may_sign_event(key, kNow + 2, rules)) << rules.version;

  // What the thief published is still with a notary, and comes again and again.
  auto after = known;
  for (int64_t day : {1, 5, 100}) merge(known, stolen(kNow + day * kDay), AnswerFrom::kNotary);
  merge(known, stolen(kNow + 9 * kDay, {{kOneId, kKey.public_key(), kForEver}}), AnswerFrom::kNotary);
  EXPECT_EQ(known.at(kOneId).expired_ts, kNow + 1);
  EXPECT_EQ(known.size(), after.size());
  ServerKeyMap reversed;
  merge(reversed, revoked(kNow + 1), AnswerFrom::kServer);
  merge(reversed, stolen(kNow + 100 * kDay), AnswerFrom::kNotary);
  EXPECT_EQ(reversed.at(kOneId).expired_ts, kNow + 1);
  // An older answer that retires another key of that id says nothing of this one.
  OldKey another{kOneId, kOld.public_key, 1};
  auto older = publish_keys(kServer, std::array{kSecond}, std::array{another}, kNow - kDay).value();
  ServerKeyMap held;
  merge(held, stolen(kNow), AnswerFrom::kServer);
  auto before = held.at(kOneId);
  merge(held, ServerKeys::check(older, kServer, kNow).value(), AnswerFrom::kNotary);
  EXPECT_EQ(held.at(kOneId), before);
}

ServerKeys says(std::vector<SigningKey> keys, int64_t valid_until_ts, int64_t fetched_at,
                std::vector<OldKey> old = {}) {
  return ServerKeys::check(publish_keys(kServer, keys, old, valid_until_ts).value(), kServer, fetched_at).value();
}

// Most servers do not list the keys that they gave up.
TEST(ServerKeys, Attack15AKeyThatTheServerGaveUpVouchesForNothing) {
  ServerKeyMap known;
  merge(known, says({kKey}, kNow + kDay, kNow), AnswerFrom::kServer);
  merge(known, says({kSecond}, kNow + 3 * kDay, kNow + kDay), AnswerFrom::kServer);
  auto before = known;
  EXPECT_FALSE(may_sign_request(known.at(kOneId), kNow));
  auto& v11 = *find_room_version("11");
  EXPECT_TRUE(may_sign_event(known.at(kOneId), kNow + kDay, v11)) << "what it signed until then";
  EXPECT_FALSE(may_sign_event(known.at(kOneId), kNow + kDay + 1, v11));
  for (int64_t day : {2, 9, 400}) {
    auto at = kNow + day * kDay;
    OldKey two{kTwoId, kSecond.public_key(), 0}, since{kTwoId, kSecond.public_key(), at};
    for (auto& old : {two, since}) {
      auto known_then = known;
      merge(known_then, says({kKey}, kForEver, at, {old}), AnswerFrom::kNotary);
      EXPECT_EQ(known_then.at(kOneId), before.at(kOneId)) << day;
      if (day == 2) EXPECT_EQ(known_then, before);  // later the server speaks no more for itself
    }
  }
}

// A server that only a notary can reach. It renews its key, and does not sign with the old one.
TEST(ServerKeys, NotariesAreBelievedWhenTheServerIsSilentForLong) {
  ServerKeyMap known;
  merge(known, says({kKey}, kNow + kDay, kNow), AnswerFrom::kServer);
  merge(known, says({kKey}, kNow + 3 * kDay, kNow + kDay), AnswerFrom::kNotary);
  EXPECT_TRUE(may_sign_request(known.at(kOneId), kNow + 3 * kDay)) << "more time";
  OldKey one{kOneId, kKey.public_key(), kNow + 2 * kDay};
  merge(known, says({kSecond}, kNow + 5 * kDay, kNow + 2 * kDay, {one}), AnswerFrom::kNotary);
  EXPECT_FALSE(may_sign_request(known.at(kTwoId), kNow + 2 * kDay)) << "the server may say otherwise";
  EXPECT_FALSE(known.at(kOneId).expired_ts);
  for (int again = 0; again < 2; ++again) {
    merge(known, says({kSecond}, kNow + 6 * kDay, kNow + 4 * kDay, {one}), AnswerFrom::kNotary);
    EXPECT_TRUE(may_sign_request(known.at(kTwoId), kNow + 6 * kDay)) << "its time is over";
    EXPECT_EQ(known.at(kOneId).expired_ts, kNow + 2 * kDay);
  }
}

// A key that has run out is not brought back beside one in use, nor does it vouch for others the second time.
TEST(ServerKeys, Attack15MergingAnAnswerTwiceChangesNothing) {
  ServerKeyMap known;
  merge(known, says({kKey}, kNow + kDay, kNow), AnswerFrom::kServer);
  auto second = says({kKey, kSecond}, kNow + 9 * kDay, kNow + kDay / 2);
  merge(known, second, AnswerFrom::kServer);
  known.at(kOneId).valid_until_ts = kNow + kDay;
  auto made_up = make_key("made_up");
  auto answer = says({kKey, made_up}, kForEver, kNow + 2 * kDay);
  merge(known, answer, AnswerFrom::kNotary);
  auto once = known;
  merge(known, answer, AnswerFrom::kNotary);
  EXPECT_EQ(known, once);
  EXPECT_FALSE(may_sign_request(known.at(kOneId), kNow + 2 * kDay));
  EXPECT_FALSE(may_sign_request(known.at(SigningKeyId::trusted("ed25519:made_up")), kNow + 2 * kDay));
}

// A clock that was years ahead when the server was asked, and was set right.
TEST(ServerKeys, AClockThatWasAheadIsNoReasonNotToListen) {
  ServerKeyMap known;
  merge(known, says({kKey}, kNow + 400 * kDay, kNow + 400 * kDay), AnswerFrom::kServer);
  merge(known, says({kSecond}, kNow + kDay, kNow), AnswerFrom::kServer);
  EXPECT_TRUE(may_sign_request(known.at(kTwoId), kNow));
  EXPECT_FALSE(may_sign_request(known.at(kOneId), kNow));
}

// The server's own word is the later one: what a notary still has, or a thief made, comes after it.
TEST(ServerKeys, Attack15ANotaryDoesNotOverrideTheServersLaterWord) {
  OldKey one{kOneId, kKey.public_key(), kNow};
  auto mistake = says({kSecond}, kNow + 2 * kDay, kNow, {one});
  ServerKeyMap known;
  merge(known, mistake, AnswerFrom::kServer);
  merge(known, says({kKey, kSecond}, kNow + 3 * kDay, kNow + kDay), AnswerFrom::kServer);
  auto before = known;
  mistake.fetched_at = kNow + 2 * kDay;
  merge(known, mistake, AnswerFrom::kNotary);
  EXPECT_EQ(known, before) << "retired again";

  auto renewed = make_key("one");
  merge(known, says({renewed, kSecond}, kNow + 4 * kDay, kNow + 2 * kDay), AnswerFrom::kServer);
  before = known;
  merge(known, says({kKey, kSecond}, kForEver, kNow + 3 * kDay), AnswerFrom::kNotary);
  EXPECT_EQ(known.at(kOneId), before.at(kOneId)) << "the old key is back under the name of the new one";
  EXPECT_EQ(known.at(kTwoId).valid_until_ts, kNow + 10 * kDay) << "a key in use gains time";
  merge(known, says({renewed, kSecond}, kNow + 5 * kDay, kNow + 3 * kDay), AnswerFrom::kServer);
  EXPECT_EQ(known.at(kTwoId).valid_until_ts, kNow + 5 * kDay) << "until the server says again how much";
}

// A backup that is restored, a list of old keys that was wrong, a key made anew under the name of the last.
TEST(ServerKeys, TheServersOwnWordHolds) {
  ServerKeyMap known;
  merge(known, says({kSecond}, kNow + kDay, kNow, {{kOneId, kKey.public_key(), kNow}}), AnswerFrom::kServer);
  EXPECT_EQ(known.at(kOneId).expired_ts, kNow);
  merge(known, says({kSecond}, kNow + kDay, kNow, {{kOneId, kKey.public_key(), kNow + 5}}), AnswerFrom::kServer);
  EXPECT_EQ(known.at(kOneId).expired_ts, kNow + 5);
  merge(known, says({kKey}, kNow + 3 * kDay, kNow), AnswerFrom::kServer);
  EXPECT_TRUE(may_sign_request(known.at(kOneId), kNow + 3 * kDay)) << "in use again";
  auto renewed = make_key("one");
  merge(known, says({renewed}, kNow + kDay, kNow), AnswerFrom::kServer);
  EXPECT_EQ(known.at(kOneId), (ServerKey{renewed.public_key(), kNow + kDay, {}, kNow, true}));
}

// A notary may pass on what a thief of a retired key, or nobody's key at all, has said of the keys in use.
TEST(ServerKeys, Attack15ANotarysWordAloneChangesNoKeyOfTheServer) {
  ServerKeyMap known;
  merge(known, ServerKeys::check(published(), kServer, kNow).value(), AnswerFrom::kServer);
  auto before = known;
  const SigningKey made_up = make_key("made_up"), retired = make_key("old"), third = make_key("third");
  OldKey two{kTwoId, kSecond.public_key(), kNow + 1}, one{kOneId, kKey.public_key(), kNow + 1};
  for (auto& signer : {made_up, retired}) {
    for (auto& claim : {two, OldKey{kTwoId, third.public_key(), 0}})
      for (int again = 0; again < 2; ++again)
        merge(known, says({signer}, kNow + 7 * kDay, kNow + 2, {claim}), AnswerFrom::kNotary);
  }
  for (auto& [key_id, key] : before) EXPECT_EQ(known.at(key_id), key) << key_id.str();
  auto made_up_id = SigningKeyId::trusted("ed25519:made_up");
  EXPECT_FALSE(may_sign_request(known.at(made_up_id), kNow)) << "a name that the server does not know";
  EXPECT_TRUE(may_sign_event(known.at(made_up_id), kNow, *find_room_version("11"))) << "it may have been one of old";
  EXPECT_FALSE(may_sign_event(known.at(made_up_id), kNow + 1, *find_room_version("11"))) << "but of old only";
  merge(known, says({made_up}, kForEver, kNow + kDay / 2), AnswerFrom::kNotary);
  EXPECT_FALSE(may_sign_event(known.at(made_up_id), kNow + 1, *find_room_version("11"))) << "however often it comes";
  auto another = make_key("made_up");
  merge(known, says({another}, kForEver, kNow + kDay / 2), AnswerFrom::kNotary);
  EXPECT_EQ(known.at(made_up_id).public_key, made_up.public_key()) << "the first of two notaries that contradict";

  merge(known, says({kSecond, made_up}, kNow + kDay, kNow + 2, {one}), AnswerFrom::kNotary);
  EXPECT_EQ(known.at(kOneId).expired_ts, kNow + 1) << "signed by a key in use, and later than the server's own word";
  EXPECT_TRUE(may_sign_request(known.at(made_up_id), kNow)) << "signed by a key in use";
  merge(known, says({third}, kNow + kDay, kNow + 2, {two}), AnswerFrom::kServer);
  EXPECT_EQ(known.at(kTwoId).expired_ts, kNow + 1) << "by the server itself";
  EXPECT_FALSE(may_sign_request(known.at(made_up_id), kNow)) << "the server does not name it";
}

// Where only a notary answers, it is believed, until the server does.
TEST(ServerKeys, Attack15TheServerCorrectsWhatANotarySaid) {
  auto said = ServerKeys::check(published(), kServer, kNow).value();
  auto poisoned = said;
  poisoned.keys[kOneId] = {kOld.public_key, kNow + 7 * kDay, {}};
  poisoned.keys[kTwoId].expired_ts = 0;
  ServerKeyMap known, right;
  merge(known, poisoned, AnswerFrom::kNotary);
  EXPECT_TRUE(may_sign_request(known.at(kOneId), kNow)) << "believed, while there is nothing better";
  merge(known, said, AnswerFrom::kServer);
  merge(right, said, AnswerFrom::kServer);
  EXPECT_EQ(known, right);
}

TEST(ServerKeys, Attack15AServerIsKnownBySoManyKeys) {
  ServerKeyMap known;
  ServerKeys answer{kServer, kNow, {}, {}, kNow};
  auto id = [](size_t i) { return SigningKeyId::trusted("ed25519:" + std::to_string(i)); };
  constexpr size_t kNames = kMaxKnownKeys + 100;
  for (size_t i = 0; i < kNames; ++i) {
    answer.fetched_at = kNow + static_cast<int64_t>(i);
    answer.keys = {{id(i), {std::string(32, 'k'), answer.fetched_at, {}}}};
    merge(known, answer, AnswerFrom::kServer);
  }
  EXPECT_EQ(known.size(), kMaxKnownKeys);
  EXPECT_FALSE(known.contains(id(99)));
  EXPECT_TRUE(known.contains(id(100)));
  answer.keys = {{id(0), {std::string(32, 'k'), kNow, {}}}};
  merge(known, answer, AnswerFrom::kServer);
  EXPECT_TRUE(known.contains(id(0))) << "what was said just now stays";
  EXPECT_FALSE(known.contains(id(100)));

  auto before = known;
  answer.keys.clear();
  for (size_t i = 0; i < kMaxOldVerifyKeys; ++i)
    answer.keys[SigningKeyId::trusted("ed25519:junk" + std::to_string(i))] = {"", kNow + 7 * kDay, kNow + 7 * kDay};
  merge(known, answer, AnswerFrom::kNotary);
  EXPECT_EQ(known, before) << "a notary drives none of them out";
}

TEST(ServerKeys, Attack15AnswersAreBounded) {
  json::Object many;
  for (size_t i = 0; i <= kMaxVerifyKeys; ++i)
    many["ed25519:" + std::to_string(i)] = json::Object{{"key", base64(kKey.public_key())}};
  EXPECT_EQ(refusal(with("verify_keys", many)), Code::kTooLarge);
  many.clear();
  for (size_t i = 0; i <= kMaxOldVerifyKeys; ++i)
    many["ed25519:" + std::to_string(i)] = json::Object{{"key", base64(kKey.public_key())}, {"expired_ts", 1}};
  EXPECT_EQ(refusal(with("old_verify_keys", many)), Code::kTooLarge);
  json::Object servers;
  for (size_t i = 0; i <= kMaxQueriedServers; ++i) servers["s" + std::to_string(i)] = json::Object();
  EXPECT_EQ(parse_key_queries({{"server_keys", servers}}, kNow)->size(), kMaxQueriedServers);
  json::Object keys;
  for (size_t i = 0; i <= kMaxVerifyKeys; ++i) keys["ed25519:" + std::to_string(i)] = json::Object();
  servers = {{"a.example", keys}};
  EXPECT_EQ(parse_key_queries({{"server_keys", servers}}, kNow)->front().keys.size(), kMaxVerifyKeys);
}

TEST(ServerKeys, AreFetchedAnewAfterHalfTheirLife) {
  EXPECT_EQ(refresh_at(kNow, kNow + kDay), kNow + kDay / 2);
  EXPECT_EQ(refresh_at(kNow, kNow + 1000 * kDay), kNow + 7 * kDay / 2);
  EXPECT_EQ(refresh_at(kNow, kNow - kDay), kNow);
  EXPECT_EQ(refresh_at(kNow, INT64_MIN), kNow);
  EXPECT_EQ(refresh_at(kNow, INT64_MAX), kNow + 7 * kDay / 2);
}

TEST(Notary, ReadsAndWritesQuestions) {
  auto body = *json::parse_object(
      R"({"server_keys":{"a.example":{"ed25519:one":{"minimum_valid_until_ts":1234567890},"ed25519:two":{}},"b.example":{}}})");
  auto queries = parse_key_queries(body, kNow).value();
  ASSERT_EQ(queries.size(), 2u);
  EXPECT_EQ(queries[0].server, kServer);
  EXPECT_EQ(queries[0].keys.at(kOneId), 1234567890);
  EXPECT_EQ(queries[0].keys.at(kTwoId), kNow);
  EXPECT_TRUE(queries[1].keys.empty());
  EXPECT_EQ(queries[1].minimum_valid_until_ts, kNow);
  EXPECT_EQ(parse_key_queries(key_query_body(queries), 0)->at(0).keys, queries[0].keys);
  for (auto text : {R"({})", R"({"server_keys":[]})", R"({"server_keys":{"a.example":5}})",
                    R"({"server_keys":{"a.example":{"ed25519:k":5}}})",
                    R"({"server_keys":{"a.example":{"ed25519:k":{"minimum_valid_until_ts":"x"}}}})"})
    EXPECT_EQ(parse_key_queries(*json::parse_object(text), kNow).error().code, Code::kBadJson) << text;
  auto others = parse_key_queries(
      *json::parse_object(R"({"server_keys":{"not a name":{},"a.example":{"ed25519:a-b":{},"ed25519:one":{}}}})"),
      kNow);
  ASSERT_EQ(others->size(), 1u);
  EXPECT_EQ(others->front().keys, (std::map{std::pair(kOneId, kNow)}));
}

TEST(Notary, KnowsWhenToAskTheServer) {
  auto held = ServerKeys::check(published(kNow + kDay), kServer, kNow).value();
  EXPECT_TRUE(answers(held, {kServer, kNow}));
  EXPECT_TRUE(answers(held, {kServer, kNow + kDay}));
  EXPECT_FALSE(answers(held, {kServer, kNow + kDay + 1}));
  EXPECT_FALSE(answers(held, {kNotary, kNow}));
  EXPECT_TRUE(answers(held, {kServer, 0, {{kOneId, kNow}, {kTwoId, 0}}}));
  EXPECT_FALSE(answers(held, {kServer, 0, {{kOneId, kNow + 2 * kDay}}}));
  EXPECT_FALSE(answers(held, {kServer, 0, {{SigningKeyId::trusted("ed25519:three"), 0}}}));
  EXPECT_TRUE(answers(held, {kServer, 0, {{kOldId, kNow + 2 * kDay}}})) << "an old key stays as it is";
}

TEST(Notary, SignsWhatItPassesOn) {
  auto held = ServerKeys::check(published(), kServer, kNow).value();
  auto body = notary_answer(std::array{held}, kNotary, kNotaryKey).value();
  ServerKeyMap notary_keys{{kNotaryId, {kNotaryKey.public_key(), kNow + kDay, {}}}};
  std::vector<KeyQuery> asked{{kServer, kNow}};
  auto read = read_notary_answer(body, asked, kNotary, notary_keys, kNow).value();
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0].keys, held.keys);
  EXPECT_EQ(notary_answer({}, kNotary, kNotaryKey)->at("server_keys").as_array().size(), 0u);
  EXPECT_EQ(read_notary_answer({}, asked, kNotary, notary_keys, kNow).error().code, Code::kBadJson);
}

// Attack 15: what a notary says counts only with the server's own signature and with the notary's.
TEST(Notary, Attack15ForgedAnswersAreLeftOut) {
  auto held = ServerKeys::check(published(), kServer, kNow).value();
  ServerKeyMap notary_keys{{kNotaryId, {kNotaryKey.public_key(), kNow + kDay, {}}}};
  std::vector<KeyQuery> asked{{kServer, kNow}};
  auto count = [&](json::Object body, ServerKeyMap keys, int64_t now = kNow, std::vector<KeyQuery> question = {}) {
    if (question.empty()) question = asked;
    return read_notary_answer(body, question, kNotary, keys, now)->size();
  };
  auto body = notary_answer(std::array{held}, kNotary, kNotaryKey).value();
  EXPECT_EQ(count(body, notary_keys), 1u);
  EXPECT_EQ(count(body, {}), 0u) << "by nobody that we know";
  EXPECT_EQ(count(body, {{kNotaryId, {kKey.public_key(), kNow + kDay, {}}}}), 0u);
  EXPECT_EQ(count(body, notary_keys, kNow + 2 * kDay), 0u) << "the notary's key is not valid any more";
  EXPECT_EQ(count(body, notary_keys, kNow, {{ServerName::trusted("b.example"), kNow}}), 0u) << "not asked for";
  // The notary adds a key to what the server has signed.
  auto forged = held;
  forged.answer["verify_keys"].as_object()["ed25519:mine"] = json::Object{{"key", base64(kNotaryKey.public_key())}};
  EXPECT_EQ(count(notary_answer(std::array{forged}, kNotary, kNotaryKey).value(), notary_keys), 0u);
  auto padded = with("padding", json::Value(std::string(kMaxServerKeysBytes, 'x')));
  EXPECT_EQ(
      count(notary_answer(std::array{ServerKeys{kServer, kNow, {}, padded}}, kNotary, kNotaryKey).value(), notary_keys),
      0u)
      << "larger than a server's own may be";
  json::Object odd{{"server_keys", json::Array{5, json::Object(), json::Array(), nullptr}}};
  EXPECT_EQ(count(odd, notary_keys), 0u);
}

}  // namespace
}  // namespace myelin
