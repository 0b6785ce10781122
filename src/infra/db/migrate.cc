#include "infra/db/migrate.h"

#include <algorithm>
#include <charconv>
#include <thread>

#include "base/fault.h"
#include "base/log.h"
#include "base/timer.h"
#include "infra/db/catalogue.h"
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

std::vector<Applied> applied_to(Session& session) {
  std::vector<Applied> out;
  session.run(kSelectApplied, {}, [&](const Row& row) { out.push_back({row.str(0), row.i64(1), row.i64(2)}); });
  return out;
}

Known versions_of(std::span<const Applied> applied) {
  Known out;
  for (const auto& each : applied) out[each.component] = std::max(out[each.component], each.version);
  return out;
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

Result<void> check_numbers(std::span<const Migration> migrations) {
  Known last;
  for (const auto& migration : migrations) {
    auto& version = last[std::string(migration.component)];
    if (migration.number != version + 1)
      return fail(Code::kInternal, fmt::format("migrations of {} are not numbered 1, 2, 3: found {} after {}",
                                               migration.component, migration.number, version));
    version = migration.number;
  }
  return {};
}

// Every server's writing connections hold locks that say what its program knows (connect_postgres): so nobody's tables
// change under it. Of two that come at the same time, the later one finds the locks or the tables of the other.
void refuse_beside_older(Session& session, const Migration& migration) {
  if (session.dialect() != Dialect::kPostgres || runs_with(migration) == 0) return;
  constexpr Sql kOlder =
      "WITH held AS (SELECT pid, classid::BIGINT AS class, objid::BIGINT AS version FROM pg_locks WHERE locktype = "
      "'advisory' AND objsubid = 2 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) "
      "SELECT count(DISTINCT p.pid) FROM held p WHERE p.class = (hashtext($1)::BIGINT & 4294967295) AND NOT EXISTS "
      "(SELECT 1 FROM held k WHERE k.pid = p.pid AND k.class = (hashtext($2)::BIGINT & 4294967295) AND k.version >= "
      "$3)";
  auto component = program_lock(migration.component);
  auto any = program_lock("");
  Value values[] = {any, component, to_value(runs_with(migration))};
  int64_t older = 0;
  session.run(kOlder, values, [&](const Row& row) { older = row.i64(0); });
  if (older > 0)
    throw Failure(
        {Code::kUnavailable,
         fmt::format("programs are at work on this database ({} connections) that cannot go on after it: they "
                     "would have to know version {} of '{}'. Replace them by the release in between, or stop "
                     "them all",
                     older, runs_with(migration), migration.component)});
}

// `is_upgrade`: the database is older than this program, not new.
Result<void> apply(Session& session, const Migration& migration, const Clock& clock, bool is_upgrade) {
  bool is_ours = false;
  auto result = in_transaction(session, [&] {
    lock_versions(session);
    if (versions_of(applied_to(session))[std::string(migration.component)] >= migration.number) return;
    is_ours = true;
    refuse_beside_older(session, migration);
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

// Connections of a process that has just ended are seen for a moment.
Result<void> apply_in_the_end(Session& session, const Migration& migration, const Clock& clock, bool is_upgrade) {
  constexpr std::chrono::milliseconds kPatience{2'000}, kPause{50};
  auto applied = apply(session, migration, clock, is_upgrade);
  for (auto end = steady_now() + kPatience; !applied && applied.error().code == Code::kUnavailable;) {
    if (steady_now() > end) break;
    std::this_thread::sleep_for(kPause);
    applied = apply(session, migration, clock, is_upgrade);
  }
  return applied;
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

Known known_by(std::span<const Migration> migrations) {
  Known out;
  for (const auto& migration : migrations) out[std::string(migration.component)] = migration.number;
  return out;
}

std::string program_lock(std::string_view component) { return fmt::format("myelin knows {}", component); }

Result<void> check_not_newer(std::span<const Applied> applied, const Known& known) {
  for (const auto& [component, version, runs_with] : applied) {
    auto it = known.find(component);
    auto mine = it == known.end() ? 0 : it->second;
    if (version > mine && runs_with > mine)
      return fail(Code::kConflict,
                  fmt::format("this database was written by a newer program: its schema of '{}' is version {}, this "
                              "program knows version {}. Start the newer program, or restore a backup.",
                              component, version, mine));
  }
  return {};
}

Result<void> migrate(Session& session, std::span<const Migration> migrations, const Clock& clock) {
  MYELIN_CHECK(check_numbers(migrations));
  std::vector<Applied> applied;
  MYELIN_CHECK(in_transaction(session, [&] {
    lock_versions(session);
    session.script(
        translate_migration("CREATE TABLE IF NOT EXISTS schema_version (component TEXT NOT NULL, version BIGINT NOT "
                            "NULL, applied_at BIGINT NOT NULL, PRIMARY KEY (component, version)) WITHOUT ROWID; "
                            "CREATE TABLE IF NOT EXISTS schema_step (component TEXT NOT NULL, version BIGINT NOT NULL, "
                            "runs_with BIGINT NOT NULL, PRIMARY KEY (component, version)) WITHOUT ROWID;",
                            session.dialect()));
    applied = applied_to(session);
  }));
  auto known = known_by(migrations);
  MYELIN_CHECK(check_not_newer(applied, known));
  auto versions = versions_of(applied);
  for (const auto& [component, version] : versions)
    if (version > known[component])
      log::info("the schema of {} is a newer program's, version {}; this program knows version {} and can work with it",
                component, version, known[component]);
  for (const auto& migration : migrations) {
    if (versions[std::string(migration.component)] >= migration.number) continue;
    crash_point("migrate.between");
    MYELIN_CHECK(apply_in_the_end(session, migration, clock, !applied.empty()));
  }
  return {};
}

Result<void> check_schema(Session& session, std::span<const Migration> migrations) {
  std::vector<Applied> applied;
  MYELIN_CHECK(in_snapshot(session, [&] { applied = applied_to(session); }));
  auto known = known_by(migrations);
  MYELIN_CHECK(check_not_newer(applied, known));
  auto versions = versions_of(applied);
  for (const auto& [component, version] : known)
    if (versions[component] < version)
      return fail(Code::kConflict, fmt::format("this database is an older program's: its schema of '{}' is version {}, "
                                               "this program knows version {}. Start a server of this program first, "
                                               "which brings it up to date, or use the older program.",
                                               component, versions[component], version));
  return {};
}

Result<bool> has_schema(Session& session) {
  bool out = false;
  MYELIN_CHECK(in_snapshot(session, [&] { out = std::ranges::binary_search(table_names(session), "schema_version"); }));
  return out;
}

}  // namespace myelin::db
