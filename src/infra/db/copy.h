// Reading and writing whole tables, a page at a time in the order of the primary key. Everything here throws Failure.
// Thread: the sessions'.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "infra/db/catalogue.h"

namespace myelin::db {

// The rows of a table, a snapshot for each page: for a table that nobody writes meanwhile.
class Pages {
 public:
  Pages(const Table&, int rows);       // at most, or about 16 MiB
  void start_after(const Cells& row);  // its key; else from the first row on
  std::vector<Cells> next(Session&);   // in a transaction of the caller; empty at the end

 private:
  const Table& table_;
  Sql first_, following_;
  Cells last_;
};

std::optional<Cells> last_row(Session&, const Table&);  // by the key
int64_t count_rows(Session&, const Table&);

// A column of this name holds a Database::history(): in a copy, the name of the database's own history becomes that of
// the copy's.
inline constexpr std::string_view kHistoryColumn = "history";
void rename_history(const Table&, Cells&, std::string_view from, std::string_view to);

// Of all rows in the order of their keys: two tables with the same columns and rows have the same sum, whatever the
// engine, and whatever their databases' own histories are called.
class TableSum {
 public:
  TableSum(const Table&, std::string_view own_history);
  void add(const Cells&);
  int64_t rows() const { return rows_; }
  const std::string& hash() const { return hash_; }
  bool operator==(const TableSum& other) const { return rows_ == other.rows_ && hash_ == other.hash_; }

 private:
  const Table* table_;
  std::string own_history_, hash_;
  int64_t rows_ = 0;
};

}  // namespace myelin::db
