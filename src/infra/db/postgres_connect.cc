// Opening a PostgreSQL session and checking its server.
#include <poll.h>

#include <algorithm>
#include <cctype>

#include "base/log.h"
#include "infra/db/postgres.h"

namespace myelin::db {
std::string in_one_line(const char* said) {
  std::string out;
  for (std::string_view text = said == nullptr ? "" : said; !text.empty();) {
    auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    bool goes_on = line.starts_with('\t');  // the line before
    if (goes_on) line.remove_prefix(1);
    while (line.ends_with(' ')) line.remove_suffix(1);
    if (!out.empty() && !line.empty()) out += goes_on ? " " : "; ";
    out += line;
  }
  return out;
}

namespace {

std::string said_by(const PGconn* connection) { return in_one_line(PQerrorMessage(connection)); }

// Why a server refuses a connection, by another attempt; "" when none answered. (libpq says so in words only: in the
// language of the server.)
std::string sqlstate_of_refusal(const char* const* keys, const char* const* values) {
  PgConnection connection(PQconnectStartParams(keys, values, 1));
  if (!connection) return "";
  PQsetErrorVerbosity(connection.get(), PQERRORS_SQLSTATE);
  auto state = PQstatus(connection.get()) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (state == PGRES_POLLING_READING || state == PGRES_POLLING_WRITING) {
    pollfd socket{PQsocket(connection.get()), static_cast<short>(state == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
    if (::poll(&socket, 1, 2'000) <= 0) return "";
    state = PQconnectPoll(connection.get());
  }
  auto text = said_by(connection.get());
  if (text.size() < 5) return "";
  auto last = text.substr(text.size() - 5);
  bool is_one = std::ranges::all_of(last, [](unsigned char c) { return std::isdigit(c) || std::isupper(c); });
  return is_one ? last : "";
}

// kUnavailable: it may be right again by itself. kConflict: not before somebody has changed something here or there.
std::unexpected<Error> why_not_connected(const PGconn* connection, const char* const* keys, const char* const* values,
                                         std::chrono::steady_clock::duration took) {
  bool was_answered = took < std::chrono::seconds(1);  // who is silent shall not be waited for again
  auto state = was_answered ? sqlstate_of_refusal(keys, values) : "";
  auto group = state.substr(0, 2);
  bool is_final = group == "28" || group == "3D" || group == "42";  // who we are, which database, may we
  std::string advice;
  if (state == "53300")
    advice = "; max_connections must be above (database_lanes + database_readers + 1) x the number of processes";
  return fail(is_final ? Code::kConflict : Code::kUnavailable,
              fmt::format("PostgreSQL: {}{}", said_by(connection), advice));
}

Result<std::string> ask(PGconn* connection, const std::string& sql) {
  PgResult result(PQexec(connection, sql.c_str()));
  auto status = PQresultStatus(result.get());
  if (status == PGRES_TUPLES_OK && PQntuples(result.get()) == 1) return std::string(PQgetvalue(result.get(), 0, 0));
  if (status == PGRES_COMMAND_OK) return std::string();
  return fail(Code::kUnavailable, fmt::format("PostgreSQL: {} in: {}", said_by(connection), sql));
}

Result<void> set_up(PGconn* connection, std::chrono::milliseconds timeout) {
  for (auto setting : {"idle_in_transaction_session_timeout", "lock_timeout", "tcp_user_timeout"}) {
    MYELIN_CHECK(ask(connection, fmt::format("SET {} = {}", setting, timeout.count())));
  }
  MYELIN_CHECK(ask(connection, "SET default_transaction_isolation = 'read committed'"));
  // A plan for every execution costs more than it gains: statements are point reads and writes.
  MYELIN_CHECK(ask(connection, "SET plan_cache_mode = force_generic_plan"));
  // Such a plan is kept while its table grows, and was made by the statistics of a small one: it would read it whole.
  // Where there is no index it does all the same, at a cost that must not look as if compiling were worth it.
  MYELIN_CHECK(ask(connection, "SET enable_seqscan = off"));
  MYELIN_CHECK(ask(connection, "SET jit = off"));
  return {};
}

Result<void> check(PGconn* connection, std::chrono::milliseconds timeout) {
  auto refuse = [](std::string why) { return fail(Code::kConflict, "PostgreSQL is refused: " + why); };
  if (PQserverVersion(connection) < 150'000) return refuse("version 15 or newer is needed");
  MYELIN_TRY(auto fsync, ask(connection, "SHOW fsync"));
  if (fsync != "on") return refuse("fsync is off, so a power cut would lose what was acknowledged");
  MYELIN_TRY(auto synchronous, ask(connection, "SHOW synchronous_commit"));
  if (synchronous == "off") return refuse("synchronous_commit is off, so a crash would lose what was acknowledged");
  MYELIN_TRY(auto encoding, ask(connection, "SHOW server_encoding"));
  if (encoding != "UTF8") return refuse(fmt::format("the database's encoding is {}, not UTF8", encoding));
  MYELIN_TRY(auto standby, ask(connection, "SELECT pg_is_in_recovery()"));
  if (standby != "f") return fail(Code::kUnavailable, "PostgreSQL: this is a standby; the primary is needed");
  for (auto setting : {"idle_in_transaction_session_timeout", "lock_timeout"}) {
    MYELIN_TRY(auto value, ask(connection, fmt::format("SELECT setting FROM pg_settings WHERE name = '{}'", setting)));
    if (value != std::to_string(timeout.count())) return refuse(fmt::format("it ignores {}", setting));
  }
  return {};
}

// Locks of the session, which nobody waits for.
Result<void> say_what_is_known(PGconn* connection, const Known& knows) {
  if (knows.empty()) return {};
  auto lock = [](std::string_view component, int64_t version) {
    return fmt::format("pg_advisory_lock_shared(hashtext('{}'), {})", program_lock(component), version);
  };
  auto statement = "SELECT " + lock("", 0);
  for (const auto& [component, version] : knows) statement += ", " + lock(component, version);
  MYELIN_CHECK(ask(connection, statement));
  return {};
}

}  // namespace

Result<PgConnection> connect_postgres(const PostgresSettings& settings) {
  auto timeout = std::to_string(settings.session_timeout.count());
  const char* keys[] = {"dbname",           "application_name", "client_encoding",
                        "connect_timeout",  "keepalives_idle",  "keepalives_interval",
                        "keepalives_count", "tcp_user_timeout", nullptr};
  const char* values[] = {settings.url.c_str(), "myelin", "UTF8", "5", "2", "1", "3", timeout.c_str(), nullptr};
  auto began = std::chrono::steady_clock::now();
  PgConnection connection(PQconnectdbParams(keys, values, 1));
  auto took = std::chrono::steady_clock::now() - began;
  if (!connection) return fail(Code::kUnavailable, "PostgreSQL: no memory for a connection");
  if (PQstatus(connection.get()) != CONNECTION_OK) return why_not_connected(connection.get(), keys, values, took);
  PQsetNoticeProcessor(
      connection.get(), [](void*, const char* message) { log::debug("PostgreSQL: {}", message); }, nullptr);
  MYELIN_CHECK(set_up(connection.get(), settings.session_timeout));
  MYELIN_CHECK(check(connection.get(), settings.session_timeout));
  MYELIN_CHECK(say_what_is_known(connection.get(), settings.knows));
  return connection;
}

Result<std::string> postgres_lineage(PGconn* connection) {
  return ask(connection,
             "SELECT (SELECT system_identifier FROM pg_control_system()) || '-' || "
             "substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)");
}

Result<std::vector<Applied>> postgres_applied(PGconn* connection) {
  PgResult result(PQexec(connection, kSelectApplied));
  if (PQresultStatus(result.get()) != PGRES_TUPLES_OK)
    return fail(Code::kUnavailable, fmt::format("PostgreSQL: {}", said_by(connection)));
  std::vector<Applied> out;
  auto number = [&](int row, int column) { return std::strtoll(PQgetvalue(result.get(), row, column), nullptr, 10); };
  for (int i = 0; i < PQntuples(result.get()); ++i)
    out.push_back({PQgetvalue(result.get(), i, 0), number(i, 1), number(i, 2)});
  return out;
}

Result<bool> postgres_has_moved(PGconn* connection) {
  MYELIN_TRY(auto has_mark, ask(connection, "SELECT to_regclass('database_move') IS NOT NULL"));
  if (has_mark != "t") return false;
  constexpr auto kMarks = "SELECT COUNT(*) FROM database_move";
  MYELIN_TRY(auto marks, ask(connection, kMarks));
  if (marks == "0") return false;
  MYELIN_CHECK(ask(connection, "DELETE FROM database_move WHERE state = 'leaving'"));
  MYELIN_TRY(marks, ask(connection, kMarks));
  return marks != "0";
}

}  // namespace myelin::db
