// PostgreSQL through libpq, in pipeline mode: statements whose result nobody asks for travel together with the next
// one that is asked for, or with COMMIT.
#pragma once
#include <libpq-fe.h>

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "infra/db/migrate.h"
#include "infra/db/session.h"

namespace myelin::db {

struct FinishConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using PgConnection = std::unique_ptr<PGconn, FinishConnection>;
using PgResult = std::unique_ptr<PGresult, ClearResult>;

struct PostgresSettings {
  std::string url;
  std::chrono::milliseconds session_timeout{1'400};
  bool heeds_marks = true;
  Known knows{};  // of a server's program: nobody takes the schema beyond it while the session lives (migrate.h)
};

// What libpq says, or nothing, in one line for the log.
std::string in_one_line(const char* said);
// Connects, sets the session up and checks what the spine demands of the server (docs/spine.md, rule A3). kUnavailable:
// it may be right again by itself. Blocks for seconds.
Result<PgConnection> connect_postgres(const PostgresSettings&);
// The system identifier and the timeline: change when the server is another one, or went back in time.
Result<std::string> postgres_lineage(PGconn*);
// Ends a move that has begun (move_mark.h); whether the database's data is elsewhere, or not all here.
Result<bool> postgres_has_moved(PGconn*);
Result<std::vector<Applied>> postgres_applied(PGconn*);

class PostgresSession final : public Session {
 public:
  PostgresSession(PostgresSettings, PgConnection, std::string lineage);

  Dialect dialect() const override { return Dialect::kPostgres; }
  void begin_write() override { begin("BEGIN"); }
  void begin_read() override { begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"); }
  void run(Sql, std::span<const Value>, const std::function<void(const Row&)>& each) override;
  std::vector<std::optional<int64_t>> numbers(Sql, std::span<const std::vector<Value>> calls) override;
  uint64_t post(Sql, std::span<const Value>) override;
  int64_t changed(uint64_t ticket) override;
  void settle() override;
  void savepoint() override;
  void release() override { post("RELEASE closure", {}); }
  void rollback_to_savepoint() override;
  void script(const std::string& statements) override;
  void insert_rows(const Table&, std::span<const Cells>) override;  // by COPY
  CommitOutcome commit() override;
  void rollback() noexcept override;
  void end_read() override;
  bool in_transaction() const override { return in_transaction_; }
  bool whole_transaction_failed() const override;

 private:
  struct Prepared {  // one per statement and types of its parameters
    std::string name;
    bool known = false;  // to the server, or on its way there
  };
  struct Statement {
    std::string sql;
    std::unordered_map<std::string, Prepared> by_types;
  };
  struct Pending {
    Prepared* prepares = nullptr;  // a Parse; else an execution
    uint64_t ticket = 0;
  };
  struct Trouble {
    Error error;
    std::string sqlstate;
    uint64_t ticket = 0;
    bool fatal = false;  // the server has closed the connection
  };

  void copy_in(const std::string& statement, const std::string& data);
  void begin(Sql);
  void connect();
  void check_still_the_same(PGconn*) const;
  void check_schema_is_known(PGconn*) const;
  bool still_connected();
  Prepared& prepare(Sql, std::span<const Value>, const std::string& types);
  void send_sync();
  // Reads the results of everything posted. Keeps those of tickets `from` and later that succeeded.
  std::vector<PgResult> collect(uint64_t from);
  void read_one(const Pending&, uint64_t from, std::vector<PgResult>& kept);
  void note_trouble(const PGresult*, uint64_t ticket);
  void lose_connection(uint64_t ticket);
  [[noreturn]] void throw_trouble();

  PostgresSettings settings_;
  PgConnection connection_;
  std::string lineage_;
  std::chrono::milliseconds back_off_{0};

  std::unordered_map<const char*, Statement> statements_;  // by the literal's address; cleared with the connection
  uint64_t next_name_ = 1;
  std::deque<Pending> pending_;
  uint64_t next_ticket_ = 1;
  uint64_t first_ticket_ = 1;      // of the transaction
  uint64_t savepoint_ticket_ = 0;  // the first after the savepoint
  std::deque<int64_t> changed_;    // by ticket, from first_ticket_; -1 = not known yet
  std::optional<Trouble> trouble_;
  bool in_transaction_ = false;
  bool ending_read_ = false;  // the last read's ROLLBACK was sent, its result not yet read
};

}  // namespace myelin::db
