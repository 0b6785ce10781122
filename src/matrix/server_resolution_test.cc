#include "matrix/server_resolution.h"

#include <gtest/gtest.h>

#include <set>

#include "matrix/json.h"

namespace myelin {
namespace {

constexpr int64_t kNow = 1'700'000'000'000, kMinute = 60'000, kHour = 60 * kMinute;

// What DNS and the web hold.
struct World {
  std::map<std::string, std::string> well_known;  // host: m.server
  std::map<std::string, std::vector<SrvRecord>> srv;
  std::map<std::string, std::vector<std::string>> addresses;
  std::set<std::string> broken{};  // names whose look-up fails
  std::vector<std::string> asked{};

  template <class Records>
  Result<typename Records::mapped_type> look_up(const Records& records, const std::string& name) {
    asked.push_back(name);
    if (broken.contains(name)) return fail(Code::kUnavailable, "SERVFAIL");
    auto found = records.find(name);
    return found == records.end() ? typename Records::mapped_type() : found->second;
  }
};

ServerResolution::Step resolve(World& world, std::string_view name, uint64_t seed = 1) {
  SeededRandom random(seed);
  ServerResolution resolution(ServerName::parse(name).value());
  for (int i = 0; i < 20; ++i) {
    if (auto step = std::get_if<FetchWellKnown>(&resolution.step())) {
      world.asked.push_back("https://" + step->host);
      auto found = world.well_known.find(step->host);
      WellKnownResponse response;
      std::string body;
      if (found != world.well_known.end()) {
        body = json::serialize(json::Object{{"m.server", found->second}});
        response = {200, body};
      }
      resolution.well_known(read_well_known(response, kNow).delegated);
    } else if (auto srv = std::get_if<LookUpSrv>(&resolution.step())) {
      resolution.srv_records(world.look_up(world.srv, srv->name), random);
    } else if (auto host = std::get_if<LookUpAddresses>(&resolution.step())) {
      resolution.addresses(world.look_up(world.addresses, host->host));
    } else {
      return resolution.step();
    }
  }
  ADD_FAILURE() << "it never ends";
  return Error{};
}

// "address:port … certificate Host"
std::string told(const ServerResolution::Step& step) {
  if (auto error = std::get_if<Error>(&step)) return error->code == Code::kUnavailable ? "unavailable" : "a bug";
  auto& to = std::get<Destination>(step);
  std::string out;
  for (auto& [address, port] : to.endpoints) out += fmt::format("{} {}, ", address, port);
  return out + fmt::format("{}{}, Host: {}", to.is_address ? "address " : "", to.certificate_name, to.host_header);
}

using Asked = std::vector<std::string>;

TEST(ServerResolution, Step1AnIpLiteralIsTheAddress) {
  World world;
  EXPECT_EQ(told(resolve(world, "1.2.3.4")), "1.2.3.4 8448, address 1.2.3.4, Host: 1.2.3.4");
  EXPECT_EQ(told(resolve(world, "1.2.3.4:80")), "1.2.3.4 80, address 1.2.3.4, Host: 1.2.3.4:80");
  EXPECT_EQ(told(resolve(world, "[::1]")), "::1 8448, address ::1, Host: [::1]");
  EXPECT_EQ(told(resolve(world, "[2001:DB8:0::1]:80")),
            "2001:db8::1 80, address 2001:db8::1, Host: [2001:DB8:0::1]:80");
  EXPECT_EQ(told(resolve(world, "010.2.3.4")), "10.2.3.4 8448, address 10.2.3.4, Host: 010.2.3.4") << "not octal";
  EXPECT_EQ(world.asked, Asked());
}

TEST(ServerResolution, Step2AnExplicitPortNeedsNoDelegation) {
  World world{.well_known = {{"a.example", "other.example"}}, .addresses = {{"a.example", {"1.1.1.1", "2::2"}}}};
  EXPECT_EQ(told(resolve(world, "a.example:80")), "1.1.1.1 80, 2::2 80, a.example, Host: a.example:80");
  EXPECT_EQ(world.asked, Asked{"a.example"});
}

TEST(ServerResolution, Step3_1DelegationToAnIpLiteral) {
  World world{.well_known = {{"a.example", "5.6.7.8"}}};
  EXPECT_EQ(told(resolve(world, "a.example")), "5.6.7.8 8448, address 5.6.7.8, Host: 5.6.7.8");
  world.well_known["a.example"] = "[::5]:99";
  EXPECT_EQ(told(resolve(world, "a.example")), "::5 99, address ::5, Host: [::5]:99");
  EXPECT_EQ(world.asked, (Asked{"https://a.example", "https://a.example"}));
}

TEST(ServerResolution, Step3_2DelegationToAPort) {
  World world{.well_known = {{"a.example", "b.example:99"}}, .addresses = {{"b.example", {"1.1.1.1"}}}};
  EXPECT_EQ(told(resolve(world, "a.example")), "1.1.1.1 99, b.example, Host: b.example:99");
  EXPECT_EQ(world.asked, (Asked{"https://a.example", "b.example"}));
}

TEST(ServerResolution, Step3_3DelegationWithAnSrvRecord) {
  World world{.well_known = {{"a.example", "b.example"}},
              .srv = {{"_matrix-fed._tcp.b.example", {{1, 1, 443, "c.example."}}},
                      {"_matrix._tcp.b.example", {{1, 1, 444, "wrong.example"}}}},
              .addresses = {{"c.example", {"1.1.1.1"}}}};
  EXPECT_EQ(told(resolve(world, "a.example")), "1.1.1.1 443, b.example, Host: b.example");
  EXPECT_EQ(world.asked, (Asked{"https://a.example", "_matrix-fed._tcp.b.example", "c.example"}));
}

TEST(ServerResolution, Step3_4DelegationWithADeprecatedSrvRecord) {
  World world{.well_known = {{"a.example", "b.example"}},
              .srv = {{"_matrix._tcp.b.example", {{1, 1, 444, "c.example"}}}},
              .addresses = {{"c.example", {"1.1.1.1"}}}};
  EXPECT_EQ(told(resolve(world, "a.example")), "1.1.1.1 444, b.example, Host: b.example");
  EXPECT_EQ(world.asked,
            (Asked{"https://a.example", "_matrix-fed._tcp.b.example", "_matrix._tcp.b.example", "c.example"}));
}

TEST(ServerResolution, Step3_5DelegationWithoutSrvRecords) {
  World world{.well_known = {{"a.example", "b.example"}}, .addresses = {{"b.example", {"1.1.1.1"}}}};
  EXPECT_EQ(told(resolve(world, "a.example")), "1.1.1.1 8448, b.example, Host: b.example");
}

TEST(ServerResolution, Steps4To6WithoutDelegation) {
  World world{.addresses = {{"a.example", {"1.1.1.1"}}, {"c.example", {"3.3.3.3"}}}};
  EXPECT_EQ(told(resolve(world, "a.example")), "1.1.1.1 8448, a.example, Host: a.example");
  EXPECT_EQ(world.asked,
            (Asked{"https://a.example", "_matrix-fed._tcp.a.example", "_matrix._tcp.a.example", "a.example"}));
  world.srv["_matrix._tcp.a.example"] = {{1, 1, 444, "c.example"}};
  EXPECT_EQ(told(resolve(world, "a.example")), "3.3.3.3 444, a.example, Host: a.example");
  world.srv["_matrix-fed._tcp.a.example"] = {{1, 1, 443, "c.example"}};
  EXPECT_EQ(told(resolve(world, "a.example")), "3.3.3.3 443, a.example, Host: a.example");
}

TEST(ServerResolution, SrvRecordsAreTriedByPriorityThenByWeight) {
  World world{
      .srv = {{"_matrix-fed._tcp.a.example",
               {{20, 5, 1, "last.example"}, {10, 90, 2, "heavy.example"}, {10, 10, 3, "light.example"}}}},
      .addresses = {{"last.example", {"9.9.9.9"}}, {"heavy.example", {"1.1.1.1"}}, {"light.example", {"2.2.2.2"}}}};
  int heavy_first = 0;
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    auto step = resolve(world, "a.example", seed);
    auto& endpoints = std::get<Destination>(step).endpoints;
    ASSERT_EQ(endpoints.size(), 3u);
    EXPECT_EQ(endpoints[2], (Endpoint{"9.9.9.9", 1}));
    heavy_first += endpoints[0].address == "1.1.1.1";
  }
  EXPECT_NEAR(heavy_first, 900, 40);
}

TEST(ServerResolution, TargetsWithoutAddressesArePassedOver) {
  World world{.srv = {{"_matrix-fed._tcp.a.example", {{1, 0, 1, "gone.example"}, {2, 0, 2, "here.example"}}}},
              .addresses = {{"here.example", {"1.1.1.1", "not an address", "1.1.1.1"}}}};
  EXPECT_EQ(told(resolve(world, "a.example")), "1.1.1.1 2, a.example, Host: a.example");
  world.broken.insert("gone.example");
  EXPECT_EQ(told(resolve(world, "a.example")), "1.1.1.1 2, a.example, Host: a.example");
  world.addresses.clear();
  EXPECT_EQ(told(resolve(world, "a.example")), "unavailable") << "there were SRV records: port 8448 is not tried";
}

// RFC 2782 asks for a domain name there, which may have what a server name may not.
TEST(ServerResolution, TargetsMayHaveUnderscores) {
  World world{.srv = {{"_matrix-fed._tcp.a.example", {{1, 0, 443, "matrix_fed.a.example."}}}},
              .addresses = {{"matrix_fed.a.example", {"1.1.1.1"}}}};
  EXPECT_EQ(told(resolve(world, "a.example")), "1.1.1.1 443, a.example, Host: a.example");
}

TEST(ServerResolution, DeadEnds) {
  World world{.addresses = {{"a.example", {"1.1.1.1"}}, {".", {"2.2.2.2"}}}};
  EXPECT_EQ(told(resolve(world, "unknown.example")), "unavailable");
  EXPECT_EQ(told(resolve(world, "a.example:0")), "unavailable");
  EXPECT_EQ(told(resolve(world, "1.2.3.4:0")), "unavailable");
  EXPECT_EQ(told(resolve(world, "a.example:65536")), "unavailable") << "a name by the grammar, that leads nowhere";
  // A look-up that fails is no answer: going on would lead elsewhere than when it works.
  world.broken = {"_matrix-fed._tcp.a.example"};
  EXPECT_EQ(told(resolve(world, "a.example")), "unavailable");
  world.broken = {"_matrix._tcp.a.example"};
  EXPECT_EQ(told(resolve(world, "a.example")), "unavailable");
  world.broken.clear();
  // RFC 2782: "." says that there is no such service.
  for (auto& record : {SrvRecord{0, 0, 0, "."}, SrvRecord{0, 0, 443, "."}, SrvRecord{0, 0, 0, "a.example"},
                       SrvRecord{0, 0, 443, "no host"}, SrvRecord{0, 0, 443, "a.example:80"}}) {
    world.srv["_matrix-fed._tcp.a.example"] = {record};
    EXPECT_EQ(told(resolve(world, "a.example")), "unavailable") << record.target;
  }
}

TEST(ServerResolution, Attack15FloodsOfRecordsAreBounded) {
  World world;
  for (int i = 0; i < 1000; ++i) {
    auto host = fmt::format("h{}.example", i);
    world.srv["_matrix-fed._tcp.a.example"].push_back({1, 1, 443, host});
    for (int k = 0; k < 5; ++k) world.addresses[host].push_back(fmt::format("10.{}.{}.{}", i / 250, i % 250, k));
  }
  auto step = resolve(world, "a.example");
  EXPECT_EQ(std::get<Destination>(step).endpoints.size(), 16u);
  EXPECT_LE(world.asked.size(), 10u);
  world.addresses.clear();
  world.asked.clear();
  EXPECT_EQ(told(resolve(world, "a.example")), "unavailable");
  EXPECT_LE(world.asked.size(), 10u);
  // Ordering them takes time with the square of their number.
  world.srv["_matrix-fed._tcp.a.example"].resize(200'000, {1, 1, 443, "h.example"});
  EXPECT_EQ(told(resolve(world, "a.example")), "unavailable");
}

TEST(ServerResolution, AnAnswerToAnotherQuestionIsABug) {
  SeededRandom random(1);
  ServerResolution resolution(ServerName::trusted("a.example"));
  resolution.srv_records(std::vector<SrvRecord>(), random);
  EXPECT_EQ(told(resolution.step()), "a bug");
  resolution = ServerResolution(ServerName::trusted("a.example"));
  resolution.addresses(std::vector<std::string>());
  EXPECT_EQ(told(resolution.step()), "a bug");
  resolution = ServerResolution(ServerName::trusted("1.2.3.4"));
  resolution.well_known({});
  EXPECT_EQ(told(resolution.step()), "a bug");
}

TEST(WellKnown, DelegatesWithAValidAnswerOnly) {
  auto read = [](std::string_view body, int status = 200) {
    auto delegated = read_well_known({status, body}, kNow).delegated;
    return delegated ? delegated->str() : "";
  };
  EXPECT_EQ(read(R"({"m.server":"delegated.example.com:1234"})"), "delegated.example.com:1234");
  EXPECT_EQ(read(R"({"m.server":"[::1]","other":{}})"), "[::1]");
  for (auto body : {"", "{}", "[]", "<html>", R"({"m.server":5})", R"({"m.server":""})", R"({"m.server":"a b"})",
                    R"({"m.server":"https://a.example"})", R"({"m.server":"a.example:port"})",
                    R"({"m.server":"a.example","m.server":"b.example"})"})
    EXPECT_EQ(read(body), "") << body;
  for (int status : {0, 201, 204, 301, 404, 500}) EXPECT_EQ(read(R"({"m.server":"a.example"})", status), "") << status;
  EXPECT_EQ(read(R"({"m.server":"a.example","x":")" + std::string(kMaxWellKnownBytes, 'x') + "\"}"), "");
}

TEST(WellKnown, IsCachedAsItsHeadersSay) {
  auto minutes = [](std::string_view cache_control, std::string_view expires = "") {
    return (read_well_known({200, R"({"m.server":"a.example"})", cache_control, expires}, kNow).expires_at - kNow) /
           kMinute;
  };
  EXPECT_EQ(minutes(""), 24 * 60);
  EXPECT_EQ(minutes("max-age=3600"), 60);
  EXPECT_EQ(minutes("max-age=\"3600\""), 60);
  EXPECT_EQ(minutes("max-age=\""), 24 * 60) << "no number";
  EXPECT_EQ(minutes("public, Max-Age=7200 , must-revalidate"), 120);
  EXPECT_EQ(minutes("max-age=999999999"), 48 * 60);
  EXPECT_EQ(minutes("max-age=99999999999999999999"), 48 * 60) << "RFC 9111, 1.2.2";
  for (auto odd : {"max-age=", "max-age=-5", "max-age=-99999999999999999999", "max-age=5x", "max-age=x"})
    EXPECT_EQ(minutes(odd), 24 * 60) << odd << " is no number";
  EXPECT_EQ(minutes("max-age=1"), 5);
  EXPECT_EQ(minutes("no-store"), 5);
  EXPECT_EQ(minutes("max-age=3600, no-cache"), 5);
  EXPECT_EQ(minutes("private"), 24 * 60);
  // kNow is Tue, 14 Nov 2023 22:13:20 GMT.
  EXPECT_EQ(minutes("", "Tue, 14 Nov 2023 23:13:20 GMT"), 60);
  EXPECT_EQ(minutes("", "Thu, 29 Feb 2024 00:00:00 GMT"), 48 * 60);
  EXPECT_EQ(minutes("", "Sun, 06 Nov 1994 08:49:37 GMT"), 5);
  EXPECT_EQ(minutes("max-age=7200", "Tue, 14 Nov 2023 23:13:20 GMT"), 120);
  for (auto odd : {"0", "-1", "tomorrow", "Tue, 14 Nov 2023 23:13:20 CET", "Tue, 31 Feb 2024 23:13:20 GMT",
                   "Tue, 14 nov 2023 23:13:20 GMT", "Tue, 14 Nov 2023 25:13:20 GMT"})
    EXPECT_EQ(minutes("", odd), 5) << odd;
}

TEST(WellKnown, FailuresAreKeptLongerEachTimeUpToAnHour) {
  int failures = 0;
  std::vector<int64_t> minutes;
  for (int i = 0; i < 7; ++i) {
    auto known = read_well_known({404, ""}, kNow, failures);
    failures = known.failures;
    minutes.push_back((known.expires_at - kNow) / kMinute);
  }
  EXPECT_EQ(minutes, (std::vector<int64_t>{5, 10, 20, 40, 60, 60, 60}));
  EXPECT_EQ(failures, 7);
  EXPECT_EQ(read_well_known({200, R"({"m.server":"a.example"})"}, kNow, failures).failures, 0);
  EXPECT_EQ(read_well_known({}, kNow, INT_MAX - 1).expires_at, kNow + kHour);
}

}  // namespace
}  // namespace myelin
