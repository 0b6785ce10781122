// Every component over one router, as `serve` has them: what the configuration makes of it, and its health.
#include "app/house.h"

#include <gtest/gtest.h>

#include "app/components.h"
#include "components/accounts/identity.h"
#include "components/testing/databases.h"
#include "components/testing/fake_bus.h"
#include "components/testing/loop.h"
#include "infra/db/testing/power_cut_vfs.h"

namespace myelin::app {
namespace {
using namespace myelin::testing;

class NobodyThere final : public net::HttpClient {
 public:
  Task<Result<net::Response>> send(net::OutboundRequest) override { co_return fail(Code::kUnavailable, "no network"); }
};

Config config_of(std::vector<std::pair<std::string, std::string>> settings) {
  settings.insert(settings.begin(), {{"registration", "open"}, {"argon2_memory_kib", "8"}, {"argon2_passes", "1"}});
  return value(load({{}, {}, std::move(settings)}));
}

struct Standing {
  explicit Standing(std::vector<std::pair<std::string, std::string>> settings = {}, int silent_starts = 0,
                    bool starts = true)
      : config(config_of(std::move(settings))) {
    bus.silent_starts = silent_starts;
    value(loop.run(
        accounts::settle_server_name(*db, ServerName::trusted(config.server_name), accounts::Wish::kDemanded)));
    if (starts) check(loop.run(house.start()));
  }
  ~Standing() {
    loop.run(house.stop_work());
    loop.run(house.stop());
    db->stop();
  }

  static net::Request request_of(net::Method method, const std::string& target, std::string body = "") {
    net::Request request;
    request.method = method;
    request.target = target;
    request.body = std::move(body);
    request.remote_address = "192.0.2.1";
    return request;
  }
  net::Response ask(net::Method method, const std::string& target, std::string body = "") {
    return loop.run(house.handle(request_of(method, target, std::move(body))));
  }
  std::unique_ptr<db::Database> open() {
    auto options = database.options();
    options.sqlite_vfs = disk.name();
    return db::testing::TemporaryDatabase::open(options, loop.executor(), clock);
  }
  net::Response get(const std::string& target) { return ask(net::Method::kGet, target); }

  Config config;
  Loop loop;
  SystemClock clock;
  SystemRandom random;
  db::testing::TemporarySqlite database;
  db::testing::PowerCutVfs disk{"house", 1};
  std::unique_ptr<db::Database> db = open();
  FakeBus bus{*db};
  NobodyThere nobody;
  SigningKey key = SigningKey::generate(random, "a");
  House house{config, {*db, bus, nobody, loop.executor(), clock, random}, key};
};

constexpr const char* kWellKnown = "/.well-known/matrix/client";

TEST(PublicAddress, IsKnownWhenItIsConfiguredOrTheServerIsATryOut) {
  struct Case {
    std::vector<std::pair<std::string, std::string>> settings;
    std::string url;
  };
  for (const auto& [settings, url] : std::vector<Case>{
           {{}, "http://localhost:8008"},
           {{{"listen", "[::1]:80"}}, "http://[::1]:80"},
           {{{"public_base_url", "https://m.example.org"}, {"server_name", "example.org"}}, "https://m.example.org"},
           {{{"server_name", "example.org"}}, ""},
           {{{"trusted_proxies", "127.0.0.1"}}, ""},
           {{{"listen", "127.0.0.1:1,0.0.0.0:2"}}, ""},
       })
    EXPECT_EQ(public_base_url(config_of(settings)), url) << url;
}

TEST(PublicAddress, ThatIsNotKnownIsToldToNobody) {
  for (bool is_known : {false, true}) {
    Standing standing({{"public_base_url", is_known ? "https://m.example.org" : ""}, {"server_name", "example.org"}});
    auto found = standing.get(kWellKnown);
    EXPECT_EQ(found.status, is_known ? 200 : 404) << found.body;
    auto registered = standing.ask(net::Method::kPost, "/_matrix/client/v3/register",
                                   R"({"username":"a","password":"password","auth":{"type":"m.login.dummy"}})");
    ASSERT_EQ(registered.status, 200) << registered.body;
    auto login = standing.ask(
        net::Method::kPost, "/_matrix/client/v3/login",
        R"({"type":"m.login.password","identifier":{"type":"m.id.user","user":"a"},"password":"password"})");
    ASSERT_EQ(login.status, 200) << login.body;
    EXPECT_EQ(value(json::parse_object(login.body)).contains("well_known"), is_known);
  }
}

struct Health : ::testing::Test {
  void expect(int ready, const std::string& reason = "") {
    forget_the_last_answer();
    EXPECT_EQ(standing.get("/_myelin/health/live").status, 200);
    for (const char* path : {"/_myelin/health", "/_myelin/health/ready"}) {
      auto answer = standing.get(path);
      EXPECT_EQ(answer.status, ready) << path << " " << answer.body;
      EXPECT_NE(answer.body.find(reason), std::string::npos) << answer.body;
    }
  }
  void forget_the_last_answer() { standing.loop.run(sleep_for(std::chrono::milliseconds(1'050))); }
  Standing standing;
};

TEST_F(Health, IsOfTheDatabaseNatsAndTheServer) {
  expect(200, R"("ok")");
  standing.bus.is_silent = true;
  expect(503, "NATS does not answer: ");
  standing.bus.is_silent = false;
  expect(200);
  standing.house.drain_begins();
  expect(503, "the server is stopping");
}

TEST_F(Health, NoticesADatabaseThatTakesNoWrites) {
  standing.db->stop();
  expect(503, "the database refuses to write: ");
}

TEST_F(Health, NoticesAFullDisk) {
  standing.disk.fail_from(db::testing::PowerCutVfs::Fault::kDiskFull, 1);
  expect(503, "the database refuses to write: ");
  standing.disk.heal();
  expect(200);
}

int count(std::string_view text, std::string_view what) {
  int out = 0;
  for (auto at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++out;
  return out;
}

TEST_F(Health, IsLoggedWhenItChanges) {
  ::testing::internal::CaptureStderr();
  expect(200);
  standing.bus.is_silent = true;
  expect(503);
  expect(503);
  standing.bus.is_silent = false;
  expect(200);
  expect(200);
  auto log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(count(log, "warning not ready: NATS does not answer: "), 1) << log;
  EXPECT_EQ(count(log, "info    ready again"), 1) << log;
  EXPECT_EQ(count(log, "/_myelin/health"), 0) << log;
}

// Passwords are hashed beside the loop: by the order of the answers, whatever the time that each of them takes.
TEST(Passwords, ThatAreHashedHoldUpNobodyElse) {
  constexpr size_t kLogins = 64;
  Standing standing({{"rate_limits", "off"}, {"argon2_memory_kib", "8192"}, {"argon2_passes", "4"}});
  auto registered = standing.ask(net::Method::kPost, "/_matrix/client/v3/register",
                                 R"({"username":"a","password":"password","auth":{"type":"m.login.dummy"}})");
  ASSERT_EQ(registered.status, 200) << registered.body;
  auto token = std::string(value(json::parse_object(registered.body)).at("access_token").as_string());
  auto whoami = Standing::request_of(net::Method::kGet, "/_matrix/client/v3/account/whoami");
  whoami.headers.push_back({"Authorization", "Bearer " + token});

  std::vector<std::string> answers;  // in the order in which they came
  auto ask = [&](std::string name, net::Request request) -> Task<Result<void>> {
    auto answer = co_await standing.house.handle(std::move(request));
    EXPECT_EQ(answer.status, 200) << name << answer.body;
    answers.push_back(std::move(name));
    co_return Result<void>{};
  };
  std::vector<Task<Result<void>>> all;
  for (size_t i = 0; i < kLogins; ++i)
    all.push_back(ask("login", Standing::request_of(net::Method::kPost, "/_matrix/client/v3/login",
                                                    R"({"type":"m.login.password","password":"password",)"
                                                    R"("identifier":{"type":"m.id.user","user":"a"}})")));
  all.push_back(ask("whoami", std::move(whoami)));
  for (auto& each : standing.loop.run_all(std::move(all))) check(each);
  auto before = std::ranges::find(answers, "whoami") - answers.begin();
  EXPECT_LT(before, kLogins / 4) << "logins answered before a request that came after them";
}

TEST(Start, WaitsForNats) {
  Standing standing({}, 1);
  EXPECT_EQ(standing.bus.silent_starts, -1);
  EXPECT_EQ(standing.get("/_myelin/health/ready").status, 200);
}

// Asks while the server waits for NATS.
Task<Result<void>> ask_meanwhile(Standing& standing) {
  co_await sleep_for(std::chrono::milliseconds(200));
  for (auto [path, status, text] : {std::tuple("/_myelin/health/live", 200, R"("ok")"),
                                    std::tuple("/_myelin/health/ready", 503, "waiting for NATS"),
                                    std::tuple("/_myelin/health", 503, "waiting for NATS"),
                                    std::tuple("/_matrix/client/versions", 503, R"("M_UNKNOWN")"),
                                    std::tuple("/_myelin/metrics", 503, R"("M_UNKNOWN")")}) {
    auto answer = co_await standing.house.handle(Standing::request_of(net::Method::kGet, path));
    EXPECT_EQ(answer.status, status) << path;
    EXPECT_NE(answer.body.find(text), std::string::npos) << path << answer.body;
    bool says_when = std::ranges::any_of(answer.headers, [](const auto& each) { return each.name == "Retry-After"; });
    EXPECT_EQ(says_when, !std::string_view(path).contains("health")) << path;
  }
  co_return Result<void>{};
}

TEST(Start, AnswersMeanwhile) {
  Standing standing({}, 1, false);
  EXPECT_NE(standing.get("/_myelin/health/ready").body.find("the server is starting"), std::string::npos);
  std::vector<Task<Result<void>>> both;
  both.push_back(standing.house.start());
  both.push_back(ask_meanwhile(standing));
  for (auto& each : standing.loop.run_all(std::move(both))) check(each);
  EXPECT_EQ(standing.get("/_myelin/health/ready").status, 200);
  EXPECT_EQ(standing.get("/_matrix/client/versions").status, 200);
}

}  // namespace
}  // namespace myelin::app
