#include "matrix/x_matrix.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace myelin {
namespace {

const SigningKey kKey = *SigningKey::from_seed(*from_base64("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1"), "1");
const SigningKeyId kKeyId = SigningKeyId::trusted(kKey.key_id());
const ServerName kOrigin = ServerName::trusted("origin.example"), kDestination = ServerName::trusted("[::1]:8448");

TEST(XMatrix, Parses) {
  const char* headers[] = {
      R"(X-Matrix origin="origin.example",destination="dest:1",key="ed25519:k",sig="ABC")",
      R"(x-matrix    origin="origin.example" ,	destination="dest:1"  ,key="ed25519:k",sig="ABC"  )",
      R"(X-Matrix sig=ABC,KEY=ed25519:k,Origin=origin.example,destination=dest:1)",
      R"(X-Matrix origin="origin\.example",destination="d\est:1",key="ed25519:k",sig="ABC",future="x,\"y=",n=1)",
      // RFC 9110: bad whitespace around "=", empty elements of the list.
      "X-Matrix origin = \"origin.example\",destination\t=\"dest:1\",key=  ed25519:k , sig =ABC",
      R"(X-Matrix ,origin=origin.example,, destination="dest:1" ,	,key="ed25519:k",sig="ABC",)",
  };
  for (auto header : headers) {
    auto parsed = XMatrix::parse(header);
    ASSERT_TRUE(parsed) << header;
    EXPECT_EQ(parsed->origin.str(), "origin.example");
    EXPECT_EQ(parsed->destination->str(), "dest:1");
    EXPECT_EQ(parsed->key_id.str(), "ed25519:k");
    EXPECT_EQ(parsed->signature, "ABC");
  }
  EXPECT_EQ(XMatrix::parse(R"(X-Matrix origin=a,key="ed25519:k",sig="s")")->destination, std::nullopt);
}

TEST(XMatrix, RefusesWhatIsMalformed) {
  const char* headers[] = {
      "",
      "X-Matrix",
      "X-Matrix ",
      "Bearer abc",
      "X-Matrixorigin=a,key=\"ed25519:k\",sig=s",
      R"(X-Matrix key="ed25519:k",sig="s")",
      R"(X-Matrix origin=a,sig="s")",
      R"(X-Matrix origin=a,key="ed25519:k")",
      R"(X-Matrix origin=a,origin=b,key="ed25519:k",sig="s")",
      R"(X-Matrix origin=a,key="rsa:k",sig="s")",
      R"(X-Matrix origin=a,key="ed25519:",sig="s")",
      R"(X-Matrix origin=a,key="ed25519:a-b",sig="s")",
      R"(X-Matrix origin=a,key="ed25519",sig="s")",
      R"(X-Matrix origin="a,key="ed25519:k",sig="s")",
      R"(X-Matrix origin=a;key="ed25519:k",sig="s")",
      R"(X-Matrix origin=a key="ed25519:k",sig="s")",
      R"(X-Matrix origin=a,key="ed25519:k",sig="s)",
      R"(X-Matrix origin=a,key="ed25519:k",sig="s\)",
      R"(X-Matrix origin =,key="ed25519:k",sig="s")",
      R"(X-Matrix = a,origin=a,key="ed25519:k",sig="s")",
      R"(X-Matrix ,origin)",
      R"(X-Matrix ,,,)",
      R"(X-Matrix,origin=a,key="ed25519:k",sig="s")",
      R"(X-Matrix origin=a b,key="ed25519:k",sig="s")",
      R"(X-Matrix origin="a b",key="ed25519:k",sig="s")",
      R"(X-Matrix origin=a/b,key="ed25519:k",sig="s")",
      R"(X-Matrix origin=,key="ed25519:k",sig="s")",
      R"(X-Matrix origin=a,destination="",key="ed25519:k",sig="s")",
      R"(X-Matrix ="a",origin=a,key="ed25519:k",sig="s")",
  };
  for (auto header : headers) {
    auto parsed = XMatrix::parse(header);
    ASSERT_FALSE(parsed) << header;
    EXPECT_EQ(parsed.error().code, Code::kUnauthorized);
  }
  EXPECT_FALSE(XMatrix::parse("X-Matrix origin=a,key=\"ed25519:k\",sig=\"" + std::string(5000, 's') + "\""));
}

TEST(XMatrix, SignsWhatTheSpecificationSays) {
  std::string_view body = R"({ "b": 1.5, "a":[] })";
  auto signed_request = *sign_request({"PUT", "/_matrix/x?y=1", body}, kOrigin, kDestination, kKey);
  auto object = *json::parse_object(
      R"({"method":"PUT","uri":"/_matrix/x?y=1","origin":"origin.example","destination":"[::1]:8448","content":{"a":[],"b":1.5}})");
  ASSERT_TRUE(sign_json(object, "origin.example", kKey, json::CanonicalMode::kLax));
  EXPECT_EQ(object.at("signatures").at("origin.example").at("ed25519:1"), json::Value(signed_request.signature));
  EXPECT_EQ(signed_request.header(),
            R"(X-Matrix origin="origin.example",destination="[::1]:8448",key="ed25519:1",sig=")" +
                signed_request.signature + "\"");
}

TEST(XMatrix, VerifiesWhatItSigned) {
  std::string_view body = R"({"a":1})";
  SignedRequest request{"GET", "/_matrix/federation/v1/x", body};
  auto parsed = *XMatrix::parse(sign_request(request, kOrigin, kDestination, kKey)->header());
  auto key = kKey.public_key();
  EXPECT_TRUE(verify_request(request, parsed, kDestination, key));

  auto refused = [&](SignedRequest changed, XMatrix authorization, const ServerName& us) {
    auto result = verify_request(changed, authorization, us, key);
    return !result && result.error().code == Code::kUnauthorized;
  };
  std::string_view other_body = R"({"a":2})";
  EXPECT_TRUE(refused({"POST", request.uri, body}, parsed, kDestination));
  EXPECT_TRUE(refused({"GET", "/_matrix/federation/v1/x?", body}, parsed, kDestination));
  EXPECT_TRUE(refused({"GET", request.uri, other_body}, parsed, kDestination));
  EXPECT_TRUE(refused({"GET", request.uri}, parsed, kDestination));
  EXPECT_TRUE(refused(request, parsed, kOrigin));  // for another server
  auto forged = parsed;
  forged.origin = ServerName::trusted("evil.example");
  EXPECT_TRUE(refused(request, forged, kDestination));
  forged = parsed;
  forged.destination.reset();
  EXPECT_TRUE(refused(request, forged, kOrigin)) << "for another server, and does not say so";
  forged = parsed;
  forged.signature = "!";
  EXPECT_TRUE(refused(request, forged, kDestination));
  EXPECT_FALSE(verify_request(request, parsed, kDestination, std::string(32, 'k')));
}

// What another server's body says is signed with the digits that it has there.
TEST(XMatrix, NumbersOfAnyLengthAreVerified) {
  for (std::string number : {"1", "-9223372036854775808", "18446744073709551615", "18446744073709551616",
                             "-9223372036854775809", "10000000000000000000000000", "1.5", "1e+25", "10000000000.0"}) {
    auto body = R"({"edus":[{"n":)" + number + R"(}],"pdus":[]})";
    auto message =
        R"({"content":)" + body + R"(,"destination":"[::1]:8448","method":"PUT","origin":"origin.example","uri":"/u"})";
    XMatrix authorization{kOrigin, kDestination, kKeyId, base64(kKey.sign(message))};
    EXPECT_TRUE(verify_request({"PUT", "/u", body}, authorization, kDestination, kKey.public_key())) << number;
  }
  XMatrix authorization{kOrigin, kDestination, kKeyId, "x"};
  for (auto body : {"", "{", R"({"a":1,"a":1})", "{} {}"})
    EXPECT_FALSE(verify_request({"PUT", "/u", body}, authorization, kDestination, kKey.public_key())) << body;
}

// Version 1.2 of the specification has it in what is signed, and not in the header.
TEST(XMatrix, OlderServersLeaveTheDestinationOutOfTheHeaderAlone) {
  json::Object object{
      {"method", "GET"}, {"uri", "/u"}, {"origin", "origin.example"}, {"destination", kDestination.str()}};
  auto message = *json::canonical(object, json::CanonicalMode::kLax);
  XMatrix old{kOrigin, std::nullopt, kKeyId, base64(kKey.sign(message))};
  EXPECT_TRUE(verify_request({"GET", "/u"}, old, kDestination, kKey.public_key()));
  EXPECT_FALSE(verify_request({"GET", "/u"}, old, kOrigin, kKey.public_key()));
  object.erase("destination");
  old.signature = base64(kKey.sign(*json::canonical(object, json::CanonicalMode::kLax)));
  EXPECT_FALSE(verify_request({"GET", "/u"}, old, kDestination, kKey.public_key())) << "signed for nobody";
}

}  // namespace
}  // namespace myelin
