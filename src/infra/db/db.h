// The database: lanes that commit many closures at once, readers, migrations. SQLite and PostgreSQL behind one face.
//
// Statements are one text for both (see sql.h for the few tokens that differ). A statement that fails throws
// db::Failure; closures let it pass: the lane rolls the closure back to its savepoint, or fails the batch, and the
// waiting coroutine gets an Error. A closure may run twice and touches nothing but its transaction.
//
// A lane transaction takes locks in this order (docs/spine.md, rule A2):
//   1. fences: home heads, sorted, epoch checked      2. the closures' rows
//   3. the sync position, once for the whole batch    4. foreign heads, sorted; outbox rows are numbered
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/task.h"
#include "infra/db/migrate.h"

namespace myelin::db {

// A statement's text; must be a string literal (its address is the key of the prepared-statement cache).
// Parameters are $1, $2, …; see sql.h.
struct Sql {
  const char* text;
  consteval Sql(const char* literal) : text(literal) {}  // NOLINT(google-explicit-constructor)
};

struct Blob {  // binds as BLOB / BYTEA
  std::string_view bytes;
};
using Value = std::variant<std::monostate, int64_t, std::string_view, Blob>;  // monostate = NULL
inline Value to_value(std::monostate) { return {}; }
inline Value to_value(std::nullopt_t) { return {}; }
template <class T>
  requires std::is_integral_v<T>
Value to_value(T number) {
  return static_cast<int64_t>(number);
}
inline Value to_value(std::string_view text) { return text; }
inline Value to_value(const std::string& text) { return std::string_view(text); }
inline Value to_value(const char* text) { return std::string_view(text); }
inline Value to_value(Blob blob) { return blob; }
template <class T>
Value to_value(const std::optional<T>& maybe) {
  return maybe ? to_value(*maybe) : Value{};
}

// One result row; views are valid until the next row.
class Row {
 public:
  virtual bool null(int column) const = 0;
  virtual int64_t i64(int column) const = 0;
  virtual std::string_view text(int column) const = 0;
  virtual std::string_view blob(int column) const = 0;
  std::string str(int column) const { return std::string(text(column)); }
  std::string bytes(int column) const { return std::string(blob(column)); }

 protected:
  ~Row() = default;
};

struct Failure : std::exception {
  explicit Failure(Error e) : error(std::move(e)) {}
  const char* what() const noexcept override { return error.message.c_str(); }
  Error error;
};

class Tx;

// What both a read and a write transaction can do. Thread: the one that runs the closure.
class ReadTx {
 public:
  template <class... A>
  void query(Sql sql, std::function<void(const Row&)> each, const A&... parameters) {
    Value values[sizeof...(A) + 1] = {to_value(parameters)...};
    run(sql, {values, sizeof...(A)}, each);
  }
  // The first row's mapping, or nullopt when there is no row.
  template <class F, class... A>
  auto one(Sql sql, F map, const A&... parameters) -> std::optional<std::invoke_result_t<F, const Row&>> {
    std::optional<std::invoke_result_t<F, const Row&>> out;
    query(
        sql,
        [&](const Row& row) {
          if (!out) out = map(row);
        },
        parameters...);
    return out;
  }
  template <class F, class... A>
  auto all(Sql sql, F map, const A&... parameters) -> std::vector<std::invoke_result_t<F, const Row&>> {
    std::vector<std::invoke_result_t<F, const Row&>> out;
    query(sql, [&](const Row& row) { out.push_back(map(row)); }, parameters...);
    return out;
  }

 protected:
  ~ReadTx() = default;
  virtual void run(Sql, std::span<const Value>, const std::function<void(const Row&)>& each) = 0;
};

struct OutboxRow {         // numbered by the lane; then published by the bus
  std::string_view topic;  // a Topic's name, static
  uint32_t partition = 0;
  uint64_t seq = 0;
  std::string body;
};

// How many rows a statement changed; converts to int64_t, and only inside its closure. On PostgreSQL statements travel
// together until somebody asks: what is wrong with one may be thrown by a later one or at the end of the closure.
class Changed {
 public:
  Changed(Tx& tx, uint64_t ticket) : tx_(tx), ticket_(ticket) {}
  Changed(const Changed&) = delete;
  operator int64_t() const;  // NOLINT(google-explicit-constructor)

 private:
  Tx& tx_;
  uint64_t ticket_;
};

class Tx : public ReadTx {
 public:
  template <class... A>
  Changed exec(Sql sql, const A&... parameters) {
    Value values[sizeof...(A) + 1] = {to_value(parameters)...};
    return Changed(*this, post(sql, {values, sizeof...(A)}));
  }
  // Appends a message to topic/partition; the lane numbers it densely, in commit order. `topic` is a static string.
  // A closure has one foreign head at most, but for batches (docs/spine.md, rule B6): a second one fails it.
  virtual void publish(std::string_view topic, uint32_t partition, std::string body) = 0;
  // Asks for `count` consecutive sync positions. The lane takes all of a batch's positions at once, from the single row
  // sync_head, after every closure has run, then calls `use(tx, first)` to write the rows that carry them. `use` must
  // only insert rows, or change rows that this closure has already locked.
  virtual void at_position(int64_t count, std::function<void(Tx&, int64_t first)> use) = 0;

 protected:
  ~Tx() = default;
  virtual uint64_t post(Sql, std::span<const Value>) = 0;
  virtual int64_t changed(uint64_t ticket) = 0;
  friend class Changed;
};
inline Changed::operator int64_t() const { return tx_.changed(ticket_); }

// An owner's claim on the head of its home partition: the batch checks it before any closure runs.
struct Fence {
  std::string_view topic;
  uint32_t partition = 0;
  int64_t epoch = 0;
};

struct WriteOptions {
  // Says whose rows are written: bus::hash_of() the user, or what else has them. Closures with one number run in their
  // order. PostgreSQL takes it modulo its lanes, and runs those of a batch by their numbers, so that all processes lock
  // rows in one order (rule A2); SQLite has one lane.
  uint32_t lane = 0;
  std::optional<Fence> fence{};
  bool is_batch = false;  // of messages, each of which may have a foreign head
  // Small, and must not be late: behind no batch of others. PostgreSQL has one more lane for these, instead of `lane`.
  bool urgent = false;
};

struct Options {
  std::string url;  // "sqlite:PATH" or "postgres://…"
  int readers = 4;
  int lanes = 4;  // PostgreSQL connections that write, beside the one for what is urgent
  // What brings the schema up to date; empty means every file under src/.
  std::span<const Migration> migrations{};
  // A lane's transaction ends with this many closures, or when it has run closures for this long.
  int batch_closures = 128;
  std::chrono::milliseconds batch_time{10};
  // PostgreSQL: no lock is waited for longer, no transaction stands idle longer, no silent peer is believed longer.
  // Below half a lease (docs/spine.md, rule A3).
  std::chrono::milliseconds session_timeout{1'400};
  // PostgreSQL: what has not begun to be written by then is refused (docs/spine.md, rule A17).
  std::chrono::milliseconds write_patience{2'000};
  int checkpoint_pages = 4'000;  // SQLite: of 4 KiB in the write-ahead log, when copying them to the file begins
  bool beside_a_server = false;  // which may run on this database: its sync position and its witness are left alone
  bool keeps_schema = false;     // an older one is kConflict, and not brought up to date
  std::string witness{};         // a file of this machine's that knows when the database went back in time; "" = none
  std::string sqlite_vfs{};      // the name of a registered SQLite VFS; tests put faults under the database with it
};

namespace detail {
template <class T>
struct AnswerOf {
  using Type = Result<T>;
};
template <class T>
struct AnswerOf<Result<T>> {
  using Type = Result<T>;
};
}  // namespace detail
template <class T>
using Answer = typename detail::AnswerOf<T>::Type;  // of T and of Result<T>: Result<T>

class Database {
 public:
  virtual ~Database() = default;  // after stop()
  // Opens, checks what the spine demands of it (PostgreSQL: fsync, synchronous_commit, encoding, time-outs) and brings
  // the schema up to date. Blocking; before the loop runs. kUnavailable: on PostgreSQL it may be right again by itself.
  static Result<std::unique_ptr<Database>> open(Options, Executor loop, const Clock&);

  // Runs fn(Tx&) in a savepoint of the lane's next transaction and resumes after the commit: R = T or Result<T>, a
  // returned Error rolls the closure back. Codes: kFenced, kStale, kCommitUnknown, kDiskFull, kUnavailable, or fn's
  // own. Commits are shared: at once when idle, with everything queued when busy.
  template <class F>
  auto write(WriteOptions, F fn) -> Task<Answer<std::invoke_result_t<F, Tx&>>>;

  // Runs fn(ReadTx&) in one snapshot on a reader thread. The same two shapes.
  template <class F>
  auto read(F fn) -> Task<Answer<std::invoke_result_t<F, ReadTx&>>>;

  // The one receiver of committed outbox rows, called on a lane's thread after each commit that is known to have
  // happened, in commit order per partition. It must not wait, nor call back in. Set before the first write.
  virtual void on_committed(std::function<void(std::vector<OutboxRow>)>) = 0;

  // What changes whenever the database may have gone back in time: a new number at every start on SQLite; derived from
  // the system identifier, the timeline and a stored id on PostgreSQL.
  virtual std::string generation() const = 0;
  // Names what has happened to the database so far: another name after it went back in time, as far as the witness, the
  // engine or an administrator (renew_history) knows. What left the server in between may be known outside.
  virtual std::string history() const = 0;
  virtual bool is_sqlite() const = 0;
  virtual void stop() = 0;  // finishes what is queued, closes; blocking

 protected:
  // A closure with its type erased. `run` may throw Failure or return an Error; `done` is called once, on any thread.
  struct Write {
    WriteOptions options;
    std::function<Result<void>(Tx&)> run;
    std::function<void(Result<void>)> done;
  };
  struct Read {
    std::function<void(ReadTx&)> run;
    std::function<void(Result<void>)> done;
  };
  virtual void submit(Write) = 0;
  virtual void submit(Read) = 0;

 private:
  Task<Result<void>> run(WriteOptions, std::function<Result<void>(Tx&)>);
  Task<Result<void>> run(std::function<void(ReadTx&)>);
};

// An administrator's word that the database went back in time: from the next start on its history has another name.
Task<Result<void>> renew_history(Database&);

}  // namespace myelin::db

#include "infra/db/db_impl.h"
