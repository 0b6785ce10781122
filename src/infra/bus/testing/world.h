// What the tests of the bus share: a database, something that carries messages, buses on both ("nodes"), each in the
// test's process or in one of its own, and consumers that write down what they apply. Thread: the test's.
#pragma once
#include <gtest/gtest.h>

#include <boost/asio/use_awaitable.hpp>

#include "base/random.h"
#include "engine/testing/nats_server.h"
#include "infra/bus/jetstream_bus.h"
#include "infra/bus/testing/memory_streams.h"
#include "infra/bus/testing/unreliable.h"
#include "infra/bus/topic_bus.h"
#include "infra/db/testing/databases.h"

namespace myelin::bus::testing {

enum class Carrier { kMemory, kUnreliable, kEmbedded, kExternal };
using Setting = std::tuple<Carrier, db::testing::Kind>;
std::string name_of(const ::testing::TestParamInfo<Setting>&);

inline constexpr Topic kTopic{"test.out"};

// On PostgreSQL one database for the whole program, emptied: making one takes longer than most tests.
using Files = std::shared_ptr<db::testing::TemporaryDatabase>;
Files empty_database(db::testing::Kind);

// What a process other than the test's own has for itself. Its loop runs whenever the world's does.
struct Process {
  ~Process();
  boost::asio::io_context loop;
  std::unique_ptr<db::Database> db;
  bool is_paused = false;
};

struct Node {
  std::unique_ptr<Process> process;  // null: the world's own
  std::unique_ptr<Bus> bus;
  Transport* wire = nullptr;  // below any faults
  bool running = false;
};

// A door that a test opens: apply waits before it.
struct Gate {
  Task<> pass() {
    ++waiting;
    while (!open) co_await sleep_for(std::chrono::milliseconds(1));
    --waiting;
  }
  bool open = false;
  int waiting = 0;
};

// One message as consumers write it down.
struct Applied {
  uint32_t partition;
  uint64_t seq;
  std::string body;
};

class World {
 public:
  explicit World(Setting setting) : World(setting, empty_database(std::get<1>(setting))) {}
  World(Setting, Files, uint64_t seed = 1);
  ~World();

  // A bus that is not started yet. On an embedded engine each has a server of its own.
  static constexpr Options kQuick{.head_poll = std::chrono::milliseconds(30), .trim = std::chrono::milliseconds(50)};
  Node& make_node(Options = kQuick);
  // With a loop and a database of its own: on PostgreSQL. On an embedded engine nobody else would reach it.
  Node& make_process(Options = kQuick);
  // Writes what it applies into `effect`. Before that `check` sees each batch: its error is apply's.
  using Check = std::function<Task<Result<void>>(const std::vector<Message>&)>;
  ConsumerSpec recorder(std::string name, Check check = {});
  void start(Node&, Consumers = Consumers::kActive);
  void stop(Node&);
  void rest(Node&, const std::string& consumer);
  Node& start_with(std::vector<ConsumerSpec>);  // a node with these consumers

  // Commits a message "KEY/n" with the key's next number.
  Task<Result<void>> send(std::string key) { return send_by(*db, std::move(key)); }
  Task<Result<void>> send_by(db::Database&, std::string key);
  void send_all(const std::vector<std::string>& keys);
  void send_many(int each, int keys);  // at the same time, over keys k0, k1, …
  Task<> keep_sending(std::string key, bool& stop) { return keep_sending_by(*db, std::move(key), stop); }
  Task<> keep_sending_by(db::Database&, std::string key, bool& stop);  // one after the other
  // Without publishing: as if the process had been killed after the commit.
  void send_unpublished(const std::vector<std::string>& keys);
  void publish_raw(Node&, std::string_view generation, uint32_t partition, uint64_t seq, std::string_view body);

  bool settles(Node&, std::chrono::milliseconds within = std::chrono::seconds(60));
  std::vector<Applied> applied(const std::string& consumer);
  std::vector<std::string> bodies(const std::string& consumer, const std::string& key);
  // Every message sent so far is applied once, in order, and nothing is parked.
  void expect_all_applied(const std::string& consumer);
  // The same by the database's own word: of each partition 1, 2, 3 … up to its head.
  void expect_dense(const std::string& consumer);
  std::vector<std::string> sent(const std::string& key) const;

  template <class T>
  T run(Task<T> task) {
    return db::testing::run(loop, std::move(task));
  }
  template <class T>
  T run_at(Node& node, Task<T> task) {
    if (!node.process) return run(std::move(task));
    return run(on(node.process->loop, std::move(task)));
  }
  bool until(std::function<bool()> goal);
  void pass(std::chrono::milliseconds time);  // the loop runs on
  int64_t number(db::Sql);
  Result<void> write(std::function<void(db::Tx&)>);
  void open_database(const db::Options&);
  db::Database& database_of(Node& node) { return node.process ? *node.process->db : *db; }

  Carrier carrier;
  db::testing::Kind kind;
  boost::asio::io_context loop;
  SystemClock clock;
  SeededRandom random;
  std::vector<db::Migration> migrations;
  Files files;
  std::unique_ptr<db::Database> db;
  std::unique_ptr<MemoryStreams> memory;
  std::unique_ptr<engine::testing::NatsServer> server;
  db::testing::TemporaryDirectory directory;
  JetStreamOptions jetstream;  // of the next node
  std::vector<std::unique_ptr<Node>> nodes;
  std::map<std::string, int> last;  // number sent per key

 private:
  template <class T>
  static Task<T> on(boost::asio::io_context& other, Task<T> task) {
    co_return co_await boost::asio::co_spawn(other, std::move(task), boost::asio::use_awaitable);
  }
  std::unique_ptr<db::Database> open(db::Options, Executor);
  Task<> run_others();
  Node& add_bus(std::unique_ptr<Process>, Options);
  bool runs_others_ = false;
};

std::string key_of_body(const Message&);

}  // namespace myelin::bus::testing
