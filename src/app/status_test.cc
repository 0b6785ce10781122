// What administrators see of all processes.
#include "app/status.h"

#include <gtest/gtest.h>

#include "components/testing/databases.h"
#include "components/testing/fake_bus.h"
#include "components/testing/loop.h"

namespace myelin::app {
namespace {
using namespace myelin::testing;

Status example() {
  Status out;
  out.now = 10'000'000;
  out.position = 77;
  out.processes = {
      {"a1", {"east", "client,rooms", "1.0", "n2"}, 9'970'000, 10'002'000, true, {{"room.out", {0, 1, 5}}}},
      {"b", {"west", "sync", "1.0", ""}, 0, 0, false, {{"consumer sync", {0}}}}};
  out.consumers = {{"sync", "room.out", 12, 1}};
  out.queues = {{"push", 3, 10'005'000}, {"profile", 1, 5}};
  return out;
}

TEST(Status, TheTableIsForPeople) {
  EXPECT_EQ(to_table(example()),
            "position 77\n"
            "\n"
            "process  host  nats  roles         version  state    holds\n"
            "a1       east  n2    client,rooms  1.0      up 30 s  room.out (3)\n"
            "b        west        sync          1.0      over     consumer sync\n"
            "\n"
            "consumer  topic     lag  parked keys\n"
            "sync      room.out  12   1\n"
            "\n"
            "queue    waiting  first due\n"
            "push     3        in 5 s\n"
            "profile  1        now");
}

TEST(Status, TheObjectIsForPrograms) {
  auto status = to_json(example());
  EXPECT_EQ(
      json::serialize(status),
      R"({"position":77,"processes":[{"instance":"a1","host":"east","nats":"n2","roles":"client,rooms","version":"1.0",)"
      R"("started_at":9970000,"alive":true,"holds":{"room.out":[0,1,5]}},{"instance":"b","host":"west","nats":"",)"
      R"("roles":"sync","version":"1.0","started_at":0,"alive":false,"holds":{"consumer sync":[0]}}],)"
      R"("consumers":[{"consumer":"sync","topic":"room.out","lag":12,"parked_keys":1}],"queues":[)"
      R"({"queue":"push","rows":3,"first_due":10005000},{"queue":"profile","rows":1,"first_due":5}]})");
}

class StatusOf : public OnBothDatabases {
 protected:
  ~StatusOf() override { db_->stop(); }
  Loop loop;
  SystemClock clock;
  std::unique_ptr<db::testing::TemporaryDatabase> database_ = db::testing::temporary_database(GetParam());
  std::unique_ptr<db::Database> db_ = database_->open(loop.executor(), clock);
};

TEST_P(StatusOf, ItCountsWhatIsBehindParkedAndWaiting) {
  check(loop.run(db_->write({}, [](db::Tx& tx) {
    for (int i = 0; i < 3; ++i) tx.publish("t", 1, "m");
    work::enqueue(tx, "push", "a", "x", 7);
    work::enqueue(tx, "push", "b", "x", 5);
    tx.exec("INSERT INTO cursor (consumer, topic, partition, seq) VALUES ('c', 't', 1, 1)");
    for (int i = 0; i < 2; ++i)
      tx.exec(
          "INSERT INTO parked (consumer, key, id, topic, partition, seq, body, reason) VALUES ('c', 'k', $1, 't', 1, "
          "1, "
          "$2, '')",
          i, db::Blob{"x"});
    tx.at_position(1, [](db::Tx&, int64_t) {});
  })));
  auto status = value(loop.run(read_status(*db_, clock)));
  EXPECT_GT(status.position, 0);
  ASSERT_EQ(status.consumers.size(), 1u);
  EXPECT_EQ(status.consumers[0].lag, 2u);
  EXPECT_EQ(status.consumers[0].parked_keys, 1u);
  ASSERT_EQ(status.queues.size(), 1u);
  EXPECT_EQ(status.queues[0].rows, 2);
  EXPECT_LE(status.queues[0].first_due, status.now + 60'000);
}
MYELIN_ON_BOTH_DATABASES(StatusOf);

}  // namespace
}  // namespace myelin::app
