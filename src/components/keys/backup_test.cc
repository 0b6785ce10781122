#include "components/keys/testing/world.h"

namespace myelin::keys {
namespace {
using namespace testing;

struct Rank {
  bool verified;
  int index, forwarded;
};
json::Object key(Rank rank, const std::string& data = "x") {
  return {{"is_verified", rank.verified},
          {"first_message_index", rank.index},
          {"forwarded_count", rank.forwarded},
          {"session_data", json::Object{{"ciphertext", data}}}};
}

class BackupTest : public OnBothDatabases {
 protected:
  std::string create() {
    return value(world.loop.run(world.keys->create_backup(
        world.alice, object(R"({"algorithm":"m.megolm_backup.v1","auth_data":{"public_key":"abc"}})"))));
  }
  Result<json::Object> put(const std::string& version, const std::string& session, json::Object body) {
    return world.loop.run(world.keys->put_backup_keys(world.alice, version, room, session, std::move(body)));
  }
  Result<json::Object> get(const std::string& version, const std::string& session) {
    return world.loop.run(world.keys->backup_keys(world.alice, version, room, session));
  }
  Result<json::Object> all(const std::string& version) {
    return world.loop.run(world.keys->backup_keys(world.alice, version, std::nullopt, std::nullopt));
  }
  World world{GetParam()};
  RoomId room = RoomId::trusted("!room:here");
};

TEST_P(BackupTest, ABetterKeyReplacesAndAnyOtherDoesNot) {
  auto version = create();
  std::vector<Rank> ranks;  // best first
  for (bool verified : {true, false})
    for (int index : {9, 10, 11})
      for (int forwarded : {4, 5, 6}) ranks.push_back({verified, index, forwarded});
  for (size_t stored = 0; stored < ranks.size(); ++stored)
    for (size_t offered = 0; offered < ranks.size(); ++offered) {
      auto session = std::to_string(stored) + "-" + std::to_string(offered);
      value(put(version, session, key(ranks[stored], "stored")));
      value(put(version, session, key(ranks[offered], "offered")));
      auto kept = value(get(version, session)).at("session_data").at("ciphertext");
      EXPECT_EQ(kept, json::Value(offered < stored ? "offered" : "stored")) << session;
    }
}

TEST_P(BackupTest, EtagAndCountFollowWhatIsStored) {
  auto version = create();
  auto first = value(put(version, "s1", key({false, 5, 0})));
  EXPECT_EQ(first.at("count"), json::Value(1));
  auto second = value(put(version, "s2", key({false, 5, 0})));
  EXPECT_EQ(second.at("count"), json::Value(2));
  EXPECT_NE(first.at("etag"), second.at("etag"));
  auto worse = value(put(version, "s2", key({false, 6, 0})));
  EXPECT_EQ(json::Value(worse), json::Value(second)) << "nothing was stored";
  auto better = value(put(version, "s2", key({true, 6, 0})));
  EXPECT_EQ(better.at("count"), json::Value(2));
  EXPECT_NE(better.at("etag"), second.at("etag"));
  auto info = value(world.loop.run(world.keys->backup_version(world.alice, std::nullopt)));
  EXPECT_EQ(info.at("etag"), better.at("etag"));
  EXPECT_EQ(info.at("count"), json::Value(2));
  auto deleted = value(world.loop.run(world.keys->delete_backup_keys(world.alice, version, room, "s1")));
  EXPECT_EQ(deleted.at("count"), json::Value(1));
  EXPECT_NE(deleted.at("etag"), better.at("etag"));
}

TEST_P(BackupTest, KeysAreReadAndDeletedBySessionRoomAndAll) {
  auto version = create();
  json::Object sessions{{"s1", key({false, 1, 0})}, {"s2", key({false, 2, 0})}};
  json::Object rooms{{"!room:here", json::Object{{"sessions", sessions}}},
                     {"!other:here", json::Object{{"sessions", json::Object{{"s1", key({true, 3, 0})}}}}}};
  auto answer = value(world.loop.run(
      world.keys->put_backup_keys(world.alice, version, std::nullopt, std::nullopt, {{"rooms", rooms}})));
  EXPECT_EQ(answer.at("count"), json::Value(3));
  EXPECT_EQ(value(all(version)).at("rooms"), json::Value(rooms));
  auto of_room = value(world.loop.run(world.keys->backup_keys(world.alice, version, room, std::nullopt)));
  EXPECT_EQ(of_room.at("sessions"), json::Value(sessions));
  EXPECT_EQ(json::Value(value(get(version, "s2"))), json::Value(key({false, 2, 0})));
  EXPECT_EQ(error_of(get(version, "s3")), Code::kNotFound);
  value(world.loop.run(world.keys->delete_backup_keys(world.alice, version, room, std::nullopt)));
  EXPECT_EQ(value(all(version)).at("rooms").as_object().size(), 1u);
  auto rest = value(world.loop.run(world.keys->delete_backup_keys(world.alice, version, std::nullopt, std::nullopt)));
  EXPECT_EQ(rest.at("count"), json::Value(0));
  EXPECT_TRUE(value(all(version)).at("rooms").as_object().empty());
  auto none = value(world.loop.run(world.keys->backup_keys(world.alice, version, room, std::nullopt)));
  EXPECT_EQ(json::serialize(none), R"({"sessions":{}})");
}

TEST_P(BackupTest, ALargeUploadIsStoredWhole) {
  auto version = create();
  json::Object sessions;
  for (int i = 0; i < 450; ++i) sessions["s" + std::to_string(i)] = key({false, i, 0});
  auto answer = value(
      world.loop.run(world.keys->put_backup_keys(world.alice, version, room, std::nullopt, {{"sessions", sessions}})));
  EXPECT_EQ(answer.at("count"), json::Value(450));
}

TEST_P(BackupTest, OnlyTheCurrentVersionTakesKeys) {
  EXPECT_EQ(error_of(put("1", "s", key({false, 1, 0}))), Code::kNotFound);
  auto first = create();
  value(put(first, "s", key({false, 1, 0})));
  auto second = create();
  EXPECT_NE(first, second);
  auto refused = put(first, "s", key({false, 1, 0}));
  ASSERT_EQ(error_of(refused), Code::kWrongRoomKeysVersion);
  EXPECT_EQ(refused.error().fields->at("current_version"), json::Value(second));
  EXPECT_EQ(error_of(put("nonsense", "s", key({false, 1, 0}))), Code::kWrongRoomKeysVersion);
  value(get(first, "s"));  // the older one can be read
  EXPECT_EQ(error_of(all("17")), Code::kNotFound);
  EXPECT_EQ(error_of(all("nonsense")), Code::kNotFound);
}

TEST_P(BackupTest, VersionsAreUpdatedDeletedAndNeverReused) {
  EXPECT_EQ(error_of(world.loop.run(world.keys->backup_version(world.alice, std::nullopt))), Code::kNotFound);
  auto version = create();
  auto body = object(R"({"algorithm":"m.megolm_backup.v1","auth_data":{"public_key":"new"}})");
  check(world.loop.run(world.keys->update_backup(world.alice, version, body)));
  auto info = value(world.loop.run(world.keys->backup_version(world.alice, version)));
  EXPECT_EQ(info.at("auth_data").at("public_key"), json::Value("new"));
  EXPECT_EQ(info.at("version"), json::Value(version));
  auto other = body;
  other["algorithm"] = "m.other";
  EXPECT_EQ(error_of(world.loop.run(world.keys->update_backup(world.alice, version, other))), Code::kInvalidParam);
  other = body;
  other["version"] = "42";
  EXPECT_EQ(error_of(world.loop.run(world.keys->update_backup(world.alice, version, other))), Code::kInvalidParam);
  EXPECT_EQ(error_of(world.loop.run(world.keys->update_backup(world.alice, "42", body))), Code::kNotFound);
  value(put(version, "s", key({false, 1, 0})));
  check(world.loop.run(world.keys->delete_backup(world.alice, version)));
  check(world.loop.run(world.keys->delete_backup(world.alice, version)));
  EXPECT_EQ(error_of(world.loop.run(world.keys->delete_backup(world.alice, "42"))), Code::kNotFound);
  EXPECT_EQ(error_of(world.loop.run(world.keys->backup_version(world.alice, version))), Code::kNotFound);
  EXPECT_EQ(error_of(all(version)), Code::kNotFound);
  EXPECT_EQ(error_of(put(version, "s", key({false, 1, 0}))), Code::kNotFound);
  EXPECT_NE(create(), version);
}

TEST_P(BackupTest, BackupsAreTheirOwnersAlone) {
  auto version = create();
  value(put(version, "s", key({false, 1, 0})));
  EXPECT_EQ(error_of(world.loop.run(world.keys->backup_keys(world.bob, version, std::nullopt, std::nullopt))),
            Code::kNotFound);
  EXPECT_EQ(error_of(world.loop.run(world.keys->delete_backup(world.bob, version))), Code::kNotFound);
}

TEST_P(BackupTest, GarbageIsRefused) {
  auto version = create();
  for (const char* field : {"is_verified", "first_message_index", "forwarded_count", "session_data"}) {
    auto body = key({false, 1, 0});
    body[field] = "text";
    EXPECT_EQ(error_of(put(version, "s", body)), Code::kBadJson) << field;
    body.erase(field);
    EXPECT_EQ(error_of(put(version, "s", body)), Code::kBadJson) << field;
  }
  auto negative = key({false, -1, 0});
  EXPECT_EQ(error_of(put(version, "s", negative)), Code::kBadJson);
  EXPECT_EQ(error_of(put(version, std::string("a\0b", 3), key({false, 1, 0}))), Code::kBadJson);
  EXPECT_EQ(error_of(world.loop.run(
                world.keys->put_backup_keys(world.alice, version, std::nullopt, std::nullopt, {{"rooms", 1}}))),
            Code::kBadJson);
  EXPECT_EQ(error_of(world.loop.run(world.keys->create_backup(world.alice, {}))), Code::kMissingParam);
  EXPECT_EQ(
      error_of(world.loop.run(world.keys->create_backup(world.alice, object(R"({"algorithm":1,"auth_data":{}})")))),
      Code::kBadJson);
}

MYELIN_ON_BOTH_DATABASES(BackupTest);

}  // namespace
}  // namespace myelin::keys
