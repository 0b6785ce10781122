// What the tests of this component stand on: a real database under real rooms, accounts, keys and presence; a bus that
// delivers when told to; a clock that stands still. Thread: the test's.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "components/accounts/accounts.h"
#include "components/keys/keys.h"
#include "components/rooms/testing/owner_of.h"
#include "components/sync/sync.h"
#include "components/testing/databases.h"
#include "components/testing/fake_bus.h"
#include "components/testing/loop.h"
#include "components/testing/watched_database.h"
#include "matrix/push_rules.h"

namespace myelin::sync::testing {
using namespace myelin::testing;

inline constexpr const char* kPassword = "correct horse";
// Leases that are not renewed while a test counts statements.
inline constexpr lease::Options kOneLook{.length = std::chrono::hours(2), .look = std::chrono::hours(1)};
inline json::Object text(std::string_view body) { return {{"msgtype", "m.text"}, {"body", body}}; }
inline json::Object object(std::string_view json) { return value(json::parse_object(json)); }
inline json::Object mention(std::string_view body, const UserId& user) {
  auto out = text(body);
  out["m.mentions"] = json::Object{{"user_ids", json::Array{user.str()}}};
  return out;
}
inline json::Object in_thread(json::Object content, const EventId& root) {
  content["m.relates_to"] = json::Object{{"rel_type", "m.thread"}, {"event_id", root.str()}};
  return content;
}

class World {
 public:
  // `own_writes`: /sync waits for what its user has done; the test delivers it.
  explicit World(db::testing::Kind kind = db::testing::Kind::kSqlite, std::chrono::milliseconds own_writes = {})
      : database(db::testing::temporary_database(kind)), options{own_writes} {
    open();
  }
  ~World() { close(); }
  void restart() {
    close();
    open();
    check(loop.run(bus->skip()));
  }

  // ---- accounts
  accounts::Session register_user(const std::string& name, const std::string& device = "ONE") {
    accounts::Registration request;
    request.username = name;
    request.password = kPassword;
    request.device.device_id = device;
    return session_of(value(loop.run(accounts->register_user(std::move(request)))));
  }
  accounts::Session log_in(const UserId& user, const std::string& device) {
    accounts::PasswordLogin request{user.str(), kPassword, {}, ""};
    request.device.device_id = device;
    return session_of(value(loop.run(accounts->log_in(std::move(request)))));
  }
  void put_account_data(const UserId& user, const std::string& type, const json::Object& content,
                        std::optional<RoomId> room = {}) {
    check(loop.run(accounts->put_account_data(user, std::move(room), type, json::serialize(content))));
  }
  void ignore(const UserId& user, const std::vector<UserId>& ignored) {
    json::Object users;
    for (const auto& each : ignored) users[each.str()] = json::Object();
    put_account_data(user, "m.ignored_user_list", {{"ignored_users", std::move(users)}});
  }
  void edit_rules(const UserId& user, std::function<Result<void>(json::Object&)> edit) {
    check(loop.run(accounts->edit_push_rules(user, std::move(edit))));
  }
  // An override rule on the room without actions.
  void mute(const UserId& user, const RoomId& room) {
    json::Object rule{
        {"conditions", json::Array{json::Object{{"kind", "event_match"}, {"key", "room_id"}, {"pattern", room.str()}}}},
        {"actions", json::Array()}};
    put_rule(user, PushRuleKind::kOverride, room.str(), std::move(rule));
  }
  void mentions_only(const UserId& user, const RoomId& room) {
    put_rule(user, PushRuleKind::kRoom, room.str(), {{"actions", json::Array()}});
  }
  void put_rule(const UserId& user, PushRuleKind kind, const std::string& id, json::Object rule) {
    edit_rules(user, [kind, id, rule](json::Object& rules) { return put_push_rule(rules, kind, id, rule); });
  }
  void delete_rule(const UserId& user, PushRuleKind kind, const std::string& id) {
    edit_rules(user, [kind, id](json::Object& rules) { return delete_push_rule(rules, kind, id); });
  }

  // ---- rooms
  RoomId create(const UserId& creator, std::string preset = "public_chat", std::string version = "12") {
    rooms::CreateRoom request;
    request.creator = creator;
    request.preset = std::move(preset);
    request.version = std::move(version);
    return value(loop.run(rooms->commands().create(std::move(request))));
  }
  Result<EventId> try_send(const RoomId& room, const UserId& sender, const std::string& type, json::Object content,
                           std::optional<std::string> state_key = {}) {
    return loop.run(rooms->commands().send({room, sender, type, std::move(state_key), std::move(content)}));
  }
  EventId send(const RoomId& room, const UserId& sender, const std::string& type, json::Object content) {
    return value(try_send(room, sender, type, std::move(content)));
  }
  EventId say(const RoomId& room, const UserId& sender, json::Object content) {
    return send(room, sender, "m.room.message", std::move(content));
  }
  EventId say(const RoomId& room, const UserId& sender, const std::string& body) {
    return say(room, sender, text(body));
  }
  EventId set(const RoomId& room, const UserId& sender, const std::string& type, json::Object content,
              const std::string& key = "") {
    return value(try_send(room, sender, type, std::move(content), key));
  }
  Result<EventId> try_redact(const RoomId& room, const UserId& sender, const EventId& target) {
    rooms::SendEvent request{room, sender, "m.room.redaction", {}, {}};
    request.redacts = target;
    return loop.run(rooms->commands().send(std::move(request)));
  }
  EventId redact(const RoomId& room, const UserId& sender, const EventId& target) {
    return value(try_redact(room, sender, target));
  }
  Result<EventId> try_join(const RoomId& room, const UserId& who) {
    return loop.run(rooms->commands().join({room, who, {}}));
  }
  EventId join(const RoomId& room, const UserId& who) { return value(try_join(room, who)); }
  Result<EventId> try_change(const RoomId& room, const UserId& sender, const UserId& target,
                             rooms::MembershipAction action) {
    return loop.run(rooms->commands().change_membership({room, sender, target, action}));
  }
  EventId change(const RoomId& room, const UserId& sender, const UserId& target, rooms::MembershipAction action) {
    return value(try_change(room, sender, target, action));
  }
  EventId invite(const RoomId& room, const UserId& sender, const UserId& target) {
    return change(room, sender, target, rooms::MembershipAction::kInvite);
  }
  EventId leave(const RoomId& room, const UserId& who) {
    return change(room, who, who, rooms::MembershipAction::kLeave);
  }
  EventId event_before(const RoomId& room, const EventId& event) {  // its first prev event
    return value(loop.run(queries().event(room, event)))->event->prev_events().front();
  }
  rooms::Owner& owner() { return rooms::testing::owner_of(*rooms); }
  rooms::Queries& queries() { return rooms->queries(); }
  Result<void> try_receipt(const RoomId& room, const UserId& user, const EventId& event,
                           const std::string& type = "m.read", const std::string& thread = "") {
    return loop.run(presence->receipt(room, user, type, event, thread));
  }
  void read(const RoomId& room, const UserId& user, const EventId& event, const std::string& thread = "",
            const std::string& type = "m.read") {
    check(try_receipt(room, user, event, type, thread));
  }

  // ---- sync
  void deliver() {  // what consumers publish themselves is delivered too
    check(loop.run(bus->deliver()));
    check(loop.run(bus->deliver()));
  }
  Result<std::string> try_sync(SyncRequest request) { return loop.run(sync->wait(std::move(request))); }
  json::Object sync_now(SyncRequest request) { return object(value(try_sync(std::move(request)))); }
  json::Object sync_now(const accounts::Session& session, std::optional<std::string> since = {},
                        std::string filter = "") {
    SyncRequest request{session};
    request.since = std::move(since);
    request.filter = std::move(filter);
    return sync_now(std::move(request));
  }
  static std::string next_batch(const json::Object& answer) { return std::string(answer.at("next_batch").as_string()); }
  // Lets what waits for the database go on: all that was asked so far is answered.
  void idle() {
    check(
        loop.run([](db::Database& on) -> Task<Result<void>> { co_return co_await on.read([](db::ReadTx&) {}); }(*db)));
    loop.poll();
  }
  bool until(const std::function<bool()>& goal) {  // what runs in other threads may take its time
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!goal() && std::chrono::steady_clock::now() < end) idle();
    return goal();
  }
  int64_t count(db::Sql sql) {
    return value(loop.run(db->read(
        [sql](db::ReadTx& tx) { return tx.one(sql, [](const db::Row& row) { return row.i64(0); }).value(); })));
  }

  std::unique_ptr<db::testing::TemporaryDatabase> database;
  Options options;
  Loop loop;
  ManualClock clock;
  SeededRandom random{5};
  const ServerName server = ServerName::trusted("here");
  const SigningKey signing_key = SigningKey::generate(random, "test");
  std::unique_ptr<WatchedDatabase> db;
  std::unique_ptr<FakeBus> bus;
  std::unique_ptr<work::Queues> queues;
  std::unique_ptr<lease::Leases> leases;
  std::unique_ptr<rooms::Rooms> rooms;
  std::unique_ptr<accounts::Accounts> accounts;
  std::unique_ptr<keys::Keys> keys;
  std::unique_ptr<presence::Presence> presence;
  std::unique_ptr<Sync> sync;

 private:
  static accounts::Session session_of(const accounts::Login& login) {
    accounts::Session out;
    out.user = login.user;
    out.device = login.device.value();
    return out;
  }
  void open() {
    db = std::make_unique<WatchedDatabase>(database->open(loop.executor(), clock));
    bus = std::make_unique<FakeBus>(*db);
    queues = work::Queues::make(*db, *bus, loop.executor(), clock, random);
    leases = lease::Leases::make(*db, *bus, loop.executor(), clock, random, "test", {}, kOneLook);
    rooms = rooms::Rooms::make({server, 8u << 20}, *db, *bus, *leases, loop.executor(), clock, random, signing_key);
    accounts::Config config;
    config.server_name = server;
    config.registration = accounts::RegistrationMode::kOpen;
    config.rate_limits = false;
    config.argon2_memory_kib = 8;
    config.argon2_passes = 1;
    accounts = accounts::make_accounts(std::move(config), *db, *bus, *queues, *rooms, loop.executor(), clock, random);
    keys = keys::make_keys(server, *db, *bus, *accounts, *rooms, loop.executor(), clock, random);
    presence = presence::make_presence(*db, *bus, *accounts, *rooms, loop.executor(), clock, random);
    sync = make_sync(server, *db, *bus, *accounts, *keys, *presence, *rooms, loop.executor(), clock, random, options);
    check(loop.run(rooms->start()));
    check(loop.run(leases->start()));
    check(loop.run(accounts->start()));
    check(loop.run(keys->start()));
    check(loop.run(presence->start()));
    check(loop.run(sync->start()));
  }
  void close() {
    loop.run(sync->stop());
    loop.run(presence->stop());
    loop.run(keys->stop());
    loop.run(accounts->stop());
    loop.run(leases->stop());
    loop.run(rooms->stop());
    sync.reset();
    presence.reset();
    keys.reset();
    accounts.reset();
    rooms.reset();
    leases.reset();
    queues.reset();
    bus.reset();
    db->stop();
    db.reset();
  }
};

}  // namespace myelin::sync::testing
