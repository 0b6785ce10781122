#include "infra/net/http_server.h"

#include <gtest/gtest.h>

#include "infra/net/testing/loopback.h"

namespace myelin::net {
namespace {
using namespace std::chrono_literals;
using testing::LoopbackServer;
using testing::RawClient;

const std::string kGet = "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n";

std::string get(const std::string& target, const std::string& fields = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n";
}
std::string put(const std::string& fields, const std::string& body) {
  return "PUT /echo HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n" + body;
}

constexpr Limits kSmall{.header_bytes = 2048, .body_bytes = 4096};

// ---- what is refused

struct Hostile {
  const char* name;
  std::string bytes;
  int status;
};

std::vector<Hostile> framing_attacks() {
  using namespace std::string_literals;
  const std::string chunked = "Transfer-Encoding: chunked\r\n", one_chunk = "1\r\na\r\n0\r\n\r\n";
  auto length = [](const std::string& value) { return put("Content-Length: " + value + "\r\n", "hello"); };
  auto coding = [&](const std::string& value) { return put("Transfer-Encoding: " + value + "\r\n", one_chunk); };
  auto chunks = [&](const std::string& body) { return put(chunked, body); };
  return {
      {"both lengths", put("Content-Length: 5\r\n" + chunked, one_chunk), 400},
      {"both lengths, the other way", put(chunked + "Content-Length: 5\r\n", one_chunk), 400},
      {"two lengths", put("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), 400},
      {"two lengths that differ", put("Content-Length: 5\r\ncontent-length: 6\r\n", "hello"), 400},
      {"a list of lengths", length("5, 5"), 400},
      {"a length with plus", length("+5"), 400},
      {"a length with minus", length("-5"), 400},
      {"a length with a space within", length("1 5"), 400},
      {"a hexadecimal length", length("0x5"), 400},
      {"a fraction", length("5.0"), 400},
      {"an empty length", length(""), 400},
      {"a length past 64 bits", length("18446744073709551621"), 413},
      {"a length past the limit", length("4097"), 413},
      {"chunked not last", coding("chunked, gzip"), 400},
      {"chunked not at all", coding("gzip"), 400},
      {"chunked twice", coding("chunked, chunked"), 400},
      {"no coding", coding(""), 400},
      {"a list with an empty end", coding("chunked,"), 400},
      {"an unknown coding", coding("gzip, chunked"), 501},
      {"identity before chunked", coding("identity, chunked"), 501},
      {"a quoted coding", coding("\"chunked\""), 400},
      {"a coding with a vertical tab",
       coding("\x0b"
              "chunked"),
       400},
      {"two fields of codings", put(chunked + chunked, one_chunk), 400},
      {"a coding in HTTP/1.0", "PUT /echo HTTP/1.0\r\nHost: x\r\n" + chunked + "\r\n" + one_chunk, 400},
      {"a chunk size that is no number", chunks("g\r\na\r\n0\r\n\r\n"), 400},
      {"a chunk size with 0x", chunks("0x1\r\na\r\n0\r\n\r\n"), 400},
      {"a chunk size with a sign", chunks("+1\r\na\r\n0\r\n\r\n"), 400},
      {"a negative chunk size", chunks("-1\r\na\r\n0\r\n\r\n"), 400},
      {"a chunk size with a space", chunks("1 \r\na\r\n0\r\n\r\n"), 400},
      {"no chunk size", chunks("\r\na\r\n0\r\n\r\n"), 400},
      {"a chunk size past 32 bits", chunks("100000001\r\na\r\n0\r\n\r\n"), 400},
      {"a chunk size past 64 bits", chunks("10000000000000001\r\na\r\n0\r\n\r\n"), 400},
      {"a chunk size line that ends in LF", chunks("1\na\r\n0\r\n\r\n"), 400},
      {"a chunk size line with CR within", chunks("1;\ra\r\na\r\n0\r\n\r\n"), 400},
      {"a chunk longer than its size", chunks("1\r\naa\r\n0\r\n\r\n"), 400},
      {"a chunk that ends in LF", chunks("1\r\na\n0\r\n\r\n"), 400},
      {"a long chunk extension", chunks("1;" + std::string(300, 'x') + "\r\na\r\n0\r\n\r\n"), 400},
      {"a chunk extension without end", chunks("1;" + std::string(300, 'x')), 400},
      {"a chunk extension with NUL", chunks("1;a\0b\r\na\r\n0\r\n\r\n"s), 400},
      {"a trailer field", chunks("1\r\na\r\n0\r\nHost: y\r\n\r\n"), 400},
      {"a chunk past the limit", chunks("1001\r\n"), 413},
      {"chunks past the limit", chunks("800\r\n" + std::string(0x800, 'a') + "\r\n801\r\n"), 413},
  };
}

std::vector<Hostile> head_attacks() {
  using namespace std::string_literals;
  auto line = [](const std::string& text) { return text + "\r\nHost: x\r\n\r\n"; };
  auto field = [](const std::string& text) { return get("/echo", text + "\r\n"); };
  std::string many;
  for (int i = 0; i < 101; ++i) many += "a:b\r\n";
  return {
      {"folding", field("A: b\r\n c"), 400},
      {"folding with a tab", field("A: b\r\n\tc"), 400},
      {"folding of the first field", "GET /echo HTTP/1.1\r\n Host: x\r\n\r\n", 400},
      {"a space before the colon", field("Content-Length : 5"), 400},
      {"a space in a name", field("Content Length: 5"), 400},
      {"no name", field(": 5"), 400},
      {"no colon", field("Content-Length"), 400},
      {"a name beyond ASCII", field("Content-L\xc3\xa9ngth: 5"), 400},
      {"NUL in a name", field("A\0: b"s), 400},
      {"NUL in a value", field("A: b\0c"s), 400},
      {"a control character in a value", field("A: b\x01"), 400},
      {"DEL in a value", field("A: b\x7f"), 400},
      {"LF after a field", field("A: b\nContent-Length: 5"), 400},
      {"CR in a value", field("A: b\rContent-Length: 5"), 400},
      {"LF everywhere", "GET /echo HTTP/1.1\nHost: x\n\n", 400},
      {"LF before the end of the head", "GET /echo HTTP/1.1\r\nHost: x\r\n\n", 400},
      {"CR alone at the end of the head", "GET /echo HTTP/1.1\r\nHost: x\r\n\rGET", 400},
      {"no host", "GET /echo HTTP/1.1\r\n\r\n", 400},
      {"two hosts", field("Host: y"), 400},
      {"a list of hosts", "GET /echo HTTP/1.1\r\nHost: x, y\r\n\r\n", 400},
      {"a host with a path", "GET /echo HTTP/1.1\r\nHost: x/y\r\n\r\n", 400},
      {"a host with a user", "GET /echo HTTP/1.1\r\nHost: u@x\r\n\r\n", 400},
      {"another host in the target", line("GET http://y/echo HTTP/1.1"), 400},
      {"a target of another scheme", line("GET file://x/echo HTTP/1.1"), 400},
      {"a target without slash", line("GET echo HTTP/1.1"), 400},
      {"an empty target", line("GET  HTTP/1.1"), 400},
      {"two spaces", line("GET  /echo HTTP/1.1"), 400},
      {"a space in the target", line("GET /echo x HTTP/1.1"), 400},
      {"a tab in the target", line("GET /echo\tx HTTP/1.1"), 400},
      {"NUL in the target", line("GET /echo\0 HTTP/1.1"s), 400},
      {"a space before the method", line(" GET /echo HTTP/1.1"), 400},
      {"a space after the version", line("GET /echo HTTP/1.1 "), 400},
      {"a method that is no token", line("G(T /echo HTTP/1.1"), 400},
      {"CONNECT", line("CONNECT x:80 HTTP/1.1"), 400},
      {"* with GET", line("GET * HTTP/1.1"), 400},
      {"HTTP/0.9", "GET /echo\r\n\r\n", 400},
      {"a version in lower case", line("GET /echo http/1.1"), 400},
      {"a version of three numbers", line("GET /echo HTTP/1.1.1"), 400},
      {"a version with a leading zero", line("GET /echo HTTP/01.1"), 400},
      {"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"an unknown version", line("GET /echo HTTP/1.2"), 505},
      {"TLS", "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\n"s, 400},
      {"an unknown expectation", field("Expect: coffee"), 417},
      {"a long head", field("A: " + std::string(2048, 'a')), 431},
      {"a head without end", "GET /echo HTTP/1.1\r\nHost: x\r\nA: " + std::string(2048, 'a'), 431},
      {"a long target", line("GET /" + std::string(2048, 'a') + " HTTP/1.1"), 431},
      {"many fields", field(many), 431},
      {"empty lines only", "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n", 400},
  };
}

// Each is refused with its status, the connection closed, and neither it nor what it may hide reaches the handler.
void expect_refused(const std::vector<Hostile>& table, const std::vector<std::string>& pieces_after) {
  LoopbackServer server(kSmall);
  for (const auto& row : table) {
    RawClient client(server.port);
    client.send(row.bytes);
    for (const auto& piece : pieces_after) client.send(piece);
    auto answer = client.read();
    EXPECT_EQ(answer.status, row.status) << row.name;
    EXPECT_TRUE(answer.body.starts_with("rejected: ")) << row.name << ": " << answer.body;
    EXPECT_TRUE(answer.head.contains("\r\nConnection: close\r\n")) << row.name;
    EXPECT_EQ(client.rest(), "") << row.name << " is answered once, and the connection closed";
    EXPECT_EQ(server.seen->runs, 0) << row.name;
  }
}

TEST(HttpServerHostile, FramingIsRefused) { expect_refused(framing_attacks(), {get("/smuggled")}); }
TEST(HttpServerHostile, HeadsAreRefused) { expect_refused(head_attacks(), {get("/smuggled")}); }
TEST(HttpServerHostile, NothingMoreIsAwaited) {
  expect_refused(framing_attacks(), {});
  expect_refused(head_attacks(), {});
}

TEST(HttpServerHostile, ByteAfterByteIsRefusedTheSame) {
  LoopbackServer server(kSmall);
  for (auto table : {framing_attacks(), head_attacks()})
    for (const auto& row : table) {
      if (row.bytes.size() > 200) continue;
      RawClient client(server.port);
      for (char byte : row.bytes) client.send({&byte, 1});
      EXPECT_EQ(client.read().status, row.status) << row.name;
      EXPECT_EQ(client.rest(), "") << row.name;
    }
  EXPECT_EQ(server.seen->runs, 0);
}

TEST(HttpServerHostile, RefusalReachesAClientThatGoesOnSending) {
  LoopbackServer server(kSmall);
  RawClient client(server.port);
  client.send(put("Content-Length: 3000000\r\n", std::string(3'000'000, 'a')));
  EXPECT_EQ(client.read().status, 413);
}

// ---- slow clients

constexpr Limits kSwept{.idle_timeout = 40s, .write_timeout = 40ms};  // the sweeper runs every 10 ms

// A round trip, after which the loop has seen what was sent before.
void visit(LoopbackServer& server) {
  RawClient client(server.port);
  EXPECT_EQ(client.send(kGet).read().status, 200);
}

TEST(HttpServerSlow, HeadGetsA408) {
  LoopbackServer server(kSwept);
  RawClient client(server.port);
  client.send("GET /echo HTTP/1.1\r\nHo");
  visit(server);
  server.advance(16s);
  EXPECT_EQ(client.read().status, 408);
  EXPECT_EQ(client.rest(), "");
  EXPECT_EQ(server.seen->runs, 1);
}

TEST(HttpServerSlow, DrippingDoesNotBuyTime) {
  LoopbackServer server(kSwept);
  RawClient client(server.port);
  client.send("GET /echo HTTP/1.1\r\n");
  for (int i = 0; i < 4; ++i) {
    client.send("a:b\r\n");
    visit(server);
    server.advance(4s);
  }
  EXPECT_EQ(client.read().status, 408);
}

TEST(HttpServerSlow, BodyGetsA408) {
  for (const char* field : {"Content-Length: 9\r\n", "Transfer-Encoding: chunked\r\n"}) {
    LoopbackServer server(kSwept);
    RawClient client(server.port);
    client.send(put(field, "1\r\n"));
    visit(server);
    server.advance(61s);
    EXPECT_EQ(client.read().status, 408) << field;
    EXPECT_EQ(client.rest(), "") << field;
    EXPECT_EQ(server.seen->runs, 1) << field;
  }
}

TEST(HttpServerSlow, IdleConnectionsEndWithoutAWord) {
  LoopbackServer server(kSwept);
  RawClient fresh(server.port), used(server.port), empty_lines(server.port);
  EXPECT_EQ(used.send(kGet).read().status, 200);
  empty_lines.send("\r\n\r\n");
  visit(server);
  server.advance(41s);
  EXPECT_EQ(fresh.rest(), "");
  EXPECT_EQ(used.rest(), "");
  EXPECT_EQ(empty_lines.rest(), "");
}

// Lets the clock run past every deadline and waits until the sweeper has seen it.
void pass_an_hour(LoopbackServer& server) {
  RawClient idle(server.port);
  EXPECT_EQ(idle.send(kGet).read().status, 200);
  visit(server);
  server.advance(1h);
  EXPECT_EQ(idle.rest(), "");
}

TEST(HttpServerSlow, WhoDoesNotReadIsCutOff) {
  LoopbackServer server(kSwept);
  RawClient client(server.port);
  client.send(get("/big?30000000"));
  server.seen->ended.acquire();
  for (int i = 0; i < 10; ++i) pass_an_hour(server);  // the first may come before the sockets are full
  EXPECT_LT(client.rest().size(), 30'000'000U);
}

TEST(HttpServerSlow, HandlersHaveNoDeadline) {
  LoopbackServer server(kSwept);
  RawClient client(server.port);
  client.send(get("/wait"));
  server.seen->started.acquire();
  pass_an_hour(server);
  server.ring();
  EXPECT_EQ(client.read().status, 200);
}

// ---- what is served

TEST(HttpServer, PipelinedRequestsAreAnsweredInOrder) {
  LoopbackServer server;
  RawClient client(server.port);
  client.send(get("/wait") + put("Content-Length: 3\r\n", "one") +
              put("Transfer-Encoding: chunked\r\n", "3\r\ntwo\r\n0\r\n\r\n") + get("/last"));
  server.seen->started.acquire();
  EXPECT_EQ(server.seen->runs, 1) << "one request of a connection at a time";
  server.ring();
  EXPECT_EQ(client.read().body, "GET /wait ");
  EXPECT_EQ(client.read().body, "PUT /echo one");
  EXPECT_EQ(client.read().body, "PUT /echo two");
  EXPECT_EQ(client.read().body, "GET /last ");
}

TEST(HttpServer, RequestsSentWhileOneRunsAreKept) {
  LoopbackServer server;
  RawClient client(server.port);
  client.send(get("/wait"));
  server.seen->started.acquire();
  client.send(get("/second") + "GET /th");
  visit(server);
  client.send("ird HTTP/1.1\r\nHost: x\r\n\r\n");
  server.ring();
  EXPECT_EQ(client.read().body, "GET /wait ");
  EXPECT_EQ(client.read().body, "GET /second ");
  EXPECT_EQ(client.read().body, "GET /third ");
}

TEST(HttpServer, AThousandPipelinedRequestsAreAnswered) {
  LoopbackServer server;
  RawClient client(server.port);
  std::string all;
  for (int i = 0; i < 1'000; ++i) all += get(fmt::format("/{}", i));
  std::thread sending([&] { client.send(all); });
  for (int i = 0; i < 1'000; ++i) EXPECT_EQ(client.read().body, fmt::format("GET /{} ", i));
  sending.join();
}

TEST(HttpServer, ConnectionsStayOpenUnlessSomebodySaysClose) {
  LoopbackServer server;
  RawClient client(server.port);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.send(kGet).read().status, 200);
  EXPECT_EQ(client.send(get("/echo", "Connection: TE, Close\r\n")).read().status, 200);
  EXPECT_EQ(client.rest(), "");

  RawClient both(server.port);
  both.send(get("/echo", "Connection: close\r\nConnection: keep-alive\r\n") + kGet);
  EXPECT_TRUE(both.read().head.contains("\r\nConnection: close\r\n"));
  EXPECT_EQ(both.rest(), "") << "what follows is not looked at";

  RawClient old(server.port);
  auto answer = old.send("GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").read();
  EXPECT_EQ(answer.body, "GET /echo ") << "HTTP/1.0 needs no Host";
  EXPECT_TRUE(answer.head.starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(old.rest(), "");
}

TEST(HttpServer, AsksForTheBodyWhenTheClientWaits) {
  LoopbackServer server(kSmall);
  RawClient client(server.port);
  client.send(put("Content-Length: 4\r\nExpect: 100-continue\r\n", ""));
  EXPECT_EQ(client.read().status, 100);
  EXPECT_EQ(client.send("body").read().body, "PUT /echo body");
  client.send(put("Content-Length: 4\r\nExpect: 100-Continue\r\n", "body"));
  EXPECT_EQ(client.read().body, "PUT /echo body") << "it is there already";
  client.send(put("Content-Length: 4097\r\nExpect: 100-continue\r\n", ""));
  EXPECT_EQ(client.read().status, 413) << "the body is not asked for";
}

TEST(HttpServer, HeadAndNoContentHaveNoBody) {
  LoopbackServer server;
  RawClient client(server.port);
  auto head = client.send("HEAD /big?70 HTTP/1.1\r\nHost: x\r\n\r\n").read(false);
  EXPECT_TRUE(head.head.contains("\r\nContent-Length: 70\r\n"));
  auto none = client.send(get("/status?204")).read();
  EXPECT_EQ(none.status, 204);
  EXPECT_FALSE(none.head.contains("Content-Length"));
  EXPECT_EQ(client.send(kGet).read().body, "GET /echo ");
}

TEST(HttpServer, TakesTargetsInEveryForm) {
  LoopbackServer server;
  RawClient client(server.port);
  EXPECT_EQ(client.send("GET http://X/echo?a HTTP/1.1\r\nHost: x\r\n\r\n").read().body, "GET /echo?a ");
  EXPECT_EQ(client.send("GET https://x?a HTTP/1.1\r\nHost: x\r\n\r\n").read().body, "GET /?a ");
  EXPECT_EQ(client.send("OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\n\r\n").read().body, "OPTIONS * ");
  EXPECT_EQ(client.send("\r\nPROPFIND /%2F//%00 HTTP/1.1\r\nhost:\r\n\r\n").read().body, "OTHER /%2F//%00 ");
}

TEST(HttpServer, BodiesAndHeadsUpToTheLimitPass) {
  LoopbackServer server(kSmall);
  RawClient client(server.port);
  EXPECT_EQ(client.send(put("Content-Length: 4096\r\n", std::string(4096, 'a'))).read().body.size(), 10U + 4096U);
  auto chunks = "800\r\n" + std::string(0x800, 'a') + "\r\n800;x=y\r\n" + std::string(0x800, 'a') + "\r\n0\r\n\r\n";
  EXPECT_EQ(client.send(put("Transfer-Encoding: Chunked\r\n", chunks)).read().body.size(), 10U + 4096U);
  auto empty = get("/echo", "A: \r\n");
  EXPECT_EQ(client.send(get("/echo", "A: " + std::string(2048 - empty.size(), 'a') + "\r\n")).read().status, 200);
}

TEST(HttpServer, LargeAnswersArriveWhole) {
  LoopbackServer server;
  RawClient client(server.port);
  EXPECT_EQ(client.send(get("/big?3000000")).read().body, std::string(3'000'000, 'x'));
  EXPECT_EQ(client.send(kGet).read().status, 200);
}

TEST(HttpServer, AHandlerThatThrowsIsA500) {
  LoopbackServer server;
  RawClient client(server.port);
  EXPECT_EQ(client.send(get("/fail")).read().status, 500);
  EXPECT_EQ(client.send(kGet).read().status, 200);
}

TEST(HttpServer, ConnectionsPastTheLimitAreClosed) {
  LoopbackServer server({.connections = 1});
  RawClient first(server.port);
  EXPECT_EQ(first.send(kGet).read().status, 200);
  RawClient second(server.port);
  EXPECT_EQ(second.rest(), "");
  EXPECT_EQ(first.send(kGet).read().status, 200);
}

// ---- clients that go, servers that stop

TEST(HttpServer, AGetIsGivenUpWhenItsClientGoes) {
  LoopbackServer server;
  RawClient client(server.port);
  client.send(get("/wait"));
  server.seen->started.acquire();
  client.close();
  server.seen->cancelled.acquire();
  EXPECT_EQ(server.seen->finished, 0);
}

TEST(HttpServer, AGetIsGivenUpThoughMoreWasSent) {
  LoopbackServer server;
  RawClient client(server.port);
  client.send(get("/wait") + kGet);
  server.seen->started.acquire();
  client.close();
  server.seen->cancelled.acquire();
  EXPECT_EQ(server.seen->runs, 1);
}

TEST(HttpServer, APutIsFinishedThoughItsClientGoes) {
  LoopbackServer server;
  RawClient client(server.port);
  client.send("PUT /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  server.seen->started.acquire();
  client.close();
  visit(server);
  server.seen->ended.acquire();
  server.ring();
  server.seen->ended.acquire();
  EXPECT_FALSE(server.seen->cancelled.try_acquire());
  EXPECT_EQ(server.seen->finished, 2);
}

// Its client may have asked another process since, and gone on from there.
TEST(HttpServer, SpineRuleA17APutWhoseClientIsGoneBeforeItBeginsIsNotDone) {
  LoopbackServer server;
  RawClient client(server.port);
  EXPECT_EQ(client.send(kGet).read().status, 200);
  server.stand_still_while([&] { client.send(put("Content-Length: 5\r\n", "hello")).close(); });
  visit(server);
  EXPECT_EQ(server.seen->runs, 2);
}

TEST(HttpServer, DrainFinishesWhatRuns) {
  LoopbackServer server;
  RawClient idle(server.port), running(server.port), half(server.port);
  EXPECT_EQ(idle.send(kGet).read().status, 200);
  running.send(get("/wait"));
  server.seen->started.acquire();
  half.send("GET /echo HTTP/1.1\r\n");
  EXPECT_EQ(idle.send(kGet).read().status, 200);  // the loop has seen the half of a request
  auto drained = server.drain(20s);
  EXPECT_EQ(idle.rest(), "") << "idle connections end at once";
  EXPECT_FALSE(RawClient(server.port).is_connected);
  EXPECT_EQ(half.send("Host: x\r\n\r\n").read().status, 200) << "a request that has begun is served";
  EXPECT_EQ(half.rest(), "");
  EXPECT_EQ(drained.wait_for(0s), std::future_status::timeout);
  server.ring();
  auto answer = running.read();
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.head.contains("\r\nConnection: close\r\n"));
  EXPECT_EQ(running.rest(), "");
  drained.get();
}

TEST(HttpServer, DrainEndsAtItsDeadline) {
  LoopbackServer server;
  RawClient client(server.port);
  client.send("PUT /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  server.seen->started.acquire();
  auto drained = server.drain(20s);
  server.advance(21s);
  drained.get();
  EXPECT_TRUE(server.seen->cancelled.try_acquire()) << "the handler has ended before drain does";
  EXPECT_EQ(client.rest(), "");
}

TEST(HttpServer, MayBeDestroyedWhileRequestsRun) {
  LoopbackServer server;
  RawClient client(server.port), idle(server.port);
  client.send(get("/wait"));
  server.seen->started.acquire();
}

TEST(HttpServer, SaysWhyItCannotListen) {
  LoopbackServer server;
  testing::LoopThread loop;
  SystemClock clock;
  loop.call([&] {
    auto other = HttpServer::make(loop.executor(), clock, {}, {}, {});
    auto taken = other->listen("127.0.0.1", server.port);
    EXPECT_EQ(taken.error().code, Code::kUnavailable);
    EXPECT_TRUE(taken.error().message.contains("in use")) << taken.error().message;
    EXPECT_EQ(other->listen("example.org", 0).error().code, Code::kInvalidParam);
    EXPECT_TRUE(other->listen("localhost", 0));
  });
}

}  // namespace
}  // namespace myelin::net
