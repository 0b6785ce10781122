// The engine by itself: start and stop, embedded and external, streams, and what happens when NATS is slow or gone.
#include "engine/engine.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "engine/mailbox.h"
#include "engine/testing/fixture.h"

namespace myelin::engine {
namespace {
using testing::NatsServer;
using Login = NatsServer::Login;
using Engines = testing::EngineTest;

// Sockets of this process that listen on TCP.
int listening_sockets() {
  std::set<std::string> ours;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    auto target = std::filesystem::read_symlink(entry.path(), gone).string();
    if (target.starts_with("socket:[")) ours.insert(target.substr(8, target.size() - 9));
  }
  int count = 0;
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream file(table);
    for (std::string line; std::getline(file, line);) {
      std::istringstream in(line);
      std::vector<std::string> fields{std::istream_iterator<std::string>(in), {}};
      constexpr size_t kState = 3, kInode = 9;
      if (fields.size() > kInode && fields[kState] == "0A" && ours.contains(fields[kInode])) ++count;
    }
  }
  return count;
}

TEST_F(Engines, AnEmbeddedOneDeliversWhatIsPublishedInOrder) {
  auto engine = open(embedded());
  provision(*engine);
  subscribe(*engine);
  std::vector<std::string> all;
  for (int i = 0; i < 100; ++i) {
    std::vector<Publish> batch;
    for (int k = 0; k < 20; ++k) {
      all.push_back(std::to_string(i) + "." + std::to_string(k));
      batch.push_back({"s." + std::to_string(k), all.back()});
    }
    engine->publish(batch, [](Result<void> stored) { EXPECT_TRUE(stored); });
  }
  EXPECT_TRUE(until([&] { return delivered_.size() == all.size(); }));
  EXPECT_EQ(delivered_, all);
  EXPECT_EQ(engine->last_sequence("s"), static_cast<int64_t>(all.size()));
  EXPECT_EQ(engine->last_sequence("none"), -1);
  EXPECT_EQ(engine->server(), "embedded");
}

TEST_F(Engines, AnEmbeddedOneListensOnNoSocket) {
  auto before = listening_sockets();
  auto engine = open(embedded());
  provision(*engine);
  EXPECT_EQ(listening_sockets(), before);
  int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(socket, 1), 0);
  EXPECT_EQ(listening_sockets(), before + 1) << "what the test looks at shows listening sockets";
  ::close(socket);
}

TEST_F(Engines, AStartThatFailsIsAnErrorThatSaysWhy) {
  auto options = embedded();
  options.store_dir = "/proc/jetstream";
  EXPECT_NE(why_not(options).find("/proc/jetstream"), std::string::npos);

  options.store_dir = directory_.path() + "/file";
  std::ofstream(options.store_dir) << "a file";
  EXPECT_NE(why_not(options, Code::kCorrupt).find("not a directory"), std::string::npos);

  options.store_dir = directory_.path() + "/blocked";  // the server itself finds that it cannot store
  std::filesystem::create_directory(options.store_dir);
  std::ofstream(options.store_dir + "/jetstream") << "a file";
  auto message = why_not(options, Code::kCorrupt);
  EXPECT_NE(message.find("does not start in " + options.store_dir), std::string::npos) << message;
  EXPECT_NE(message.find("Can't start JetStream"), std::string::npos) << message;

  options = embedded();
  options.tls_ca = "/no/such/file";
  message = why_not(options);
  EXPECT_TRUE(message.starts_with("NATS: error loading or parsing rootCA file")) << message;

  EXPECT_TRUE(open(embedded())) << "after failures another one starts";
}

TEST_F(Engines, AnExternalServerThatIsNotThereIsAnError) {
  NatsServer server;
  auto options = server.client();
  server.kill();
  auto why = why_not(options, Code::kTimeout);
  EXPECT_EQ(why, "NATS: " + options.url + ": no servers available for connection");
  options.url.insert(options.url.find("127"), "user:secret@");
  why = why_not(options, Code::kTimeout);
  EXPECT_EQ(why.find("secret"), std::string::npos) << why;
}

TEST_F(Engines, AnExternalServerThatSaysNothingIsATimeout) {
  int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(socket, 1), 0);
  ASSERT_EQ(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size), 0);
  Options options;
  options.url = "nats://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  EXPECT_NE(why_not(options, Code::kTimeout).find("timeout"), std::string::npos);
  ::close(socket);
}

TEST_F(Engines, EveryWayToLogInIsUsedAndDemanded) {
  for (auto login :
       {Login::kNothing, Login::kPassword, Login::kToken, Login::kNkey, Login::kTls, Login::kCredentials}) {
    SCOPED_TRACE(static_cast<int>(login));
    NatsServer server(login);
    {
      auto engine = open(server.client());
      ASSERT_TRUE(engine);
      provision(*engine);
      subscribe(*engine);
      EXPECT_TRUE(publish(*engine, {{"s.1", "hello"}}));
      EXPECT_TRUE(arrives("hello"));
      delivered_.clear();
    }
    if (login == Login::kNothing) continue;
    Options nobody;
    nobody.url = server.client().url;
    EXPECT_NE(why_not(nobody), "");
  }
  NatsServer server(Login::kPassword);
  auto wrong = server.client();
  wrong.password = "wrong";
  EXPECT_NE(why_not(wrong).find("Authorization"), std::string::npos) << why_not(wrong);
  wrong = server.client();
  wrong.credentials = directory_.path() + "/none.creds";
  EXPECT_NE(why_not(wrong).find("none.creds"), std::string::npos) << why_not(wrong);
}

TEST_F(Engines, WhatWasNotDeliveredIsDeliveredAfterARestart) {
  {
    auto engine = open(embedded());
    provision(*engine, false);
    EXPECT_TRUE(publish(*engine, {{"s.1", "1"}, {"s.1", "2"}, {"s.1", "3"}}));
  }
  auto engine = open(embedded());
  EXPECT_EQ(engine->last_sequence("s"), 3);
  provision(*engine, false);
  subscribe(*engine);
  EXPECT_TRUE(until([&] { return delivered_.size() == 3; }));
  EXPECT_EQ(delivered_, (std::vector<std::string>{"1", "2", "3"}));
}

TEST_F(Engines, AStreamWithOtherStorageStopsTheStartAndIsKept) {
  {
    auto engine = open(embedded());
    provision(*engine, false);
    EXPECT_TRUE(publish(*engine, {{"s.1", "kept"}}));
  }
  auto engine = open(embedded());
  auto refused = engine->ensure_stream({"s", {"s.*"}, true, 8 << 20});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kConflict);
  EXPECT_NE(refused.error().message.find("stream s is there with File storage"), std::string::npos)
      << refused.error().message;
  EXPECT_EQ(engine->last_sequence("s"), 1);
  EXPECT_TRUE(engine->ensure_stream({"s", {"s.*", "more.*"}, false, 4 << 20})) << "what can change without loss does";
  EXPECT_TRUE(publish(*engine, {{"more.1", "x"}}));
  EXPECT_EQ(engine->last_sequence("s"), 2);
}

TEST_F(Engines, AStreamThatSomebodyChangedIsBroughtBackWhenItTakesNothing) {
  NatsServer server;
  auto engine = open(server.client()), somebody = open(server.client());
  provision(*engine);
  subscribe(*engine);
  ASSERT_TRUE(somebody->ensure_stream({"s", {"elsewhere.*"}, true, 1 << 20}));
  EXPECT_FALSE(publish(*engine, {{"s.1", "refused"}}));
  publish_until_stored(*engine, "s.1", "stored");
  EXPECT_TRUE(arrives("stored"));
}

TEST_F(Engines, TheServersLogIsOurs) {
  ::testing::internal::CaptureStderr();
  {
    auto options = embedded();
    auto engine = open(options);
    provision(*engine, false);
    std::filesystem::remove_all(options.store_dir);
    [[maybe_unused]] auto either = publish(*engine, {{"s.1", "x"}});  // the store may notice, or not yet
    engine->publish({{"none.1", "nobody stores this"}}, [](Result<void>) {});
    EXPECT_TRUE(engine->delete_consumer("s", "c"));
    subscribe(*engine);
    EXPECT_TRUE(until([n = 0]() mutable { return ++n > 100; }));
  }
  auto log = ::testing::internal::GetCapturedStderr();
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) EXPECT_NE(line.find("Z "), std::string::npos) << line;
  EXPECT_NE(log.find("engine: NATS: the subscription of c to s is made again"), std::string::npos) << log;
}

TEST_F(Engines, AMessageThatIsTooLargeFailsAlone) {
  auto engine = open(embedded());
  provision(*engine);
  subscribe(*engine);
  auto stored = publish(*engine, {{"s.1", "before"}, {"s.1", std::string(9 << 20, 'x')}, {"s.1", "after"}});
  ASSERT_FALSE(stored);
  EXPECT_NE(stored.error().message.find("payload"), std::string::npos) << stored.error().message;
  EXPECT_TRUE(arrives("after"));
  EXPECT_EQ(delivered_, (std::vector<std::string>{"before", "after"}));
  std::string large((8 << 20) - 1'000, 'y');
  EXPECT_TRUE(publish(*engine, {{"s.1", large}})) << "the largest one that fits, beyond the buffer of the drain";
  EXPECT_TRUE(arrives(large));
}

// Nobody runs the loop: calls return, what is not drained is bounded, and afterwards everything goes on.
TEST_F(Engines, ALoopThatStandsStillBlocksNobodyAndLosesNothing) {
  auto engine = open(embedded());
  ASSERT_TRUE(engine->ensure_stream({"s", {"s.*"}, true, 128 << 20}));
  ASSERT_TRUE(engine->ensure_consumer("s", "c"));
  engine->subscribe("s", "c", 256, [&](std::string_view reply, std::string_view payload) {
    delivered_.emplace_back(payload.substr(0, 8));
    engine->acknowledge({std::string(reply)});
  });
  int stored = 0, refused = 0;
  constexpr int kBatches = 2'000;
  for (int i = 0; i < kBatches; ++i) {
    engine->publish({{"s.1", fmt::format("{:08}", i) + std::string(30'000, 'x')}},
                    [&](Result<void> result) { ++(result ? stored : refused); });
    engine->hint("h", "x");
    engine->acknowledge({"nobody"});
  }
  auto settled = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (engine->last_sequence("s") < 256 && std::chrono::steady_clock::now() < settled) ::usleep(1'000);
  EXPECT_TRUE(until([&] { return stored + refused == kBatches; }));
  EXPECT_GT(stored, 256);
  EXPECT_TRUE(until([&] { return static_cast<int>(delivered_.size()) >= engine->last_sequence("s"); }))
      << delivered_.size() << " of " << engine->last_sequence("s");
  EXPECT_TRUE(std::ranges::is_sorted(delivered_));
}

TEST(Mailboxes, HoldRecordsUpToTheirLimitAndRingOnce) {
  Mailbox box(100);
  EXPECT_TRUE(box.put(1, 2, {"a", "bc"}));
  EXPECT_TRUE(box.put(3, 4, {std::string(200, 'x')})) << "the last one may go beyond";
  EXPECT_FALSE(box.put(5, 6, {"no room"}));
  EXPECT_FALSE(box.give("no room"));
  uint64_t rung = 0;
  EXPECT_EQ(::read(box.bell(), &rung, sizeof rung), 8);
  EXPECT_EQ(rung, 1u) << "it was empty only once";
  auto size = static_cast<int>(2 * Mailbox::kHead + 3 + 200);
  std::string out(1'000, '?');
  EXPECT_EQ(box.take(out.data(), 10), -size);
  EXPECT_EQ(box.take(out.data(), out.size()), size);
  EXPECT_EQ(out.substr(Mailbox::kHead, 3), "abc");
  EXPECT_EQ(box.take(out.data(), out.size()), 0);
  EXPECT_TRUE(box.give("room again"));
  EXPECT_EQ(box.take(), "room again");
}

// More than may be unacknowledged at once, answered in bursts of single acknowledgements: a lost one would come again
// only after half a minute.
TEST_F(Engines, AcknowledgementsInBurstsAreNotLost) {
  auto engine = open(embedded());
  provision(*engine);
  constexpr size_t kMessages = 60'000;
  size_t arrived = 0, sent = 0;
  std::vector<std::string> replies;
  engine->subscribe("s", "c", 1'024, [&](std::string_view reply, std::string_view) {
    ++arrived;
    replies.emplace_back(reply);
    if (replies.size() < 7'000 && arrived < kMessages) return;
    for (auto& each : std::exchange(replies, {})) engine->acknowledge({each});
  });
  while (sent < kMessages) {
    engine->publish(std::vector<Publish>(100, {"s.1", "x"}), [](Result<void> stored) { EXPECT_TRUE(stored); });
    sent += 100;
    ASSERT_TRUE(until([&] { return sent - arrived < 7'500; })) << arrived;
  }
  EXPECT_TRUE(until([&] { return arrived == kMessages; })) << arrived;
}

TEST_F(Engines, HintsReachEveryListenerAndCommandsAreAnswered) {
  auto engine = open(embedded());
  std::vector<std::string> heard, served;
  auto hear = [&](std::string_view, std::string_view payload) { heard.emplace_back(payload); };
  auto serve = [&](std::string_view reply, std::string_view payload) {
    served.emplace_back(payload);
    engine->hint(std::string(reply), "answer to " + std::string(payload));
  };
  ASSERT_TRUE(engine->listen("h", hear));
  ASSERT_TRUE(engine->listen("h", hear));
  ASSERT_TRUE(engine->listen("cmd.x", serve));
  engine->hint("h", "typing");
  EXPECT_TRUE(until([&] { return heard.size() == 2; }));
  std::vector<std::string> answers;
  for (const char* what : {"a", "b", "c"})
    engine->request("cmd.x", what, std::chrono::seconds(30),
                    [&](Result<std::string> answer) { answers.push_back(answer ? *answer : answer.error().message); });
  EXPECT_TRUE(until([&] { return answers.size() == 3; }));
  EXPECT_EQ(std::set(answers.begin(), answers.end()),
            (std::set<std::string>{"answer to a", "answer to b", "answer to c"}));
  EXPECT_EQ(served.size(), 3u);
}

TEST_F(Engines, ARequestEndsAtItsDeadlineOrWhenNobodyServes) {
  auto engine = open(embedded());
  ASSERT_TRUE(engine->listen("cmd.silent", [](std::string_view, std::string_view) {}));
  std::map<std::string, Code> errors;
  auto note = [&](Result<std::string> answer) {
    errors.emplace(answer ? "answered" : answer.error().message, answer ? Code::kUnknown : answer.error().code);
  };
  engine->request("cmd.silent", "x", std::chrono::milliseconds(50), note);
  engine->request("cmd.nobody", "x", std::chrono::seconds(30), note);
  EXPECT_TRUE(until([&] { return errors.size() == 2; }));
  EXPECT_EQ(errors, (std::map<std::string, Code>{{"timeout", Code::kTimeout},
                                                 {"no responders available for request", Code::kUnavailable}}));
}

// Some have been handled, some wait here, some in Go and some in the server: each goes to the next subscriber at once,
// and not only when the server has waited half a minute for its acknowledgement.
TEST_F(Engines, WhatASubscriberGivesUpComesToTheNextOne) {
  auto engine = open(embedded());
  provision(*engine);
  constexpr size_t kFirst = 1'000, kMessages = 6'000, kKept = 100;
  size_t came = 0;
  std::vector<std::string> kept;
  auto first = engine->subscribe("s", "c", 512, [&](std::string_view reply, std::string_view) {
    ++came;
    if (kept.size() < kKept) kept.emplace_back(reply);
  });
  auto messages = [](size_t from, size_t to) {
    std::vector<Publish> out;
    for (size_t i = from; i < to; ++i) out.push_back({"s.1", std::to_string(i)});
    return out;
  };
  ASSERT_TRUE(publish(*engine, messages(0, kFirst)));
  ASSERT_TRUE(until([&] { return came >= 2 * kKept; }));
  engine->publish(messages(kFirst, kMessages), [](Result<void> stored) { EXPECT_TRUE(stored); });
  auto settled = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (engine->last_sequence("s") < static_cast<int64_t>(kFirst) + 100 && std::chrono::steady_clock::now() < settled)
    ::usleep(100);
  engine->unsubscribe(first);
  engine->acknowledge({kept.begin(), kept.begin() + kKept / 2});
  auto before = came;
  // What it had been given comes again when it says so.
  engine->refuse({kept.begin() + kKept / 2, kept.end()});
  auto started = std::chrono::steady_clock::now();
  std::set<std::string> delivered;
  engine->subscribe("s", "c", 512, [&](std::string_view reply, std::string_view payload) {
    delivered.emplace(payload);
    engine->acknowledge({std::string(reply)});
  });
  auto taken_away = before - kKept;  // by a subscriber that has not even kept their replies
  EXPECT_TRUE(until([&] { return delivered.size() >= kMessages - kKept / 2 - taken_away; })) << delivered.size();
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(15));
  EXPECT_EQ(came, before) << "who has unsubscribed is not called again";
  for (size_t i = kKept / 2; i < kKept; ++i) EXPECT_TRUE(delivered.contains(std::to_string(i))) << i;
}

TEST_F(Engines, ClosingAnswersWhatIsOpenAndCallsNobodyAfterwards) {
  auto engine = open(embedded());
  provision(*engine);
  subscribe(*engine);
  ASSERT_TRUE(engine->listen("cmd.silent", [](std::string_view, std::string_view) {}));
  std::vector<std::string> errors;
  engine->request("cmd.silent", "x", std::chrono::hours(1),
                  [&](Result<std::string> answer) { errors.push_back(answer ? "" : answer.error().message); });
  for (int i = 0; i < 100; ++i) engine->publish({{"s.1", "x"}}, [](Result<void>) {});
  engine->close();
  EXPECT_EQ(errors, (std::vector<std::string>{"the engine is closed"}));
  auto seen = delivered_.size();
  engine->publish({{"s.1", "x"}}, [&](Result<void> stored) { errors.push_back(stored.error().message); });
  EXPECT_EQ(errors.size(), 2u);
  engine->hint("h", "x");
  EXPECT_FALSE(engine->ensure_stream({"s", {"s.*"}}));
  (void)until([n = 0]() mutable { return ++n > 20; });
  EXPECT_EQ(delivered_.size(), seen);
}

TEST_F(Engines, AHandlerMayCloseTheEngine) {
  auto engine = open(embedded());
  provision(*engine);
  engine->subscribe("s", "c", 16, [&](std::string_view, std::string_view payload) {
    engine->close();
    delivered_.emplace_back(payload);
  });
  engine->publish({{"s.1", "1"}, {"s.1", "2"}, {"s.1", "3"}}, [](Result<void>) {});
  EXPECT_TRUE(arrives("1"));
  (void)until([n = 0]() mutable { return ++n > 20; });
  EXPECT_EQ(delivered_.size(), 1u);
}

// Who deletes a stream or a consumer under us loses messages of the stream, but not the subscription.
TEST_F(Engines, SubscriptionsOutliveTheirConsumerAndTheirStream) {
  auto engine = open(embedded());
  provision(*engine);
  subscribe(*engine);
  publish_until_stored(*engine, "s.1", "first");
  EXPECT_TRUE(arrives("first"));
  ASSERT_TRUE(engine->delete_consumer("s", "c"));
  for (int i = 0; std::ranges::find(delivered_, "second") == delivered_.end() && i < 200; ++i) {
    publish_until_stored(*engine, "s.1", "second");  // an interest stream without a consumer keeps nothing
    (void)until([n = 0]() mutable { return ++n > 50; });
  }
  EXPECT_TRUE(arrives("second"));
  ASSERT_TRUE(engine->delete_stream("s"));
  for (int i = 0; std::ranges::find(delivered_, "third") == delivered_.end() && i < 200; ++i) {
    publish_until_stored(*engine, "s.1", "third");
    (void)until([n = 0]() mutable { return ++n > 50; });
  }
  EXPECT_TRUE(arrives("third"));
}

class ServerIsKilled : public Engines, public ::testing::WithParamInterface<std::pair<bool, bool>> {};

TEST_P(ServerIsKilled, AndEverythingGoesOnWhenItIsBack) {
  auto [in_memory, emptied] = GetParam();
  NatsServer server;
  ::testing::internal::CaptureStderr();
  auto engine = open(server.client());
  provision(*engine, in_memory);
  subscribe(*engine);
  int hints = 0;
  int told = 0;
  engine->on_reconnected([&] { ++told; });
  ASSERT_TRUE(engine->listen("h", [&](std::string_view, std::string_view) { ++hints; }));
  ASSERT_TRUE(publish(*engine, {{"s.1", "before"}}));
  EXPECT_TRUE(arrives("before"));
  EXPECT_EQ(told, 0);

  server.kill();
  int failed = 0;
  engine->publish({{"s.1", "meanwhile"}}, [&](Result<void> stored) { failed += stored ? 0 : 1; });
  EXPECT_TRUE(until([&] { return failed == 1; })) << "a publish without a server ends";
  if (emptied) server.empty_store();
  server.start();

  for (int i = 0; std::ranges::find(delivered_, "after") == delivered_.end() && i < 200; ++i) {
    publish_until_stored(*engine, "s.1", "after");
    (void)until([n = 0]() mutable { return ++n > 50; });
  }
  EXPECT_TRUE(arrives("after"));
  EXPECT_TRUE(until([&] {
    engine->hint("h", "x");
    return hints > 0;
  }));
  auto log = ::testing::internal::GetCapturedStderr();
  EXPECT_TRUE(log.contains("warning engine: NATS: disconnected: ")) << log;
  EXPECT_TRUE(log.contains("info    engine: NATS: connected again to nats://127.0.0.1:")) << log;
  EXPECT_EQ(told, 1) << "that it is back";
}
INSTANTIATE_TEST_SUITE_P(
    Stores, ServerIsKilled, ::testing::Values(std::pair(true, false), std::pair(false, false), std::pair(false, true)),
    [](const auto& info) {
      return std::string(info.param.first ? "InMemory" : info.param.second ? "Emptied" : "InFiles");
    });

// As a machine that stands still, or a network that is cut: nothing closes the connection.
TEST_F(Engines, AServerThatIsSilentIsLeftWithinSeconds) {
  NatsServer server;
  auto engine = open(server.client());
  int told = 0;
  engine->on_reconnected([&] { ++told; });
  EXPECT_NE(engine->server(), "");
  server.pause();
  EXPECT_TRUE(until([&] { return engine->server().empty(); }));
  auto longest = std::chrono::steady_clock::duration::zero();
  auto resume = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  (void)until([&] {
    auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(engine->server(), "");
    longest = std::max(longest, std::chrono::steady_clock::now() - begin);
    return begin > resume;
  });
  EXPECT_LT(longest, std::chrono::seconds(1)) << "the loop asks, and does not stand still while a connection is made";
  server.resume();
  EXPECT_TRUE(until([&] { return told == 1; })) << "that another connection was made";
}

TEST_F(Engines, MemoryAndThreadsStayWithinWhatIsAskedFor) {
  auto options = embedded();
  options.memory_mb = 32;
  options.threads = 1;
  auto engine = open(options);
  provision(*engine);
  subscribe(*engine);
  size_t sent = 0;
  constexpr size_t kMessages = 40'000;
  std::string kilobyte(1'000, 'k');
  for (int round = 0; round < 400; ++round) {
    std::vector<Publish> batch;
    for (int i = 0; i < 100; ++i) batch.push_back({"s." + std::to_string(i % 64), kilobyte});
    engine->publish(batch, [&](Result<void> stored) { EXPECT_TRUE(stored); });
    sent += 100;
    ASSERT_TRUE(until([&] { return sent - delivered_.size() < 2'000; }));
  }
  EXPECT_TRUE(until([&] { return delivered_.size() == kMessages; })) << delivered_.size();
  EXPECT_LT(Engine::memory_bytes(), 48u << 20);
  auto threads = std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
  EXPECT_LT(threads, 24) << "of Go's runtime, the sanitizer and the test";
}

}  // namespace
}  // namespace myelin::engine
