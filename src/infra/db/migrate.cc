#include "infra/db/migrate.h"

#include <map>

#include "base/fault.h"
#include "base/log.h"
#include "infra/db/session.h"

namespace myelin::db {
namespace {

// Of another program that starts at the same time, one waits for the other here (PostgreSQL; SQLite has one writer).
void lock_versions(Session& session) {
  if (session.dialect() == Dialect::kPostgres) session.script("LOCK TABLE schema_version IN EXCLUSIVE MODE");
}

std::map<std::string, int64_t> applied_versions(Session& session) {
  std::map<std::string, int64_t> versions;
  session.run("SELECT component, MAX(version) FROM schema_version GROUP BY component", {},
              [&](const Row& row) { versions[row.str(0)] = row.i64(1); });
  return versions;
}

Result<void> check_not_newer(const std::map<std::string, int64_t>& applied, std::span<const Migration> migrations) {
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
    if (version > known[component]) {
      return fail(Code::kUnavailable,
                  fmt::format("this database was written by a newer program: its schema of '{}' is version {}, this "
                              "program knows version {}. Start the newer program, or restore a backup.",
                              component, version, known[component]));
    }
  }
  return {};
}

Result<void> apply(Session& session, const Migration& migration, const Clock& clock) {
  auto result = in_transaction(session, [&] {
    lock_versions(session);
    if (applied_versions(session)[std::string(migration.component)] >= migration.number) return;
    session.script(translate_migration(migration.text, session.dialect()));
    Value values[] = {migration.component, to_value(migration.number), clock.now()};
    session.post("INSERT INTO schema_version (component, version, applied_at) VALUES ($1, $2, $3)", values);
  });
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
    session.script(
        translate_migration("CREATE TABLE IF NOT EXISTS schema_version (component TEXT NOT NULL, version BIGINT NOT "
                            "NULL, applied_at BIGINT NOT NULL, PRIMARY KEY (component, version)) WITHOUT ROWID;",
                            session.dialect()));
    applied = applied_versions(session);
  }));
  MYELIN_CHECK(check_not_newer(applied, migrations));
  for (const auto& migration : migrations) {
    if (applied[std::string(migration.component)] >= migration.number) continue;
    crash_point("migrate.between");
    MYELIN_CHECK(apply(session, migration, clock));
    if (migration.number > 1) log::info("schema of {}: version {}", migration.component, migration.number);
  }
  return {};
}

}  // namespace myelin::db
