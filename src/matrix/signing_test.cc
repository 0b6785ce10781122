#include "matrix/signing.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace myelin {
namespace {

// Appendices, Cryptographic Test Vectors.
SigningKey spec_key() {
  return *SigningKey::from_seed(*from_base64("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1"), "1");
}

TEST(Base64, ExamplesOfTheSpecification) {
  struct {
    const char *plain, *encoded;
  } cases[] = {{"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
               {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
  for (auto& c : cases) {
    EXPECT_EQ(base64(c.plain), c.encoded);
    EXPECT_EQ(from_base64(c.encoded), c.plain);
  }
  EXPECT_EQ(from_base64("Zg=="), "f");
}

TEST(SigningKey, OfTheSpecification) {
  auto key = spec_key();
  EXPECT_EQ(key.key_id(), "ed25519:1");
  EXPECT_EQ(base64(key.public_key()), "XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI");
  EXPECT_EQ(key.seed(), from_base64("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1"));
  EXPECT_FALSE(SigningKey::from_seed("short", "1"));
}

TEST(SigningKey, AServersIsNamedByAVersion) {
  std::string seed(32, 's');
  EXPECT_EQ(SigningKey::from_seed(seed, "a_Z9")->key_id(), "ed25519:a_Z9");
  for (auto version : {"", "a b", "a:b", "a-b", "a\n", "\"", "é"}) {
    auto key = SigningKey::from_seed(seed, version);
    ASSERT_FALSE(key) << version;
    EXPECT_EQ(key.error().code, Code::kInvalidParam);
    SeededRandom random(1);
    EXPECT_THROW(SigningKey::generate(random, version), std::invalid_argument) << version;
  }
  EXPECT_EQ(SigningKey::of_client(seed, "a+/b")->key_id(), "ed25519:a+/b");
  EXPECT_FALSE(SigningKey::of_client("short", "DEVICE"));
}

TEST(SigningKey, GeneratesFromRandom) {
  SeededRandom random(7);
  auto a = SigningKey::generate(random, "a_AbCd"), b = SigningKey::generate(random, "x");
  EXPECT_EQ(a.key_id(), "ed25519:a_AbCd");
  EXPECT_NE(a.public_key(), b.public_key());
  EXPECT_EQ(SigningKey::from_seed(a.seed(), "y")->public_key(), a.public_key());
  EXPECT_TRUE(verify_signature(a.public_key(), "m", a.sign("m")));
  EXPECT_FALSE(verify_signature(b.public_key(), "m", a.sign("m")));
  EXPECT_FALSE(verify_signature(a.public_key(), "n", a.sign("m")));
  EXPECT_FALSE(verify_signature("short", "m", a.sign("m")));
  EXPECT_FALSE(verify_signature(a.public_key(), "m", "short"));
}

TEST(SignJson, VectorsOfTheSpecification) {
  json::Object empty;
  ASSERT_TRUE(sign_json(empty, "domain", spec_key(), json::CanonicalMode::kStrict));
  EXPECT_EQ(
      json::serialize(empty),
      R"({"signatures":{"domain":{"ed25519:1":"K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"}}})");
  json::Object data{{"one", 1}, {"two", "Two"}};
  ASSERT_TRUE(sign_json(data, "domain", spec_key(), json::CanonicalMode::kStrict));
  EXPECT_EQ(data.at("signatures").at("domain").at("ed25519:1"),
            "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw");
}

TEST(SignJson, KeepsOtherSignaturesAndIgnoresUnsigned) {
  auto key = spec_key();
  auto object = *json::parse_object(
      R"({"a":1,"signatures":{"domain":{"ed25519:0":"old"},"other":{"ed25519:k":"x"}},"unsigned":{"age":3}})");
  ASSERT_TRUE(sign_json(object, "domain", key, json::CanonicalMode::kStrict));
  EXPECT_EQ(object.at("signatures").at("other").at("ed25519:k"), "x");
  EXPECT_EQ(object.at("signatures").at("domain").at("ed25519:0"), "old");
  EXPECT_EQ(object.at("unsigned").at("age"), 3);
  object["unsigned"] = json::Object{{"age", 4}};
  EXPECT_TRUE(verify_json(object, "domain", "ed25519:1", key.public_key(), json::CanonicalMode::kStrict));
  object["a"] = 2;
  EXPECT_EQ(verify_json(object, "domain", "ed25519:1", key.public_key(), json::CanonicalMode::kStrict).error().code,
            Code::kInvalidSignature);
}

TEST(SignJson, RefusesWhatIsNotSigned) {
  auto key = spec_key();
  for (auto text : {R"({})", R"({"signatures":[]})", R"({"signatures":{"domain":1}})", R"({"signatures":{"other":{}}})",
                    R"({"signatures":{"domain":{"ed25519:1":5}}})", R"({"signatures":{"domain":{"ed25519:1":"*"}}})",
                    R"({"signatures":{"domain":{"ed25519:1":""}}})"})
    EXPECT_EQ(
        verify_json(*json::parse_object(text), "domain", "ed25519:1", key.public_key(), json::CanonicalMode::kStrict)
            .error()
            .code,
        Code::kInvalidSignature)
        << text;
  auto floating = *json::parse_object(R"({"a":1.5})");
  EXPECT_EQ(sign_json(floating, "domain", key, json::CanonicalMode::kStrict).error().code, Code::kBadJson);
  EXPECT_TRUE(sign_json(floating, "domain", key, json::CanonicalMode::kLax));
  auto wrong = *json::parse_object(R"({"signatures":3})");
  EXPECT_EQ(sign_json(wrong, "domain", key, json::CanonicalMode::kStrict).error().code, Code::kBadJson);
}

}  // namespace
}  // namespace myelin
