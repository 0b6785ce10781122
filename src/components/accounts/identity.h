// The row of the server itself: its name, which every id bears, and the health check's mark. Thread: the loop.
#pragma once
#include "base/clock.h"
#include "infra/db/db.h"
#include "matrix/ids.h"

namespace myelin::accounts {

enum class Wish : uint8_t {
  kDefault,   // for want of a better one
  kDemanded,  // it, or nothing goes on
  kAtStart,   // demanded, and this process alone uses the database: it may be given to one without accounts
};

// The name that this database's server has: the stored one; or that of its first account, from before names were
// stored; or `wanted`, which is stored then. kConflict when the name is another than the one demanded.
Task<Result<ServerName>> settle_server_name(db::Database&, ServerName wanted, Wish);

// Ok once a small write is committed, or another process has one under way: it is not waited for. Else why the database
// takes none.
Task<Result<void>> probe_database(db::Database&, Milliseconds now);

}  // namespace myelin::accounts
