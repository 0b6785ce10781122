#include "matrix/server_acl.h"

#include <gtest/gtest.h>

#include "matrix/testing/cpu_time.h"

namespace myelin {
namespace {

bool allowed(std::string_view content, std::string_view server) {
  return ServerAcl(*json::parse_object(content)).allows(*ServerName::parse(server));
}

// m.room.server_acl: the five rules, in order.
TEST(ServerAcl, RulesOfTheSpecification) {
  EXPECT_TRUE(ServerAcl().allows(*ServerName::parse("any.example")));
  struct {
    const char *content, *server;
    bool allowed;
  } cases[] = {
      {R"({"allow":["*"]})", "a.example", true},
      {R"({"allow":["*"],"deny":["a.example"]})", "a.example", false},
      {R"({"allow":["*"],"deny":["a.example"]})", "a.example:8448", false},
      {R"({"allow":["*"],"deny":["a.example:8448"]})", "a.example:8448", true},  // ports are not supported
      {R"({"allow":["*"],"deny":["*.evil.com"]})", "x.evil.com", false},
      {R"({"allow":["*"],"deny":["*.evil.com"]})", "evil.com", true},
      {R"({"allow":["*"],"deny":["*.EVIL.com"]})", "X.evil.COM:1", false},  // case-insensitive
      {R"({"allow":["A.example"]})", "a.EXAMPLE", true},
      {R"({"allow":["?.example"]})", "a.example", true},
      {R"({"allow":["?.example"]})", "ab.example", false},
      {R"({"allow":["a.example"]})", "b.example", false},
      {R"({})", "a.example", false},
      {R"({"allow":[]})", "a.example", false},
      {R"({"deny":["b"]})", "a.example", false},
      {R"({"allow":"*"})", "a.example", false},
      {R"({"allow":[1,null,"*"]})", "a.example", true},
      {R"({"allow":["*"],"deny":"a.example"})", "a.example", true},
      {R"({"allow":["*"],"allow_ip_literals":false})", "1.2.3.4", false},
      {R"({"allow":["*"],"allow_ip_literals":false})", "1.2.3.4:8448", false},
      {R"({"allow":["*"],"allow_ip_literals":false})", "[::1]", false},
      {R"({"allow":["*"],"allow_ip_literals":false})", "[::1]:8448", false},
      {R"({"allow":["*"],"allow_ip_literals":false})", "1.2.3.4.example", true},
      {R"({"allow":["1.2.3.4"],"allow_ip_literals":false})", "1.2.3.4", false},
      {R"({"allow":["*"],"allow_ip_literals":true})", "1.2.3.4", true},
      {R"({"allow":["*"],"allow_ip_literals":"false"})", "1.2.3.4", true},  // not a boolean: true
      {R"({"allow":["*"]})", "[::1]:8448", true},
      {R"({"allow":["*"],"deny":["[::1]"]})", "[::1]:8448", false},
  };
  for (auto& c : cases) EXPECT_EQ(allowed(c.content, c.server), c.allowed) << c.content << " " << c.server;
}

// Attack 11, CVE-2023-45129: an event full of globs. Each could be laid over the name in more ways than could be tried
// in the time of the universe, and the last part fits nowhere.
TEST(ServerAcl, Attack11PathologicalGlobsAreMatchedInOnePass) {
  std::string stars, questions;
  for (int i = 0; i < 100; ++i) {
    stars += "*a";
    questions += "*?a";
  }
  json::Array deny;
  while (deny.size() < 100) {
    deny.emplace_back(stars + "*b*");
    deny.emplace_back(questions + "*b*");
  }
  ServerAcl acl(json::Object{{"allow", json::Array{json::Value("*")}}, {"deny", deny}});
  EXPECT_TRUE(acl.allows(*ServerName::parse(std::string(250, 'a'))));
  EXPECT_TRUE(acl.allows(*ServerName::parse("b" + std::string(240, 'a'))));
  EXPECT_FALSE(acl.allows(*ServerName::parse(std::string(240, 'a') + "b")));
}

// Attack 11: as many entries as an event holds, each given up at the second letter.
TEST(ServerAcl, Attack11ManySmallGlobs) {
  json::Array deny(16'000, json::Value("?"));
  ServerAcl acl(json::Object{{"allow", json::Array{json::Value("*")}}, {"deny", deny}});
  auto cost = [&](size_t length) {
    auto name = *ServerName::parse(std::string(length, 'a'));
    return testing::cpu_seconds_of([&] {
      for (int i = 0; i < 30; ++i) ASSERT_TRUE(acl.allows(name));
    });
  };
  EXPECT_LT(cost(250), 20 * cost(2));
  EXPECT_FALSE(acl.allows(*ServerName::parse("a")));
}

// Attack 11: another case of letters is no way around it (v1.19, MSC4436).
TEST(ServerAcl, Attack11TheCaseOfLettersMakesNoDifference) {
  ServerAcl acl(*json::parse_object(R"({"allow":["*"],"deny":["*.Evil.example","BAD.example"]})"));
  for (auto name : {"a.evil.example", "A.EVIL.EXAMPLE", "a.eViL.example:8448", "bad.example", "Bad.Example:1"})
    EXPECT_FALSE(acl.allows(*ServerName::parse(name))) << name;
  EXPECT_TRUE(acl.allows(*ServerName::parse("good.example")));
}

}  // namespace
}  // namespace myelin
