// Databases for tests. Thread: the test's.
#pragma once
#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
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

// An SQLite database in a directory of its own.
class TemporarySqlite {
 public:
  TemporarySqlite() = default;
  Options options() const;
  // Aborts the test program when it does not open.
  std::unique_ptr<Database> open(Executor loop, const Clock& clock) const { return open(options(), loop, clock); }
  static std::unique_ptr<Database> open(const Options&, Executor loop, const Clock&);

 private:
  TemporaryDirectory directory_;
};

}  // namespace myelin::db::testing
