#include "api/router.h"

#include <gtest/gtest.h>

#include "components/testing/fake_accounts.h"
#include "components/testing/loop.h"

namespace myelin::api {
namespace {
using net::Method;

struct RouterTest : ::testing::Test {
  myelin::testing::Loop loop;
  myelin::testing::FakeAccounts accounts;
  Router router{accounts};

  RouterTest() {
    accounts.tokens["good"] = {UserId::trusted("@alice:here"), DeviceId::trusted("PHONE")};
    router.add(
        Method::kGet, "/_matrix/client/v3/echo/{first}/x/{second}", Auth::kNone,
        [](Call call) -> Task<Result<std::string>> {
          co_return json::serialize(json::Object{
              {"first", call.path("first")}, {"second", call.path("second")}, {"q", call.query("q").value_or("none")}});
        });
    router.add(Method::kGet, "/_matrix/client/v3/echo/fixed/x/{second}", Auth::kNone,
               [](Call) -> Task<Result<std::string>> { co_return std::string(R"({"fixed":true})"); });
    router.add(Method::kPut, "/_matrix/client/v3/mine", Auth::kToken, [](Call call) -> Task<Result<std::string>> {
      MYELIN_CO_TRY(auto body, call.body());
      co_return json::serialize(json::Object{{"user", call.session().user.str()}, {"keys", body.size()}});
    });
    router.add(Method::kGet, "/fails", Auth::kNone, [](Call) -> Task<Result<std::string>> {
      co_return fail(Code::kLimitExceeded, "slowly", {{"retry_after_ms", 1'500}});
    });
    router.add(Method::kGet, "/throws", Auth::kNone, [](Call) -> Task<Result<std::string>> {
      throw std::runtime_error("a bug");
      co_return ok();
    });
  }

  net::Response ask(Method method, std::string target, std::string token = "", std::string body = "") {
    net::Request request{method, std::move(target), {}, std::move(body), "127.0.0.1"};
    if (!token.empty()) request.headers.push_back({"authorization", "bearer " + token});
    return loop.run(router.handle(std::move(request)));
  }
  static std::string header(const net::Response& response, std::string_view name) {
    for (const auto& field : response.headers)
      if (field.name == name) return field.value;
    return "";
  }
  static std::string errcode_of(const net::Response& response) {
    auto body = json::parse_object(response.body);
    return body ? std::string(json::string_at(*body, "errcode").value_or("")) : "no JSON";
  }
  void expect(const net::Response& response, int status, std::string_view errcode) {
    EXPECT_EQ(response.status, status) << response.body;
    EXPECT_EQ(errcode_of(response), errcode) << response.body;
    EXPECT_EQ(header(response, "Access-Control-Allow-Origin"), "*");
  }
};

TEST_F(RouterTest, ParametersAreDecodedSegmentBySegment) {
  auto response = ask(Method::kGet, "/_matrix/client/v3/echo/a%2Fb%20c/x/%F0%9F%98%80?q=1+2%2B3&q=other");
  EXPECT_EQ(response.body, R"({"first":"a/b c","second":"😀","q":"1 2+3"})");
  EXPECT_EQ(ask(Method::kGet, "/_matrix/client/r0/echo/1/x/2").status, 200);
  EXPECT_EQ(ask(Method::kGet, "/_matrix/client/v3/echo/fixed/x/2").body, R"({"fixed":true})");
}

TEST_F(RouterTest, ParametersThatAreNoTextAreRefused) {
  for (const char* target :
       {"/_matrix/client/v3/echo/%00/x/2", "/_matrix/client/v3/echo/1/x/%FF", "/_matrix/client/v3/echo/1/x/%ED%A0%80",
        "/_matrix/client/v3/echo/1/x/2?q=%00", "/_matrix/client/v3/echo/1/x/2?q=ok&r=%C0%80"})
    expect(ask(Method::kGet, target), 400, "M_INVALID_PARAM");
  EXPECT_EQ(ask(Method::kGet, "/_matrix/client/v3/echo/%zz/x/%").status, 200) << "a broken escape is text";
}

TEST_F(RouterTest, UnknownPathsAndMethods) {
  expect(ask(Method::kGet, "/_matrix/client/v3/none"), 404, "M_UNRECOGNIZED");
  expect(ask(Method::kGet, "/_matrix/client/v3/echo/1/x"), 404, "M_UNRECOGNIZED");
  expect(ask(Method::kGet, ""), 404, "M_UNRECOGNIZED");
  expect(ask(Method::kPost, "/_matrix/client/v3/echo/1/x/2"), 405, "M_UNRECOGNIZED");
  expect(ask(Method::kOther, "/_matrix/client/v3/mine"), 405, "M_UNRECOGNIZED");
  EXPECT_EQ(ask(Method::kHead, "/_matrix/client/v3/echo/1/x/2").status, 200);
  for (const char* target : {"/_matrix/client/v3/mine", "/_matrix/client/v3/none"}) {
    auto response = ask(Method::kOptions, target);
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(header(response, "Access-Control-Allow-Methods"), "GET, POST, PUT, DELETE, PATCH, OPTIONS");
  }
}

TEST_F(RouterTest, TokensAndBodies) {
  const char* mine = "/_matrix/client/v3/mine";
  expect(ask(Method::kPut, mine, "", "{}"), 401, "M_MISSING_TOKEN");
  expect(ask(Method::kPut, mine, "bad", "{}"), 401, "M_UNKNOWN_TOKEN");
  EXPECT_EQ(ask(Method::kPut, mine, "good", R"({"a":1})").body, R"({"user":"@alice:here","keys":1})");
  EXPECT_EQ(ask(Method::kPut, std::string(mine) + "?access_token=good", "", "{}").status, 200);
  expect(ask(Method::kPut, mine, "good", ""), 400, "M_NOT_JSON");
  expect(ask(Method::kPut, mine, "good", "{"), 400, "M_NOT_JSON");
  expect(ask(Method::kPut, mine, "good", "[]"), 400, "M_BAD_JSON");
  expect(ask(Method::kPut, mine, "good", R"({"a":1,"a":1})"), 400, "M_BAD_JSON");
}

TEST_F(RouterTest, Failures) {
  auto limited = ask(Method::kGet, "/fails");
  expect(limited, 429, "M_LIMIT_EXCEEDED");
  EXPECT_EQ(header(limited, "Retry-After"), "2");
  expect(ask(Method::kGet, "/throws"), 500, "M_UNKNOWN");
}

}  // namespace
}  // namespace myelin::api
