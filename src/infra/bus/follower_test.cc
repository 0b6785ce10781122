// Who follows a topic sees every message, or is told that it missed some.
#include "infra/bus/follower.h"

#include "infra/bus/heads.h"
#include "infra/bus/testing/world.h"
#include "infra/bus/wire.h"

namespace myelin::bus {
namespace {
using db::testing::Kind;
using std::chrono::milliseconds;
using testing::Carrier;
using testing::kTopic;
using testing::Node;
using Bodies = std::vector<std::string>;

// ---- by itself

class Followers : public ::testing::Test {
 protected:
  Followers() {
    follower_.add({kTopic, [this](const Message& message) { told_.push_back(message.body); },
                   [this] { told_.emplace_back("missed"); }});
    heads({});
    EXPECT_EQ(take(), Bodies{"missed"}) << "once at the start";
  }
  void comes(uint32_t partition, uint64_t seq, std::string_view generation = "g") {
    follower_.received(encode_wire(generation, {"", partition, seq, fmt::format("{}/{}", partition, seq)}));
  }
  void heads(const std::map<uint32_t, uint64_t>& last) {
    std::array<uint64_t, kPartitions> next{};
    for (auto [p, seq] : last) next[p] = seq + 1;
    follower_.heads_are(next);
  }
  Bodies take() { return std::exchange(told_, {}); }

  Follower follower_{kTopic, "g"};
  Bodies told_;
};

TEST_F(Followers, SeeEachNumberOnceAndRising) {
  for (uint64_t seq : {1, 2, 2, 1, 3}) comes(7, seq);
  comes(8, 1);
  EXPECT_EQ(take(), (Bodies{"7/1", "7/2", "7/3", "8/1"}));
  comes(7, 4, "former");
  follower_.received("what is this?");
  EXPECT_EQ(take(), Bodies{});
}

TEST_F(Followers, AreToldOfAJumpOnceAndGoOnFromThere) {
  comes(7, 1);
  comes(7, 4);
  comes(7, 5);
  comes(8, 1);
  EXPECT_EQ(take(), (Bodies{"7/1", "missed", "7/4", "7/5", "8/1"}));
  for (uint64_t late : {2, 3}) comes(7, late);
  EXPECT_EQ(take(), Bodies{}) << "they were committed before it was told";
  heads({{7, 5}, {8, 1}});
  heads({{7, 5}, {8, 1}});
  EXPECT_EQ(take(), Bodies{});
}

TEST_F(Followers, AreToldOnceWhatHasNotComeWhenTheHeadsAreToldAgain) {
  heads({{7, 2}, {8, 1}, {9, 1}});
  EXPECT_EQ(take(), Bodies{}) << "it may be on its way";
  comes(9, 1);
  heads({{7, 3}, {8, 1}, {9, 1}});
  EXPECT_EQ(take(), (Bodies{"9/1", "missed"})) << "for all partitions together";
  for (int i = 0; i < 3; ++i) heads({{7, 3}, {8, 1}, {9, 1}});
  comes(7, 3);
  comes(7, 4);
  comes(8, 2);
  EXPECT_EQ(take(), (Bodies{"7/4", "8/2"}));
  heads({{7, 5}, {8, 2}, {9, 1}});
  comes(7, 5);
  heads({{7, 6}, {8, 2}, {9, 1}});
  EXPECT_EQ(take(), Bodies{"7/5"}) << "what came between two polls is not missed";
}

TEST_F(Followers, AreToldAfterADisconnection) {
  comes(7, 1);
  follower_.disconnected();
  heads({{7, 9}});
  comes(7, 9);
  comes(7, 10);
  EXPECT_EQ(take(), (Bodies{"7/1", "missed", "7/10"}));
  heads({{7, 10}});
  EXPECT_EQ(take(), Bodies{});
}

TEST_F(Followers, ThatThrowHaveMissedTheMessage) {
  Bodies other;
  follower_.add({kTopic,
                 [&](const Message& message) {
                   if (message.seq == 2) throw std::runtime_error("a bug");
                   other.push_back(message.body);
                 },
                 [&] {
                   other.emplace_back("missed");
                   throw std::runtime_error("another bug");
                 }});
  for (uint64_t seq : {1, 2, 3}) comes(7, seq);
  EXPECT_EQ(take(), (Bodies{"7/1", "7/2", "7/3"}));
  EXPECT_EQ(other, (Bodies{"7/1", "missed", "7/3"}));
}

// ---- on a bus

// A cache as components have one: of each partition the newest number, loaded from the database after each "missed".
struct Cache {
  Cache(testing::World& in, Node& of, Topic topic = kTopic) : world(in), node(of) {
    node.bus->follow({topic,
                      [this](const Message& message) {
                        EXPECT_GT(message.seq, newest[message.partition]) << message.body;
                        newest[message.partition] = known[message.partition] = message.seq;
                        seen[testing::key_of_body(message)].push_back(message.body);
                      },
                      [this] {
                        ++missed;
                        known.clear();
                        Executor loop = node.process ? node.process->loop.get_executor() : world.loop.get_executor();
                        boost::asio::co_spawn(loop, load(missed), [](std::exception_ptr) {});
                      }});
  }
  Task<> load(int since) {
    auto heads = co_await read_heads(world.database_of(node));
    EXPECT_TRUE(heads);
    if (missed != since) co_return;  // what it has read may be too old
    for (uint32_t p = 0; p < kPartitions; ++p)
      if (auto next = (*heads)[std::string(kTopic.name)][p]; next > 1) known[p] = std::max(known[p], next - 1);
  }
  bool is_right() {
    auto heads = world.run(read_heads(*world.db));
    std::map<uint32_t, uint64_t> want;
    for (uint32_t p = 0; p < kPartitions; ++p)
      if (auto next = (*heads)[std::string(kTopic.name)][p]; next > 1) want[p] = next - 1;
    return known == want;
  }

  testing::World& world;
  Node& node;
  int missed = 0;
  std::map<uint32_t, uint64_t> known, newest;
  std::map<std::string, Bodies> seen;
};

class BusFollowers : public ::testing::TestWithParam<testing::Setting> {
 protected:
  static Carrier carrier() { return std::get<0>(GetParam()); }
  // Two processes that follow, or one on an embedded engine, each with a consumer.
  struct Flow {
    explicit Flow(Options options) : world(GetParam()) {
      nodes.push_back(&world.make_node(options));
      if (carrier() != Carrier::kEmbedded) nodes.push_back(&world.make_process(options));
      for (auto* node : nodes) {
        node->bus->declare(world.recorder("a"));
        caches.push_back(std::make_unique<Cache>(world, *node));
        world.start(*node);
      }
    }
    // Each process its key; both in one partition, or each in its own.
    void send(int each, bool one_partition) {
      size_t left = nodes.size();
      for (auto* node : nodes) {
        std::string key(1, 'x');
        bool same = true;
        if (node != nodes.front()) do
            key += 'y', same = partition_of(key) == partition_of("x");
          while (same != one_partition);
        auto& loop = node->process ? node->process->loop : world.loop;
        boost::asio::co_spawn(loop, send_all(*node, key, each), [&left](std::exception_ptr) { --left; });
      }
      EXPECT_TRUE(world.until([&] { return left == 0; }));
    }
    Task<> send_all(Node& node, std::string key, int count) {
      for (int i = 0; i < count; ++i) EXPECT_TRUE(co_await world.send_by(world.database_of(node), key));
    }
    void expect_right() {
      for (auto& cache : caches) {
        auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        bool right = cache->is_right();  // once: it may be told of a miss at any time, and load again
        while (!right && std::chrono::steady_clock::now() < end) {
          world.pass(milliseconds(10));
          right = cache->is_right();
        }
        EXPECT_TRUE(right);
      }
    }

    std::vector<std::unique_ptr<Cache>> caches;  // told until their world has ended
    testing::World world;
    std::vector<Node*> nodes;
  };
  static constexpr Options kSlow{.head_poll = milliseconds(10'000)}, kQuick = testing::World::kQuick;
};
INSTANTIATE_TEST_SUITE_P(Everywhere, BusFollowers,
                         ::testing::Combine(::testing::Values(Carrier::kMemory, Carrier::kUnreliable,
                                                              Carrier::kEmbedded, Carrier::kExternal),
                                            ::testing::Values(Kind::kPostgres)),
                         testing::name_of);

TEST_P(BusFollowers, SeeEverythingThatAnyProcessCommits) {
  Flow flow(carrier() == Carrier::kUnreliable ? kQuick : kSlow);
  flow.send(100, false);
  flow.expect_right();
  for (auto& cache : flow.caches) {
    if (carrier() == Carrier::kUnreliable) {
      EXPECT_GT(cache->missed, 1);
      continue;
    }
    for (const auto& [key, number] : flow.world.last) EXPECT_EQ(cache->seen[key], flow.world.sent(key));
    EXPECT_EQ(cache->missed, 1) << "at the start";
  }
}

// Both commit to one partition: what one publishes may overtake what the other does.
TEST_P(BusFollowers, AreNeverWrongForGood) {
  Flow flow(kQuick);
  for (int i = 0; i < 5; ++i) {
    flow.send(30, true);
    flow.expect_right();
  }
}

TEST_P(BusFollowers, AreToldWithinTwoHeadPollsOfWhatIsNotPublished) {
  static constexpr milliseconds kPoll{300};
  Flow flow({.head_poll = kPoll});
  auto& world = flow.world;
  flow.send(3, true);
  flow.expect_right();
  world.pass(2 * kPoll);  // of what was lost so far they were told
  std::vector<int> before;
  for (auto& cache : flow.caches) before.push_back(cache->missed);
  bool stop = false, stopped = false;
  int ticks = 0;  // on the same loop: a machine that is busy is late with both
  auto tick = [&]() -> Task<> {
    while (!stop) {
      co_await sleep_for(kPoll);
      ++ticks;
    }
  };
  world.send_unpublished({"x", "z"});
  boost::asio::co_spawn(world.loop, tick(), [&](std::exception_ptr) { stopped = true; });
  auto all_told = [&] {
    for (size_t i = 0; i < flow.caches.size(); ++i)
      if (flow.caches[i]->missed == before[i]) return false;
    return true;
  };
  EXPECT_TRUE(world.until(all_told));
  EXPECT_LE(ticks, 3);
  stop = true;
  EXPECT_TRUE(world.until([&] { return stopped; }));
  world.pass(2 * kPoll);
  for (size_t i = 0; i < flow.caches.size(); ++i) {
    EXPECT_LE(flow.caches[i]->missed, before[i] + 2) << "once, or for each where a poll came between them";
    before[i] = flow.caches[i]->missed;
  }
  world.pass(3 * kPoll);
  for (size_t i = 0; i < flow.caches.size(); ++i) EXPECT_EQ(flow.caches[i]->missed, before[i]) << "and not again";
  flow.expect_right();
}

TEST_P(BusFollowers, OfAnotherTopicHearNothing) {
  testing::World world(GetParam());
  auto& node = world.make_node();
  node.bus->declare(world.recorder("a"));
  Cache other(world, node, {"other.out"});
  world.start(node);
  EXPECT_EQ(other.missed, 1);
  world.send_all({"x", "y"});
  EXPECT_TRUE(world.settles(node));
  world.pass(milliseconds(100));
  EXPECT_TRUE(other.seen.empty());
  EXPECT_EQ(other.missed, 1);
}

TEST(BusFollowersOfOneServer, AreToldThatItIsBackAndSeeAgain) {
  testing::World world({Carrier::kExternal, Kind::kPostgres});
  std::vector<std::unique_ptr<Cache>> caches;
  auto& first = world.make_node();
  auto& second = world.make_process();
  for (auto* node : {&first, &second}) {
    node->bus->declare(world.recorder("a"));
    caches.push_back(std::make_unique<Cache>(world, *node));
    world.start(*node);
  }
  std::vector<int> were;
  auto note = [&] { were = {caches[0]->missed, caches[1]->missed}; };
  auto told = [&] { return caches[0]->missed > were[0] && caches[1]->missed > were[1]; };
  auto seen = [&] {
    for (auto& cache : caches)
      if (cache->seen["x"].empty()) return false;
    return true;
  };
  auto sees = [&] {
    for (auto& cache : caches) cache->seen.clear();
    for (int i = 0; i < 500 && !seen(); ++i) {  // the stream is made again meanwhile
      EXPECT_TRUE(world.run(world.send("x")));
      world.pass(milliseconds(20));
    }
    EXPECT_TRUE(seen());
    for (auto& cache : caches) EXPECT_EQ(cache->seen["x"].back().substr(0, 2), "x/");
  };
  sees();
  world.pass(milliseconds(100));
  note();
  world.server->kill();
  world.pass(milliseconds(200));
  EXPECT_EQ(were, (std::vector{caches[0]->missed, caches[1]->missed})) << "nothing has been committed";
  world.server->start();
  EXPECT_TRUE(world.until(told)) << "what passed by meanwhile nobody knows";
  sees();
  world.server->kill();
  note();
  EXPECT_TRUE(world.run(world.send("y")));
  EXPECT_TRUE(world.until(told)) << "the heads tell";
  world.server->empty_store();
  world.server->start();
  sees();
  EXPECT_TRUE(world.until([&] { return caches[0]->is_right() && caches[1]->is_right(); }));
}

class BusFollowersOnSqlite : public ::testing::TestWithParam<testing::Setting> {};
INSTANTIATE_TEST_SUITE_P(Everywhere, BusFollowersOnSqlite,
                         ::testing::Combine(::testing::Values(Carrier::kMemory, Carrier::kEmbedded, Carrier::kExternal),
                                            ::testing::Values(Kind::kSqlite)),
                         testing::name_of);

TEST_P(BusFollowersOnSqlite, AreNeverCalled) {
  testing::World world(GetParam());
  auto& node = world.make_node();
  node.bus->declare(world.recorder("a"));
  Cache cache(world, node);
  world.start(node);
  world.send_all({"x", "y"});
  world.send_unpublished({"x"});
  EXPECT_TRUE(world.settles(node));
  world.pass(milliseconds(150));
  EXPECT_EQ(cache.missed, 0);
  EXPECT_TRUE(cache.seen.empty());
}

}  // namespace
}  // namespace myelin::bus
