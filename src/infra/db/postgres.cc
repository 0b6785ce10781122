#include "infra/db/postgres.h"

#include <poll.h>

#include <bit>
#include <thread>

#include "base/fault.h"
#include "base/log.h"
#include "infra/db/fatal.h"
#include "infra/db/postgres_row.h"

namespace myelin::db {
namespace {

constexpr size_t kMostPending = 256;  // statements that travel together
constexpr Oid kInt8 = 20, kText = 25, kBytea = 17;

Code code_of(std::string_view sqlstate) {
  if (sqlstate == "53100") return Code::kDiskFull;
  auto group = sqlstate.substr(0, 2);
  if (group == "08" || group == "53" || group == "57" || group == "58" || group == "40" || group == "55" ||
      group == "25") {
    return Code::kUnavailable;
  }
  if (group == "XX" && sqlstate != "XX000") return Code::kUnavailable;  // its files are damaged
  // Rights, tables or columns are not as they were: an administrator's hand, or another release's.
  if (sqlstate == "42501" || sqlstate == "42P01" || sqlstate == "42703") return Code::kUnavailable;
  if (sqlstate == "22021") return Code::kInvalidParam;  // a NUL, or no UTF-8, in a text
  return Code::kInternal;
}

std::string_view or_empty(const char* text) { return text == nullptr ? "" : text; }

// Parameters in the binary format.
struct Parameters {
  explicit Parameters(std::span<const Value> values) {
    numbers.reserve(values.size());
    for (const auto& value : values) {
      if (auto number = std::get_if<int64_t>(&value)) {
        numbers.push_back(__builtin_bswap64(static_cast<uint64_t>(*number)));
        add(kInt8, {reinterpret_cast<const char*>(&numbers.back()), 8});
      } else if (auto text = std::get_if<std::string_view>(&value)) {
        add(kText, *text);
      } else if (auto blob = std::get_if<Blob>(&value)) {
        add(kBytea, blob->bytes);
      } else {
        types.push_back(0);
        pointers.push_back(nullptr);
        lengths.push_back(0);
      }
    }
    formats.assign(values.size(), 1);
  }
  void add(Oid type, std::string_view bytes) {
    types.push_back(type);
    pointers.push_back(bytes.data() == nullptr ? "" : bytes.data());
    lengths.push_back(static_cast<int>(bytes.size()));
  }
  int size() const { return static_cast<int>(types.size()); }

  std::vector<uint64_t> numbers;
  std::vector<Oid> types;
  std::vector<const char*> pointers;
  std::vector<int> lengths, formats;
};

std::string type_key(std::span<const Value> values) {
  std::string key;
  for (const auto& value : values) key += static_cast<char>('0' + value.index());
  return key;
}

}  // namespace

PostgresSession::PostgresSession(PostgresSettings settings, PgConnection connection, std::string lineage)
    : settings_(std::move(settings)), connection_(std::move(connection)), lineage_(std::move(lineage)) {
  PQenterPipelineMode(connection_.get());
}

// ---- transactions ----

void PostgresSession::begin(Sql sql) {
  if (ending_read_ && connection_) collect(next_ticket_);
  ending_read_ = false;
  trouble_.reset();
  pending_.clear();
  changed_.clear();
  first_ticket_ = next_ticket_;
  savepoint_ticket_ = 0;
  in_transaction_ = false;
  if (!still_connected()) connect();
  in_transaction_ = true;
  post(sql, {});
}

// Notices a connection that the server closed while nothing was asked.
bool PostgresSession::still_connected() {
  if (!connection_) return false;
  pollfd socket{PQsocket(connection_.get()), POLLIN, 0};
  if (::poll(&socket, 1, 0) > 0) PQconsumeInput(connection_.get());
  return PQstatus(connection_.get()) == CONNECTION_OK;
}

void PostgresSession::connect() {
  connection_.reset();
  statements_.clear();
  if (back_off_.count() > 0) std::this_thread::sleep_for(back_off_);
  back_off_ = std::clamp(back_off_ * 2, std::chrono::milliseconds(50), std::chrono::milliseconds(1'000));
  auto connection = connect_postgres(settings_);
  if (!connection) throw Failure({Code::kUnavailable, connection.error().message});  // whatever it is, it may end
  check_still_the_same(connection->get());
  connection_ = std::move(*connection);
  PQenterPipelineMode(connection_.get());
  back_off_ = {};
}

// After a reconnect; ends the process when it is not.
void PostgresSession::check_still_the_same(PGconn* connection) const {
  auto lineage = postgres_lineage(connection);
  if (!lineage) throw Failure(lineage.error());
  if (*lineage != lineage_) {
    fatal(
        fmt::format("PostgreSQL is another server, or went back in time (was {}, is {}): start again, so that nothing "
                    "held in memory outlives it.",
                    lineage_, *lineage));
    throw Failure({Code::kUnavailable, "PostgreSQL is not the server it was"});
  }
  if (!settings_.knows.empty()) check_schema_is_known(connection);
  if (!settings_.heeds_marks) return;
  auto has_moved = postgres_has_moved(connection);
  if (!has_moved) throw Failure(has_moved.error());
  if (*has_moved) {
    fatal("the server's data moved away from this database, while this process was not heard of");
    throw Failure({Code::kUnavailable, "the database has moved"});
  }
}

// A newer program may have taken it further while this one was cut off.
void PostgresSession::check_schema_is_known(PGconn* connection) const {
  auto applied = postgres_applied(connection);
  if (!applied) throw Failure(applied.error());
  auto known = check_not_newer(*applied, settings_.knows);
  if (known) return;
  fatal(known.error().message);
  throw Failure({Code::kUnavailable, known.error().message});
}

void PostgresSession::savepoint() {
  post("SAVEPOINT closure", {});
  savepoint_ticket_ = next_ticket_;
}

void PostgresSession::rollback_to_savepoint() {
  try {
    settle();
  } catch (const Failure&) {
    if (!in_transaction_ || whole_transaction_failed()) throw;
  }
  trouble_.reset();
  post("ROLLBACK TO closure", {});
  post("RELEASE closure", {});
}

bool PostgresSession::whole_transaction_failed() const {
  if (!trouble_) return false;
  const auto& state = trouble_->sqlstate;
  return state == "40001" || state == "40P01" || state == "55P03" || trouble_->ticket < savepoint_ticket_;
}

CommitOutcome PostgresSession::commit() {
  auto ticket = next_ticket_;
  try {
    ticket = post("COMMIT", {});
  } catch (const Failure& failure) {  // COMMIT was not sent
    rollback();
    return {CommitResult::kFailed, failure.error};
  }
  send_sync();
  crash_point("lane.commit_sent");
  auto results = collect(ticket);
  in_transaction_ = false;
  if (!results.empty() && or_empty(PQcmdStatus(results[0].get())) == "COMMIT") return {};
  if (!trouble_) return {CommitResult::kFailed, {Code::kUnavailable, "the transaction had failed before COMMIT"}};
  // Before COMMIT was reached, or refused by a server that lives on: it has not happened. Else nobody knows.
  bool known = trouble_->ticket < ticket ? !trouble_->sqlstate.empty() : !trouble_->fatal;
  auto outcome = known ? CommitResult::kFailed : CommitResult::kUnknown;
  auto error = trouble_->error;
  rollback();
  return {outcome, std::move(error)};
}

void PostgresSession::end_read() {
  post("ROLLBACK", {});
  send_sync();
  ending_read_ = true;
  in_transaction_ = false;
}

void PostgresSession::rollback() noexcept {
  try {
    if (connection_ && PQstatus(connection_.get()) == CONNECTION_OK) {
      if (!pending_.empty()) {
        send_sync();
        collect(next_ticket_);
      }
      trouble_.reset();
      if (connection_ && PQtransactionStatus(connection_.get()) != PQTRANS_IDLE) {
        post("ROLLBACK", {});
        send_sync();
        collect(next_ticket_);
      }
    }
  } catch (const std::exception& e) {
    log::warning("rollback: {}", e.what());
    connection_.reset();
  }
  trouble_.reset();
  pending_.clear();
  in_transaction_ = false;
}

// ---- statements ----

PostgresSession::Prepared& PostgresSession::prepare(Sql sql, std::span<const Value> values, const std::string& types) {
  auto& statement = statements_[sql.text];
  if (statement.sql.empty()) statement.sql = translate_statement(sql.text, Dialect::kPostgres);
  auto& prepared = statement.by_types[types];
  if (prepared.known) return prepared;
  if (prepared.name.empty()) prepared.name = fmt::format("s{}", next_name_++);
  Parameters parameters(values);
  if (PQsendPrepare(connection_.get(), prepared.name.c_str(), statement.sql.c_str(), parameters.size(),
                    parameters.types.data()) != 1) {
    lose_connection(next_ticket_);
    throw_trouble();
  }
  prepared.known = true;
  pending_.push_back({&prepared, next_ticket_});
  return prepared;
}

uint64_t PostgresSession::post(Sql sql, std::span<const Value> values) {
  if (pending_.size() >= kMostPending) settle();
  if (trouble_ && !connection_) throw_trouble();
  auto& prepared = prepare(sql, values, type_key(values));
  Parameters parameters(values);
  auto ticket = next_ticket_++;
  changed_.push_back(-1);
  if (PQsendQueryPrepared(connection_.get(), prepared.name.c_str(), parameters.size(), parameters.pointers.data(),
                          parameters.lengths.data(), parameters.formats.data(), 1) != 1) {
    lose_connection(ticket);
    throw_trouble();
  }
  pending_.push_back({nullptr, ticket});
  return ticket;
}

void PostgresSession::run(Sql sql, std::span<const Value> values, const std::function<void(const Row&)>& each) {
  auto ticket = post(sql, values);
  send_sync();
  auto results = collect(ticket);
  if (trouble_) throw_trouble();
  PostgresRow row(results.at(0).get());
  for (int i = 0, rows = PQntuples(results[0].get()); i < rows; ++i) {
    row.move_to(i);
    each(row);
  }
}

std::vector<std::optional<int64_t>> PostgresSession::numbers(Sql sql, std::span<const std::vector<Value>> calls) {
  std::vector<std::optional<int64_t>> out;
  while (!calls.empty()) {
    auto some = calls.first(std::min(calls.size(), kMostPending / 2));
    calls = calls.subspan(some.size());
    if (pending_.size() + some.size() >= kMostPending) settle();
    auto first = next_ticket_;
    for (const auto& values : some) post(sql, values);
    send_sync();
    auto results = collect(first);
    if (trouble_) throw_trouble();
    for (auto& result : results) {
      PostgresRow row(result.get());
      out.push_back(PQntuples(result.get()) > 0 ? std::optional(row.i64(0)) : std::nullopt);
    }
  }
  return out;
}

int64_t PostgresSession::changed(uint64_t ticket) {
  auto& known = changed_.at(ticket - first_ticket_);
  if (known < 0) settle();
  return known;
}

void PostgresSession::settle() {
  if (!pending_.empty()) {
    send_sync();
    collect(next_ticket_);
  }
  if (trouble_) throw_trouble();
}

void PostgresSession::script(const std::string& statements) {
  settle();
  PQexitPipelineMode(connection_.get());
  PgResult result(PQexec(connection_.get(), statements.c_str()));
  PQenterPipelineMode(connection_.get());
  auto status = PQresultStatus(result.get());
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return;
  note_trouble(result.get(), next_ticket_);
  throw_trouble();
}

void PostgresSession::send_sync() {
  if (connection_ && PQpipelineSync(connection_.get()) != 1) lose_connection(next_ticket_);
}

std::vector<PgResult> PostgresSession::collect(uint64_t from) {
  std::vector<PgResult> kept;
  while (!pending_.empty() && connection_) {
    auto pending = pending_.front();
    pending_.pop_front();
    read_one(pending, from, kept);
  }
  pending_.clear();
  if (!connection_) return kept;
  for (;;) {  // up to the end of the pipeline
    PgResult result(PQgetResult(connection_.get()));
    if (result && PQresultStatus(result.get()) == PGRES_PIPELINE_SYNC) break;
    if (PQstatus(connection_.get()) != CONNECTION_OK) {
      lose_connection(next_ticket_);
      return kept;
    }
    if (result && PQresultStatus(result.get()) == PGRES_FATAL_ERROR) note_trouble(result.get(), next_ticket_);
  }
  return kept;
}

void PostgresSession::read_one(const Pending& pending, uint64_t from, std::vector<PgResult>& kept) {
  PgResult result(PQgetResult(connection_.get()));
  if (!result) return lose_connection(pending.ticket);
  auto status = PQresultStatus(result.get());
  bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
  if (!good && pending.prepares != nullptr) pending.prepares->known = false;
  if (status == PGRES_FATAL_ERROR) note_trouble(result.get(), pending.ticket);
  if (good && pending.prepares == nullptr) {
    auto count = or_empty(PQcmdTuples(result.get()));
    changed_.at(pending.ticket - first_ticket_) = count.empty() ? 0 : std::stoll(std::string(count));
    if (pending.ticket >= from) kept.push_back(std::move(result));
  }
  if (PQstatus(connection_.get()) != CONNECTION_OK) return lose_connection(pending.ticket + 1);
  PgResult end(PQgetResult(connection_.get()));  // the null that ends each statement's results
}

// ---- trouble ----

void PostgresSession::note_trouble(const PGresult* result, uint64_t ticket) {
  if (trouble_) return;
  std::string state(or_empty(PQresultErrorField(result, PG_DIAG_SQLSTATE)));
  auto severity = or_empty(PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED));
  auto advice = state == "25006" ? ": is it a standby, or its default_transaction_read_only on?" : "";
  Error error{state.empty() ? Code::kUnavailable : code_of(state),
              fmt::format("PostgreSQL: {}{}{}", in_one_line(PQresultErrorMessage(result)),
                          state.empty() ? "" : fmt::format(" ({})", state), advice)};
  trouble_ = Trouble{std::move(error), state, ticket, state.empty() || severity == "FATAL" || severity == "PANIC"};
  if (trouble_->fatal) in_transaction_ = false;
}

void PostgresSession::lose_connection(uint64_t ticket) {
  if (!trouble_) {
    auto message = in_one_line(connection_ ? PQerrorMessage(connection_.get()) : "");
    trouble_ = Trouble{{Code::kUnavailable, "PostgreSQL: " + message}, "", ticket, true};
  }
  connection_.reset();
  in_transaction_ = false;
}

void PostgresSession::throw_trouble() { throw Failure(trouble_->error); }

namespace {

class PostgresEngine final : public Engine {
 public:
  PostgresEngine(PostgresSettings settings, Known knows) : settings_(std::move(settings)), knows_(std::move(knows)) {}
  Dialect dialect() const override { return Dialect::kPostgres; }
  std::string generation() const override { return generation_; }
  std::string history() const override { return generation_; }

  Result<std::unique_ptr<Session>> connect_writer() override {
    auto settings = settings_;
    settings.knows = knows_;
    return connect(settings);
  }
  Result<std::unique_ptr<Session>> connect_reader() override { return connect(settings_); }

  // The generation: which server, which timeline, which database (rule A13).
  void identify(std::string token) override { generation_ = lineage_ + "-" + token; }

 private:
  Result<std::unique_ptr<Session>> connect(const PostgresSettings& settings) {
    MYELIN_TRY(auto connection, connect_postgres(settings));
    if (lineage_.empty()) {
      MYELIN_TRY(lineage_, postgres_lineage(connection.get()));
    }
    return std::make_unique<PostgresSession>(settings, std::move(connection), lineage_);
  }

  PostgresSettings settings_;
  Known knows_;
  std::string lineage_, generation_;
};

}  // namespace

Result<std::unique_ptr<Engine>> open_postgres(const Options& options, bool heeds_marks) {
  if (!options.url.starts_with("postgres://") && !options.url.starts_with("postgresql://")) {
    return fail(Code::kInvalidParam,
                fmt::format("unknown database url '{}': sqlite:PATH or postgres://…", options.url));
  }
  bool is_server = heeds_marks && !options.beside_a_server;
  auto migrations = options.migrations.empty() ? all_migrations() : options.migrations;
  return std::make_unique<PostgresEngine>(PostgresSettings{options.url, options.session_timeout, heeds_marks},
                                          is_server ? known_by(migrations) : Known());
}

}  // namespace myelin::db
