// Cross-signing keys and signatures.
#include "base/bytes.h"
#include "components/keys/testing/world.h"

namespace myelin::keys {
namespace {
using namespace testing;
using accounts::DeviceListChanged;

class CrossSigningTest : public OnBothDatabases {
 protected:
  CrossSigningTest() {
    world.accounts.add(world.alice, "PHONE");
    world.accounts.add(world.bob, "LAPTOP");
  }
  Result<void> upload(json::Object body, Authenticated authenticated = Authenticated::kNo) {
    return world.loop.run(
        world.keys->upload_cross_signing(world.session(world.alice, "PHONE"), std::move(body), authenticated));
  }
  json::Object all() const {
    return {{"master_key", master.upload("master")},
            {"self_signing_key", self_signing.upload("self_signing", master)},
            {"user_signing_key", user_signing.upload("user_signing", master)}};
  }
  json::Object query(const UserId& asker, const UserId& about) {
    json::Object body{{"device_keys", json::Object{{about.str(), json::Array()}}}};
    return value(world.loop.run(world.keys->query(world.session(asker, "X"), std::move(body))));
  }
  json::Object signatures(const UserId& user, const std::string& device, json::Object body) {
    auto answer = value(world.loop.run(world.keys->upload_signatures(world.session(user, device), std::move(body))));
    return answer.at("failures").as_object();
  }
  void upload_device(const UserId& user, const std::string& device, const Client& client) {
    value(world.loop.run(world.keys->upload(world.session(user, device), {{"device_keys", client.device_keys()}})));
  }
  World world{GetParam()};
  CrossSigner master{world.alice, 11}, self_signing{world.alice, 12}, user_signing{world.alice, 13};
  Client phone{world.alice, "PHONE", 1};
};

TEST_P(CrossSigningTest, OnlyTheFirstUploadAndAnIdenticalOneGoWithoutAuthentication) {
  EXPECT_FALSE(value(world.loop.run(world.keys->has_cross_signing(world.alice))));
  check(upload({{"master_key", master.upload("master")}}));
  EXPECT_TRUE(value(world.loop.run(world.keys->has_cross_signing(world.alice))));
  check(upload({{"master_key", master.upload("master")}}));
  EXPECT_EQ(world.count_published<DeviceListChanged>(world.alice), 1u);
  CrossSigner other(world.alice, 99);
  EXPECT_EQ(error_of(upload({{"master_key", other.upload("master")}})), Code::kUiaIncomplete);
  json::Object addition{{"self_signing_key", self_signing.upload("self_signing", master)}};
  EXPECT_EQ(error_of(upload(addition)), Code::kUiaIncomplete);
  check(upload(addition, Authenticated::kYes));
  check(upload(addition));
  EXPECT_EQ(world.count_published<DeviceListChanged>(world.alice), 2u);
}

TEST_P(CrossSigningTest, AnotherMasterKeyTakesTheOthersWithIt) {
  check(upload(all()));
  CrossSigner other(world.alice, 99);
  check(upload({{"master_key", other.upload("master")}}, Authenticated::kYes));
  auto answer = query(world.alice, world.alice);
  EXPECT_TRUE(answer.at("master_keys")
                  .as_object()
                  .at("@alice:here")
                  .as_object()
                  .at("keys")
                  .as_object()
                  .contains("ed25519:" + other.public_key()));
  EXPECT_TRUE(answer.at("self_signing_keys").as_object().empty());
  EXPECT_TRUE(answer.at("user_signing_keys").as_object().empty());
}

TEST_P(CrossSigningTest, KeysMustBeSignedByTheMasterKey) {
  CrossSigner other(world.alice, 99);
  EXPECT_EQ(error_of(upload({{"self_signing_key", self_signing.upload("self_signing", master)}})), Code::kMissingParam);
  auto body = all();
  body["self_signing_key"] = self_signing.upload("self_signing", other);
  EXPECT_EQ(error_of(upload(body)), Code::kInvalidSignature);
  body["self_signing_key"] = self_signing.upload("self_signing");
  EXPECT_EQ(error_of(upload(body)), Code::kInvalidSignature);
  auto forged = self_signing.upload("self_signing", master);
  forged["usage"] = json::Array{"self_signing", "more"};
  body["self_signing_key"] = forged;
  EXPECT_EQ(error_of(upload(body)), Code::kInvalidSignature);
  EXPECT_TRUE(world.published().empty());
}

TEST_P(CrossSigningTest, ShapeAndOwnershipAreChecked) {
  EXPECT_EQ(error_of(upload({})), Code::kMissingParam);
  auto with = [&](auto change) {
    auto key = master.upload("master");
    change(key);
    return error_of(upload({{"master_key", key}}));
  };
  EXPECT_EQ(with([](auto& key) { key["user_id"] = "@bob:here"; }), Code::kInvalidParam);
  EXPECT_EQ(with([](auto& key) { key["usage"] = json::Array{"self_signing"}; }), Code::kBadJson);
  EXPECT_EQ(with([](auto& key) { key["usage"] = "master"; }), Code::kBadJson);
  EXPECT_EQ(with([](auto& key) { key["keys"] = json::Object(); }), Code::kBadJson);
  EXPECT_EQ(with([](auto& key) { key["keys"] = json::Object{{"ed25519:AAAA", "AAAA"}}; }), Code::kBadJson);
  EXPECT_EQ(with([](auto& key) { key["keys"].as_object().begin()->value() = base64(std::string(32, 'x')); }),
            Code::kBadJson);
  EXPECT_EQ(with([](auto& key) { key["signatures"] = json::Array(); }), Code::kBadJson);
  EXPECT_EQ(error_of(upload({{"master_key", "text"}})), Code::kBadJson);
  world.accounts.add(world.alice, master.public_key());
  EXPECT_EQ(error_of(upload({{"master_key", master.upload("master")}})), Code::kForbidden);
}

TEST_P(CrossSigningTest, TheUserSigningKeyIsForItsOwnerAlone) {
  check(upload(all()));
  auto own = query(world.alice, world.alice), others = query(world.bob, world.alice);
  for (const char* section : {"master_keys", "self_signing_keys", "user_signing_keys"})
    EXPECT_TRUE(own.at(section).as_object().contains("@alice:here")) << section;
  EXPECT_TRUE(others.at("master_keys").as_object().contains("@alice:here"));
  EXPECT_TRUE(others.at("self_signing_keys").as_object().contains("@alice:here"));
  EXPECT_TRUE(others.at("user_signing_keys").as_object().empty());
}

TEST_P(CrossSigningTest, SignaturesOfOnesOwnAreForEveryone) {
  upload_device(world.alice, "PHONE", phone);
  check(upload(all()));
  auto before = world.count_published<DeviceListChanged>(world.alice);
  auto device = phone.device_keys();
  check(sign_json(device, "@alice:here", self_signing.key(), json::CanonicalMode::kStrict));
  auto master_key = master.upload("master");
  check(sign_json(master_key, "@alice:here", phone.key(), json::CanonicalMode::kStrict));
  json::Object body{{"@alice:here", json::Object{{"PHONE", device}, {master.public_key(), master_key}}}};
  EXPECT_TRUE(signatures(world.alice, "PHONE", body).empty());
  EXPECT_EQ(world.count_published<DeviceListChanged>(world.alice), before + 1);
  EXPECT_TRUE(signatures(world.alice, "PHONE", body).empty());
  EXPECT_EQ(world.count_published<DeviceListChanged>(world.alice), before + 1) << "nothing new";
  auto answer = query(world.bob, world.alice);
  auto of = [&](const json::Value& key) { return key.at("signatures").at("@alice:here").as_object(); };
  auto seen = of(answer.at("device_keys").at("@alice:here").at("PHONE"));
  EXPECT_TRUE(seen.contains("ed25519:" + self_signing.public_key()));
  EXPECT_TRUE(seen.contains("ed25519:PHONE")) << "its own stays";
  EXPECT_TRUE(of(answer.at("master_keys").at("@alice:here")).contains("ed25519:PHONE"));
}

TEST_P(CrossSigningTest, ASignatureGoesWithWhatItSigned) {
  upload_device(world.alice, "PHONE", phone);
  check(upload(all()));
  auto device = phone.device_keys();
  check(sign_json(device, "@alice:here", self_signing.key(), json::CanonicalMode::kStrict));
  EXPECT_TRUE(signatures(world.alice, "PHONE", {{"@alice:here", json::Object{{"PHONE", device}}}}).empty());
  auto is_cross_signed = [&] {
    auto keys = query(world.bob, world.alice).at("device_keys").at("@alice:here").at("PHONE");
    return keys.at("signatures").at("@alice:here").as_object().contains("ed25519:" + self_signing.public_key());
  };
  EXPECT_TRUE(is_cross_signed());
  auto changed = phone.unsigned_device_keys();
  changed["algorithms"] = json::Array{"m.megolm.v1.aes-sha2"};
  check(sign_json(changed, "@alice:here", phone.key(), json::CanonicalMode::kStrict));
  value(world.loop.run(world.keys->upload(world.session(world.alice, "PHONE"), {{"device_keys", changed}})));
  EXPECT_FALSE(is_cross_signed());
}

TEST_P(CrossSigningTest, ASignatureOnAnotherUserIsForTheSignerAlone) {
  check(upload(all()));
  CrossSigner bobs(world.bob, 50);
  check(world.loop.run(world.keys->upload_cross_signing(world.session(world.bob, "LAPTOP"),
                                                        {{"master_key", bobs.upload("master")}}, Authenticated::kNo)));
  auto key = bobs.upload("master");
  check(sign_json(key, "@alice:here", user_signing.key(), json::CanonicalMode::kStrict));
  EXPECT_TRUE(signatures(world.alice, "PHONE", {{"@bob:here", json::Object{{bobs.public_key(), key}}}}).empty());
  EXPECT_TRUE(query(world.alice, world.bob).at("master_keys").at("@bob:here").as_object().contains("signatures"));
  EXPECT_FALSE(query(world.bob, world.bob).at("master_keys").at("@bob:here").as_object().contains("signatures"));
}

TEST_P(CrossSigningTest, WrongSignaturesAreNamedOneByOne) {
  upload_device(world.alice, "PHONE", phone);
  check(upload(all()));
  auto failure = [&](const std::string& user, const std::string& name, json::Object key) {
    auto failures = signatures(world.alice, "PHONE", {{user, json::Object{{name, std::move(key)}}}});
    if (failures.empty()) return std::string("accepted");
    return std::string(failures.at(user).at(name).at("errcode").as_string());
  };
  auto good = phone.device_keys();
  check(sign_json(good, "@alice:here", self_signing.key(), json::CanonicalMode::kStrict));
  auto forged = good;
  forged["signatures"].as_object()["@alice:here"].as_object()["ed25519:" + self_signing.public_key()] =
      base64(std::string(64, 'x'));
  EXPECT_EQ(failure("@alice:here", "PHONE", forged), "M_INVALID_SIGNATURE");
  auto by_stranger = phone.device_keys();
  CrossSigner stranger(world.alice, 98);
  check(sign_json(by_stranger, "@alice:here", stranger.key(), json::CanonicalMode::kStrict));
  EXPECT_EQ(failure("@alice:here", "PHONE", by_stranger), "M_INVALID_SIGNATURE");
  auto unsigned_keys = phone.unsigned_device_keys();
  EXPECT_EQ(failure("@alice:here", "PHONE", unsigned_keys), "M_INVALID_SIGNATURE");
  auto other_key = Client(world.alice, "PHONE", 77).device_keys();
  check(sign_json(other_key, "@alice:here", self_signing.key(), json::CanonicalMode::kStrict));
  EXPECT_EQ(failure("@alice:here", "PHONE", other_key), "M_UNKNOWN") << "not the stored key";
  EXPECT_EQ(failure("@alice:here", "TOASTER", good), "M_NOT_FOUND");
  EXPECT_EQ(failure("@bob:here", "LAPTOP", good), "M_NOT_FOUND");
  EXPECT_EQ(failure("@alice:here", "PHONE", good), "accepted");
  EXPECT_EQ(error_of(world.loop.run(
                world.keys->upload_signatures(world.session(world.alice, "PHONE"), object(R"({"@alice:here":[]})")))),
            Code::kBadJson);
}

TEST_P(CrossSigningTest, AMasterKeyWithAForgedDeviceSignatureIsRefused) {
  upload_device(world.alice, "PHONE", phone);
  auto key = master.upload("master");
  key["signatures"] = json::Object{{"@alice:here", json::Object{{"ed25519:PHONE", base64(std::string(64, 'x'))}}}};
  EXPECT_EQ(error_of(upload({{"master_key", key}})), Code::kInvalidSignature);
  key.erase("signatures");
  check(sign_json(key, "@alice:here", phone.key(), json::CanonicalMode::kStrict));
  check(upload({{"master_key", key}}));
}

MYELIN_ON_BOTH_DATABASES(CrossSigningTest);

}  // namespace
}  // namespace myelin::keys
