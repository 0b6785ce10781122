#include "infra/db/position.h"

#include <array>

namespace myelin::db {

Result<void> move_position(Session& session, const std::string& history, Milliseconds now) {
  constexpr int64_t kPositionsPerMillisecond = 1'000, kDay = 86'400'000;
  return in_transaction(session, [&] {
    // Processes at work hold it as long as their commits take. This one holds nothing that they wait for.
    if (session.dialect() == Dialect::kPostgres) session.post("SET LOCAL lock_timeout = '30s'", {});
    std::array<Value, 2> changed{history, kDay};
    session.post(
        "UPDATE sync_head SET history = $1, ahead = CASE history WHEN '' THEN ahead ELSE ahead + $2 END WHERE id = 1 "
        "AND history <> $1",
        changed);
    std::array<Value, 2> values{now, kPositionsPerMillisecond};
    session.post(
        "UPDATE sync_head SET pos = ({clock $1} + ahead) * $2 WHERE id = 1 AND pos < ({clock $1} + ahead) * $2",
        values);
  });
}

}  // namespace myelin::db
