// Messages as earlier releases wrote them, byte for byte: what is in an outbox or parked must be read by every later
// program, and messages with further fields by the program before (docs/upgrades.md). And whole databases of theirs.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <sstream>

#include "app/components.h"
#include "app/house.h"
#include "base/bytes.h"
#include "components/accounts/identity.h"
#include "components/accounts/user_out.h"
#include "components/rooms/room_out.h"
#include "components/sync/notify_out.h"
#include "components/testing/databases.h"
#include "components/testing/loop.h"
#include "infra/bus/testing/memory_streams.h"
#include "infra/bus/topic_bus.h"
#include "infra/db/testing/moves.h"

namespace myelin::app {
namespace {
using namespace myelin::testing;

template <class Message>
using Decode = Result<Message> (*)(std::string_view);

std::string from_hex(std::string_view hex) {
  std::string out;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return out;
}

// Says the same as `same`, which this program would write so: in the form of now, or after a change of it in another.
template <class Message>
void expect_read(std::string_view recorded, const Message& same, Decode<Message> decode) {
  auto read = decode(from_hex(recorded));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(hex(encode(*read)), hex(encode(same)));
  auto extended = decode(from_hex(recorded) + from_hex("0a0b0c"));
  ASSERT_TRUE(extended) << "with further fields";
}

const UserId alice = UserId::trusted("@alice:here"), bob = UserId::trusted("@bob:here");
const RoomId any_room = RoomId::trusted("!room:here");

TEST(Recorded, RoomOutOf_0_1) {
  using namespace rooms;
  EventAdded added{.ref = {7, 9},
                   .order = 12,
                   .depth = 13,
                   .before = {1, 2, {3, 4}},
                   .after = {5, 6, {7, 8}},
                   .sender = alice,
                   .type = "m.room.member",
                   .is_state = true};
  added.transaction = Transaction{alice, DeviceId::trusted("D"), "/rooms/r/send/t", "txn"};
  added.memberships = {{bob, std::nullopt, Membership::kInvite, {7, 9}}};
  added.redacts = EventRef{7, 4};
  expect_read<RoomOut>(
      "01070a21726f6f6d3a686572658980808070181a18010000000200000003040000000000000000000000000000180500"
      "000006000000070800000000000000000000000000000b40616c6963653a686572650d6d2e726f6f6d2e6d656d626572"
      "0501440f2f726f6f6d732f722f73656e642f740374786e010940626f623a68657265000189808080708480808070",
      {7, any_room, added}, decode_room_out);
  ReceiptAdded receipt{bob, "m.read", "", EventId::trusted("$e"), {7, 9}, 12, 1'700'000'000'000};
  expect_read<RoomOut>("02070a21726f6f6d3a686572650940626f623a68657265066d2e726561640002246589808080701880a0abfef962",
                       {7, any_room, receipt}, decode_room_out);
}

TEST(Recorded, UserOutOf_0_1) {
  using namespace accounts;
  auto device = DeviceId::trusted("D");
  expect_read<UserOut>("0b40616c6963653a68657265010721723a68657265056d2e746167",
                       {alice, AccountDataChanged{"!r:here", "m.tag"}}, decode_user_out);
  expect_read<UserOut>("0b40616c6963653a6865726502", {alice, DeviceListChanged{}}, decode_user_out);
  expect_read<UserOut>("0b40616c6963653a68657265030144", {alice, DeviceDeleted{device}}, decode_user_out);
  expect_read<UserOut>("0b40616c6963653a68657265040144", {alice, KeyCountsChanged{device}}, decode_user_out);
  expect_read<UserOut>("0b40616c6963653a6865726505010940626f623a686572650144027b7d",
                       {alice, ToDeviceSent{{{bob, device, "{}"}}}}, decode_user_out);
}

TEST(Recorded, NotifyOutOf_0_1) {
  expect_read<sync::NotifyOut>("0a21726f6f6d3a686572658980808070010940626f623a6865726501",
                               {any_room, {7, 9}, {bob}, true}, sync::decode_notify_out);
}

// It is not damaged: a newer process can read it.
TEST(Recorded, AFormOfANewerProgramIsLeftAlone) {
  EXPECT_EQ(error_of(rooms::decode_room_out(from_hex("6301020304"))), Code::kUnavailable);
  EXPECT_EQ(error_of(accounts::decode_user_out(from_hex("0440613a6263"))), Code::kUnavailable);
}

// Goes on from a minute after the database was left: what waits there is due, and not given up for its age.
class ClockOfThen final : public Clock {
 public:
  explicit ClockOfThen(Milliseconds then) : behind_(real_.now() - then - 60'000) {}
  Milliseconds now() const override { return real_.now() - behind_; }
  std::chrono::steady_clock::time_point steady() const override { return real_.steady(); }

 private:
  SystemClock real_;
  Milliseconds behind_;
};

// Takes every push.
class Gateway final : public net::HttpClient {
 public:
  Task<Result<net::Response>> send(net::OutboundRequest request) override {
    auto notification = value(json::parse_object(request.body)).at("notification");
    if (const auto* event = notification.as_object().if_contains("event_id")) events.emplace_back(event->as_string());
    co_return net::Response{.body = "{}"};
  }
  std::vector<std::string> events;
};

std::string text(const json::Value& value) { return std::string(value.as_string()); }

// This program over a database that an earlier one left, beside what that one answered (recorded/README.md).
class RecordedDatabase : public OnBothDatabases {
 protected:
  RecordedDatabase() {
    check(loop.run(house.start()));
    settle();
  }
  ~RecordedDatabase() override {
    loop.run(house.stop_work());
    loop.run(house.stop());
    db->stop();
  }

  static bool is_sqlite() { return GetParam() == db::testing::Kind::kSqlite; }
  static std::string recorded(std::string_view ending) {
    std::stringstream out;
    out << std::ifstream(fmt::format("src/app/recorded/a96be28.{}.{}", is_sqlite() ? "sqlite" : "postgres", ending))
               .rdbuf();
    return out.str();
  }
  static std::unique_ptr<db::testing::TemporaryDatabase> load() {
    auto out = db::testing::temporary_database(GetParam());
    db::testing::Opened(out->options()).script(recorded("sql"));
    return out;
  }
  Config configure() {
    auto out = value(app::load({{}, {}, {}}));
    auto name = ServerName::trusted(out.server_name);
    out.server_name = value(loop.run(accounts::settle_server_name(*db, name, accounts::Wish::kDefault))).str();
    return out;
  }
  void settle() { ASSERT_TRUE(loop.run(bus->settled(clock.steady() + std::chrono::seconds(60)))); }

  json::Object ask(std::string_view user, net::Method method, std::string_view path, std::string body = "") {
    net::Request request{.method = method,
                         .target = fmt::format("/_matrix/client/v3{}", path),
                         .headers = {{"Authorization", "Bearer " + text(said.at("tokens").at(user))}},
                         .body = std::move(body),
                         .remote_address = "192.0.2.1"};
    auto answer = loop.run(house.handle(std::move(request)));
    EXPECT_EQ(answer.status, 200) << path << answer.body;
    return value(json::parse_object(answer.body));
  }
  json::Object get(std::string_view path) { return ask("bob", net::Method::kGet, path); }
  int64_t number(db::Sql sql) {
    auto read = [sql](db::ReadTx& tx) { return tx.one(sql, [](const db::Row& row) { return row.i64(0); }); };
    return value(loop.run(db->read(read))).value_or(-1);
  }

  Loop loop;
  json::Object said = value(json::parse_object(recorded("json")));
  std::string room = text(said.at("room"));
  ClockOfThen clock{said.at("at").as_int64()};
  SystemRandom random;
  std::unique_ptr<db::testing::TemporaryDatabase> files = load();
  std::unique_ptr<db::Database> db = files->open(loop.executor(), clock);
  Config config = configure();
  bus::testing::MemoryStreams streams{loop.executor()};
  std::unique_ptr<bus::Bus> bus = bus::make_bus(streams.connect(), *db, loop.executor(), clock);
  Gateway gateway;
  SigningKey key = SigningKey::generate(random, "a");
  House house{config, {*db, *bus, gateway, loop.executor(), clock, random}, key};
};
MYELIN_ON_BOTH_DATABASES(RecordedDatabase);

// Without what each program says in its own words.
std::string comparable(json::Value value) {
  std::function<void(json::Value&)> reduce = [&](json::Value& part) {
    if (auto* array = part.if_array()) std::ranges::for_each(*array, reduce);
    auto* object = part.if_object();
    if (object == nullptr) return;
    for (const char* key :
         {"age", "next_batch", "prev_batch", "start", "end", "presence", "device_one_time_keys_count"})
      object->erase(key);
    for (auto& field : *object) reduce(field.value());
  };
  reduce(value);
  return testing::value(json::canonical(value, json::CanonicalMode::kLax));
}

// Messages, counts, what waited for a device, and the rest of what a client asks; old tokens of both kinds, too.
TEST_P(RecordedDatabase, IsServedAsByTheProgramThatLeftIt) {
  EXPECT_EQ(number("SELECT COUNT(*) FROM schema_version"), std::ssize(db::all_migrations()));
  EXPECT_EQ(config.server_name, "old.test") << "which the tables of then did not say";
  for (const auto& each : said.at("asked").as_array()) {
    auto method = each.at("method") == "GET" ? net::Method::kGet : net::Method::kPost;
    auto body = each.at("body").is_null() ? "" : json::serialize(each.at("body"));
    auto answer = ask("bob", method, text(each.at("path")), body);
    EXPECT_EQ(comparable(answer), comparable(each.at("answer"))) << each.at("path");
  }
  // Another PostgreSQL than it was written by: some may have been given out since (docs/spine.md, rule A15).
  EXPECT_EQ(get("/sync").at("device_one_time_keys_count").at("signed_curve25519"), is_sqlite() ? 2 : 0);
}

TEST_P(RecordedDatabase, GoesOn) {
  auto in_room = [&](const json::Object& sync) { return sync.at("rooms").at("join").at(room).as_object(); };
  auto unread = [&](const json::Object& sync) {
    return in_room(sync).at("unread_notifications").at("notification_count").as_int64();
  };
  auto before = get("/sync");
  auto sent = ask("alice", net::Method::kPut, fmt::format("/rooms/{}/send/m.room.message/new", room),
                  R"({"msgtype":"m.text","body":"urgent and new"})");
  settle();
  auto after = get("/sync?since=" + text(before.at("next_batch")));
  auto events = in_room(after).at("timeline").at("events").as_array();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].at("event_id"), sent.at("event_id"));
  EXPECT_EQ(unread(after), unread(before) + 1);
}

TEST_P(RecordedDatabase, PushesWhatWaited) {
  std::vector<std::string> wanted;
  for (const auto& event : said.at("pushed").as_array()) wanted.push_back(text(event));
  for (auto end = clock.steady() + std::chrono::seconds(60); gateway.events.size() < wanted.size();) {
    ASSERT_LT(clock.steady(), end);
    loop.run(sleep_for(std::chrono::milliseconds(10)));
  }
  EXPECT_EQ(gateway.events, wanted);
}

}  // namespace
}  // namespace myelin::app
