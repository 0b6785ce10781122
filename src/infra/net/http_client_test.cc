#include "infra/net/http_client.h"

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "infra/net/testing/loopback.h"

namespace myelin::net {
namespace {
using namespace std::chrono_literals;
using testing::LoopbackServer;

class HttpClientTest : public ::testing::Test {
 protected:
  void SetUp() override { client_ = HttpClient::make(loop_.executor(), {.allow_private_addresses = true}); }
  void TearDown() override { client_.reset(); }
  Result<Response> send(OutboundRequest request) { return loop_.start(client_->send(std::move(request))).get(); }

  LoopbackServer server_{Limits{.body_bytes = 300'000}};
  testing::LoopThread loop_;
  std::unique_ptr<HttpClient> client_;
};

Code code_of(const Result<Response>& result) { return result ? Code::kInternal : result.error().code; }

TEST_F(HttpClientTest, SendsEveryMethodAndGivesTheAnswer) {
  using enum Method;
  for (auto method : {kGet, kPost, kPut, kDelete, kOptions, kPatch}) {
    auto answer = send({.method = method, .url = server_.url("/a%2Fb?c"), .body = method == kGet ? "" : "text"});
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->content_type, "text/plain");
    EXPECT_EQ(answer->body, fmt::format("{} /a%2Fb?c {}", to_string(method), method == kGet ? "" : "text"));
  }
  auto head = send({.method = kHead, .url = server_.url("/big?70")});
  ASSERT_TRUE(head) << head.error().message;
  EXPECT_EQ(head->body, "");
}

TEST_F(HttpClientTest, AnyStatusIsAnAnswer) {
  for (int status : {204, 302, 404, 500, 503}) {
    auto answer = send({.url = server_.url(fmt::format("/status?{}", status))});
    ASSERT_TRUE(answer) << status << ": " << answer.error().message;
    EXPECT_EQ(answer->status, status);
  }
}

TEST_F(HttpClientTest, SendsLargeBodiesWithoutWaiting) {
  auto answer = send({.method = Method::kPost, .url = server_.url("/"), .body = std::string(200'000, 'a')});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body.size(), 7U + 200'000U);
}

TEST_F(HttpClientTest, LimitsTheAnswer) {
  EXPECT_EQ(send({.url = server_.url("/big?1000"), .max_body_bytes = 1000})->body.size(), 1000U);
  EXPECT_EQ(code_of(send({.url = server_.url("/big?1001"), .max_body_bytes = 1000})), Code::kTooLarge);
}

TEST_F(HttpClientTest, EndsAtTheDeadline) {
  EXPECT_EQ(code_of(send({.url = server_.url("/wait"), .deadline = 30ms})), Code::kTimeout);
  EXPECT_EQ(code_of(send({.url = server_.url("/wait"), .deadline = 0ms})), Code::kTimeout);
}

TEST_F(HttpClientTest, SaysThatNobodyListens) {
  uint16_t port = 0;
  {
    LoopbackServer gone;
    port = gone.port;
  }
  EXPECT_EQ(code_of(send({.url = fmt::format("http://127.0.0.1:{}/", port)})), Code::kUnavailable);
}

TEST_F(HttpClientTest, SpeaksOnlyHttp) {
  for (const char* url : {"file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/", "dict://127.0.0.1/"})
    EXPECT_EQ(code_of(send({.url = url})), Code::kForbidden) << url;
  EXPECT_EQ(code_of(send({.url = "http://"})), Code::kUnavailable);
}

TEST_F(HttpClientTest, DeniesConnectionsToOurOwnNetworks) {
  client_ = HttpClient::make(loop_.executor(), {});
  for (const char* host : {"127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1",
                           "10.0.0.1", "169.254.169.254", "[fe80::1]", "[fd00::1]", "[64:ff9b::7f00:1]"})
    EXPECT_EQ(code_of(send({.url = fmt::format("http://{}:{}/", host, server_.port)})), Code::kForbidden) << host;
  EXPECT_EQ(server_.seen->runs, 0);
}

TEST_F(HttpClientTest, FollowsNoRedirectAndKeepsFields) {
  auto answer = send({.url = server_.url("/echo"), .headers = {{"Accept", ""}, {"X-Test", "1"}}});
  ASSERT_TRUE(answer) << answer.error().message;
  bool has_date = std::ranges::any_of(answer->headers, [](const Header& h) { return h.name == "Date"; });
  EXPECT_TRUE(has_date);
  send({.url = server_.url("/status?302")});
  EXPECT_EQ(server_.seen->runs, 2);
}

TEST_F(HttpClientTest, HeaderValuesCannotAddFields) {
  EXPECT_FALSE(send({.url = server_.url("/"), .headers = {{"A", "b\r\nContent-Length: 5"}}}));
  EXPECT_FALSE(send({.url = server_.url("/"), .headers = {{"A\n", "b"}}}));
  EXPECT_EQ(server_.seen->runs, 0);
}

TEST_F(HttpClientTest, ManyRunAtOnce) {
  std::vector<std::future<Result<Response>>> answers;
  for (int i = 0; i < 50; ++i)
    answers.push_back(loop_.start(client_->send({.url = server_.url(fmt::format("/{}", i))})));
  for (int i = 0; i < 50; ++i) EXPECT_EQ(answers[static_cast<size_t>(i)].get()->body, fmt::format("GET /{} ", i));
}

TEST_F(HttpClientTest, CancellingACallEndsItsTransfer) {
  boost::asio::cancellation_signal signal;
  std::promise<bool> threw;
  loop_.call([&] {
    boost::asio::co_spawn(
        loop_.executor(), client_->send({.url = server_.url("/wait")}),
        boost::asio::bind_cancellation_slot(signal.slot(), [&](const std::exception_ptr& e, const Result<Response>&) {
          threw.set_value(e != nullptr);
        }));
  });
  server_.seen->started.acquire();
  loop_.call([&] { signal.emit(boost::asio::cancellation_type::terminal); });
  EXPECT_TRUE(threw.get_future().get());
  server_.seen->cancelled.acquire();  // the server has seen the connection end
}

TEST_F(HttpClientTest, StoppingEndsWhatRuns) {
  auto answer = loop_.start(client_->send({.url = server_.url("/wait")}));
  server_.seen->started.acquire();
  client_.reset();
  EXPECT_EQ(code_of(answer.get()), Code::kUnavailable);
}

}  // namespace
}  // namespace myelin::net
