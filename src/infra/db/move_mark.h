// The mark of a move: the one row of table `database_move`, in the database that is left and in the one that is moved
// to. Its table is made with the first mark; databases that were never moved have none. Thread: the session's.
#pragma once
#include <optional>
#include <string>

#include "base/clock.h"
#include "infra/db/session.h"

namespace myelin::db {

inline constexpr std::string_view kMoveTable = "database_move";

// leaving:  a copy is being made; taken away by a server that is started or connects again, which ends that move
// gone:     the server's data is elsewhere, and this is what it was then
// arriving: a copy is about to be made here; its schema may be incomplete
// copying:  tables are being filled
// arrived:  all is here, and waits for the other side to be `gone`
struct MoveMark {
  std::string state;
  std::string move;    // names the move; the same on both sides
  std::string place;   // the other side, for people
  std::string source;  // the token of the database that is moved
  Milliseconds at = 0;

  bool is_of_a_copy() const { return state == "arriving" || state == "copying" || state == "arrived"; }
};

// In a transaction of the caller; throw Failure.
std::optional<MoveMark> read_mark(Session&);
void write_mark(Session&, const MoveMark&);
void delete_mark(Session&);

// For people.
std::string why_leaving(const MoveMark&);
std::string why_gone(const MoveMark&);
std::string why_unfinished(const MoveMark&);

// For everybody but a move: kConflict when the database is gone or not all here. A server ends a move that has begun;
// who comes beside one is refused.
Result<void> check_not_moved(Session&, bool is_server);
// The same for who is beside a server on SQLite, in each of its transactions: it may have come before the move. Throws
// Failure.
void check_not_moved(Tx&);

}  // namespace myelin::db
