// From notify.out to the push gateway: who is told, what they are told, and what the gateway's answer does.
#include "components/push/push.h"

#include <deque>

#include "components/accounts/user_out.h"
#include "components/push/job.h"
#include "components/sync/notify_out.h"
#include "components/testing/databases.h"
#include "components/testing/fake_accounts.h"
#include "components/testing/fake_bus.h"
#include "components/testing/fake_rooms.h"
#include "components/testing/loop.h"
#include "matrix/push_rules.h"

namespace myelin::push {
namespace {
using namespace myelin::testing;

net::Response answer(int status, std::string body = R"({"rejected":[]})", std::vector<net::Header> headers = {}) {
  net::Response out;
  out.status = status;
  out.body = std::move(body);
  out.headers = std::move(headers);
  return out;
}

// Answers what the test has laid down, else 200 with nothing rejected.
class FakeGateway final : public net::HttpClient {
 public:
  Task<Result<net::Response>> send(net::OutboundRequest request) override {
    requests.push_back(std::move(request));
    if (answers.empty()) co_return answer(200);
    auto next = std::move(answers.front());
    answers.pop_front();
    co_return next;
  }
  json::Object last() const { return value(json::parse_object(requests.back().body)).at("notification").as_object(); }
  std::vector<net::OutboundRequest> requests;
  std::deque<Result<net::Response>> answers;
};

// Runs the declared queue when told to; rows are those of the real table.
class FakeQueues final : public work::Queues {
 public:
  void declare(work::QueueSpec declared) override { spec = std::move(declared); }
  void start() override {}
  void wake(std::string_view queue) override {
    EXPECT_EQ(queue, kQueue);
    ++wakes;
  }
  void retry_now(std::string_view, std::string_view) override {}
  Task<> stop() override { co_return; }
  work::QueueSpec spec;
  int wakes = 0;
};

class FakeSync final : public sync::Sync {
 public:
  std::map<UserId, int64_t> unread;
  Task<Result<sync::Badge>> badge(UserId user) override { co_return sync::Badge{unread[user]}; }
  Task<Result<std::string>> wait(sync::SyncRequest) override { co_return none(); }
  Task<Result<rooms::PageToken>> page_token(RoomId, std::string) override { co_return none(); }
  Task<Result<std::string>> token_now() override { co_return none(); }
  Task<Result<json::Object>> key_changes(UserId, std::string, std::string) override { co_return none(); }
  void release() override {}
  Task<Result<void>> start() override { co_return Result<void>{}; }
  Task<> stop() override { co_return; }

 private:
  static std::unexpected<Error> none() { return fail(Code::kInternal, "not in this test"); }
};

json::Object object(std::string_view text) { return value(json::parse_object(text)); }

class PushTest : public OnBothDatabases {
 protected:
  PushTest() {
    db = database->open(loop.executor(), clock);
    bus = std::make_unique<FakeBus>(*db);
    push = make_push(ServerName::trusted("here"), *db, *bus, queues, gateway, accounts, sync, rooms, clock);
    check(loop.run(push->start()));
    room_no = rooms.add_room(room);
    for (const auto& user : {alice, bob, carol}) {
      rooms.join(room_no, user, std::string(user.localpart()));
      accounts.add(user, "PHONE");
      accounts.rules[user] = std::make_shared<const json::Object>(default_push_rules(user));
    }
  }
  ~PushTest() override {
    loop.run(push->stop());
    push.reset();
    db->stop();
  }

  static json::Object pusher(const std::string& pushkey = "KEY") {
    return {{"kind", "http"},
            {"app_id", "org.app"},
            {"pushkey", pushkey},
            {"app_display_name", "App"},
            {"device_display_name", "Phone"},
            {"lang", "en"},
            {"data", json::Object{{"url", "https://gateway.example/_matrix/push/v1/notify"}, {"brand", "x"}}}};
  }
  Result<void> set(const UserId& user, json::Object body, const std::string& device = "PHONE") {
    accounts::Session session;
    session.user = user;
    session.device = DeviceId::trusted(device);
    return loop.run(push->set_pusher(session, std::move(body)));
  }
  json::Array list(const UserId& user) { return value(loop.run(push->pushers(user))); }

  // sync's word that something may ring, and the consumers' answer to it.
  void notify(const sync::NotifyOut& notice) {
    check(loop.run(db->write({}, [notice, this](db::Tx& tx) {
      tx.publish(sync::kNotifyOut.name, bus::partition_of(room.str()), encode(notice));
    })));
    check(loop.run(bus->deliver()));
  }
  rooms::PlacedPtr message(const std::string& id, json::Object content = {{"msgtype", "m.text"}, {"body", "hello"}}) {
    auto placed = rooms.add(room_no, id, alice, "m.room.message", std::move(content));
    notify({room, placed->ref, {}});
    return placed;
  }
  std::vector<work::Item> queued() {
    return value(loop.run(db->read([](db::ReadTx& tx) {
      return tx.all("SELECT id, key, body FROM work WHERE queue = 'push' ORDER BY key, id",
                    [](const db::Row& row) { return work::Item{row.i64(0), row.str(1), row.str(2), 0}; });
    })));
  }
  // One attempt at the item; done means that its row goes with what it writes.
  work::Outcome attempt(const work::Item& item) {
    auto outcome = loop.run(queues.spec.attempt(item));
    if (outcome.kind == work::Outcome::Kind::kDone)
      check(loop.run(db->write({}, [outcome, item](db::Tx& tx) -> Result<void> {
        tx.exec("DELETE FROM work WHERE queue = 'push' AND key = $1 AND id = $2", item.key, item.id);
        return outcome.write ? outcome.write(tx) : Result<void>{};
      })));
    return outcome;
  }
  bool done(const work::Outcome& outcome) { return outcome.kind == work::Outcome::Kind::kDone; }

  std::unique_ptr<db::testing::TemporaryDatabase> database = db::testing::temporary_database(GetParam());
  Loop loop;
  ManualClock clock;
  FakeAccounts accounts;
  FakeRooms rooms;
  FakeGateway gateway;
  FakeQueues queues;
  FakeSync sync;
  std::unique_ptr<db::Database> db;
  std::unique_ptr<FakeBus> bus;
  std::unique_ptr<Push> push;
  RoomId room = RoomId::trusted("!room:here");
  uint32_t room_no = 0;
  UserId alice = UserId::trusted("@alice:here"), bob = UserId::trusted("@bob:here"),
         carol = UserId::trusted("@carol:here");
};

TEST_P(PushTest, PushersAreListedUpdatedAndDeleted) {
  check(set(bob, pusher()));
  auto expected = pusher();
  ASSERT_EQ(list(bob).size(), 1u);
  EXPECT_EQ(list(bob)[0], json::Value(expected));
  auto body = pusher();
  body["lang"] = "de";
  body["profile_tag"] = "x";
  check(set(bob, body));
  ASSERT_EQ(list(bob).size(), 1u);
  EXPECT_EQ(list(bob)[0].at("lang"), json::Value("de"));
  EXPECT_EQ(list(bob)[0].at("profile_tag"), json::Value("x"));
  check(set(bob, pusher("OTHER")));
  EXPECT_EQ(list(bob).size(), 2u);
  check(set(bob, {{"kind", nullptr}, {"app_id", "org.app"}, {"pushkey", "KEY"}}));
  EXPECT_EQ(list(bob).size(), 1u);
  EXPECT_TRUE(list(carol).empty());
}

TEST_P(PushTest, AppendKeepsOtherUsersPushers) {
  check(set(bob, pusher()));
  auto appended = pusher();
  appended["append"] = true;
  check(set(carol, appended));
  EXPECT_EQ(list(bob).size(), 1u);
  check(set(carol, pusher()));
  EXPECT_TRUE(list(bob).empty());
  EXPECT_EQ(list(carol).size(), 1u);
}

TEST_P(PushTest, WrongPushersAreRefused) {
  auto with = [&](std::string_view field, json::Value to) {
    auto body = pusher();
    body[field] = std::move(to);
    return error_of(set(bob, body));
  };
  for (const char* field : {"kind", "app_id", "pushkey", "app_display_name", "device_display_name", "lang", "data"}) {
    auto body = pusher();
    body.erase(field);
    EXPECT_EQ(error_of(set(bob, body)), Code::kMissingParam) << field;
    EXPECT_EQ(with(field, 7), Code::kBadJson) << field;
  }
  EXPECT_EQ(with("kind", "email"), Code::kInvalidParam);
  EXPECT_EQ(with("append", "yes"), Code::kBadJson);
  EXPECT_EQ(with("app_id", json::Value(std::string(65, 'x'))), Code::kInvalidParam);
  EXPECT_EQ(with("pushkey", json::Value(std::string(513, 'x'))), Code::kInvalidParam);
  EXPECT_EQ(with("data", json::Object()), Code::kMissingParam);
  for (const char* url : {"gateway", "ftp://gateway.example/_matrix/push/v1/notify", "https://gateway.example/other",
                          "http://gateway.example/_matrix/push/v1/notify"})
    EXPECT_EQ(with("data", json::Object{{"url", url}}), Code::kInvalidParam) << url;
  EXPECT_TRUE(list(bob).empty());
}

TEST_P(PushTest, AMessageIsOneRowForEachPusherWhoseRulesSayNotify) {
  check(set(bob, pusher()));
  check(set(bob, pusher("SECOND")));
  check(set(alice, pusher("ALICE")));  // the sender
  message("$1");
  EXPECT_EQ(queued().size(), 2u) << "alice sent it, carol has no pusher";
  EXPECT_EQ(queues.wakes, 1);
  rooms.add(room_no, "$topic", alice, "m.room.topic", {{"topic", "x"}}, "");
  notify({room, {room_no, 5}, {}});
  EXPECT_EQ(queued().size(), 2u) << "the default rules do not notify of topics";
}

TEST_P(PushTest, RulesAndIgnoredUsersAreTheMembersOwn) {
  check(set(bob, pusher()));
  check(set(carol, pusher("CAROL")));
  auto muted = default_push_rules(bob);
  check(enable_push_rule(muted, PushRuleKind::kOverride, ".m.rule.master", true));
  accounts.rules[bob] = std::make_shared<const json::Object>(muted);
  accounts.data[{carol, "m.ignored_user_list"}] = R"({"ignored_users":{"@alice:here":{}}})";
  message("$1");
  EXPECT_TRUE(queued().empty());
  accounts.data.clear();
  message("$2");
  EXPECT_EQ(queued().size(), 1u);
}

TEST_P(PushTest, WhoJoinsLaterIsNotTold) {
  check(set(bob, pusher()));
  auto dave = UserId::trusted("@dave:here");
  accounts.add(dave, "PHONE");
  accounts.rules[dave] = std::make_shared<const json::Object>(default_push_rules(dave));
  check(set(dave, pusher("DAVE")));
  auto early = rooms.add(room_no, "$early", alice, "m.room.message", {{"body", "x"}});
  rooms.join(room_no, dave);
  notify({room, early->ref, {}});
  ASSERT_EQ(queued().size(), 1u);
  EXPECT_NE(queued()[0].key.find("@bob:here"), std::string::npos);
}

TEST_P(PushTest, AnInvitedUserIsTold) {
  auto dave = UserId::trusted("@dave:here");
  accounts.add(dave, "PHONE");
  accounts.rules[dave] = std::make_shared<const json::Object>(default_push_rules(dave));
  check(set(dave, pusher("DAVE")));
  auto invite = rooms.add(room_no, "$invite", alice, "m.room.member", {{"membership", "invite"}}, dave.str());
  notify({room, invite->ref, {}});
  ASSERT_EQ(queued().size(), 1u);
  EXPECT_TRUE(done(attempt(queued()[0])));
  EXPECT_EQ(gateway.last().at("user_is_target"), json::Value(true));
  message("$after");
  EXPECT_TRUE(queued().empty()) << "messages are for members";
}

TEST_P(PushTest, TheNotificationHasTheSpecsFields) {
  rooms.add(room_no, "$name", alice, "m.room.name", {{"name", "Mission Control"}}, "");
  rooms.add(room_no, "$alias", alice, "m.room.canonical_alias", {{"alias", "#control:here"}}, "");
  check(set(bob, pusher()));
  sync.unread[bob] = 2;
  message("$1", {{"msgtype", "m.text"},
                 {"body", "hello bob"},
                 {"m.mentions", json::Object{{"user_ids", json::Array{"@bob:here"}}}}});
  ASSERT_EQ(queued().size(), 1u);
  EXPECT_TRUE(done(attempt(queued()[0])));
  ASSERT_EQ(gateway.requests.size(), 1u);
  EXPECT_EQ(gateway.requests[0].url, "https://gateway.example/_matrix/push/v1/notify");
  EXPECT_EQ(gateway.requests[0].method, net::Method::kPost);
  auto sent = gateway.last();
  auto devices = sent.at("devices").as_array();
  sent.erase("devices");
  auto content = sent.at("content").as_object();
  sent.erase("content");
  EXPECT_EQ(json::Value(sent), json::Value(object(R"({"event_id":"$1","room_id":"!room:here","type":"m.room.message",
      "sender":"@alice:here","sender_display_name":"alice","room_name":"Mission Control","room_alias":"#control:here",
      "prio":"high","counts":{"unread":2}})")));
  EXPECT_EQ(content.at("body"), json::Value("hello bob"));
  ASSERT_EQ(devices.size(), 1u);
  auto device = devices[0].as_object();
  EXPECT_EQ(device.at("app_id"), json::Value("org.app"));
  EXPECT_EQ(device.at("pushkey"), json::Value("KEY"));
  EXPECT_EQ(device.at("pushkey_ts"), json::Value(clock.now() / 1000));
  EXPECT_EQ(device.at("data"), json::Value(json::Object{{"brand", "x"}})) << "all but the url";
  EXPECT_EQ(device.at("tweaks").at("highlight"), json::Value(true));
  EXPECT_EQ(device.at("tweaks").at("sound"), json::Value("default"));
  EXPECT_TRUE(queued().empty());
}

TEST_P(PushTest, EventIdOnlySaysNoMore) {
  auto body = pusher();
  body["data"].as_object()["format"] = "event_id_only";
  check(set(bob, body));
  sync.unread[bob] = 1;
  message("$1");
  attempt(queued()[0]);
  auto sent = gateway.last();
  EXPECT_EQ(sent.at("devices").as_array()[0].at("data").at("format"), json::Value("event_id_only"));
  sent.erase("devices");
  EXPECT_EQ(json::Value(sent),
            json::Value(object(R"({"event_id":"$1","room_id":"!room:here","counts":{"unread":1}})")));
}

TEST_P(PushTest, AFailingGatewayIsTriedAgain) {
  check(set(bob, pusher()));
  message("$1");
  auto item = queued().at(0);
  gateway.answers.push_back(fail(Code::kUnavailable, "refused"));
  gateway.answers.push_back(answer(502));
  gateway.answers.push_back(answer(429, "", {{"Retry-After", "30"}}));
  EXPECT_FALSE(done(attempt(item)));
  EXPECT_FALSE(done(attempt(item)));
  auto limited = attempt(item);
  EXPECT_FALSE(done(limited));
  EXPECT_EQ(limited.retry_after, std::chrono::seconds(30));
  EXPECT_EQ(queued().size(), 1u);
  EXPECT_TRUE(done(attempt(item)));
  EXPECT_TRUE(queued().empty());
  EXPECT_EQ(gateway.requests.size(), 4u);
  EXPECT_EQ(gateway.requests[0].body, gateway.requests[3].body) << "the gateway knows it by its event id";
}

TEST_P(PushTest, ADayLaterNobodyIsToldAnyMore) {
  check(set(bob, pusher()));
  message("$1");
  clock.advance(86'400'001);
  EXPECT_TRUE(done(attempt(queued()[0])));
  EXPECT_TRUE(gateway.requests.empty());
}

TEST_P(PushTest, ADeniedAddressIsNotTriedAgain) {
  check(set(bob, pusher()));
  message("$1");
  gateway.answers.push_back(fail(Code::kForbidden, "denied"));
  EXPECT_TRUE(done(attempt(queued()[0])));
  EXPECT_EQ(list(bob).size(), 1u);
}

TEST_P(PushTest, ARejectedPushkeyIsDropped) {
  check(set(bob, pusher()));
  check(set(bob, pusher("GOOD")));
  message("$1");
  auto items = queued();
  ASSERT_EQ(items.size(), 2u);
  gateway.answers.push_back(answer(200, R"({"rejected":["GOOD"]})"));
  EXPECT_TRUE(done(attempt(items[0])));
  ASSERT_EQ(list(bob).size(), 1u);
  EXPECT_EQ(list(bob)[0].at("pushkey"), json::Value("KEY"));
  message("$2");
  EXPECT_EQ(queued().size(), 2u) << "the other one of $1, and $2";
}

TEST_P(PushTest, ReadingSendsTheBadgeOnceForEachCount) {
  check(set(bob, pusher()));
  sync.unread[bob] = 3;
  message("$1");
  attempt(queued()[0]);
  sync.unread[bob] = 0;
  notify({room, {}, {bob, carol}});
  ASSERT_EQ(queued().size(), 1u);
  EXPECT_TRUE(done(attempt(queued()[0])));
  ASSERT_EQ(gateway.requests.size(), 2u);
  auto sent = gateway.last();
  EXPECT_FALSE(sent.contains("event_id"));
  EXPECT_EQ(sent.at("counts"), json::Value(json::Object{{"unread", 0}}));
  EXPECT_EQ(sent.at("devices").as_array().size(), 1u);
  notify({room, {}, {bob}});
  EXPECT_TRUE(done(attempt(queued().at(0))));
  EXPECT_EQ(gateway.requests.size(), 2u) << "the gateway knows the count already";
}

TEST_P(PushTest, ARedactionOfWhatCountedSendsTheBadgesThatItChanged) {
  check(set(bob, pusher()));
  check(set(carol, pusher("CAROL")));
  sync.unread = {{bob, 1}, {carol, 1}};
  message("$1");
  for (const auto& item : queued()) attempt(item);
  ASSERT_EQ(gateway.requests.size(), 2u);
  sync.unread = {{bob, 0}, {carol, 1}};  // carol's is of another message
  sync::NotifyOut notice{room, {}, {}};
  notice.taken_back = true;
  notify(notice);
  for (const auto& item : queued()) EXPECT_TRUE(done(attempt(item)));
  ASSERT_EQ(gateway.requests.size(), 3u);
  EXPECT_FALSE(gateway.last().contains("event_id"));
  EXPECT_EQ(gateway.last().at("counts"), json::Value(json::Object{{"unread", 0}}));
}

TEST_P(PushTest, WhatIsNotForTheUserAnyMoreIsNotSent) {
  check(set(bob, pusher()));
  auto hidden = message("$1");
  rooms.hidden.insert(hidden->ref);
  EXPECT_TRUE(done(attempt(queued().at(0))));
  message("$2");
  accounts.data[{bob, "m.ignored_user_list"}] = R"({"ignored_users":{"@alice:here":{}}})";  // since it was queued
  EXPECT_TRUE(done(attempt(queued().at(0))));
  EXPECT_TRUE(gateway.requests.empty());
}

TEST_P(PushTest, ADeletedDeviceTakesItsPushersWithIt) {
  accounts.add(bob, "TABLET");
  check(set(bob, pusher()));
  check(set(bob, pusher("TABLETKEY"), "TABLET"));
  accounts.remove(bob, "TABLET");
  EXPECT_EQ(list(bob).size(), 1u) << "at once";
  check(loop.run(db->write({}, [this](db::Tx& tx) {
    tx.publish(accounts::kUserOut.name, bus::partition_of(bob.str()),
               encode(accounts::UserOut{bob, accounts::DeviceDeleted{DeviceId::trusted("TABLET")}}));
  })));
  message("$1");  // delivers both
  message("$2");
  for (const auto& item : queued()) attempt(item);
  accounts.add(bob, "TABLET");
  EXPECT_EQ(list(bob).size(), 1u);
}

TEST_P(PushTest, ARedactedEventIsNotSent) {
  check(set(bob, pusher()));
  message("$1");
  rooms.redact({room_no, 4});
  EXPECT_TRUE(done(attempt(queued()[0])));
  EXPECT_TRUE(gateway.requests.empty());
}

TEST(PushJob, SurvivesItsEncoding) {
  Job job{{3, 9}, {{"sound", "default"}}, 1234};
  auto back = decode_job(encode(job));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->ref, job.ref);
  EXPECT_EQ(json::Value(back->tweaks), json::Value(job.tweaks));
  EXPECT_EQ(back->at, 1234);
  for (const char* wrong : {"", "{}", R"({"event":1,"at":"x","tweaks":{}})"}) EXPECT_FALSE(decode_job(wrong)) << wrong;
}

MYELIN_ON_BOTH_DATABASES(PushTest);

}  // namespace
}  // namespace myelin::push
