// One connection to an engine, as lanes, readers and migrations see it. Thread: the one that owns it.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "infra/db/db.h"
#include "infra/db/sql.h"

namespace myelin::db {

// A text made at run time: kept for the life of the process, once, so that its address is a key as a literal's is. For
// texts made from a catalogue, of which there are few.
Sql lasting_sql(std::string_view text);

struct Table;
// What a Row holds, kept.
using Cell = std::variant<std::monostate, int64_t, std::string>;
using Cells = std::vector<Cell>;

enum class CommitResult {
  kDone,
  kFailed,   // known not to have happened
  kUnknown,  // COMMIT was sent and its answer lost
};
struct CommitOutcome {
  CommitResult result = CommitResult::kDone;
  Error error{};
};

class Session {
 public:
  virtual ~Session() = default;
  virtual Dialect dialect() const = 0;

  // Everything down to commit() throws Failure. begin_*() connects first where that is needed.
  virtual void begin_write() = 0;
  virtual void begin_read() = 0;  // one snapshot until commit() or rollback()
  virtual void run(Sql, std::span<const Value>, const std::function<void(const Row&)>& each) = 0;
  // The first column of each call's first row; the calls travel together.
  virtual std::vector<std::optional<int64_t>> numbers(Sql, std::span<const std::vector<Value>> calls) = 0;
  // Runs now, or travels with what comes later; changed(ticket) waits for it.
  virtual uint64_t post(Sql, std::span<const Value>) = 0;
  virtual int64_t changed(uint64_t ticket) = 0;
  virtual void settle() = 0;  // waits for everything posted
  virtual void savepoint() = 0;
  virtual void release() = 0;
  virtual void rollback_to_savepoint() = 0;
  virtual void script(const std::string& statements) = 0;  // migrations: many statements, already translated
  // Whole rows, a cell for each of the table's columns.
  virtual void insert_rows(const Table&, std::span<const Cells>) = 0;

  virtual CommitOutcome commit() = 0;
  virtual void rollback() noexcept = 0;
  virtual void end_read() { rollback(); }  // after a read that went well

  // After a Failure:
  virtual bool in_transaction() const = 0;  // false: the engine has given the whole transaction up
  // True when the transaction lost against another one, or when the failed statement was posted before the savepoint:
  // all of it should be run again.
  virtual bool whole_transaction_failed() const = 0;

  virtual void maintain() {}  // on a lane, after each of its transactions
};

// Runs `work` in a transaction of its own.
Result<void> in_transaction(Session&, const std::function<void()>& work);
// Runs `work`, which only reads, in one snapshot.
Result<void> in_snapshot(Session&, const std::function<void()>& work);

// A session's open transaction, to read in.
class SessionReadTx final : public ReadTx {
 public:
  explicit SessionReadTx(Session& session) : session_(session) {}

 private:
  void run(Sql sql, std::span<const Value> values, const std::function<void(const Row&)>& each) override {
    session_.run(sql, values, each);
  }
  Session& session_;
};

// Makes connections. Thread: any.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual Dialect dialect() const = 0;
  virtual Result<std::unique_ptr<Session>> connect_writer() = 0;
  virtual Result<std::unique_ptr<Session>> connect_reader() = 0;
  // The database's token, from its table database_identity: once it is known, and when it is renewed.
  virtual void identify(std::string token) = 0;
  virtual std::string generation() const = 0;
  virtual std::string history() const = 0;
  virtual void stop() {}  // before the sessions go
};

Result<std::unique_ptr<Engine>> open_sqlite(const Options&);
// `heeds_marks`: a session that connects again ends a move, or the process if there was one (move_mark.h).
Result<std::unique_ptr<Engine>> open_postgres(const Options&, bool heeds_marks = true);

}  // namespace myelin::db
