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

std::string why_unfinished(const MoveMark& mark) {
  return fmt::format("the move from {} to here that began on {} is not finished: run `myelin move` again", mark.place,
                     day_of(mark.at));
}

Result<void> check_not_moved(Session& session) {
  std::optional<MoveMark> mark;
  MYELIN_CHECK(in_snapshot(session, [&] { mark = read_mark(session); }));
  if (!mark) return {};
  if (mark->is_of_a_copy()) return fail(Code::kConflict, why_unfinished(*mark));
  if (mark->state == "gone") return fail(Code::kConflict, why_gone(*mark));
  bool ended = false;
  MYELIN_CHECK(in_transaction(session, [&] {
    auto deleted = session.post("DELETE FROM database_move WHERE state = 'leaving'", {});
    ended = session.changed(deleted) == 1;
  }));
  if (!ended) return check_not_moved(session);
  log::info("a move to {} had begun and was not finished: the next one begins anew", mark->place);
  return {};
}

}  // namespace myelin::db
