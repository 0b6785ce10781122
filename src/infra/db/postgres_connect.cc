// Opening a PostgreSQL session and checking its server.
#include "base/log.h"
#include "infra/db/postgres.h"

namespace myelin::db {
namespace {

Result<std::string> ask(PGconn* connection, const std::string& sql) {
  PgResult result(PQexec(connection, sql.c_str()));
  auto status = PQresultStatus(result.get());
  if (status == PGRES_TUPLES_OK && PQntuples(result.get()) == 1) return std::string(PQgetvalue(result.get(), 0, 0));
  if (status == PGRES_COMMAND_OK) return std::string();
  std::string why = PQerrorMessage(connection);
  while (!why.empty() && why.back() == '\n') why.pop_back();
  return fail(Code::kUnavailable, fmt::format("PostgreSQL: {} in: {}", why, sql));
}

Result<void> set_up(PGconn* connection, std::chrono::milliseconds timeout) {
  for (auto setting : {"idle_in_transaction_session_timeout", "lock_timeout", "tcp_user_timeout"}) {
    MYELIN_CHECK(ask(connection, fmt::format("SET {} = {}", setting, timeout.count())));
  }
  MYELIN_CHECK(ask(connection, "SET default_transaction_isolation = 'read committed'"));
  // A plan for every execution costs more than it gains: statements are point reads and writes.
  MYELIN_CHECK(ask(connection, "SET plan_cache_mode = force_generic_plan"));
  return {};
}

Result<void> check(PGconn* connection, std::chrono::milliseconds timeout) {
  auto refuse = [](std::string why) { return fail(Code::kUnavailable, "PostgreSQL is refused: " + why); };
  if (PQserverVersion(connection) < 130'000) return refuse("version 13 or newer is needed");
  MYELIN_TRY(auto fsync, ask(connection, "SHOW fsync"));
  if (fsync != "on") return refuse("fsync is off, so a power cut would lose what was acknowledged");
  MYELIN_TRY(auto synchronous, ask(connection, "SHOW synchronous_commit"));
  if (synchronous == "off") return refuse("synchronous_commit is off, so a crash would lose what was acknowledged");
  MYELIN_TRY(auto encoding, ask(connection, "SHOW server_encoding"));
  if (encoding != "UTF8") return refuse(fmt::format("the database's encoding is {}, not UTF8", encoding));
  MYELIN_TRY(auto standby, ask(connection, "SELECT pg_is_in_recovery()"));
  if (standby != "f") return refuse("this is a standby; the primary is needed");
  for (auto setting : {"idle_in_transaction_session_timeout", "lock_timeout"}) {
    MYELIN_TRY(auto value, ask(connection, fmt::format("SELECT setting FROM pg_settings WHERE name = '{}'", setting)));
    if (value != std::to_string(timeout.count())) return refuse(fmt::format("it ignores {}", setting));
  }
  return {};
}

}  // namespace

Result<PgConnection> connect_postgres(const PostgresSettings& settings) {
  auto timeout = std::to_string(settings.session_timeout.count());
  const char* keys[] = {"dbname",           "application_name", "client_encoding",
                        "connect_timeout",  "keepalives_idle",  "keepalives_interval",
                        "keepalives_count", "tcp_user_timeout", nullptr};
  const char* values[] = {settings.url.c_str(), "myelin", "UTF8", "5", "2", "1", "3", timeout.c_str(), nullptr};
  PgConnection connection(PQconnectdbParams(keys, values, 1));
  if (!connection) return fail(Code::kUnavailable, "PostgreSQL: no memory for a connection");
  if (PQstatus(connection.get()) != CONNECTION_OK) {
    return fail(Code::kUnavailable, fmt::format("PostgreSQL: {}", PQerrorMessage(connection.get())));
  }
  PQsetNoticeProcessor(
      connection.get(), [](void*, const char* message) { log::debug("PostgreSQL: {}", message); }, nullptr);
  MYELIN_CHECK(set_up(connection.get(), settings.session_timeout));
  MYELIN_CHECK(check(connection.get(), settings.session_timeout));
  return connection;
}

Result<std::string> postgres_lineage(PGconn* connection) {
  return ask(connection,
             "SELECT (SELECT system_identifier FROM pg_control_system()) || '-' || "
             "substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)");
}

Result<bool> postgres_has_moved(PGconn* connection) {
  MYELIN_TRY(auto has_mark, ask(connection, "SELECT to_regclass('database_move') IS NOT NULL"));
  if (has_mark != "t") return false;
  MYELIN_TRY(auto marks, ask(connection, "SELECT COUNT(*) FROM database_move WHERE state = 'gone'"));
  return marks != "0";
}

}  // namespace myelin::db
