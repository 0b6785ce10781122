#include "infra/db/catalogue.h"

#include <algorithm>
#include <map>

namespace myelin::db {
namespace {

constexpr Sql kSqliteTables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'";
constexpr Sql kPostgresTables = "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = current_schema()";

// Name, type, and the place in the primary key from 1 on, or 0.
constexpr Sql kSqliteColumns = "SELECT name, type, pk FROM pragma_table_info($1) ORDER BY cid";
constexpr Sql kPostgresColumns =
    "SELECT CAST(a.attname AS TEXT), format_type(a.atttypid, NULL), "
    "CAST(COALESCE(array_position(CAST(i.indkey AS smallint[]), a.attnum) + 1, 0) AS BIGINT) "
    "FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary "
    "WHERE a.attrelid = to_regclass(quote_ident($1)) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

ColumnType type_of(const std::string& table, const std::string& column, std::string_view type) {
  if (type == "INTEGER" || type == "bigint") return ColumnType::kInteger;
  if (type == "TEXT" || type == "text") return ColumnType::kText;
  if (type == "BLOB" || type == "bytea") return ColumnType::kBytes;
  throw Failure({Code::kInternal, fmt::format("column {}.{} is of the type {}", table, column, type)});
}

}  // namespace

std::vector<std::string> table_names(Session& session) {
  std::vector<std::string> out;
  session.run(session.dialect() == Dialect::kSqlite ? kSqliteTables : kPostgresTables, {},
              [&](const Row& row) { out.push_back(row.str(0)); });
  std::ranges::sort(out);
  return out;
}

Table read_table(Session& session, const std::string& name) {
  Table out{name, {}, {}};
  std::map<int64_t, size_t> key;
  Value parameter = name;
  session.run(session.dialect() == Dialect::kSqlite ? kSqliteColumns : kPostgresColumns, {&parameter, 1},
              [&](const Row& row) {
                if (row.i64(2) > 0) key[row.i64(2)] = out.columns.size();
                out.columns.push_back({row.str(0), type_of(name, row.str(0), row.text(1))});
              });
  for (auto [place, column] : key) out.key.push_back(column);
  if (key.empty()) throw Failure({Code::kInternal, fmt::format("table {} has no primary key", name)});
  return out;
}

std::string quoted_name(std::string_view identifier) { return fmt::format("\"{}\"", identifier); }

std::string column_list(const Table& table) {
  std::string out;
  for (const auto& column : table.columns) out += (out.empty() ? "" : ", ") + quoted_name(column.name);
  return out;
}

std::string key_list(const Table& table, std::string_view after_each) {
  std::string out;
  for (auto column : table.key)
    out += fmt::format("{}{}{}", out.empty() ? "" : ", ", quoted_name(table.columns[column].name), after_each);
  return out;
}

Cells cells_of(const Table& table, const Row& row) {
  Cells out(table.columns.size());
  for (size_t i = 0; i < out.size(); ++i) {
    int at = static_cast<int>(i);
    if (row.null(at)) continue;
    if (table.columns[i].type == ColumnType::kInteger)
      out[i] = row.i64(at);
    else
      out[i] = table.columns[i].type == ColumnType::kText ? row.str(at) : row.bytes(at);
  }
  return out;
}

std::vector<Value> values_of(const Table& table, const Cells& cells) {
  std::vector<Value> out(cells.size());
  for (size_t i = 0; i < out.size(); ++i) {
    if (auto number = std::get_if<int64_t>(&cells[i])) out[i] = *number;
    if (auto text = std::get_if<std::string>(&cells[i])) {
      if (table.columns[i].type == ColumnType::kText)
        out[i] = std::string_view(*text);
      else
        out[i] = Blob{*text};
    }
  }
  return out;
}

}  // namespace myelin::db
