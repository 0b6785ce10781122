#include "infra/db/sqlite.h"

#include <mutex>
#include <random>

#include "base/fault.h"
#include "base/log.h"
#include "base/random.h"
#include "infra/db/catalogue.h"
#include "infra/db/fatal.h"
#include "infra/db/sqlite_checkpoint.h"
#include "infra/db/sqlite_wal_vfs.h"

namespace myelin::db {
namespace {

class SqliteRow final : public Row {
 public:
  explicit SqliteRow(sqlite3_stmt* statement) : statement_(statement) {}
  bool null(int column) const override { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  int64_t i64(int column) const override { return sqlite3_column_int64(statement_, column); }
  std::string_view text(int column) const override {
    auto data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return {data == nullptr ? "" : data, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
  }
  std::string_view blob(int column) const override {
    auto data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    return {data == nullptr ? "" : data, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
  }

 private:
  sqlite3_stmt* statement_;
};

Code code_of(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_FULL:
      return Code::kDiskFull;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_INTERRUPT:
    case SQLITE_PROTOCOL:
    case SQLITE_CORRUPT:  // the file; what a value says is judged by whoever reads it
    case SQLITE_NOTADB:
      return Code::kUnavailable;
    default:
      return Code::kInternal;
  }
}

void bind(sqlite3_stmt* statement, std::span<const Value> values) {
  for (size_t i = 0; i < values.size(); ++i) {
    int at = static_cast<int>(i) + 1, code = SQLITE_OK;
    if (auto number = std::get_if<int64_t>(&values[i])) {
      code = sqlite3_bind_int64(statement, at, *number);
    } else if (auto text = std::get_if<std::string_view>(&values[i])) {
      if (text->find('\0') != std::string_view::npos) throw Failure({Code::kInvalidParam, "a text holds a NUL"});
      code = sqlite3_bind_text64(statement, at, text->empty() ? "" : text->data(), text->size(), SQLITE_STATIC,
                                 SQLITE_UTF8);
    } else if (auto blob = std::get_if<Blob>(&values[i])) {
      code = sqlite3_bind_blob64(statement, at, blob->bytes.empty() ? "" : blob->bytes.data(), blob->bytes.size(),
                                 SQLITE_STATIC);
    }
    if (code != SQLITE_OK) {
      throw Failure(
          {Code::kInternal, fmt::format("parameter {}: {}: {}", at, sqlite3_errstr(code), sqlite3_sql(statement))});
    }
  }
}

}  // namespace

Result<SqliteHandle> open_sqlite_handle(const std::string& path, const std::string& vfs, int cache_kib) {
  sqlite3* raw = nullptr;
  int code = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                             vfs.empty() ? nullptr : vfs.c_str());
  SqliteHandle handle(raw);
  if (code == SQLITE_OK) {
    sqlite3_extended_result_codes(raw, 1);
    sqlite3_busy_timeout(raw, 5'000);
    auto settings = fmt::format(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA foreign_keys=OFF;"
        "PRAGMA temp_store=MEMORY; PRAGMA mmap_size={}; PRAGMA cache_size=-{}; PRAGMA journal_size_limit={}",
        256 << 20, cache_kib, 256 << 20);
    code = sqlite3_exec(raw, settings.c_str(), nullptr, nullptr, nullptr);
  }
  if (code != SQLITE_OK) {
    return fail(code_of(code),
                fmt::format("database {}: {}", path, raw == nullptr ? "no memory" : sqlite3_errmsg(raw)));
  }
  return handle;
}

SqliteSession::SqliteSession(SqliteHandle handle, std::shared_ptr<SqliteCheckpointer> checkpointer)
    : handle_(std::move(handle)), checkpointer_(std::move(checkpointer)) {
  if (!checkpointer_) return;
  sqlite3_wal_hook(
      handle_.get(),
      [](void* context, sqlite3*, const char*, int pages) {
        static_cast<SqliteCheckpointer*>(context)->committed(pages);
        return SQLITE_OK;
      },
      checkpointer_.get());
}
SqliteSession::~SqliteSession() { cache_.clear(); }

Error SqliteSession::error_here(int code) const {
  return {code_of(code), fmt::format("SQLite: {} ({})", sqlite3_errmsg(handle_.get()), code)};
}

void SqliteSession::begin_write() {
  if (dead_) throw Failure({Code::kUnavailable, "the database is closed after an I/O error at COMMIT"});
  post("BEGIN IMMEDIATE", {});
}
void SqliteSession::begin_read() { post("BEGIN", {}); }

void SqliteSession::rollback_to_savepoint() {
  post("ROLLBACK TO closure", {});
  post("RELEASE closure", {});
}

SqliteStatement SqliteSession::prepare(const char* text) {
  auto sql = translate_statement(text, Dialect::kSqlite);
  sqlite3_stmt* raw = nullptr;
  int code = sqlite3_prepare_v3(handle_.get(), sql.c_str(), static_cast<int>(sql.size()) + 1, SQLITE_PREPARE_PERSISTENT,
                                &raw, nullptr);
  SqliteStatement statement(raw);
  if (code != SQLITE_OK) {
    auto error = error_here(code);
    error.message += " in: " + sql;
    throw Failure(std::move(error));
  }
  return statement;
}

// Holds a cached statement, or a fresh one while the cached one is being stepped by a caller further up.
class SqliteSession::Use {
 public:
  Use(SqliteSession& session, const char* text) : cached_(&session.cache_[text]) {
    if (cached_->busy) {
      own_ = session.prepare(text);
      cached_ = nullptr;
      return;
    }
    if (!cached_->statement) cached_->statement = session.prepare(text);
    cached_->busy = true;
  }
  ~Use() {
    sqlite3_reset(get());
    if (cached_ == nullptr) return;
    sqlite3_clear_bindings(get());
    cached_->busy = false;
  }
  Use(const Use&) = delete;
  sqlite3_stmt* get() const { return own_ ? own_.get() : cached_->statement.get(); }

 private:
  Cached* cached_;  // unordered_map keeps addresses
  SqliteStatement own_;
};

int64_t SqliteSession::step_all(sqlite3_stmt* statement, const std::function<void(const Row&)>* each) {
  SqliteRow row(statement);
  for (int64_t rows = 0;;) {
    int code = sqlite3_step(statement);
    if (code == SQLITE_DONE) return sqlite3_stmt_readonly(statement) != 0 ? rows : sqlite3_changes64(handle_.get());
    if (code != SQLITE_ROW) {
      auto error = error_here(code);
      error.message += fmt::format(" in: {}", sqlite3_sql(statement));
      throw Failure(std::move(error));
    }
    ++rows;
    if (each != nullptr) (*each)(row);
  }
}

int64_t SqliteSession::execute(Sql sql, std::span<const Value> values, const std::function<void(const Row&)>* each) {
  Use use(*this, sql.text);
  bind(use.get(), values);
  return step_all(use.get(), each);
}

void SqliteSession::run(Sql sql, std::span<const Value> values, const std::function<void(const Row&)>& each) {
  execute(sql, values, &each);
}
std::vector<std::optional<int64_t>> SqliteSession::numbers(Sql sql, std::span<const std::vector<Value>> calls) {
  std::vector<std::optional<int64_t>> out(calls.size());
  for (size_t i = 0; i < calls.size(); ++i) run(sql, calls[i], [&](const Row& row) { out[i] = row.i64(0); });
  return out;
}
uint64_t SqliteSession::post(Sql sql, std::span<const Value> values) {
  return static_cast<uint64_t>(execute(sql, values, nullptr));
}

void SqliteSession::script(const std::string& statements) {
  if (int code = sqlite3_exec(handle_.get(), statements.c_str(), nullptr, nullptr, nullptr); code != SQLITE_OK) {
    throw Failure(error_here(code));
  }
}

void SqliteSession::insert_rows(const Table& table, std::span<const Cells> rows) {
  std::string parameters;
  for (size_t i = 1; i <= table.columns.size(); ++i) parameters += fmt::format("{}${}", i > 1 ? ", " : "", i);
  auto sql = lasting_sql(
      fmt::format("INSERT INTO {} ({}) VALUES ({})", quoted_name(table.name), column_list(table), parameters));
  for (const auto& cells : rows) post(sql, values_of(table, cells));
}

// A failed write or fsync can leave a valid commit frame in the WAL that comes back after a crash: neither "done" nor
// "not done" would be true, and trying again could store it twice. Only a restart can tell.
CommitOutcome SqliteSession::commit() {
  crash_point("lane.commit_sent");
  try {
    post("COMMIT", {});
    if (disk_full_) log::info("there is space on the disk again");
    disk_full_ = false;
    return {};
  } catch (const Failure& failure) {
    int code = sqlite3_extended_errcode(handle_.get()) & 0xff;
    if (code == SQLITE_IOERR) {
      dead_ = true;
      fatal(
          fmt::format("{}: COMMIT failed with an I/O error. Nothing was acknowledged. Check the disk, then start "
                      "again: what was committed is found by reading the database anew.",
                      failure.error.message));
      return {CommitResult::kUnknown, failure.error};
    }
    if (failure.error.code == Code::kDiskFull && !disk_full_) {
      disk_full_ = true;
      log::error("the disk is full: nothing can be stored, and nothing is acknowledged, until there is space");
    }
    rollback();
    return {CommitResult::kFailed, failure.error};
  }
}

void SqliteSession::rollback() noexcept {
  if (dead_ || !in_transaction()) return;
  try {
    post("ROLLBACK", {});
  } catch (const std::exception& e) {
    log::error("rollback: {}", e.what());
  }
}

void SqliteSession::maintain() {
  if (checkpointer_ && !dead_) checkpointer_->after_transaction(handle_.get());
}

namespace {

class SqliteEngine final : public Engine {
 public:
  SqliteEngine(std::string path, const Options& options)
      : path_(std::move(path)), vfs_(options.sqlite_vfs), checkpoint_pages_(options.checkpoint_pages) {
    SystemRandom random;
    generation_ = random.token(16);  // unlike any other start's: the file may be an older copy (rule A13)
  }
  Dialect dialect() const override { return Dialect::kSqlite; }
  std::string generation() const override { return generation_; }
  void identify(std::string token) override { history_ = std::move(token); }
  std::string history() const override { return history_; }

  // A small cache: after each commit that split a page SQLite walks through all of it. What is not there is in the
  // kernel's.
  Result<std::unique_ptr<Session>> connect_writer() override {
    MYELIN_TRY(auto handle, open_sqlite_handle(path_, wal_vfs_.name(), 2 << 10));
    MYELIN_TRY(auto own, open_sqlite_handle(path_, vfs_, 256));
    checkpointer_ = std::make_shared<SqliteCheckpointer>(std::move(own), checkpoint_pages_);
    return std::make_unique<SqliteSession>(std::move(handle), checkpointer_);
  }
  Result<std::unique_ptr<Session>> connect_reader() override {
    MYELIN_TRY(auto handle, open_sqlite_handle(path_, vfs_, 4 << 10));
    return std::make_unique<SqliteSession>(std::move(handle), nullptr);
  }
  void stop() override {
    if (checkpointer_) checkpointer_->stop();
  }

 private:
  std::string path_, vfs_, generation_, history_;
  SqliteWalVfs wal_vfs_{vfs_};  // the writer's
  int checkpoint_pages_;
  std::shared_ptr<SqliteCheckpointer> checkpointer_;
};

}  // namespace

Result<std::unique_ptr<Engine>> open_sqlite(const Options& options) {
  auto path = options.url.substr(std::string_view("sqlite:").size());
  if (path.empty()) return fail(Code::kInvalidParam, "the database url names no file: sqlite:PATH");
  static std::once_flag once;  // before a VFS is looked up, which initialises SQLite with what is set by then
  std::call_once(once, [] {
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    sqlite3_initialize();
  });
  return std::make_unique<SqliteEngine>(std::move(path), options);
}

}  // namespace myelin::db
