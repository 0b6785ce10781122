// Databases for tests. Thread: the test's.
#pragma once
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/clock.h"
#include "infra/db/db.h"

namespace myelin::db::testing {

// A directory that goes with its object.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A database that nobody else uses. It outlives what is opened on it.
class TemporaryDatabase {
 public:
  virtual ~TemporaryDatabase() = default;
  virtual Options options() const = 0;
  // With every migration of the program unless the options name others. Ends the test program when it does not open.
  std::unique_ptr<Database> open(Executor loop, const Clock& clock) const { return open(options(), loop, clock); }
  static std::unique_ptr<Database> open(const Options&, Executor loop, const Clock&);
};

class TemporarySqlite final : public TemporaryDatabase {  // a file in a directory of its own
 public:
  Options options() const override;
  std::string path() const { return directory_.path() + "/test.db"; }

 private:
  TemporaryDirectory directory_;
};

// A database of its own in a PostgreSQL that this process starts at its first use and stops at its end: Debian's
// PostgreSQL 15, on a socket in a temporary directory, as user `postgres` when the tests run as root.
class TemporaryPostgres final : public TemporaryDatabase {
 public:
  TemporaryPostgres();
  Options options() const override;
  const std::string& url() const { return url_; }
  // Runs one statement on a connection of its own, as the superuser; the first column of the first row.
  std::string sql(const std::string& statement) const;

 private:
  std::string url_;
};

enum class Kind { kSqlite, kPostgres };
std::unique_ptr<TemporaryDatabase> temporary_database(Kind);

// Runs the loop until the task has ended; rethrows what it threw.
template <class T>
T run(boost::asio::io_context& loop, Task<T> task) {
  std::exception_ptr thrown;
  bool ended = false;
  std::optional<std::conditional_t<std::is_void_v<T>, bool, T>> out;
  auto end = [&](std::exception_ptr e) {
    thrown = e;
    ended = true;
  };
  if constexpr (std::is_void_v<T>) {
    boost::asio::co_spawn(loop, std::move(task), end);
  } else {
    boost::asio::co_spawn(loop, std::move(task), [&](std::exception_ptr e, T value) {
      out.emplace(std::move(value));
      end(e);
    });
  }
  loop.restart();
  while (!ended) loop.run_one();
  if (thrown) std::rethrow_exception(thrown);
  if constexpr (!std::is_void_v<T>) return std::move(*out);
}

}  // namespace myelin::db::testing
