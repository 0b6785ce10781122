#include "infra/bus/testing/world.h"

#include "infra/bus/wire.h"

namespace myelin::bus::testing {
namespace {

constexpr db::Migration kEffectTable{"test", 1, "0001_effect.sql", R"(
-- What a consumer has applied, in the order of place.
CREATE TABLE effect (
  consumer TEXT NOT NULL,
  place BIGINT NOT NULL,
  partition BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (consumer, place)
);
)"};

constexpr Faults kFaults{.lose = 15, .repeat = 15, .delay = 25};

std::string body_of(const std::string& key, int number) { return fmt::format("{}/{}", key, number); }

}  // namespace

Files empty_database(db::testing::Kind kind) {
  if (kind == db::testing::Kind::kSqlite) return std::make_shared<db::testing::TemporarySqlite>();
  static auto shared = std::make_shared<db::testing::TemporaryPostgres>();
  shared->sql("SET client_min_messages = warning; DROP SCHEMA public CASCADE; CREATE SCHEMA public");
  return shared;
}

std::string key_of_body(const Message& message) { return message.body.substr(0, message.body.find('/')); }

std::string name_of(const ::testing::TestParamInfo<Setting>& info) {
  static constexpr const char* kCarriers[] = {"Memory", "Unreliable", "Embedded", "External"};
  auto [carrier, kind] = info.param;
  return std::string(kCarriers[static_cast<int>(carrier)]) +
         (kind == db::testing::Kind::kSqlite ? "OnSqlite" : "OnPostgres");
}

World::World(Setting setting, Files database, uint64_t seed)
    : carrier(std::get<0>(setting)), kind(std::get<1>(setting)), random(seed), files(std::move(database)) {
  migrations = db::migrations_of({});
  migrations.push_back(kEffectTable);
  open_database(files->options());
  memory = std::make_unique<MemoryStreams>(loop.get_executor());
  if (carrier == Carrier::kExternal) {
    server = std::make_unique<engine::testing::NatsServer>();
    jetstream.engine = server->client();
  }
}

Process::~Process() {
  if (db) db->stop();
}

World::~World() {
  for (auto& node : nodes) {
    if (node->process) node->process->is_paused = false;
    if (node->running) stop(*node);
  }
  nodes.clear();
  db->stop();
}

void World::open_database(const db::Options& options) {
  if (db) db->stop();
  db = open(options, loop.get_executor());
}
std::unique_ptr<db::Database> World::open(db::Options options, Executor executor) {
  options.migrations = migrations;
  return db::testing::TemporaryDatabase::open(options, executor, clock);
}

Node& World::make_node(Options options) { return add_bus(nullptr, options); }
Node& World::make_process(Options options) {
  auto process = std::make_unique<Process>();
  process->db = open(files->options(), process->loop.get_executor());
  auto& node = add_bus(std::move(process), options);
  if (!std::exchange(runs_others_, true)) boost::asio::co_spawn(loop, run_others(), [](std::exception_ptr) {});
  return node;
}

Task<> World::run_others() {
  while (true) {
    for (size_t i = 0; i < nodes.size(); ++i) {
      auto* process = nodes[i]->process.get();
      if (process == nullptr || process->is_paused) continue;
      process->loop.restart();
      process->loop.poll();
    }
    co_await sleep_for(std::chrono::microseconds(300));
  }
}

Node& World::add_bus(std::unique_ptr<Process> process, Options options) {
  auto& node = *nodes.emplace_back(std::make_unique<Node>());
  node.process = std::move(process);
  Executor its_loop = node.process ? node.process->loop.get_executor() : loop.get_executor();
  std::unique_ptr<Transport> transport;
  if (carrier == Carrier::kEmbedded && jetstream.engine.store_dir.empty())
    jetstream.engine.store_dir = fmt::format("{}/jetstream{}", directory.path(), nodes.size());
  if (carrier == Carrier::kMemory || carrier == Carrier::kUnreliable)
    transport = memory->connect(its_loop);
  else
    transport = make_jetstream_transport(jetstream, its_loop);
  if (carrier == Carrier::kEmbedded) jetstream.engine.store_dir.clear();
  node.wire = transport.get();
  if (carrier == Carrier::kUnreliable) transport = make_unreliable(std::move(transport), kFaults, random);
  node.bus = make_bus(std::move(transport), database_of(node), its_loop, clock, options);
  return node;
}

ConsumerSpec World::recorder(std::string name, Check check) {
  auto apply = [name, check](std::vector<Message> batch) -> Task<Result<Effects>> {
    if (check) MYELIN_CO_CHECK(co_await check(batch));
    Effects effects;
    effects.write = [name, batch](db::Tx& tx) -> Result<void> {
      for (const auto& message : batch)
        tx.exec(
            "INSERT INTO effect (consumer, place, partition, seq, body) SELECT $1, coalesce(max(place), 0) + 1, $2, "
            "$3, "
            "$4 FROM effect WHERE consumer = $1",
            name, message.partition, message.seq, message.body);
      return {};
    };
    co_return effects;
  };
  return {std::move(name), kTopic, apply, key_of_body};
}

void World::start(Node& node, Consumers at_first) {
  auto started = run_at(node, node.bus->start(at_first));
  ASSERT_TRUE(started) << started.error().message;
  node.running = true;
}
void World::stop(Node& node) {
  run_at(node, node.bus->stop());
  node.running = false;
}
void World::rest(Node& node, const std::string& consumer) { run_at(node, node.bus->rest(consumer, kTopic)); }
Node& World::start_with(std::vector<ConsumerSpec> consumers) {
  auto& node = make_node();
  for (auto& spec : consumers) node.bus->declare(std::move(spec));
  start(node);
  return node;
}

Task<Result<void>> World::send_by(db::Database& through, std::string key) {
  auto body = body_of(key, ++last[key]);
  co_return co_await through.write({.lane = partition_of(key)},
                                   [key, body](db::Tx& tx) { tx.publish(kTopic.name, partition_of(key), body); });
}
void World::send_all(const std::vector<std::string>& keys) {
  for (const auto& key : keys) {
    auto sent = run(send(key));
    ASSERT_TRUE(sent) << sent.error().message;
  }
}
void World::send_many(int each, int keys) {
  int left = keys;
  for (int k = 0; k < keys; ++k)
    boost::asio::co_spawn(
        loop,
        [](World& world, std::string key, int count) -> Task<> {
          for (int i = 0; i < count; ++i) EXPECT_TRUE(co_await world.send(key));
        }(*this, fmt::format("k{}", k), each),
        [&left](std::exception_ptr) { --left; });
  EXPECT_TRUE(until([&] { return left == 0; }));
}
Task<> World::keep_sending_by(db::Database& through, std::string key, bool& stop) {
  while (!stop) {
    EXPECT_TRUE(co_await send_by(through, key));
    co_await sleep_for(std::chrono::milliseconds(1));
  }
}
void World::send_unpublished(const std::vector<std::string>& keys) {
  db->on_committed({});
  send_all(keys);
}

void World::publish_raw(Node& node, std::string_view generation, uint32_t partition, uint64_t seq,
                        std::string_view body) {
  bool stored = false;
  node.wire->publish({{fmt::format("{}.{}", kTopic.name, partition),
                       encode_wire(generation, {"", partition, seq, std::string(body)})}},
                     [&](Result<void> result) { stored = result.has_value(); });
  EXPECT_TRUE(until([&] { return stored; }));
}

bool World::settles(Node& node, std::chrono::milliseconds within) {
  return run_at(node, node.bus->settled(clock.steady() + within));
}

std::vector<Applied> World::applied(const std::string& consumer) {
  auto rows = run(db->read([consumer](db::ReadTx& tx) {
    return tx.all(
        "SELECT partition, seq, body FROM effect WHERE consumer = $1 ORDER BY place",
        [](const db::Row& row) {
          return Applied{static_cast<uint32_t>(row.i64(0)), static_cast<uint64_t>(row.i64(1)), row.str(2)};
        },
        consumer);
  }));
  EXPECT_TRUE(rows) << rows.error().message;
  return rows ? *rows : std::vector<Applied>{};
}

std::vector<std::string> World::bodies(const std::string& consumer, const std::string& key) {
  std::vector<std::string> out;
  for (auto& row : applied(consumer))
    if (row.body.starts_with(key + "/")) out.push_back(row.body);
  return out;
}

std::vector<std::string> World::sent(const std::string& key) const {
  std::vector<std::string> out;
  auto it = last.find(key);
  for (int i = 1; it != last.end() && i <= it->second; ++i) out.push_back(body_of(key, i));
  return out;
}

void World::expect_all_applied(const std::string& consumer) {
  std::map<std::string, std::vector<std::string>> by_key;
  std::map<uint32_t, uint64_t> seq;
  for (auto& row : applied(consumer)) {
    EXPECT_GT(row.seq, seq[row.partition]) << consumer << ": " << row.body << " is out of order";
    seq[row.partition] = row.seq;
    by_key[row.body.substr(0, row.body.find('/'))].push_back(row.body);
  }
  for (const auto& [key, number] : last) EXPECT_EQ(by_key[key], sent(key)) << consumer << ", key " << key;
  auto parked = run_at(*nodes.back(), nodes.back()->bus->parked());
  EXPECT_TRUE(parked && parked->empty());
}

void World::expect_dense(const std::string& consumer) {
  std::map<uint32_t, uint64_t> seq;
  uint64_t all = 0;
  for (auto& row : applied(consumer)) {
    EXPECT_EQ(row.seq, ++seq[row.partition]) << consumer << ": " << row.body;
    ++all;
  }
  EXPECT_EQ(static_cast<int64_t>(all), number("SELECT coalesce(sum(next_seq - 1), 0) FROM outbox_head"));
}

bool World::until(std::function<bool()> goal) {
  auto reaches = [](std::function<bool()> reached) -> Task<bool> {
    for (auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60); !reached();) {
      if (std::chrono::steady_clock::now() > end) co_return false;
      co_await sleep_for(std::chrono::milliseconds(1));
    }
    co_return true;
  };
  return run(reaches(std::move(goal)));
}
void World::pass(std::chrono::milliseconds time) { run(sleep_for(time)); }

int64_t World::number(db::Sql sql) {
  auto out =
      run(db->read([sql](db::ReadTx& tx) { return tx.one(sql, [](const db::Row& row) { return row.i64(0); }); }));
  EXPECT_TRUE(out) << out.error().message;
  return out && *out ? **out : -1;
}
Result<void> World::write(std::function<void(db::Tx&)> closure) {
  return run(db->write({}, [closure](db::Tx& tx) { closure(tx); }));
}

}  // namespace myelin::bus::testing
