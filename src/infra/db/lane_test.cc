// The contract of lanes and readers, on both engines. Tests with a rule's number hold docs/spine.md to its word.
#include "infra/db/lane.h"

#include <random>

#include "infra/db/testing/contract.h"

namespace myelin::db {
namespace {

using testing::code_of;
using testing::Kind;

class Contract : public testing::DatabaseTest {};
INSTANTIATE_TEST_SUITE_P(Engines, Contract, ::testing::Values(Kind::kSqlite, Kind::kPostgres),
                         [](const auto& info) { return info.param == Kind::kSqlite ? "Sqlite" : "Postgres"; });

TEST_P(Contract, ManyClosuresShareOneCommit) {
  std::vector<Wish> wishes;
  for (int64_t id = 1; id <= 100; ++id) {
    wishes.push_back({[id](Tx& tx) -> Result<int64_t> {
      tx.exec("INSERT INTO item (id, version_no) VALUES ($1, 0)", id);
      tx.publish("t", 0, std::to_string(id));
      return id;
    }});
  }
  auto results = write_together(std::move(wishes));
  for (int64_t id = 1; id <= 100; ++id) EXPECT_EQ(results[static_cast<size_t>(id - 1)], id);
  EXPECT_EQ(ids().size(), 100u);
  EXPECT_EQ(delivered_.size(), 100u);
  EXPECT_LE(deliveries_, 12);  // a batch also ends after 10 ms of closures
}

TEST_P(Contract, AFailedClosureIsRolledBackAlone) {
  auto results = write_together({{insert(1, 11)},
                                 {insert(2, fail(Code::kForbidden, "no"))},
                                 {insert(3, 33)},
                                 {[](Tx& tx) -> Result<int64_t> {
                                   tx.exec("INSERT INTO item (id, version_no) VALUES (4, 0)");
                                   tx.publish("t", 0, "never");
                                   tx.exec("INSERT INTO item (id, version_no) VALUES (1, 0)");  // is there already
                                   return 44;
                                 }},
                                 {[](Tx& tx) -> Result<int64_t> {
                                   tx.exec("INSERT INTO item (id, version_no) VALUES (5, 0)");
                                   throw Failure({Code::kStale, "mine"});
                                 }},
                                 {[](Tx&) -> Result<int64_t> { throw std::runtime_error("a bug"); }},
                                 {insert(6, 66)}});
  EXPECT_EQ(results[0], 11);
  EXPECT_EQ(code_of(results[1]), Code::kForbidden);
  EXPECT_EQ(results[2], 33);
  EXPECT_EQ(code_of(results[3]), Code::kInternal);
  EXPECT_EQ(code_of(results[4]), Code::kStale);
  EXPECT_EQ(code_of(results[5]), Code::kInternal);
  EXPECT_EQ(results[6], 66);
  EXPECT_EQ(ids(), (std::vector<int64_t>{1, 3, 6}));
  EXPECT_TRUE(delivered_.empty());
}

TEST_P(Contract, ALoneFailureLeavesNothing) {
  EXPECT_EQ(code_of(write(insert(1, fail(Code::kForbidden)))), Code::kForbidden);
  // On PostgreSQL it may be there again: of a consumer, no message is to blame (rule A11).
  EXPECT_EQ(code_of(write([](Tx& tx) -> Result<int64_t> { return tx.exec("INSERT INTO no_such_table VALUES (1)"); })),
            GetParam() == Kind::kPostgres ? Code::kUnavailable : Code::kInternal);
  EXPECT_TRUE(ids().empty());
  EXPECT_EQ(write(insert(1, 5)), 5);
}

// What stood on a failed closure fails too: it names the version that it was built on.
TEST_P(Contract, SpineRuleA1WhatStandsOnAFailedClosureFails) {
  auto step = [](int64_t from, bool fails) -> Closure {
    return [from, fails](Tx& tx) -> Result<int64_t> {
      int64_t moved = tx.exec("UPDATE item SET version_no = $1 WHERE id = 1 AND version_no = $2", from + 1, from);
      if (moved == 0) return fail(Code::kStale, "built on another version");
      if (fails) return fail(Code::kForbidden, "refused late");
      return from;
    };
  };
  ASSERT_TRUE(write(insert(1)));
  auto results =
      write_together({{step(0, false)}, {step(1, true)}, {step(2, false)}, {step(3, false)}, {step(1, false)}});
  EXPECT_EQ(results[0], 0);
  EXPECT_EQ(code_of(results[1]), Code::kForbidden);
  EXPECT_EQ(code_of(results[2]), Code::kStale);
  EXPECT_EQ(code_of(results[3]), Code::kStale);
  EXPECT_EQ(results[4], 1);
  EXPECT_EQ(number("SELECT version_no FROM item WHERE id = 1"), 2);
}

TEST_P(Contract, SpineRuleA2AMissedFenceFailsItsPartitionOnly) {
  ASSERT_TRUE(write([](Tx& tx) -> Result<int64_t> {
    tx.exec("INSERT INTO outbox_head (topic, partition, epoch, next_seq) VALUES ('home', 1, 7, 1), ('home', 2, 8, 1)");
    return 0;
  }));
  auto home = [](uint32_t partition, int64_t epoch) { return WriteOptions{0, Fence{"home", partition, epoch}}; };
  auto results = write_together({{insert(1, 1), home(2, 8)},
                                 {insert(2, 2), home(1, 6)},
                                 {insert(3, 3), home(1, 7)},
                                 {insert(4, 4), home(3, 0)},
                                 {insert(5, 5)}});
  EXPECT_EQ(results[0], 1);
  EXPECT_EQ(code_of(results[1]), Code::kFenced);
  EXPECT_EQ(results[2], 3);
  EXPECT_EQ(code_of(results[3]), Code::kFenced);
  EXPECT_EQ(results[4], 5);
  EXPECT_EQ(ids(), (std::vector<int64_t>{1, 3, 5}));
}

// What must not be late waits for no batch of others: PostgreSQL has a lane for it, SQLite has one for all.
TEST_P(Contract, WhatIsUrgentPassesLanesThatStandStill) {
  if (GetParam() == Kind::kSqlite) {
    EXPECT_EQ(write(insert(1, 1), {.urgent = true}), 1);
    return;
  }
  std::promise<void> go;
  auto gate = go.get_future().share();
  int left = options_.lanes;
  for (uint32_t lane = 0; lane < static_cast<uint32_t>(options_.lanes); ++lane)
    boost::asio::co_spawn(loop_, db_->write({lane}, [gate](Tx&) { gate.wait(); }),
                          [&](std::exception_ptr, auto) { --left; });
  loop_.restart();
  loop_.poll();
  EXPECT_EQ(write(insert(1, 1), {.urgent = true}), 1);
  EXPECT_EQ(left, options_.lanes);
  go.set_value();
  loop_.restart();
  while (left > 0) loop_.run_one();
}

// Numbers are dense, in commit order, and delivered in that order, whatever fails beside them.
TEST_P(Contract, SpineRuleA2TheOutboxIsDenseAndInCommitOrder) {
  std::mt19937 dice(7);
  std::map<uint32_t, int> expected;
  for (int round = 0; round < 10; ++round) {
    std::vector<Wish> wishes;
    for (int i = 0; i < 40; ++i) {
      bool fails = dice() % 3 == 0;
      uint32_t partition = dice() % 4;
      int rows = static_cast<int>(dice() % 3);
      if (!fails) expected[partition] += rows;
      wishes.push_back({[=](Tx& tx) -> Result<int64_t> {
                          for (int n = 0; n < rows; ++n) tx.publish("t", partition, "m");
                          if (fails) return fail(Code::kForbidden);
                          return 0;
                        },
                        {static_cast<uint32_t>(dice() % 2)}});
    }
    write_together(std::move(wishes));
  }
  std::map<uint32_t, uint64_t> last;
  std::lock_guard lock(mutex_);
  for (const auto& row : delivered_) EXPECT_EQ(row.seq, ++last[row.partition]);
  for (auto [partition, rows] : expected) {
    EXPECT_EQ(last[partition], static_cast<uint64_t>(rows));
    auto stored = read([p = partition](ReadTx& tx) {
      return tx.one(
          "SELECT COUNT(*), MIN(seq), MAX(seq), (SELECT next_seq FROM outbox_head WHERE topic = 't' AND partition = "
          "$1) "
          "FROM outbox WHERE topic = 't' AND partition = $1",
          [](const Row& row) { return std::vector{row.i64(0), row.i64(1), row.i64(2), row.i64(3)}; }, p);
    });
    EXPECT_EQ(**stored, (std::vector<int64_t>{rows, 1, rows, rows + 1}));
  }
}

// Lanes that publish to the same foreign heads, each batch in its own order, do not lock each other out.
TEST_P(Contract, SpineRuleA2ForeignHeadsDoNotDeadlock) {
  std::vector<Wish> wishes;
  for (uint32_t i = 0; i < 400; ++i) {
    wishes.push_back({[i](Tx& tx) -> Result<int64_t> {
                        tx.publish("t", (i % 2 == 0 ? i : i * 5 + 3) % 7, "a");
                        return 0;
                      },
                      {i}});
  }
  for (const auto& result : write_together(std::move(wishes))) EXPECT_TRUE(result) << result.error().message;
  EXPECT_EQ(number("SELECT COUNT(*) FROM outbox"), 400);
  EXPECT_EQ(number("SELECT SUM(next_seq - 1) FROM outbox_head"), 400);
}

// A closure that would lock a second one is refused, and only it.
TEST_P(Contract, SpineRuleB6OneForeignHeadForEachClosure) {
  auto publish = [](std::vector<uint32_t> partitions, WriteOptions options = {}) -> Wish {
    return {[partitions](Tx& tx) -> Result<int64_t> {
              for (auto partition : partitions) tx.publish("t", partition, "m");
              return 0;
            },
            options};
  };
  write_together({publish({0})});  // makes the head that is home below
  auto results = write_together({publish({1, 1}), publish({1, 2}), publish({0, 3, 0}, {.fence = Fence{"t", 0, 0}}),
                                 publish({2}), publish({4, 5}, {.is_batch = true})});
  EXPECT_TRUE(results[0]);
  EXPECT_EQ(code_of(results[1]), Code::kInternal);
  EXPECT_TRUE(results[2]) << "the home head is not foreign";
  EXPECT_TRUE(results[3]);
  EXPECT_TRUE(results[4]) << "each of its messages has one";
  EXPECT_EQ(number("SELECT COUNT(*) FROM outbox"), 9);
}

TEST_P(Contract, SpineRuleA5PositionsAreDenseAndTakenByWhatCommits) {
  auto start = number("SELECT pos FROM sync_head");
  auto take = [](int64_t count, bool fails) -> Closure {
    return [count, fails](Tx& tx) -> Result<int64_t> {
      tx.at_position(count, [count](Tx& later, int64_t first) {
        for (int64_t i = 0; i < count; ++i) {
          later.exec("INSERT INTO item (id, version_no) VALUES ($1, 0)", first + i);
        }
        later.publish("t", 0, std::to_string(first));
      });
      if (fails) return fail(Code::kForbidden);
      return count;
    };
  };
  auto results = write_together({{take(2, false)}, {take(5, true)}, {take(1, false)}, {take(3, false)}});
  EXPECT_EQ(code_of(results[1]), Code::kForbidden);
  EXPECT_EQ(number("SELECT pos FROM sync_head"), start + 6);
  EXPECT_EQ(ids(), (std::vector<int64_t>{start + 1, start + 2, start + 3, start + 4, start + 5, start + 6}));
  std::lock_guard lock(mutex_);
  ASSERT_EQ(delivered_.size(), 3u);
  EXPECT_EQ(delivered_[2].body, std::to_string(start + 4));
}

// Held to the commit: whoever sees a position sees all before it, though lanes commit beside each other.
TEST_P(Contract, SpineRuleA5NobodySeesAPositionBeforeThoseBelow) {
  auto start = number("SELECT pos FROM sync_head");
  auto look = [&] {
    auto seen = read([](ReadTx& tx) {
      return tx.one("SELECT count(*), coalesce(max(id), 0) FROM item",
                    [](const Row& row) { return std::pair(row.i64(0), row.i64(1)); });
    });
    if ((*seen)->first > 0) EXPECT_EQ((*seen)->second, start + (*seen)->first);
  };
  auto write_one = [](Tx& tx) {
    tx.at_position(
        1, [](Tx& later, int64_t first) { later.exec("INSERT INTO item (id, version_no) VALUES ($1, 0)", first); });
  };
  constexpr int kWrites = 200;
  int left = kWrites;
  for (uint32_t i = 0; i < kWrites; ++i) {
    boost::asio::co_spawn(loop_, db_->write({i % 4}, write_one), [&](std::exception_ptr, Result<void> status) {
      EXPECT_TRUE(status);
      --left;
    });
    if (i % 8 == 7) look();
  }
  loop_.restart();
  while (left > 0) loop_.run_one();
  look();
  EXPECT_EQ(number("SELECT pos FROM sync_head"), start + kWrites);
}

TEST_P(Contract, AFailedUseOfAPositionFailsItsClosureOnly) {
  auto start = number("SELECT pos FROM sync_head");
  auto take = [](int64_t id) -> Closure {
    return [id](Tx& tx) -> Result<int64_t> {
      tx.at_position(1, [id](Tx& later, int64_t first) {
        later.exec("INSERT INTO item (id, version_no) VALUES ($1, $2)", id, first);
      });
      return id;
    };
  };
  ASSERT_TRUE(write(insert(2)));
  auto results = write_together({{take(1)}, {take(2)}, {take(3)}});
  EXPECT_EQ(results[0], 1);
  EXPECT_EQ(code_of(results[1]), Code::kInternal);
  EXPECT_EQ(results[2], 3);
  EXPECT_EQ(ids(), (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(number("SELECT pos FROM sync_head"), start + 2);
  EXPECT_EQ(number("SELECT version_no FROM item WHERE id = 3"), start + 2);
}

TEST_P(Contract, SpineRuleA7AReadIsOneSnapshot) {
  ASSERT_TRUE(write(insert(1)));
  std::promise<void> counted, written;
  int64_t first = -1, second = -1;
  bool done = false;
  boost::asio::co_spawn(loop_, db_->read([&](ReadTx& tx) {
    auto count = [&] { return *tx.one("SELECT COUNT(*) FROM item", [](const Row& row) { return row.i64(0); }); };
    first = count();
    counted.set_value();
    written.get_future().wait();
    second = count();
  }),
                        [&](std::exception_ptr, auto) { done = true; });
  loop_.restart();
  loop_.poll();
  counted.get_future().wait();
  ASSERT_TRUE(write(insert(2)));
  written.set_value();
  loop_.restart();
  while (!done) loop_.run_one();
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 1);
  EXPECT_EQ(ids().size(), 2u);
}

TEST_P(Contract, ValuesComeBackAsTheyWere) {
  std::string bytes("\0\xff\x80 bytes", 9), text = "Zürich \"quoted\" \\ 🦊";
  ASSERT_TRUE(write([=](Tx& tx) -> Result<int64_t> {
    Sql insert = "INSERT INTO item (id, version_no, name, body) VALUES ($1, $2, $3, $4)";
    tx.exec(insert, 1, std::numeric_limits<int64_t>::min(), text, Blob{bytes});
    tx.exec(insert, 2, std::numeric_limits<int64_t>::max(), std::nullopt, std::optional<Blob>());
    tx.exec(insert, 3, -1, "", Blob{""});
    return 0;
  }));
  struct Seen {
    int64_t version;
    std::string name, body;
    bool no_name, no_body;
    bool operator==(const Seen&) const = default;
  };
  auto rows = read([](ReadTx& tx) {
    return tx.all("SELECT version_no, name, body FROM item ORDER BY id",
                  [](const Row& row) { return Seen{row.i64(0), row.str(1), row.bytes(2), row.null(1), row.null(2)}; });
  });
  ASSERT_TRUE(rows);
  EXPECT_EQ((*rows)[0], (Seen{std::numeric_limits<int64_t>::min(), text, bytes, false, false}));
  EXPECT_EQ((*rows)[1], (Seen{std::numeric_limits<int64_t>::max(), "", "", true, true}));
  EXPECT_EQ((*rows)[2], (Seen{-1, "", "", false, false}));
}

TEST_P(Contract, TypesAreAsStrictOnBothEngines) {
  auto refused = [&](Closure closure) { return code_of(write(std::move(closure))) == Code::kInternal; };
  EXPECT_TRUE(refused([](Tx& tx) -> Result<int64_t> {
    return tx.exec("INSERT INTO item (id, version_no, body) VALUES (1, 1, $1)", "a text where bytes belong");
  }));
  if (GetParam() == Kind::kSqlite) {  // PostgreSQL would store it in hexadecimal
    EXPECT_TRUE(refused([](Tx& tx) -> Result<int64_t> {
      return tx.exec("INSERT INTO item (id, version_no, name) VALUES (1, 1, $1)", Blob{"bytes where a text belongs"});
    }));
  }
  EXPECT_EQ(code_of(write([](Tx& tx) -> Result<int64_t> {
              return tx.exec("INSERT INTO item (id, version_no, name) VALUES (1, 1, $1)", std::string("a\0b", 3));
            })),
            Code::kInvalidParam);
  EXPECT_TRUE(ids().empty());
}

TEST_P(Contract, StatementsOfTheDialect) {
  ASSERT_TRUE(write([](Tx& tx) -> Result<int64_t> {
    for (int64_t id = 1; id <= 5; ++id) {
      tx.exec("INSERT INTO item (id, version_no, name) VALUES ($1, $2, $3)", id, id * 10,
              std::string(1, char('A' + id)));
    }
    tx.exec("INSERT INTO item (id, version_no, name) VALUES (6, 0, 'a'), (7, 0, 'é'), (8, 0, 'quo\"te')");
    return 0;
  }));
  auto all = [&](Sql sql, std::string set) {
    auto out = read([=](ReadTx& tx) { return tx.all(sql, [](const Row& row) { return row.i64(0); }, set); });
    EXPECT_TRUE(out) << out.error().message;
    return out ? *out : std::vector<int64_t>{};
  };
  using Ids = std::vector<int64_t>;
  EXPECT_EQ(all("SELECT id FROM item WHERE id IN {ints $1} ORDER BY id", int_set(Ids{2, 4, 99})), (Ids{2, 4}));
  EXPECT_EQ(all("SELECT id FROM item WHERE id NOT IN {ints $1} ORDER BY id", "[1,2,3,6,7,8]"), (Ids{4, 5}));
  EXPECT_EQ(all("SELECT id FROM item WHERE name IN {texts $1} ORDER BY id",
                text_set(std::vector<std::string>{"B", "é", "quo\"te"})),
            (Ids{1, 7, 8}));
  EXPECT_EQ(all("SELECT {max}(id, 3) + {min}(id, 2) FROM item WHERE id IN {ints $1} ORDER BY id", "[1,5]"),
            (Ids{4, 7}));
  EXPECT_EQ(all("SELECT value FROM {ints $1} AS v ORDER BY value", "[7,5]"), (Ids{5, 7}));
  EXPECT_EQ(all("SELECT id FROM item WHERE name IN {texts $1} OR id = 1 ORDER BY name", R"(["a","é","F"])"),
            (Ids{1, 5, 6, 7}));  // by bytes: B, F, a, é
  EXPECT_EQ(number("SELECT SUM(version_no) FROM item"), 150);
  EXPECT_EQ(number("SELECT EXISTS (SELECT 1 FROM item WHERE id = 3)"), 1);
  EXPECT_EQ(number("SELECT -7"), -7);
  auto changed = write([](Tx& tx) -> Result<int64_t> {
    auto some = tx.exec("UPDATE item SET version_no = 1 WHERE id <= $1", 3);
    auto none = tx.exec("DELETE FROM item WHERE id = 99");
    auto seen =
        tx.one("DELETE FROM item WHERE id = (SELECT id FROM item ORDER BY id LIMIT 1 {skip_locked}) RETURNING id",
               [](const Row& row) { return row.i64(0); });
    return *seen * 100 + some * 10 + none;
  });
  EXPECT_EQ(changed, 130);
}

TEST_P(Contract, QueriesNest) {
  ASSERT_TRUE(write(insert(1)));
  ASSERT_TRUE(write(insert(2)));
  auto pairs = read([](ReadTx& tx) {
    std::vector<std::pair<int64_t, int64_t>> out;
    Sql sql = "SELECT id FROM item ORDER BY id";
    tx.query(sql, [&](const Row& outer) {
      auto id = outer.i64(0);
      tx.query(sql, [&](const Row& inner) { out.emplace_back(id, inner.i64(0)); });
    });
    return out;
  });
  EXPECT_EQ(*pairs, (std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {1, 2}, {2, 1}, {2, 2}}));
}

TEST_P(Contract, SpineRuleA13TheGenerationTellsARestore) {
  auto before = db_->generation();
  EXPECT_FALSE(before.empty());
  ASSERT_TRUE(write(insert(1)));
  reopen();
  EXPECT_EQ(ids().size(), 1u);
  if (GetParam() == Kind::kSqlite) {
    EXPECT_NE(db_->generation(), before);  // the file may be an older copy: every start is a new generation
  } else {
    EXPECT_EQ(db_->generation(), before);
  }
}

TEST_P(Contract, SpineRuleA14PositionsMovePastWhatWasGivenOut) {
  auto now = [&] { return GetParam() == Kind::kSqlite ? clock_.now() : SystemClock().now(); };
  ASSERT_TRUE(write([](Tx& tx) -> Result<int64_t> { return tx.exec("UPDATE sync_head SET pos = 7"); }));  // an old copy
  auto start = now();
  reopen();
  EXPECT_GE(number("SELECT pos FROM sync_head"), start * 1'000);
  auto far = (now() + 3'600'000) * 1'000;  // never back
  ASSERT_TRUE(write([=](Tx& tx) -> Result<int64_t> { return tx.exec("UPDATE sync_head SET pos = $1", far); }));
  reopen();
  EXPECT_EQ(number("SELECT pos FROM sync_head"), far);
}

// A standby that lacks the last commits has taken over, and its clock is minutes behind.
TEST_P(Contract, SpineRuleA14PositionsMovePastThoseOfAServerWhoseClockWasAhead) {
  auto given_out = number("SELECT pos FROM sync_head") + int64_t{600'000} * 1'000;
  ASSERT_TRUE(write([](Tx& tx) -> Result<int64_t> {
    return tx.exec("UPDATE database_identity SET token = 'another'") + tx.exec("UPDATE sync_head SET pos = 7");
  }));
  reopen();
  auto position = number("SELECT pos FROM sync_head");
  EXPECT_GT(position, given_out);
  ASSERT_TRUE(write([](Tx& tx) -> Result<int64_t> { return tx.exec("UPDATE sync_head SET pos = 7"); }));
  reopen();
  EXPECT_GE(number("SELECT pos FROM sync_head"), position) << "an older copy that nobody noticed";
}

TEST_P(Contract, StopFinishesWhatIsQueued) {
  std::vector<Result<int64_t>> results;
  for (int64_t id = 1; id <= 20; ++id) {
    boost::asio::co_spawn(loop_, db_->write({}, insert(id, id)),
                          [&](std::exception_ptr, Result<int64_t> result) { results.push_back(std::move(result)); });
  }
  loop_.restart();
  loop_.poll();
  db_->stop();
  loop_.restart();
  loop_.run();
  ASSERT_EQ(results.size(), 20u);
  for (const auto& result : results) EXPECT_TRUE(result);
  EXPECT_EQ(code_of(write(insert(21))), Code::kUnavailable);
  reopen();
  EXPECT_EQ(ids().size(), 20u);
}

}  // namespace
}  // namespace myelin::db
