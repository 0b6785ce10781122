// Streams of the real engine are deleted, truncated, put back and killed while messages flow. They are disposable:
// every committed message is applied once and in order.
#include <filesystem>
#include <fstream>

#include "infra/bus/testing/world.h"

namespace myelin::bus {
namespace {
using db::testing::Kind;
using testing::Carrier;
using testing::kTopic;
using testing::Node;
namespace fs = std::filesystem;

class StreamsAreDisposable : public ::testing::TestWithParam<std::tuple<bool, Kind>> {
 protected:
  // A world with four senders, and one consumer that is registered before the first message.
  struct Flow {
    Flow(Carrier carrier, std::tuple<bool, Kind> parameter) : world({carrier, std::get<1>(parameter)}) {
      world.jetstream.streams_in_memory = std::get<0>(parameter);
      for (const char* key : {"a", "b", "c", "d"})
        boost::asio::co_spawn(world.loop, wait_then_send(key), [this](std::exception_ptr) { --senders; });
    }
    ~Flow() { finish(); }
    Task<> wait_then_send(std::string key) {
      while (!go) co_await sleep_for(std::chrono::milliseconds(1));
      co_await world.keep_sending(key, stop);
    }
    void start() {
      if (world.carrier == Carrier::kEmbedded) world.jetstream.engine.store_dir = directory();
      node = &world.start_with({world.recorder("r")});
      go = true;
    }
    void restart() {
      world.stop(*node);
      start();
    }
    void finish() {
      stop = go = true;
      EXPECT_TRUE(world.until([&] { return senders == 0; }));
    }
    void expect_everything() {
      finish();
      EXPECT_TRUE(world.settles(*node));
      world.expect_all_applied("r");
      world.expect_dense("r");
    }
    // Messages get through the stream, as its own numbers show, and are applied.
    void flows() {
      auto before = world.applied("r").size();
      EXPECT_TRUE(world.until([&] { return world.applied("r").size() > before + 20; }));
    }
    void flows_through_the_stream() {
      auto from = std::max<int64_t>(sequence(), 0);
      EXPECT_TRUE(world.until([&] { return sequence() > from + 20; })) << sequence();
      flows();
    }
    engine::Engine& engine() { return dynamic_cast<JetStreamTransport&>(*node->wire).engine(); }
    int64_t sequence() { return engine().last_sequence(JetStreamTransport::stream_of(kTopic)); }
    std::string directory() const { return world.directory.path() + "/jetstream"; }

    bool stop = false, go = false;
    int senders = 4;
    Node* node = nullptr;
    testing::World world;
  };
};
INSTANTIATE_TEST_SUITE_P(Everywhere, StreamsAreDisposable,
                         ::testing::Combine(::testing::Bool(), ::testing::Values(Kind::kSqlite, Kind::kPostgres)),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param) ? "InMemory" : "InFiles") +
                                  (std::get<1>(info.param) == Kind::kSqlite ? "OnSqlite" : "OnPostgres");
                         });

TEST_P(StreamsAreDisposable, TheDirectoryIsDeletedUnderLoad) {
  Flow flow(Carrier::kEmbedded, GetParam());
  flow.start();
  flow.flows_through_the_stream();
  EXPECT_GT(flow.sequence(), 0);
  fs::remove_all(flow.directory());  // while the engine runs on it
  flow.flows();
  flow.restart();
  flow.flows_through_the_stream();
  flow.world.stop(*flow.node);  // and while it is down, and the senders go on
  fs::remove_all(flow.directory());
  flow.start();
  flow.flows_through_the_stream();
  flow.expect_everything();
}

TEST_P(StreamsAreDisposable, TheStreamAndItsConsumerAreDeletedUnderLoad) {
  Flow flow(Carrier::kEmbedded, GetParam());
  flow.start();
  flow.flows_through_the_stream();
  auto stream = JetStreamTransport::stream_of(kTopic);
  ASSERT_TRUE(flow.engine().delete_consumer(stream, "r"));
  flow.flows_through_the_stream();
  ASSERT_TRUE(flow.engine().delete_stream(stream));
  EXPECT_TRUE(flow.world.until([&] { return flow.sequence() > 0; })) << "it is made again";
  flow.flows_through_the_stream();
  flow.expect_everything();
}

TEST_P(StreamsAreDisposable, AnOlderCopyOfTheDirectoryIsPutBack) {
  Flow flow(Carrier::kEmbedded, GetParam());
  flow.start();
  flow.flows_through_the_stream();
  flow.world.stop(*flow.node);
  auto copy = flow.world.directory.path() + "/copy";
  fs::copy(flow.directory(), copy, fs::copy_options::recursive);
  flow.start();
  flow.flows_through_the_stream();
  flow.world.stop(*flow.node);
  fs::remove_all(flow.directory());
  fs::rename(copy, flow.directory());
  flow.start();
  flow.flows_through_the_stream();
  flow.expect_everything();
}

TEST_P(StreamsAreDisposable, FilesOfTheDirectoryAreCutShort) {
  Flow flow(Carrier::kEmbedded, GetParam());
  flow.start();
  flow.flows_through_the_stream();
  flow.world.stop(*flow.node);
  int cut = 0;
  for (const auto& entry : fs::recursive_directory_iterator(flow.directory())) {
    if (!entry.is_regular_file() || entry.path().extension() != ".blk") continue;
    fs::resize_file(entry.path(), entry.file_size() / 2);
    ++cut;
  }
  EXPECT_EQ(cut > 0, !std::get<0>(GetParam()));
  flow.start();
  flow.flows();
  flow.expect_everything();
}

TEST_P(StreamsAreDisposable, AnExternalServerIsKilledUnderLoad) {
  Flow flow(Carrier::kExternal, GetParam());
  flow.start();
  flow.flows_through_the_stream();
  flow.world.server->kill();
  flow.flows();  // the outbox carries on
  flow.world.server->start();
  flow.flows_through_the_stream();
  flow.world.server->kill();
  flow.world.server->empty_store();
  flow.world.server->start();
  flow.flows_through_the_stream();
  flow.expect_everything();
}

// What a server keeps from a former life of the database is acknowledged and dropped.
TEST_P(StreamsAreDisposable, AnExternalServerKeepsMessagesOfAFormerGeneration) {
  Flow flow(Carrier::kExternal, GetParam());
  flow.start();
  flow.flows_through_the_stream();
  auto p = partition_of("a");
  for (uint64_t seq : {1u, 2u, 1'000'000u}) flow.world.publish_raw(*flow.node, "former", p, seq, "a/phantom");
  flow.flows_through_the_stream();
  flow.expect_everything();
}

TEST_P(StreamsAreDisposable, AMessageThatTheStreamDoesNotTakeIsReadFromTheOutbox) {
  Flow flow(Carrier::kEmbedded, GetParam());
  flow.start();
  flow.flows_through_the_stream();
  auto body = "large/1" + std::string(9 << 20, 'x');
  ASSERT_TRUE(flow.world.write([&](db::Tx& tx) { tx.publish(kTopic.name, partition_of("large"), body); }));
  EXPECT_TRUE(flow.world.until([&] { return !flow.world.bodies("r", "large").empty(); }));
  EXPECT_EQ(flow.world.bodies("r", "large").front().size(), body.size());
  flow.expect_everything();
}

TEST(JetStreamBus, SpineRuleB13RepeatsAreStoredAndAppliedOnce) {
  testing::World world({Carrier::kEmbedded, Kind::kSqlite});
  auto& node = world.start_with({world.recorder("r")});
  world.send_all({"x"});
  EXPECT_TRUE(world.settles(node));
  auto& engine = dynamic_cast<JetStreamTransport&>(*node.wire).engine();
  auto stream = JetStreamTransport::stream_of(kTopic);
  EXPECT_TRUE(world.until([&] { return engine.last_sequence(stream) == 1; }));
  for (int time = 0; time < 2; ++time) world.publish_raw(node, world.db->generation(), partition_of("x"), 1, "x/1");
  EXPECT_TRUE(world.until([&] { return engine.last_sequence(stream) == 3; })) << "the stream itself drops none";
  world.send_all({"x"});
  EXPECT_TRUE(world.settles(node));
  world.expect_all_applied("r");
}

TEST(JetStreamBus, AStreamWithOtherStorageStopsTheStart) {
  testing::World world({Carrier::kExternal, Kind::kSqlite});
  world.jetstream.streams_in_memory = false;
  world.stop(world.start_with({world.recorder("r")}));
  world.jetstream.streams_in_memory = true;
  auto& node = world.make_node();
  node.bus->declare(world.recorder("r"));
  auto started = world.run(node.bus->start());
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message.find("stream test_out is there with File storage"), std::string::npos)
      << started.error().message;
}

TEST(JetStreamBus, AnEmbeddedStreamWithOtherStorageIsSetAside) {
  testing::World world({Carrier::kEmbedded, Kind::kSqlite});
  auto store = world.directory.path() + "/jetstream";
  for (bool in_memory : {false, true}) {
    world.jetstream.engine.store_dir = store;
    world.jetstream.streams_in_memory = in_memory;
    ::testing::internal::CaptureStderr();
    auto& node = world.start_with({world.recorder("r")});
    auto log = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(log.contains("the engine cannot use " + store + " ("), in_memory) << log;
    EXPECT_EQ(log.contains("it is now " + store + ".former"), in_memory) << log;
    EXPECT_EQ(fs::exists(store + ".former"), in_memory);
    world.send_all({in_memory ? "y" : "x"});
    EXPECT_TRUE(world.settles(node));
    world.stop(node);
  }
  world.expect_all_applied("r");
}

TEST(JetStreamBus, AStartWithoutAServerIsAnErrorAndCanBeTriedAgain) {
  testing::World world({Carrier::kExternal, Kind::kSqlite});
  world.server->kill();
  auto& node = world.make_node();
  node.bus->declare(world.recorder("r"));
  EXPECT_FALSE(world.run(node.bus->start()));
  world.server->start();
  world.start(node);
  world.send_all({"x"});
  EXPECT_TRUE(world.settles(node));
  world.expect_all_applied("r");
}

}  // namespace
}  // namespace myelin::bus
