// Where the sync position starts (docs/spine.md, rule A14).
#pragma once
#include <string>

#include "base/clock.h"
#include "infra/db/session.h"

namespace myelin::db {

// Positions given out before the database went back in time must not come again: every start moves the position past
// what the clock says could have been given out. The clock is the database server's where there is one, so that all
// processes go by the same. When the history is another than at the last start, it may be another server's, which is
// behind: from then on positions are a day further ahead. `now`: the clock where there is no server.
Result<void> move_position(Session&, const std::string& history, Milliseconds now);

}  // namespace myelin::db
