#include "matrix/device_keys.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "matrix/signing.h"

namespace myelin {
namespace {

const UserId kAlice = UserId::trusted("@alice:x"), kBob = UserId::trusted("@bob:x");
const DeviceId kPhone = DeviceId::trusted("PHONE");

SigningKey make_key(std::string_view name) {
  static SeededRandom random(5);
  return SigningKey::of_client(sha256(random.token(32)), name).value();
}
const SigningKey kDevice = make_key("PHONE");

json::Object device_keys() {
  json::Object keys = *json::parse_object(
      R"({"user_id":"@alice:x","device_id":"PHONE","algorithms":["m.olm.v1.curve25519-aes-sha2"],"keys":{}})");
  keys["keys"].as_object()["ed25519:PHONE"] = base64(kDevice.public_key());
  keys["keys"].as_object()["curve25519:PHONE"] = base64(std::string(32, 'c'));
  EXPECT_TRUE(sign_json(keys, kAlice.str(), kDevice, json::CanonicalMode::kStrict));
  return keys;
}
Code refusal(const json::Value& keys) {
  auto checked = check_device_keys(keys, kAlice, kPhone);
  EXPECT_FALSE(checked) << json::serialize(keys);
  return checked ? Code::kInternal : checked.error().code;
}

TEST(DeviceKeys, GoodOnesAreKeptCanonical) {
  auto keys = device_keys();
  keys["unsigned"] = json::Object{{"device_display_name", "Phone"}};
  auto checked = check_device_keys(keys, kAlice, kPhone);
  ASSERT_TRUE(checked) << checked.error().message;
  EXPECT_EQ(*json::parse_object(checked->body), device_keys());
  EXPECT_FALSE(json::parse_object(checked->signed_json)->contains("signatures"));
  EXPECT_EQ(json::parse_object(checked->identity)->size(), 2u);
}

// Attack 19: keys that later break what other servers and clients do with them.
TEST(DeviceKeys, Attack19GarbageIsRefused) {
  for (auto text : {"null", "5", "[]", "{}", R"({"user_id":"@alice:x","device_id":"PHONE"})"})
    EXPECT_EQ(refusal(*json::parse(text)), Code::kBadJson) << text;
  struct {
    const char *field, *value;
    Code code = Code::kBadJson;
  } cases[] = {
      {"user_id", "5"},
      {"user_id", "\"@bob:x\"", Code::kInvalidParam},
      {"device_id", "\"LAPTOP\"", Code::kInvalidParam},
      {"algorithms", "\"m.olm\""},
      {"algorithms", "[5]"},
      {"keys", "[]"},
      {"keys", R"({"ed25519:LAPTOP":"AAAA"})"},
      {"keys", R"({"ed25519":"AAAA"})"},
      {"keys", R"({":PHONE":"AAAA"})"},
      {"keys", R"({"ed25519:PHONE":5})"},
      {"keys", R"({"ed25519:PHONE":"c2hvcnQ"})"},
      {"keys", R"({"curve25519:PHONE":"not base64!"})"},
      {"signatures", "[]"},
      {"signatures", R"({"@alice:x":5})"},
      {"signatures", R"({"@alice:x":{"ed25519:PHONE":5}})"},
      {"extra", "1.5", Code::kInvalidSignature},
  };
  for (auto& c : cases) {
    auto keys = device_keys();
    keys[c.field] = *json::parse(c.value);
    if (c.code == Code::kInvalidSignature) {  // a number that canonical JSON has no form for
      EXPECT_FALSE(check_device_keys(keys, kAlice, kPhone));
      continue;
    }
    EXPECT_EQ(refusal(keys), c.code) << c.field << " " << c.value;
  }
}

// Attack 19: 9e15 is written 9000000000000000, so a key may be three times as large as its upload; and who asks for it
// asks for many others'.
TEST(DeviceKeys, Attack19KeysAreBounded) {
  json::Array padding(4'000, json::Value(int64_t{9'000'000'000'000'000}));
  auto keys = device_keys();
  keys.erase("signatures");
  keys["x"] = padding;
  EXPECT_TRUE(sign_json(keys, kAlice.str(), kDevice, json::CanonicalMode::kStrict));
  EXPECT_EQ(refusal(keys), Code::kTooLarge);
  json::Object one_time{{"key", base64(std::string(32, 'k'))}, {"signatures", json::Object()}, {"x", padding}};
  for (auto field : {"one_time_keys", "fallback_keys"}) {
    json::Object upload{{field, json::Object{{"signed_curve25519:A", one_time}}}};
    EXPECT_EQ(check_key_upload(upload, kAlice, kPhone).error().code, Code::kTooLarge) << field;
  }
}

TEST(DeviceKeys, TheDevicesOwnSignatureMustBeRight) {
  auto keys = device_keys();
  keys["algorithms"].as_array().emplace_back("m.other");
  EXPECT_EQ(refusal(keys), Code::kInvalidSignature);
  keys["signatures"] = json::Object();
  EXPECT_TRUE(check_device_keys(keys, kAlice, kPhone)) << "unsigned ones are taken as they are";
  keys["signatures"] = json::Object{{"@alice:x", {{"ed25519:PHONE", "x"}}}};
  EXPECT_EQ(refusal(keys), Code::kInvalidSignature);
  keys["keys"].as_object().erase("ed25519:PHONE");  // by a key that is not among them
  EXPECT_TRUE(check_device_keys(keys, kAlice, kPhone));
}

TEST(KeyUpload, OneTimeAndFallbackKeys) {
  auto key = base64(std::string(32, 'k'));
  auto upload = [](std::string_view text) { return check_key_upload(*json::parse_object(text), kAlice, kPhone); };
  auto good =
      upload(R"({"one_time_keys":{"curve25519:A":")" + key + R"(","signed_curve25519:B":{"key":")" + key +
             R"(","signatures":{}},"org.example.new:C":"anything"},"fallback_keys":{"curve25519:F":")" + key + "\"}}");
  ASSERT_TRUE(good) << good.error().message;
  ASSERT_EQ(good->one_time_keys.size(), 3u);
  EXPECT_EQ(good->one_time_keys[1].algorithm, "signed_curve25519");
  EXPECT_EQ(good->one_time_keys[1].id, "B");
  EXPECT_EQ(good->fallback_keys.size(), 1u);
  EXPECT_FALSE(good->device_keys);
  for (auto keys : {R"([])", R"({"curve25519":"x"})", R"({":A":"x"})", R"({"curve25519:":"x"})",
                    R"({"curve25519:A":"x"})", R"({"curve25519:A":5})", R"({"signed_curve25519:A":"x"})",
                    R"({"signed_curve25519:A":{"key":"x","signatures":{}}})", R"({"signed_curve25519:A":{"key":5}})",
                    R"({"signed_curve25519:A":{"signatures":{}}})", R"({"curve25519:\u0000":"x"})"})
    EXPECT_EQ(upload(R"({"one_time_keys":)" + std::string(keys) + "}").error().code, Code::kBadJson) << keys;
  EXPECT_EQ(upload(R"({"fallback_keys":{"x:A":"1","x:B":"2"}})").error().code, Code::kBadJson);
  EXPECT_EQ(upload(R"({"device_keys":null})").error().code, Code::kBadJson);
  json::Object many;
  for (size_t i = 0; i <= kMaxOneTimeKeys; ++i) many["x:" + std::to_string(i)] = "k";
  EXPECT_EQ(check_key_upload({{"one_time_keys", many}}, kAlice, kPhone).error().code, Code::kTooLarge);
}

// A cross-signing key of Alice's, signed with `signer` when there is one.
json::Object cross_signing(const SigningKey& key, std::string_view usage, const SigningKey* signer = nullptr) {
  auto text = base64(key.public_key());
  json::Array usages;
  usages.emplace_back(usage);
  json::Object out{{"user_id", "@alice:x"}, {"usage", usages}, {"keys", json::Object{{"ed25519:" + text, text}}}};
  if (signer) EXPECT_TRUE(sign_json(out, kAlice.str(), *signer, json::CanonicalMode::kStrict));
  return out;
}
SigningKey named_by_itself() {
  auto seed = make_key("").seed();
  return SigningKey::of_client(seed, base64(SigningKey::of_client(seed, "")->public_key())).value();
}

TEST(CrossSigning, KeysAreSignedByTheMasterKey) {
  auto master = named_by_itself(), self = named_by_itself(), forger = named_by_itself();
  json::Object body{{"master_key", cross_signing(master, "master")},
                    {"self_signing_key", cross_signing(self, "self_signing", &master)},
                    {"user_signing_key", nullptr}};
  auto upload = check_cross_signing(body, kAlice);
  ASSERT_TRUE(upload) << upload.error().message;
  EXPECT_EQ(upload->master->public_key, base64(master.public_key()));
  EXPECT_FALSE(upload->user_signing);
  EXPECT_TRUE(check_signed_by_master(*upload->self_signing, kAlice, upload->master->public_key));
  // Attack 19: somebody else's key, or a signature by another key under the master key's name.
  EXPECT_EQ(check_signed_by_master(*upload->self_signing, kAlice, base64(forger.public_key())).error().code,
            Code::kInvalidSignature);
  auto forged = cross_signing(self, "self_signing", &forger);
  auto& signatures = forged["signatures"].as_object()["@alice:x"].as_object();
  json::Value signature = signatures.begin()->value();
  signatures["ed25519:" + base64(master.public_key())] = std::move(signature);
  auto key = check_cross_signing_key(forged, KeyUsage::kSelfSigning, kAlice).value();
  EXPECT_EQ(check_signed_by_master(key, kAlice, base64(master.public_key())).error().code, Code::kInvalidSignature);
  EXPECT_EQ(check_signed_by_master(key, kAlice, "no key").error().code, Code::kInvalidSignature);
}

TEST(CrossSigning, ShapeAndOwnership) {
  auto large = cross_signing(named_by_itself(), "master");
  large["x"] = std::string(kMaxKeyBodyBytes, 'x');
  EXPECT_EQ(check_cross_signing_key(large, KeyUsage::kMaster, kAlice).error().code, Code::kTooLarge);
  auto master = named_by_itself();
  auto good = cross_signing(master, "master");
  EXPECT_TRUE(check_cross_signing_key(good, KeyUsage::kMaster, kAlice));
  EXPECT_EQ(check_cross_signing_key(good, KeyUsage::kUserSigning, kAlice).error().code, Code::kBadJson);
  EXPECT_EQ(check_cross_signing_key(good, KeyUsage::kMaster, kBob).error().code, Code::kInvalidParam);
  EXPECT_EQ(check_cross_signing({}, kAlice).error().code, Code::kMissingParam);
  auto text = base64(master.public_key());
  struct {
    const char* field;
    std::string value;
  } cases[] = {{"user_id", "5"},
               {"usage", "\"master\""},
               {"keys", "[]"},
               {"keys", "{}"},
               {"keys", R"({"ed25519:x":"x","ed25519:y":"y"})"},
               {"keys", R"({"ed25519:x":"x"})"},
               {"keys", R"({"ed25519:x":")" + text + "\"}"},
               {"keys", R"({"curve25519:)" + text + R"(":")" + text + "\"}"},
               {"keys", R"({"ed25519:)" + text + R"(=":")" + text + "=\"}"},
               {"signatures", "5"},
               {"signatures", R"({"@alice:x":{"k":5}})"}};
  for (auto& c : cases) {
    auto key = good;
    key[c.field] = *json::parse(c.value);
    EXPECT_EQ(check_cross_signing_key(key, KeyUsage::kMaster, kAlice).error().code, Code::kBadJson)
        << c.field << " " << c.value;
  }
  EXPECT_EQ(check_cross_signing_key(json::Value("x"), KeyUsage::kMaster, kAlice).error().code, Code::kBadJson);
}

TEST(CrossSigning, WhoMaySignWhat) {
  EXPECT_EQ(signer_of(SignedKey::kDevice, kAlice, kAlice), Signer::kSelfSigningKey);
  EXPECT_EQ(signer_of(SignedKey::kMasterKey, kAlice, kAlice), Signer::kDevice);
  EXPECT_EQ(signer_of(SignedKey::kMasterKey, kBob, kAlice), Signer::kUserSigningKey);
  EXPECT_EQ(signer_of(SignedKey::kDevice, kBob, kAlice), std::nullopt);
}

}  // namespace
}  // namespace myelin
