// What the tests of leases share: processes ("nodes") over one database, each with a loop, a connection and a clock of
// its own, and hints in memory. One that is frozen does nothing, as a process that is paused. Thread: the test's, which
// runs all loops in turn and looks in between that nothing is held twice.
#pragma once
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "infra/bus/testing/hint_bus.h"
#include "infra/db/testing/databases.h"
#include "infra/lease/lease.h"

namespace myelin::lease::testing {

class ShiftedClock final : public Clock {
 public:
  explicit ShiftedClock(Milliseconds shift) : shift_(shift) {}
  Milliseconds now() const override { return system_.now() + shift_; }
  std::chrono::steady_clock::time_point steady() const override { return system_.steady(); }

 private:
  SystemClock system_;
  Milliseconds shift_;
};

inline constexpr std::string_view kTopic = "test.out";
inline constexpr std::string_view kConsumer = "reader of test.out";

// Those that come to no harm have leases longer than a busy machine may make them wait.
inline constexpr Options kLong{.length = std::chrono::minutes(2), .look = std::chrono::milliseconds(100)};
inline constexpr Options kShort{.length = std::chrono::milliseconds(1'000), .look = std::chrono::milliseconds(100)};

struct NodeOptions {
  Options leases = kLong;
  Milliseconds clock_shift = 0;
  std::string url{};  // another way to the same database
  std::chrono::milliseconds session_timeout = db::Options{}.session_timeout;
  std::function<Task<>(uint32_t part)> let_go{};  // of the topic's partitions
};

class Node {
 public:
  Node(const db::testing::TemporaryDatabase& files, std::span<const db::Migration> migrations,
       std::shared_ptr<bus::testing::HintBus::Ears> ears, std::string name, NodeOptions options)
      : instance(std::move(name)),
        clock(options.clock_shift),
        hints(std::move(ears), loop.get_executor()),
        let_go_(std::move(options.let_go)) {
    auto database = files.options();
    if (!options.url.empty()) database.url = options.url;
    database.migrations = migrations;
    database.session_timeout = options.session_timeout;
    db = db::testing::TemporaryDatabase::open(database, loop.get_executor(), clock);
    leases =
        Leases::make(*db, hints, loop.get_executor(), clock, random, instance, {"host", "all", "1"}, options.leases);
    leases->want({.name = std::string(kTopic),
                  .parts = bus::kPartitions,
                  .is_topic = true,
                  .taken = [this](uint32_t part) { EXPECT_TRUE(parts.insert(part).second) << "taken twice"; },
                  .let_go = [this](uint32_t part) { return let_go(part); },
                  .lost =
                      [this](uint32_t part) {
                        EXPECT_EQ(parts.erase(part), 1u) << "lost twice";
                        ++lost;
                      }});
  }
  ~Node() {
    hints.forget(loop.get_executor());
    let_go_ = {};
    db->stop();  // before the leases: a node that was killed says nothing
    if (leases) db::testing::run(loop, leases->stop());
  }

  size_t fences() const {
    size_t out = 0;
    for (uint32_t p = 0; p < bus::kPartitions; ++p) out += leases->fence(kTopic, p) ? 1 : 0;
    return out;
  }
  std::optional<int64_t> epoch(uint32_t part) const {
    auto fence = leases->fence(kTopic, part);
    return fence ? std::optional(fence->epoch) : std::nullopt;
  }

  std::string instance;
  boost::asio::io_context loop;
  ShiftedClock clock;
  SystemRandom random;
  std::unique_ptr<db::Database> db;
  bus::testing::HintBus hints;
  std::unique_ptr<Leases> leases;
  std::set<uint32_t> parts;  // taken and not lost
  int lost = 0;
  bool is_frozen = false;
  bool is_killed = false;

 private:
  Task<> let_go(uint32_t part) {
    if (let_go_) co_await let_go_(part);
  }
  std::function<Task<>(uint32_t part)> let_go_;  // the test's, until it ends
};

class NodesTest : public ::testing::Test {
 protected:
  using Kind = db::testing::Kind;
  explicit NodesTest(Kind kind) : migrations_(db::migrations_of({})), files_(empty_database(kind)) {}
  ~NodesTest() override { stop_writing(); }

  // On PostgreSQL one database for the whole program, emptied: making one takes longer than most tests.
  static std::shared_ptr<db::testing::TemporaryDatabase> empty_database(Kind kind) {
    if (kind == Kind::kSqlite) return std::make_shared<db::testing::TemporarySqlite>();
    static auto shared = std::make_shared<db::testing::TemporaryPostgres>();
    shared->sql("SET client_min_messages = warning; DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    return shared;
  }
  Node& make(std::string name, NodeOptions options = {}) {
    return *nodes_.emplace_back(
        std::make_unique<Node>(*files_, migrations_, ears_, std::move(name), std::move(options)));
  }
  Node& start(std::string name, NodeOptions options = {}) {
    auto& node = make(std::move(name), std::move(options));
    auto started = run(node, node.leases->start());
    EXPECT_TRUE(started) << started.error().message;
    return node;
  }
  // As by kill -9: nothing is run any more, its connections are closed.
  void kill(Node& node) {
    node.is_frozen = node.is_killed = true;
    node.db->stop();
  }

  // Every loop's turn.
  void step() {
    size_t done = 0;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      auto& loop = nodes_[i]->loop;
      if (nodes_[i]->is_frozen) continue;
      loop.restart();
      done += loop.poll();
      look_for_doubles();
    }
    if (done == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  bool until(const std::function<bool()>& goal, std::chrono::milliseconds within = std::chrono::seconds(30)) {
    auto deadline = std::chrono::steady_clock::now() + within;
    while (!goal()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      step();
    }
    return true;
  }
  db::Fence fence_of(Node& node, uint32_t part) {
    EXPECT_TRUE(until([&] { return node.leases->fence(kTopic, part).has_value(); }));
    return node.leases->fence(kTopic, part).value();
  }
  template <class T>
  T run(Node& node, Task<T> task) {
    std::optional<std::conditional_t<std::is_void_v<T>, bool, T>> out;
    if constexpr (std::is_void_v<T>)
      boost::asio::co_spawn(node.loop, std::move(task), [&](std::exception_ptr) { out = true; });
    else
      boost::asio::co_spawn(node.loop, std::move(task), [&](std::exception_ptr, T value) { out = std::move(value); });
    until([&] { return out.has_value(); }, std::chrono::minutes(2));
    if constexpr (!std::is_void_v<T>) return std::move(out.value());
  }
  static Task<Result<void>> send(db::Database& db, db::Fence fence, std::string body) {
    co_return co_await db.write({.lane = fence.partition, .fence = fence},
                                [fence, body](db::Tx& tx) { tx.publish(kTopic, fence.partition, body); });
  }
  int64_t number(Node& node, db::Sql sql) {
    return run(node, node.db->read([sql](db::ReadTx& tx) {
             return tx.one(sql, [](const db::Row& row) { return row.i64(0); }).value_or(-1);
           }))
        .value();
  }

  // Each writes to everything that it holds, as fast as it can, from several coroutines; a paused one goes on, with the
  // fences it had, when it wakes.
  void keep_writing(Node& node) {
    for (uint32_t first = 0; first < kWriters; ++first) {
      ++writers_;
      boost::asio::co_spawn(node.loop, write_on(node, first), [this](std::exception_ptr) { --writers_; });
    }
  }
  void stop_writing() {
    is_writing_ = false;
    for (auto& node : nodes_) node->is_frozen = false;
    until([&] { return writers_ == 0; });
  }
  // What was acknowledged is there and nothing else; numbers are dense; a partition's epochs grow, and within one only
  // one process has written.
  void expect_one_writer_an_epoch(Node& node) {
    struct Row {
      uint32_t partition;
      int64_t seq, epoch;
      std::string who;
    };
    auto rows = run(node, node.db->read([](db::ReadTx& tx) {
      return tx.all("SELECT partition, seq, body FROM outbox ORDER BY partition, seq", [](const db::Row& row) {
        auto body = row.bytes(2);
        auto space = body.find(' ');
        return Row{static_cast<uint32_t>(row.i64(0)), row.i64(1), std::stoll(body.substr(0, space)),
                   body.substr(space + 1)};
      });
    }));
    ASSERT_TRUE(rows);
    EXPECT_EQ(rows->size(), written_);
    const Row* last = nullptr;
    for (const auto& row : *rows) {
      bool is_first = last == nullptr || last->partition != row.partition;
      EXPECT_EQ(row.seq, is_first ? 1 : last->seq + 1);
      if (!is_first) {
        EXPECT_GE(row.epoch, last->epoch);
        EXPECT_TRUE(row.epoch > last->epoch || row.who == last->who) << row.who << " and " << last->who;
      }
      last = &row;
    }
  }

  size_t written_ = 0, fenced_ = 0;
  std::vector<db::Migration> migrations_;
  std::shared_ptr<db::testing::TemporaryDatabase> files_;
  std::shared_ptr<bus::testing::HintBus::Ears> ears_ = std::make_shared<bus::testing::HintBus::Ears>();
  std::vector<std::unique_ptr<Node>> nodes_;

 private:
  static constexpr uint32_t kWriters = 4;

  Task<> write_on(Node& node, uint32_t first) {
    while (is_writing_) {
      bool any = false;
      for (uint32_t p = first; p < bus::kPartitions && is_writing_; p += kWriters) {
        auto fence = node.leases->fence(kTopic, p);
        if (!fence) continue;
        any = true;
        auto result = co_await send(*node.db, *fence, fmt::format("{} {}", fence->epoch, node.instance));
        if (result) ++written_;
        if (!result && result.error().code == Code::kFenced) ++fenced_;
      }
      if (!any) co_await sleep_for(std::chrono::milliseconds(5));
    }
  }
  void look_for_doubles() {
    for (uint32_t p = 0; p < bus::kPartitions; ++p) {
      std::string who;
      for (const auto& node : nodes_)
        if (!node->is_killed && node->leases->fence(kTopic, p)) {
          EXPECT_EQ(who, "") << node->instance << " holds " << p << " too";
          who = node->instance;
        }
    }
  }

  bool is_writing_ = true;
  int writers_ = 0;
};

}  // namespace myelin::lease::testing
