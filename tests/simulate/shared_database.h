// The one database of all simulated processes: SQLite in memory, with triggers that say when a rule is broken. Every
// transaction runs at an instant, one after the other. Thread: the one there is.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "infra/db/sqlite.h"
#include "tests/simulate/loop.h"

namespace myelin::simulate {

class SharedDatabase {
 public:
  SharedDatabase();
  db::SqliteSession& session() { return *session_; }

  // A copy of everything, or everything put back to a copy.
  db::SqliteHandle copy();
  void put_back(sqlite3* copy);
  void watch();  // makes the triggers
  // What the triggers said since the last call.
  std::vector<std::string> broken() { return std::exchange(broken_, {}); }

  std::string generation = "1";      // another one whenever the database went back in time
  Milliseconds clock_is_behind = 0;  // of the server that it is on now
  TimePoint in_doubt_until{};        // a COMMIT whose end nobody knows yet holds its locks: nobody else writes

 private:
  db::SqliteHandle open();
  sqlite3* handle_;
  std::vector<std::string> broken_;
  std::unique_ptr<db::SqliteSession> session_;
};

}  // namespace myelin::simulate
