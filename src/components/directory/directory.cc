// Room aliases and the published rooms list (client-server API, Room aliases; Listing rooms).
#include "components/directory/directory.h"

#include "matrix/power_levels.h"

namespace myelin::directory {
namespace {

constexpr Milliseconds kReservation = 60'000;

db::WriteOptions lane_of(std::string_view key) { return {.lane = bus::hash_of(key)}; }

class DirectoryImpl final : public Directory {
 public:
  DirectoryImpl(ServerName server, db::Database& db, rooms::Rooms& rooms, const Clock& clock)
      : server_(std::move(server)), db_(db), rooms_(rooms), clock_(clock) {}

  Task<Result<Resolved>> resolve(RoomAlias alias) override {
    auto found = co_await db_.read([alias](db::ReadTx& tx) {
      return tx.one(
          "SELECT room_id FROM room_alias WHERE alias = $1 AND room_id IS NOT NULL",
          [](const db::Row& row) { return RoomId::trusted(row.str(0)); }, alias.str());
    });
    if (!found) co_return std::unexpected(found.error());
    if (!*found) co_return no_such_alias();
    co_return Resolved{**found, {server_}};
  }

  Task<Result<void>> reserve(RoomAlias alias, UserId creator) override {
    auto now = clock_.now();
    co_return co_await db_.write(lane_of(alias.str()), [alias, creator, now](db::Tx& tx) -> Result<void> {
      tx.exec("DELETE FROM room_alias WHERE alias = $1 AND room_id IS NULL AND reserved_until < $2", alias.str(), now);
      int64_t added = tx.exec(
          "INSERT INTO room_alias (alias, creator, reserved_until) VALUES ($1, $2, $3) ON CONFLICT (alias) DO NOTHING",
          alias.str(), creator.str(), now + kReservation);
      if (added == 0) return taken();
      return {};
    });
  }

  Task<Result<void>> bind(RoomAlias alias, RoomId room, UserId creator) override {
    co_return co_await db_.write(lane_of(alias.str()), [alias, room, creator](db::Tx& tx) -> Result<void> {
      int64_t bound = tx.exec(
          "INSERT INTO room_alias (alias, room_id, creator) VALUES ($1, $2, $3) ON CONFLICT (alias) DO UPDATE SET "
          "room_id = excluded.room_id, reserved_until = NULL WHERE room_alias.room_id IS NULL AND room_alias.creator = "
          "excluded.creator",
          alias.str(), room.str(), creator.str());
      if (bound == 0) return taken();
      return {};
    });
  }

  Task<Result<void>> release(RoomAlias alias) override {
    co_return co_await db_.write(lane_of(alias.str()), [alias](db::Tx& tx) {
      tx.exec("DELETE FROM room_alias WHERE alias = $1 AND room_id IS NULL", alias.str());
    });
  }

  Task<Result<void>> remove(RoomAlias alias, UserId user) override {
    struct Alias {
      RoomId room;
      UserId creator;
    };
    auto found = co_await db_.read([alias](db::ReadTx& tx) {
      return tx.one(
          "SELECT room_id, creator FROM room_alias WHERE alias = $1 AND room_id IS NOT NULL",
          [](const db::Row& row) { return Alias{RoomId::trusted(row.str(0)), UserId::trusted(row.str(1))}; },
          alias.str());
    });
    if (!found) co_return std::unexpected(found.error());
    if (!*found) co_return no_such_alias();
    if ((*found)->creator != user) {
      MYELIN_CO_TRY(bool may, co_await may_change_aliases((*found)->room, user));
      if (!may) co_return fail(Code::kForbidden, "only the alias's creator and the room's moderators may remove it");
    }
    co_return co_await db_.write(lane_of(alias.str()), [alias, found = **found](db::Tx& tx) -> Result<void> {
      int64_t removed = tx.exec("DELETE FROM room_alias WHERE alias = $1 AND room_id = $2 AND creator = $3",
                                alias.str(), found.room.str(), found.creator.str());
      if (removed == 0) return no_such_alias();
      return {};
    });
  }

  Task<Result<std::vector<RoomAlias>>> aliases(RoomId room) override {
    co_return co_await db_.read([room](db::ReadTx& tx) {
      return tx.all(
          "SELECT alias FROM room_alias WHERE room_id = $1 ORDER BY alias",
          [](const db::Row& row) { return RoomAlias::trusted(row.str(0)); }, room.str());
    });
  }

  Task<Result<void>> publish(RoomId room, bool listed) override {
    co_return co_await db_.write(lane_of(room.str()), [room, listed](db::Tx& tx) {
      if (listed)
        tx.exec("INSERT INTO published_room (room_id) VALUES ($1) ON CONFLICT (room_id) DO NOTHING", room.str());
      else
        tx.exec("DELETE FROM published_room WHERE room_id = $1", room.str());
    });
  }

  Task<Result<bool>> published(RoomId room) override {
    co_return co_await db_.read([room](db::ReadTx& tx) {
      return tx.one(
                   "SELECT 1 FROM published_room WHERE room_id = $1", [](const db::Row&) { return 1; }, room.str())
          .has_value();
    });
  }

  Task<Result<std::vector<RoomId>>> published_rooms() override {
    co_return co_await db_.read([](db::ReadTx& tx) {
      return tx.all("SELECT room_id FROM published_room ORDER BY room_id",
                    [](const db::Row& row) { return RoomId::trusted(row.str(0)); });
    });
  }

  Task<Result<bool>> may_change_aliases(RoomId room, UserId user) override {
    MYELIN_CO_TRY(auto member, co_await rooms_.queries().membership(room, user));
    if (!member || member->membership != rooms::Membership::kJoin) co_return false;
    MYELIN_CO_TRY(auto info, co_await rooms_.queries().room(room));
    MYELIN_CO_TRY(auto root, co_await rooms_.queries().current_root(info.room_no));
    std::vector<std::pair<std::string, std::string>> wanted{{"m.room.create", ""}, {"m.room.power_levels", ""}};
    MYELIN_CO_TRY(auto entries, co_await rooms_.queries().state_of(info.room_no, root, std::move(wanted)));
    std::vector<rooms::EventRef> refs;
    for (const auto& entry : entries) refs.push_back(entry.ref);
    MYELIN_CO_TRY(auto events, co_await rooms_.queries().events(std::move(refs)));
    EventPtr create, levels;
    for (size_t i = 0; i < entries.size(); ++i)
      (entries[i].type == "m.room.create" ? create : levels) = events[i]->event;
    PowerLevels power(*info.rules, levels.get(), create.get());
    co_return power.user_level(user.str()) >= power.event_level("m.room.canonical_alias", true);
  }

 private:
  static std::unexpected<Error> no_such_alias() { return fail(Code::kNotFound, "there is no such room alias"); }
  static std::unexpected<Error> taken() { return fail(Code::kRoomInUse, "this room alias is taken"); }
  ServerName server_;
  db::Database& db_;
  rooms::Rooms& rooms_;
  const Clock& clock_;
};

}  // namespace

std::unique_ptr<Directory> make_directory(ServerName server, db::Database& db, rooms::Rooms& rooms,
                                          const Clock& clock) {
  return std::make_unique<DirectoryImpl>(std::move(server), db, rooms, clock);
}

}  // namespace myelin::directory
