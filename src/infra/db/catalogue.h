// The tables of a database, as it knows them itself. Everything here throws Failure. Thread: the session's.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "infra/db/session.h"

namespace myelin::db {

enum class ColumnType : uint8_t { kInteger, kText, kBytes };

struct Column {
  std::string name;
  ColumnType type = ColumnType::kInteger;
  bool operator==(const Column&) const = default;
};

struct Table {
  std::string name;
  std::vector<Column> columns;
  std::vector<size_t> key;  // the columns of the primary key, in its order
  bool operator==(const Table&) const = default;
};

std::vector<std::string> table_names(Session&);  // sorted; without the engine's own
// kInternal for a column of a type that migrations do not have, or a table without a primary key.
Table read_table(Session&, const std::string& name);

std::string quoted_name(std::string_view identifier);
std::string column_list(const Table&);
std::string key_list(const Table&, std::string_view after_each = "");  // "k1 DESC, k2 DESC" with " DESC"

Cells cells_of(const Table&, const Row&);                  // of a row with the table's columns
std::vector<Value> values_of(const Table&, const Cells&);  // as long as the cells live

}  // namespace myelin::db
