// What sync costs the database: rows per message whatever the size of the room, and nothing at all for who waits.
#include "components/sync/testing/world.h"

namespace myelin::sync {
namespace {
using namespace myelin::sync::testing;

class SyncCost : public OnBothDatabases {
 protected:
  World world{GetParam()};

  RoomId room_of(const accounts::Session& creator, int members) {
    auto room = world.create(creator.user);
    std::vector<Task<Result<EventId>>> joins;
    for (int i = 1; i < members; ++i) {
      auto member = UserId::trusted(fmt::format("@member{}:here", i));
      joins.push_back(world.rooms->commands().join({room, member, {}}));
    }
    for (auto& joined : world.loop.run_all(std::move(joins))) value(std::move(joined));
    world.deliver();
    return room;
  }

  // Rows inserted, updated and deleted so far.
  int64_t rows_written() {
    if (GetParam() == db::testing::Kind::kSqlite)
      return value(world.loop.run(world.db->write({}, [](db::Tx& tx) {
        return tx.one("SELECT total_changes()", [](const db::Row& row) { return row.i64(0); }).value();
      })));
    // Each connection keeps its own figures until it is told to tell them, or has been idle for ten seconds.
    for (db::WriteOptions options :
         {db::WriteOptions{.lane = 0}, {.lane = 1}, {.lane = 2}, {.lane = 3}, {.urgent = true}})
      check(world.loop.run(world.db->write(
          options, [](db::Tx& tx) { tx.query("SELECT pg_stat_force_next_flush()::text", [](const db::Row&) {}); })));
    return world.count("SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::bigint FROM pg_stat_user_tables");
  }
  // Where other processes share the database, polls add a statement to one measurement now and then: not to all.
  template <class F>
  static auto fewest(F measure) {
    auto out = measure();
    for (int i = 0; i < 4; ++i) out = std::min(out, measure());
    return out;
  }
  template <class F>
  int64_t rows_written_by(F act) {
    auto before = rows_written();
    act();
    world.deliver();
    return rows_written() - before;
  }
};

TEST_P(SyncCost, AMessageWritesTheSameRowsInEveryRoom) {
  auto alice = world.register_user("alice");
  auto bob = world.register_user("bob");
  std::map<int, RoomId> rooms;
  for (int size : {2, 100, 2'000}) rooms.emplace(size, room_of(alice, size));
  auto read = [](World& w, const RoomId& room, const UserId& who, const EventId& event) { w.read(room, who, event); };
  struct Costs {
    int64_t first, next, mention, receipt;
    bool operator==(const Costs&) const = default;
  };
  std::map<int, Costs> costs;
  for (auto& [size, room] : rooms) {
    world.join(room, bob.user);
    world.deliver();
    Costs cost{};
    cost.first = rows_written_by([&] { world.say(room, alice.user, "the first"); });
    EventId last;
    cost.next = rows_written_by([&] { last = world.say(room, alice.user, "another"); });
    cost.mention = rows_written_by([&] { world.say(room, alice.user, mention("bob!", bob.user)); });
    cost.receipt = rows_written_by([&] { read(world, room, bob.user, last); });
    costs[size] = cost;
  }
  auto show = [](const Costs& c) {
    return fmt::format("message {}, next {}, mention {}, receipt {}", c.first, c.next, c.mention, c.receipt);
  };
  for (const auto& [size, cost] : costs) {
    EXPECT_EQ(cost, costs.at(2)) << size << " members: " << show(cost) << "; 2 members: " << show(costs.at(2));
    fmt::print("rows written with {} members: {}\n", size, show(cost));
  }
  EXPECT_GT(costs.at(2).next, 3);                        // event, outbox, timeline at the least
  EXPECT_LT(costs.at(2).next, 16);                       // and no more than was argued for
  EXPECT_EQ(costs.at(2).mention, costs.at(2).next + 1);  // the exception
}

TEST_P(SyncCost, WhoWaitsAsksTheDatabaseNothing) {
  auto alice = world.register_user("alice");
  auto room = world.create(alice.user), other = world.create(alice.user);
  constexpr int kWaiting = 50;
  std::vector<accounts::Session> waiting;
  std::vector<std::string> answers(kWaiting);
  for (int i = 0; i < kWaiting; ++i) {
    waiting.push_back(world.register_user(fmt::format("user{}", i)));
    world.join(room, waiting.back().user);
  }
  world.deliver();
  std::vector<std::string> since;
  for (const auto& session : waiting) since.push_back(World::next_batch(world.sync_now(session)));
  size_t answered = 0;
  for (int i = 0; i < kWaiting; ++i) {
    SyncRequest request{waiting[static_cast<size_t>(i)]};
    request.since = since[static_cast<size_t>(i)];
    request.timeout = std::chrono::hours(1);
    boost::asio::co_spawn(world.loop.executor(), world.sync->wait(std::move(request)),
                          [&, i](std::exception_ptr, Result<std::string> answer) {
                            answers[static_cast<size_t>(i)] = value(std::move(answer));
                            ++answered;
                          });
  }
  auto settle = [&] {
    for (int i = 0; i < 3; ++i) world.idle();
  };
  settle();
  auto while_waiting = fewest([&] {
    auto before = world.db->reads();
    settle();
    return world.db->reads() - before;
  });
  EXPECT_EQ(while_waiting, 3u) << "only those of settle()";

  // Another room changes: nobody here is concerned. What reads and writes there are, are those of the same work with
  // nobody waiting.
  auto cost_of_message = [&](World& w, const RoomId& in) {
    auto statements = [&] {
      auto before = std::pair(w.db->reads(), w.db->writes());
      w.say(in, alice.user, "hello");
      w.deliver();
      w.loop.poll();
      return std::pair(w.db->reads() - before.first, w.db->writes() - before.second);
    };
    statements();  // warm
    return fewest(statements);
  };
  auto with_waiters = cost_of_message(world, other);
  EXPECT_EQ(answered, 0u);
  World lonely(GetParam());
  lonely.register_user("alice");
  auto there = lonely.create(alice.user);
  lonely.deliver();
  EXPECT_EQ(with_waiters, cost_of_message(lonely, there));

  // Their own room changes: all of them are told.
  auto event = world.say(room, alice.user, "wake up");
  world.deliver();
  for (int i = 0; i < 10'000 && answered < kWaiting; ++i) settle();
  EXPECT_EQ(answered, static_cast<size_t>(kWaiting));
  for (const auto& answer : answers) EXPECT_NE(answer.find(event.str()), std::string::npos);
}

// Sync's own tables in one, then whom the user ignores; and the counts of keys, where other processes change them too.
// What is immutable is in memory after the first answer that needed it.
TEST_P(SyncCost, AnAnswerWithAMessageTakesFewReads) {
  auto alice = world.register_user("alice");
  auto room = world.create(alice.user);
  world.deliver();
  auto since = World::next_batch(world.sync_now(alice));
  auto reads = fewest([&] {
    auto event = world.say(room, alice.user, "hello");
    world.deliver();
    auto before = world.db->reads();
    auto answer = world.sync_now(alice, since);
    auto asked = world.db->reads() - before;
    EXPECT_NE(json::serialize(answer).find(event.str()), std::string::npos);
    since = World::next_batch(answer);
    return asked;
  });
  EXPECT_EQ(reads, GetParam() == db::testing::Kind::kSqlite ? 2u : 3u);
}

MYELIN_ON_BOTH_DATABASES(SyncCost);

}  // namespace
}  // namespace myelin::sync
