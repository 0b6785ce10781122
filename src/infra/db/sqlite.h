// SQLite: WAL, synchronous=FULL, one writer, readers with a connection each, checkpoints on a thread of their own.
#pragma once
#include <sqlite3.h>

#include <memory>
#include <string>
#include <unordered_map>

#include "infra/db/session.h"

namespace myelin::db {

struct CloseSqlite {
  void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using SqliteHandle = std::unique_ptr<sqlite3, CloseSqlite>;
using SqliteStatement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

Result<SqliteHandle> open_sqlite_handle(const std::string& path, const std::string& vfs, int cache_kib);

class SqliteCheckpointer;

class SqliteSession final : public Session {
 public:
  // A reader has no checkpointer.
  SqliteSession(SqliteHandle, std::shared_ptr<SqliteCheckpointer>);
  ~SqliteSession() override;

  Dialect dialect() const override { return Dialect::kSqlite; }
  void begin_write() override;
  void begin_read() override;
  void run(Sql, std::span<const Value>, const std::function<void(const Row&)>& each) override;
  std::vector<std::optional<int64_t>> numbers(Sql, std::span<const std::vector<Value>> calls) override;
  uint64_t post(Sql, std::span<const Value>) override;
  int64_t changed(uint64_t ticket) override { return static_cast<int64_t>(ticket); }
  void settle() override {}
  void savepoint() override { post("SAVEPOINT closure", {}); }
  void release() override { post("RELEASE closure", {}); }
  void rollback_to_savepoint() override;
  void script(const std::string& statements) override;
  void insert_rows(const Table&, std::span<const Cells>) override;
  CommitOutcome commit() override;
  void rollback() noexcept override;
  bool in_transaction() const override { return sqlite3_get_autocommit(handle_.get()) == 0; }
  bool whole_transaction_failed() const override { return false; }
  void maintain() override;

 private:
  struct Cached {
    SqliteStatement statement;
    bool busy = false;
  };
  class Use;
  SqliteStatement prepare(const char* text);
  int64_t step_all(sqlite3_stmt*, const std::function<void(const Row&)>* each);
  int64_t execute(Sql, std::span<const Value>, const std::function<void(const Row&)>* each);
  Error error_here(int code) const;

  SqliteHandle handle_;
  std::shared_ptr<SqliteCheckpointer> checkpointer_;
  std::unordered_map<const char*, Cached> cache_;  // by the literal's address
  bool disk_full_ = false;                         // said so
  bool dead_ = false;                              // an I/O error at COMMIT
};

}  // namespace myelin::db
