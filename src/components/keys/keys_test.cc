// Device keys, one-time keys and fallback keys through the public interface, on a real database.
#include "components/keys/keys.h"

#include <future>
#include <set>

#include "base/bytes.h"
#include "components/keys/testing/world.h"

namespace myelin::keys {
namespace {
using namespace testing;
using accounts::DeviceListChanged;
using accounts::KeyCountsChanged;

class KeysTest : public OnBothDatabases {
 protected:
  KeysTest() {
    world.accounts.add(world.alice, "PHONE", "Alice's phone");
    world.accounts.add(world.bob, "LAPTOP");
  }
  json::Object upload(json::Object body) {
    return value(world.loop.run(world.keys->upload(world.session(world.alice, "PHONE"), std::move(body))));
  }
  Code refused(json::Object body) {
    return error_of(world.loop.run(world.keys->upload(world.session(world.alice, "PHONE"), std::move(body))));
  }
  json::Object query(const UserId& asker, const UserId& about, json::Array devices = {}) {
    json::Object body{{"device_keys", json::Object{{about.str(), std::move(devices)}}}};
    return value(world.loop.run(world.keys->query(world.session(asker, "LAPTOP"), std::move(body))));
  }
  json::Object claim_body(const std::string& device = "PHONE", const std::string& algorithm = "signed_curve25519") {
    return {{"one_time_keys", json::Object{{world.alice.str(), json::Object{{device, algorithm}}}}}};
  }
  // {"signed_curve25519:1": …} or {}
  json::Object claim(json::Object body) { return claimed(value(world.loop.run(world.keys->claim(std::move(body))))); }
  json::Object claimed(const json::Object& answer) {
    const auto& users = answer.at("one_time_keys").as_object();
    if (users.empty()) return {};
    return users.at(world.alice.str()).as_object().at("PHONE").as_object();
  }
  int64_t count() {
    auto counts = value(world.loop.run(world.keys->counts(world.alice, DeviceId::trusted("PHONE"))));
    return counts.one_time.at("signed_curve25519");
  }
  World world{GetParam()};
  Client phone{world.alice, "PHONE", 1};
};

TEST_P(KeysTest, DeviceKeysAreServedAsUploadedWithTheDisplayName) {
  upload({{"device_keys", phone.device_keys()}});
  auto answer = query(world.bob, world.alice);
  auto keys = answer.at("device_keys").as_object().at(world.alice.str()).as_object().at("PHONE").as_object();
  EXPECT_EQ(keys.at("unsigned"), json::Value(json::Object{{"device_display_name", "Alice's phone"}}));
  keys.erase("unsigned");
  EXPECT_EQ(json::Value(keys), json::Value(phone.device_keys()));
  EXPECT_EQ(world.count_published<DeviceListChanged>(world.alice), 1u);
  upload({{"device_keys", phone.device_keys()}});
  EXPECT_EQ(world.count_published<DeviceListChanged>(world.alice), 1u) << "nothing has changed";
}

TEST_P(KeysTest, QueryKnowsUsersWithoutKeysUnknownOnesAndOtherServers) {
  auto body = object(R"({"device_keys":{"@alice:here":[],"@nobody:here":[],"@eve:elsewhere":[]}})");
  auto answer = value(world.loop.run(world.keys->query(world.session(world.bob, "LAPTOP"), body)));
  EXPECT_EQ(json::serialize(answer.at("device_keys")), R"({"@alice:here":{}})");
  EXPECT_TRUE(answer.at("failures").as_object().contains("elsewhere"));
}

TEST_P(KeysTest, QueryNarrowsToDevicesAndWantsLists) {
  world.accounts.add(world.alice, "TABLET");
  upload({{"device_keys", phone.device_keys()}});
  Client tablet(world.alice, "TABLET", 2);
  value(world.loop.run(
      world.keys->upload(world.session(world.alice, "TABLET"), {{"device_keys", tablet.device_keys()}})));
  auto of_alice = [&](json::Array devices) {
    return query(world.bob, world.alice, std::move(devices))
        .at("device_keys")
        .as_object()
        .at("@alice:here")
        .as_object();
  };
  EXPECT_EQ(of_alice({}).size(), 2u);
  EXPECT_EQ(of_alice({"TABLET"}).begin()->key(), "TABLET");
  EXPECT_TRUE(of_alice({"TOASTER"}).empty());
  for (const char* wrong : {R"({"device_keys":{"@bob:here":{"a":true}}})", R"({"device_keys":{"@bob:here":[1]}})",
                            R"({"device_keys":[]})", R"({})", R"({"device_keys":{"bob":[]}})"})
    EXPECT_EQ(error_of(world.loop.run(world.keys->query(world.session(world.bob, "LAPTOP"), object(wrong)))),
              Code::kBadJson)
        << wrong;
}

TEST_P(KeysTest, UploadOfTheSameKeysAgainChangesNothing) {
  auto keys = phone.one_time_keys(1, 4);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(json::serialize(upload({{"one_time_keys", keys}})), R"({"one_time_key_counts":{"signed_curve25519":4}})");
  EXPECT_EQ(world.count_published<KeyCountsChanged>(world.alice), 1u);
  upload({{"one_time_keys", phone.one_time_keys(3, 4)}});  // two of them known
  EXPECT_EQ(count(), 6);
}

TEST_P(KeysTest, AnotherKeyUnderAKnownIdIsRefusedWhole) {
  upload({{"one_time_keys", phone.one_time_keys(1, 2)}});
  auto keys = phone.one_time_keys(3, 1);
  keys["signed_curve25519:1"] = phone.one_time_keys(9, 1).begin()->value();
  auto result = world.loop.run(world.keys->upload(world.session(world.alice, "PHONE"), {{"one_time_keys", keys}}));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kUnknown);
  EXPECT_EQ(http_status(result.error().code), 400);
  EXPECT_EQ(count(), 2);
}

TEST_P(KeysTest, KeysComeOutInUploadOrder) {
  upload({{"one_time_keys", phone.one_time_keys(2, 1)}});
  upload({{"one_time_keys", phone.one_time_keys(1, 1)}});
  EXPECT_EQ(json::Value(claim(claim_body())), json::Value(phone.one_time_keys(2, 1)));
  EXPECT_EQ(json::Value(claim(claim_body())), json::Value(phone.one_time_keys(1, 1)));
  EXPECT_TRUE(claim(claim_body()).empty());
}

TEST_P(KeysTest, FiftyParallelClaimsOfTwentyKeysGiveEachOnceInUploadOrder) {
  for (int id = 20; id > 0; --id) upload({{"one_time_keys", phone.one_time_keys(id, 1)}});
  std::vector<Task<Result<json::Object>>> claims;
  for (int i = 0; i < 50; ++i) claims.push_back(world.keys->claim(claim_body()));
  std::vector<std::string> order;
  for (auto& answer : world.loop.run_all(std::move(claims)))
    for (const auto& key : claimed(value(std::move(answer)))) order.emplace_back(key.key());
  std::vector<std::string> expected;
  for (int id = 20; id > 0; --id) expected.push_back("signed_curve25519:" + std::to_string(id));
  EXPECT_EQ(order, expected);
  EXPECT_EQ(count(), 0);
}

TEST_P(KeysTest, TwoProcessesNeverGiveOutTheSameKey) {
  if (GetParam() == db::testing::Kind::kSqlite) GTEST_SKIP() << "one process has the file";
  upload({{"one_time_keys", phone.one_time_keys(1, 20)}, {"fallback_keys", phone.one_time_keys(99, 1)}});
  auto other_db = world.database->open(world.loop.executor(), world.clock);
  FakeBus other_bus(*other_db);
  auto other = make_keys(ServerName::trusted("here"), *other_db, other_bus, world.accounts, world.rooms,
                         world.loop.executor(), world.clock, world.random);
  std::vector<Task<Result<json::Object>>> claims;
  for (int i = 0; i < 25; ++i) {
    claims.push_back(world.keys->claim(claim_body()));
    claims.push_back(other->claim(claim_body()));
  }
  std::multiset<std::string> given;
  for (auto& answer : world.loop.run_all(std::move(claims)))
    for (const auto& key : claimed(value(std::move(answer)))) given.emplace(key.key());
  EXPECT_EQ(given.count("signed_curve25519:99"), 30u) << "the fallback key only when nothing else was left";
  for (int id = 1; id <= 20; ++id) EXPECT_EQ(given.count("signed_curve25519:" + std::to_string(id)), 1u) << id;
  other_db->stop();
}

TEST_P(KeysTest, SpineRuleA2AClaimWaitsForNoRow) {
  if (GetParam() == db::testing::Kind::kSqlite) GTEST_SKIP() << "one process has the file";
  upload({{"one_time_keys", phone.one_time_keys(1, 1)}, {"fallback_keys", phone.one_time_keys(99, 1)}});
  auto other = world.database->open(world.loop.executor(), world.clock);
  std::promise<void> locked, answered;
  auto gate = answered.get_future().share();
  auto lock = [&locked, gate](db::Tx& tx) {
    int64_t rows = tx.exec("UPDATE one_time_key SET body = body");
    rows += tx.exec("UPDATE fallback_key SET body = body");
    EXPECT_EQ(rows, 2);
    locked.set_value();
    gate.wait();
  };
  std::optional<bool> committed;
  boost::asio::co_spawn(world.loop.executor(), other->write({}, lock),
                        [&](std::exception_ptr, auto result) { committed = result.has_value(); });
  world.loop.poll();
  locked.get_future().wait();
  auto fallback = json::Value(phone.one_time_keys(99, 1));
  auto during = claim(claim_body());
  answered.set_value();
  while (!committed) world.loop.poll();
  EXPECT_EQ(json::Value(during), fallback);
  EXPECT_TRUE(*committed) << "the claim waited until the other transaction took too long";
  other->stop();

  EXPECT_EQ(json::Value(claim(claim_body())), json::Value(phone.one_time_keys(1, 1)));
  auto published = world.published().size();
  EXPECT_EQ(json::Value(claim(claim_body())), fallback);
  EXPECT_EQ(world.published().size(), published + 1) << "it is used now";
  EXPECT_EQ(json::Value(claim(claim_body())), fallback);
  EXPECT_EQ(world.published().size(), published + 1) << "nothing has changed";
}

TEST_P(KeysTest, AClaimedKeyStaysClaimedOverARestartAndARepeatedUpload) {
  auto keys = phone.one_time_keys(1, 2);
  upload({{"one_time_keys", keys}});
  auto first = claim(claim_body());
  world.restart();
  upload({{"one_time_keys", keys}});  // its answer had been lost
  EXPECT_EQ(count(), 1);
  auto second = claim(claim_body());
  ASSERT_EQ(first.size(), 1u);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_NE(first.begin()->key(), second.begin()->key());
  EXPECT_TRUE(claim(claim_body()).empty());
}

TEST_P(KeysTest, TheFallbackKeyIsGivenWhenNothingElseIsLeftAndStays) {
  auto fallback = phone.one_time_keys(77, 1);
  upload({{"one_time_keys", phone.one_time_keys(1, 1)}, {"fallback_keys", fallback}});
  auto unused = [&] {
    return value(world.loop.run(world.keys->counts(world.alice, DeviceId::trusted("PHONE")))).unused_fallback;
  };
  EXPECT_EQ(unused(), std::vector<std::string>{"signed_curve25519"});
  EXPECT_EQ(json::Value(claim(claim_body())), json::Value(phone.one_time_keys(1, 1)));
  EXPECT_EQ(unused().size(), 1u);
  EXPECT_EQ(json::Value(claim(claim_body())), json::Value(fallback));
  EXPECT_EQ(json::Value(claim(claim_body())), json::Value(fallback));
  EXPECT_TRUE(unused().empty());
  upload({{"fallback_keys", fallback}});
  EXPECT_TRUE(unused().empty()) << "the same key again is still a used one";
  upload({{"fallback_keys", phone.one_time_keys(78, 1)}});
  EXPECT_EQ(unused().size(), 1u);
}

TEST_P(KeysTest, CountsFollowEveryWrite) {
  EXPECT_EQ(count(), 0);
  upload({{"one_time_keys", phone.one_time_keys(1, 3)}});
  EXPECT_EQ(count(), 3);
  EXPECT_EQ(count(), 3);
  claim(claim_body());
  EXPECT_EQ(count(), 2);
  EXPECT_EQ(world.count_published<KeyCountsChanged>(world.alice), 2u);
}

TEST_P(KeysTest, OnlyExistingDevicesAreClaimedFromAndShown) {
  upload({{"device_keys", phone.device_keys()}, {"one_time_keys", phone.one_time_keys(1, 1)}});
  world.accounts.remove(world.alice, "PHONE");
  EXPECT_TRUE(claim(claim_body()).empty());
  auto answer = query(world.bob, world.alice);
  EXPECT_TRUE(answer.at("device_keys").as_object().at(world.alice.str()).as_object().empty());
  auto remote = object(R"({"one_time_keys":{"@eve:elsewhere":{"X":"signed_curve25519"}}})");
  EXPECT_TRUE(value(world.loop.run(world.keys->claim(remote))).at("failures").as_object().contains("elsewhere"));
  for (const char* wrong :
       {R"({})", R"({"one_time_keys":{"@alice:here":{"PHONE":1}}})", R"({"one_time_keys":{"@alice:here":[]}})"})
    EXPECT_EQ(error_of(world.loop.run(world.keys->claim(object(wrong)))), Code::kBadJson) << wrong;
}

TEST_P(KeysTest, ADeletedDeviceTakesItsKeysWithIt) {
  upload({{"device_keys", phone.device_keys()},
          {"one_time_keys", phone.one_time_keys(1, 3)},
          {"fallback_keys", phone.one_time_keys(9, 1)}});
  world.delete_device(world.alice, "PHONE");
  check(world.loop.run(world.bus->deliver()));
  world.accounts.add(world.alice, "PHONE");  // made again: a new device
  EXPECT_EQ(count(), 0);
  EXPECT_TRUE(claim(claim_body()).empty());
  EXPECT_TRUE(query(world.bob, world.alice).at("device_keys").as_object().at(world.alice.str()).as_object().empty());
}

TEST_P(KeysTest, ADeletedDeviceLosesItsSessionsWhoeverDeletedIt) {
  world.publish_deleted(world.alice, "PHONE");
  check(world.loop.run(world.bus->deliver()));
  auto phone_of_alice = std::pair(world.alice, DeviceId::trusted("PHONE"));
  EXPECT_EQ(world.accounts.forgotten_sessions, std::vector{phone_of_alice});
}

TEST_P(KeysTest, ADeviceMadeAgainKeepsItsNewKeysWhenTheDeletionComesLate) {
  upload({{"device_keys", phone.device_keys()}, {"one_time_keys", phone.one_time_keys(1, 3)}});
  world.publish_deleted(world.alice, "PHONE");  // the device exists again by the time this is read
  Client again(world.alice, "PHONE", 5);
  upload({{"device_keys", again.device_keys()}, {"one_time_keys", again.one_time_keys(1, 2)}});
  check(world.loop.run(world.bus->deliver()));
  EXPECT_EQ(count(), 2) << "the former device's went with its identity, the new one's stay";
  EXPECT_EQ(json::Value(claim(claim_body())), json::Value(again.one_time_keys(1, 1)));
}

TEST_P(KeysTest, SpineRuleA15AfterARestoreNoStoredKeyIsGivenOut) {
  upload({{"one_time_keys", phone.one_time_keys(1, 3)}});
  EXPECT_EQ(count(), 3);
  world.restart();
  EXPECT_EQ(count(), 3) << "a start alone changes nothing";
  auto before = world.count_published<KeyCountsChanged>(world.alice);
  check(world.loop.run(db::renew_history(*world.db)));
  world.restart();
  EXPECT_EQ(count(), 0);
  EXPECT_EQ(world.count_published<KeyCountsChanged>(world.alice), before + 1);
  upload({{"one_time_keys", phone.one_time_keys(4, 1)}});
  world.restart();
  EXPECT_EQ(count(), 1) << "it is done once";
}

TEST_P(KeysTest, GarbageIsRefused) {
  auto with = [&](auto change) {
    auto keys = phone.device_keys();
    change(keys);
    return refused({{"device_keys", keys}});
  };
  EXPECT_EQ(refused({{"device_keys", nullptr}}), Code::kBadJson);
  EXPECT_EQ(refused({{"device_keys", 7}}), Code::kBadJson);
  EXPECT_EQ(refused({{"device_keys", json::Object{{"user_id", "@alice:here"}, {"device_id", "PHONE"}}}}),
            Code::kBadJson);
  EXPECT_EQ(with([](auto& keys) { keys["user_id"] = "@bob:here"; }), Code::kInvalidParam);
  EXPECT_EQ(with([](auto& keys) { keys["device_id"] = "LAPTOP"; }), Code::kInvalidParam);
  EXPECT_EQ(with([](auto& keys) { keys["algorithms"] = json::Array{1}; }), Code::kBadJson);
  EXPECT_EQ(with([](auto& keys) { keys["keys"] = json::Array(); }), Code::kBadJson);
  EXPECT_EQ(with([](auto& keys) { keys["keys"].as_object()["ed25519:PHONE"] = "short"; }), Code::kBadJson);
  EXPECT_EQ(with([](auto& keys) { keys["keys"].as_object()["curve25519:PHONE"] = json::Object(); }), Code::kBadJson);
  EXPECT_EQ(with([](auto& keys) { keys["keys"].as_object()["ed25519:OTHER"] = base64(std::string(32, 'x')); }),
            Code::kBadJson);
  EXPECT_EQ(with([](auto& keys) { keys["signatures"] = "none"; }), Code::kBadJson);
  EXPECT_EQ(with([](auto& keys) { keys["signatures"].as_object()["@alice:here"] = 1; }), Code::kBadJson);
  EXPECT_EQ(with([](auto& keys) { keys["extra"] = 1; }), Code::kInvalidSignature);
  EXPECT_EQ(with([](auto& keys) { keys["extra"] = 1.5; }), Code::kBadJson);
  for (const char* wrong : {R"({"signed_curve25519":{}})", R"({":1":{}})", R"({"signed_curve25519:1":"text"})",
                            R"({"signed_curve25519:1":{"key":"AAAA","signatures":{}}})", R"({"curve25519:1":7})",
                            R"({"signed_curve25519:1":{"key":1}})", R"({"signed_curve25519:a\u0000b":{}})"}) {
    EXPECT_EQ(refused({{"one_time_keys", object(wrong)}}), Code::kBadJson) << wrong;
    EXPECT_EQ(refused({{"fallback_keys", object(wrong)}}), Code::kBadJson) << wrong;
  }
  EXPECT_EQ(refused({{"one_time_keys", json::Array()}}), Code::kBadJson);
  EXPECT_EQ(refused({{"fallback_keys", phone.one_time_keys(1, 2)}}), Code::kBadJson) << "two of one algorithm";
  EXPECT_TRUE(world.published().empty());
}

TEST_P(KeysTest, UnsignedDeviceKeysAreTakenAsTheyAre) {
  upload({{"device_keys", phone.unsigned_device_keys()}});
  auto answer = query(world.bob, world.alice);
  EXPECT_TRUE(answer.at("device_keys").as_object().at(world.alice.str()).as_object().contains("PHONE"));
}

MYELIN_ON_BOTH_DATABASES(KeysTest);

}  // namespace
}  // namespace myelin::keys
