#include "matrix/server_acl.h"

#include <gtest/gtest.h>

#include <chrono>

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

TEST(ServerAcl, HostileGlobsTakeLinearTime) {  // CVE-2023-45129
  std::string glob;
  for (int i = 0; i < 5000; ++i) glob += "*a";
  json::Array deny;
  for (int i = 0; i < 4; ++i) deny.emplace_back(glob + std::to_string(i));
  ServerAcl acl(json::Object{{"allow", json::Array{json::Value("*")}}, {"deny", deny}});
  auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(acl.allows(*ServerName::parse(std::string(250, 'a'))));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

}  // namespace
}  // namespace myelin
