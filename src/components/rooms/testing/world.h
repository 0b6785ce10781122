// What the tests of this component stand on: a real database, a bus that delivers nothing, a clock that stands still.
// Thread: the test's.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "components/rooms/room_out.h"
#include "components/rooms/rooms.h"
#include "components/rooms/served.h"
#include "components/rooms/testing/owner_of.h"
#include "components/testing/databases.h"
#include "components/testing/fake_bus.h"
#include "components/testing/loop.h"
#include "components/testing/watched_database.h"

namespace myelin::rooms::testing {
using namespace myelin::testing;

inline UserId user(std::string_view name) { return UserId::trusted("@" + std::string(name) + ":here"); }
inline json::Object text(std::string_view body) { return {{"msgtype", "m.text"}, {"body", body}}; }

class World {
 public:
  explicit World(db::testing::Kind kind = db::testing::Kind::kSqlite)
      : database(db::testing::temporary_database(kind)) {
    open();
  }
  ~World() { close(); }
  void restart() {
    close();
    open();
  }

  // ---- commands
  CreateRoom room_of(const UserId& creator, std::string preset = "public_chat", std::string version = "12") const {
    CreateRoom request;
    request.creator = creator;
    request.preset = std::move(preset);
    request.version = std::move(version);
    return request;
  }
  RoomId create(CreateRoom request) { return value(loop.run(rooms->commands().create(std::move(request)))); }
  Result<EventId> try_send(const RoomId& room, const UserId& sender, const std::string& type, json::Object content,
                           std::optional<std::string> state_key = {}) {
    return loop.run(rooms->commands().send({room, sender, type, std::move(state_key), std::move(content)}));
  }
  EventId say(const RoomId& room, const UserId& sender, const std::string& body) {
    return value(try_send(room, sender, "m.room.message", text(body)));
  }
  EventId set(const RoomId& room, const UserId& sender, const std::string& type, json::Object content,
              const std::string& state_key = "") {
    return value(try_send(room, sender, type, std::move(content), state_key));
  }
  Result<EventId> try_join(const RoomId& room, const UserId& who) {
    return loop.run(rooms->commands().join({room, who, {}}));
  }
  EventId join(const RoomId& room, const UserId& who) { return value(try_join(room, who)); }
  Result<EventId> try_change(const RoomId& room, const UserId& sender, const UserId& target, MembershipAction action) {
    return loop.run(rooms->commands().change_membership({room, sender, target, action}));
  }
  EventId change(const RoomId& room, const UserId& sender, const UserId& target, MembershipAction action) {
    return value(try_change(room, sender, target, action));
  }
  EventId leave(const RoomId& room, const UserId& who) { return change(room, who, who, MembershipAction::kLeave); }
  Owner& owner() { return owner_of(*rooms); }

  // ---- queries
  Queries& queries() { return rooms->queries(); }
  RoomInfo info(const RoomId& room) { return value(loop.run(queries().room(room))); }
  PlacedPtr event(const RoomId& room, const EventId& id) { return value(loop.run(queries().event(room, id))); }
  StateRoot current(const RoomId& room) { return value(loop.run(queries().current_root(info(room).room_no))); }
  std::map<std::string, EventId> state_at(const RoomId& room, StateRoot root) {  // "type|key"
    std::map<std::string, EventId> out;
    for (const auto& entry : value(loop.run(queries().state(info(room).room_no, root)))) {
      auto events = value(loop.run(queries().events({entry.ref})));
      out[entry.type + "|" + entry.key] = events.front()->event->event_id();
    }
    return out;
  }
  std::map<std::string, EventId> state(const RoomId& room) { return state_at(room, current(room)); }
  PlacedPtr state_event(const RoomId& room, const std::string& type, const std::string& key = "") {
    auto found = value(loop.run(queries().state_of(info(room).room_no, current(room), {{type, key}})));
    if (found.empty()) return nullptr;
    return value(loop.run(queries().events({found.front().ref}))).front();
  }
  std::string membership(const RoomId& room, const UserId& who) {
    auto row = value(loop.run(queries().membership(room, who)));
    return row ? std::string(to_string(row->membership)) : "none";
  }
  Page messages(const RoomId& room, const UserId& viewer, Direction direction = Direction::kBackward,
                size_t limit = 100, std::optional<PageToken> from = {}, std::optional<PageToken> to = {}) {
    return value(loop.run(queries().messages(room, from, to, direction, limit, {viewer})));
  }
  static Viewer who_ignores(const UserId& viewer, std::set<std::string> ignored) {
    return {viewer, std::make_shared<const std::set<std::string>>(std::move(ignored))};
  }
  // As the viewer gets it, with all that is attached; without an event: not at all.
  ServedEvent served(const RoomId& room, const EventId& id, const Viewer& viewer) {
    auto events = value(loop.run(serve(queries(), {event(room, id)}, viewer)));
    events = value(loop.run(with_attachments(queries(), std::move(events), viewer)));
    return value(loop.run(with_children(queries(), std::move(events), viewer))).front();
  }
  // The bodies of messages, oldest first.
  std::vector<std::string> bodies(const RoomId& room, const UserId& viewer) {
    std::vector<std::string> out;
    for (const auto& placed : messages(room, viewer, Direction::kForward).events)
      if (auto body = json::string_at(placed->event->content(), "body")) out.emplace_back(*body);
    return out;
  }
  std::vector<RoomOut> published() {
    std::vector<RoomOut> out;
    for (const auto& message : value(loop.run(bus->messages(kRoomOut))))
      out.push_back(value(decode_room_out(message.body)));
    return out;
  }
  // Rows in every table that a command may write.
  std::map<std::string, int64_t> rows() {
    return value(loop.run(db->read([](db::ReadTx& tx) {
      std::map<std::string, int64_t> out;
      auto each = [&](const char* table, db::Sql sql) {
        out[table] = tx.one(sql, [](const db::Row& row) { return row.i64(0); }).value();
      };
      each("room", "SELECT count(*) FROM room");
      each("event", "SELECT count(*) FROM event");
      each("state_key", "SELECT count(*) FROM state_key");
      each("state_page", "SELECT count(*) FROM state_page");
      each("auth_event", "SELECT count(*) FROM auth_event");
      each("member", "SELECT count(*) FROM member");
      each("relation", "SELECT count(*) FROM relation");
      each("redaction", "SELECT count(*) FROM redaction");
      each("txn", "SELECT count(*) FROM txn");
      each("outbox", "SELECT count(*) FROM outbox");
      return out;
    })));
  }

  std::unique_ptr<db::testing::TemporaryDatabase> database;
  Loop loop;
  ManualClock clock;
  SeededRandom random{11};
  const ServerName server = ServerName::trusted("here");
  const SigningKey signing_key = SigningKey::generate(random, "test");
  std::unique_ptr<WatchedDatabase> db;
  std::unique_ptr<FakeBus> bus;
  std::unique_ptr<lease::Leases> leases;
  std::unique_ptr<Rooms> rooms;
  const UserId alice = user("alice"), bob = user("bob"), carol = user("carol"), dave = user("dave");

 private:
  void open() {
    db = std::make_unique<WatchedDatabase>(database->open(loop.executor(), clock));
    bus = std::make_unique<FakeBus>(*db);
    leases = lease::Leases::make(*db, *bus, loop.executor(), clock, random, "test", {});
    rooms = Rooms::make({server, 8u << 20}, *db, *bus, *leases, loop.executor(), clock, random, signing_key);
    check(loop.run(rooms->start()));
    check(loop.run(leases->start()));
  }
  void close() {
    loop.run(leases->stop());
    loop.run(rooms->stop());
    rooms.reset();
    leases.reset();
    bus.reset();
    db->stop();
    db.reset();
  }
};

}  // namespace myelin::rooms::testing
