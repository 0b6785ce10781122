#include "infra/db/move_mark.h"

#include <fmt/chrono.h>

#include <algorithm>

#include "base/log.h"
#include "infra/db/catalogue.h"

namespace myelin::db {
namespace {

bool has_mark_table(Session& session) { return std::ranges::binary_search(table_names(session), kMoveTable); }

std::string day_of(Milliseconds at) { return fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(at / 1'000)); }

}  // namespace

std::optional<MoveMark> read_mark(Session& session) {
  std::optional<MoveMark> out;
  if (!has_mark_table(session)) return out;
  session.run("SELECT state, move, place, source, at FROM database_move WHERE id = 1", {},
              [&](const Row& row) { out = MoveMark{row.str(0), row.str(1), row.str(2), row.str(3), row.i64(4)}; });
  return out;
}

void write_mark(Session& session, const MoveMark& mark) {
  session.script(
      translate_migration("CREATE TABLE IF NOT EXISTS database_move (id BIGINT PRIMARY KEY, state TEXT NOT NULL, move "
                          "TEXT NOT NULL, place TEXT NOT NULL, source TEXT NOT NULL, at BIGINT NOT NULL);",
                          session.dialect()));
  Value values[] = {mark.state, mark.move, mark.place, mark.source, mark.at};
  session.post(
      "INSERT INTO database_move (id, state, move, place, source, at) VALUES (1, $1, $2, $3, $4, $5) ON CONFLICT (id) "
      "DO UPDATE SET state = excluded.state, move = excluded.move, place = excluded.place, source = excluded.source, "
      "at = excluded.at",
      values);
}

void delete_mark(Session& session) { session.post("DELETE FROM database_move", {}); }

std::string why_gone(const MoveMark& mark) {
  return fmt::format(
      "the server's data moved from here to {} on {}: use it there, or bring it back with `myelin move`. To go on from "
      "what is here, without what happened since, run `myelin restored` first",
      mark.place, day_of(mark.at));
}

std::string why_leaving(const MoveMark& mark) {
  return fmt::format(
      "the server's data is being moved from here to {}, since {}: move again, or start the server to give that up",
      mark.place, day_of(mark.at));
}

std::string why_unfinished(const MoveMark& mark) {
  return fmt::format("the move from {} to here that began on {} is not finished: run `myelin move` again", mark.place,
                     day_of(mark.at));
}

Result<void> check_not_moved(Session& session, bool is_server) {
  std::optional<MoveMark> mark;
  bool ended = false;
  MYELIN_CHECK(in_transaction(session, [&] {
    if (!has_mark_table(session)) return;
    if (is_server) {
      auto deleted = session.post("DELETE FROM database_move WHERE state = 'leaving'", {});
      ended = session.changed(deleted) == 1;
    }
    mark = read_mark(session);
  }));
  if (ended) log::info("a move of this database had begun and was not finished: the next one begins anew");
  if (!mark) return {};
  return fail(Code::kConflict, mark->state == "leaving" ? why_leaving(*mark)
                               : mark->state == "gone"  ? why_gone(*mark)
                                                        : why_unfinished(*mark));
}

void check_not_moved(Tx& tx) {
  auto number = [](const Row& row) { return row.i64(0); };
  bool has_table = tx.one("SELECT 1 FROM sqlite_schema WHERE name = 'database_move'", number).has_value();
  if (has_table && tx.one("SELECT 1 FROM database_move", number))
    throw Failure({Code::kConflict, "the server's data is being moved, or has moved: nothing was changed"});
}

}  // namespace myelin::db
