// Moving a whole database into another one, of either engine: every table that the catalogue knows, in pages, compared
// by sums over all values at the end; then one commit makes the copy the truth.
//
// That commit marks the source as gone (move_mark.h). Before it the source is as it was, and the copy cannot be opened;
// after it the copy is the truth, and what is left to do is done by moving again. The copy has a generation and a
// history of its own: no message that was published before it is taken for one of its own (docs/spine.md, rule A13),
// and unclaimed one-time keys stay, unless the source itself had gone back in time (A15). Blocking.
#pragma once
#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "infra/db/db.h"

namespace myelin::db {

struct MoveProgress {
  enum class Step : uint8_t { kReading, kCopying, kComparing };
  Step step = Step::kReading;
  std::string_view table;
  int64_t rows = 0, all_rows = 0;  // of this step, over all tables
  int64_t found_rows = 0;          // of `rows`: copied by an attempt before this one
};

struct Move {
  Options from, to;                   // `from` has been opened before, by this program's schema; nobody uses it now
  std::string from_place, to_place;   // for people: without secrets
  std::vector<std::string> left_out;  // tables that a copy begins without
  int page_rows = 2'000;              // at most, in each of the copy's transactions
  bool replaces = false;              // what is at `to` may be overwritten if it is no server's living data
  std::function<bool(std::string_view)> is_text;    // what may be stored as TEXT at `to`
  std::function<Result<void>(ReadTx&)> check_idle;  // at `from`, before anything is done
  std::function<Result<void>()> before_switch;      // when all is copied
  std::function<void(const MoveProgress&)> progress;
};

struct Moved {
  size_t tables = 0;
  int64_t rows = 0;
  bool finished_an_earlier = false;  // only the last step was left; `tables` and `rows` are 0
};

// kConflict: the target holds something else, or the source is gone; kInvalidParam: the source holds what the target
// cannot; kStale: the source was used meanwhile; kCorrupt: the copy differs. After an error both sides can be moved
// again, and until the switch the source can be used.
Result<Moved> move_database(const Move&, const Clock&);

// Of a database that is gone by a move: it is an earlier state of its server from now on, and can be opened again.
// False: it is not gone.
Result<bool> take_back(const Options&);

}  // namespace myelin::db
