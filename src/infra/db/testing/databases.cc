#include "infra/db/testing/databases.h"

#include <cstdlib>
#include <filesystem>

#include "base/log.h"

namespace myelin::db::testing {

TemporaryDirectory::TemporaryDirectory() {
  auto pattern = (std::filesystem::temp_directory_path() / "myelin-test-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    log::error("no temporary directory: {}", pattern);
    std::abort();
  }
  path_ = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Options TemporarySqlite::options() const {
  Options options;
  options.url = "sqlite:" + path();
  options.readers = 2;
  return options;
}

Options TemporaryPostgres::options() const {
  Options options;
  options.url = url_;
  options.readers = 2;
  options.lanes = 2;
  return options;
}

std::unique_ptr<TemporaryDatabase> temporary_database(Kind kind) {
  if (kind == Kind::kSqlite) return std::make_unique<TemporarySqlite>();
  return std::make_unique<TemporaryPostgres>();
}

std::unique_ptr<Database> TemporaryDatabase::open(const Options& options, Executor loop, const Clock& clock) {
  auto database = Database::open(options, std::move(loop), clock);
  if (!database) {
    log::error("test database {}: {}", options.url, database.error().message);
    std::abort();
  }
  return std::move(*database);
}

}  // namespace myelin::db::testing
