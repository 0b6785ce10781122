#include "infra/db/migrate.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "base/fault.h"
#include "base/log.h"
#include "infra/db/session.h"

namespace myelin::db {
namespace {

// Of programs that start at the same time, all wait for one here (PostgreSQL; SQLite has one writer). The number is
// ours for this alone; a lock of the table itself would need the table. A big table takes its time. Then programs at
// work may hold what a migration needs, for as long as their commits take.
void lock_versions(Session& session) {
  if (session.dialect() != Dialect::kPostgres) return;
  session.post("SET LOCAL lock_timeout = 0", {});
  session.run("SELECT pg_advisory_xact_lock(5270465)", {}, [](const Row&) {});
  session.post("SET LOCAL lock_timeout = '30s'", {});
}

std::map<std::string, int64_t> applied_versions(Session& session) {
  std::map<std::string, int64_t> versions;
  session.run("SELECT component, MAX(version) FROM schema_version GROUP BY component", {},
              [&](const Row& row) { versions[row.str(0)] = row.i64(1); });
  return versions;
}

int64_t runs_with(const Migration& migration) {
  constexpr std::string_view kLine = "-- runs with: ";
  int64_t out = migration.number;
  auto at = migration.text.find(kLine);
  if (at != std::string_view::npos && (at == 0 || migration.text[at - 1] == '\n')) {
    auto rest = migration.text.substr(at + kLine.size());
    std::from_chars(rest.data(), rest.data() + rest.size(), out);
  }
  return out;
}

// What a program must know of the component to work on migrations later than `known`.
int64_t least_known(Session& session, const std::string& component, int64_t known) {
  int64_t least = 0;
  Value values[] = {component, to_value(known)};
  session.run(
      "SELECT COALESCE(s.runs_with, v.version) FROM schema_version v LEFT JOIN schema_step s ON s.component = "
      "v.component AND s.version = v.version WHERE v.component = $1 AND v.version > $2",
      values, [&](const Row& row) { least = std::max(least, row.i64(0)); });
  return least;
}

Result<void> check_not_newer(Session& session, const std::map<std::string, int64_t>& applied,
                             std::span<const Migration> migrations) {
  std::map<std::string, int64_t> known;
  for (const auto& migration : migrations) {
    auto& version = known[std::string(migration.component)];
    if (migration.number != version + 1) {
      return fail(Code::kInternal, fmt::format("migrations of {} are not numbered 1, 2, 3: found {} after {}",
                                               migration.component, migration.number, version));
    }
    version = migration.number;
  }
  for (const auto& [component, version] : applied) {
    auto mine = known[component];
    if (version <= mine) continue;
    int64_t least = version;
    MYELIN_CHECK(in_transaction(session, [&] { least = least_known(session, component, mine); }));
    if (least > mine) {
      return fail(Code::kConflict,
                  fmt::format("this database was written by a newer program: its schema of '{}' is version {}, this "
                              "program knows version {}. Start the newer program, or restore a backup.",
                              component, version, mine));
    }
    log::info("the schema of {} is a newer program's, version {}; this program knows version {} and can work with it",
              component, version, mine);
  }
  return {};
}

// `is_upgrade`: the database is older than this program, not new.
Result<void> apply(Session& session, const Migration& migration, const Clock& clock, bool is_upgrade) {
  bool is_ours = false;
  auto result = in_transaction(session, [&] {
    lock_versions(session);
    if (applied_versions(session)[std::string(migration.component)] >= migration.number) return;
    is_ours = true;
    session.script(translate_migration(migration.text, session.dialect()));
    Value values[] = {migration.component, to_value(migration.number), clock.now()};
    session.post("INSERT INTO schema_version (component, version, applied_at) VALUES ($1, $2, $3)", values);
    Value step[] = {migration.component, to_value(migration.number), to_value(runs_with(migration))};
    session.post("INSERT INTO schema_step (component, version, runs_with) VALUES ($1, $2, $3)", step);
  });
  if (result && is_ours && is_upgrade)
    log::info("the schema of {} was brought to version {}", migration.component, migration.number);
  if (result) return result;
  auto error = result.error();
  error.message = fmt::format("migration {}/{}: {}", migration.component, migration.name, error.message);
  return std::unexpected(std::move(error));
}

}  // namespace

std::vector<Migration> migrations_of(std::initializer_list<std::string_view> components) {
  std::vector<Migration> out;
  for (const auto& migration : all_migrations()) {
    bool infra = migration.component == "db" || migration.component == "bus" || migration.component == "lease" ||
                 migration.component == "work";
    if (infra || std::find(components.begin(), components.end(), migration.component) != components.end()) {
      out.push_back(migration);
    }
  }
  return out;
}

Result<void> migrate(Session& session, std::span<const Migration> migrations, const Clock& clock) {
  std::map<std::string, int64_t> applied;
  MYELIN_CHECK(in_transaction(session, [&] {
    lock_versions(session);
    session.script(
        translate_migration("CREATE TABLE IF NOT EXISTS schema_version (component TEXT NOT NULL, version BIGINT NOT "
                            "NULL, applied_at BIGINT NOT NULL, PRIMARY KEY (component, version)) WITHOUT ROWID; "
                            "CREATE TABLE IF NOT EXISTS schema_step (component TEXT NOT NULL, version BIGINT NOT NULL, "
                            "runs_with BIGINT NOT NULL, PRIMARY KEY (component, version)) WITHOUT ROWID;",
                            session.dialect()));
    applied = applied_versions(session);
  }));
  MYELIN_CHECK(check_not_newer(session, applied, migrations));
  bool is_upgrade = !applied.empty();
  for (const auto& migration : migrations) {
    if (applied[std::string(migration.component)] >= migration.number) continue;
    crash_point("migrate.between");
    MYELIN_CHECK(apply(session, migration, clock, is_upgrade));
  }
  return {};
}

}  // namespace myelin::db
