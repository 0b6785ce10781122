#include <gtest/gtest.h>

#include "infra/net/http_server.h"
#include "infra/net/response_head.h"

namespace myelin::net {
namespace {

TEST(PercentCoding, DecodesWhatIsWellFormed) {
  using namespace std::string_literals;
  EXPECT_EQ(percent_decode("%21room%3Aexample.org"), "!room:example.org");
  EXPECT_EQ(percent_decode("%c3%A9%2F%00"), "\xc3\xa9/\0"s);
  for (const char* text : {"%", "%4", "%zz", "%4z", "a%", "+", "%%"}) EXPECT_EQ(percent_decode(text), text);
  EXPECT_EQ(percent_decode("%2541"), "%41") << "once only";
}

TEST(PercentCoding, GivesBackEveryByte) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  auto coded = percent_encode(all);
  EXPECT_EQ(percent_decode(coded), all);
  EXPECT_EQ(coded.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%"),
            std::string::npos);
}

TEST(Request, SplitsItsTargetAndFindsFields) {
  Request request{.target = "/a%2Fb?c=d?e", .headers = {{"X-One", "1"}, {"x-ONE", "2"}}};
  EXPECT_EQ(request.path(), "/a%2Fb");
  EXPECT_EQ(request.query(), "c=d?e");
  EXPECT_EQ(request.header("x-one"), "1");
  EXPECT_EQ(request.header("x-on"), "");
  request.target = "/a";
  EXPECT_EQ(request.path(), "/a");
  EXPECT_EQ(request.query(), "");
}

TEST(ResponseHeads, WriteTheFields) {
  ManualClock clock;
  ResponseHeads heads(clock);
  Response response{.status = 404, .body = "{}", .headers = {{"Retry-After", "5"}}};
  EXPECT_EQ(heads.make(response, true),
            "HTTP/1.1 404 Not Found\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\nContent-Type: application/json\r\n"
            "Content-Length: 2\r\nRetry-After: 5\r\n\r\n");
  clock.advance(1'000);
  EXPECT_EQ(heads.make({.status = 204}, false),
            "HTTP/1.1 204 No Content\r\nDate: Tue, 14 Nov 2023 22:13:21 GMT\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(heads.make({.status = 299, .content_type = ""}, true).starts_with("HTTP/1.1 299 \r\n"));
}

TEST(ResponseHeads, CannotBeSplitByAValue) {
  ManualClock clock;
  auto head = ResponseHeads(clock).make({.content_type = "text/html\r\nX: y",
                                         .headers = {{"Location", "/\nSet-Cookie: a"}, {"X: y", "z"}, {"Good", "1"}}},
                                        true);
  EXPECT_EQ(head, "HTTP/1.1 200 OK\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\nContent-Length: 0\r\nGood: 1\r\n\r\n");
}

}  // namespace
}  // namespace myelin::net
