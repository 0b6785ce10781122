#include "infra/db/copy.h"

#include "base/bytes.h"

namespace myelin::db {
namespace {

constexpr size_t kPageBytes = 16 << 20;  // about

size_t size_of(const Cells& cells) {
  size_t out = 0;
  for (const auto& cell : cells)
    if (auto text = std::get_if<std::string>(&cell)) out += text->size();
  return out;
}

std::string select_all(const Table& table, std::string_view where, int rows) {
  return fmt::format("SELECT {} FROM {} {} ORDER BY {} LIMIT {}", column_list(table), quoted_name(table.name), where,
                     key_list(table), rows);
}

std::string after_the_key(const Table& table) {
  std::string parameters;
  for (size_t i = 1; i <= table.key.size(); ++i) parameters += fmt::format("{}${}", i > 1 ? ", " : "", i);
  return fmt::format("WHERE ({}) > ({})", key_list(table), parameters);
}

std::vector<Value> key_of(const Table& table, const Cells& row) {
  auto all = values_of(table, row);
  std::vector<Value> out;
  for (auto column : table.key) out.push_back(all[column]);
  return out;
}

}  // namespace

Pages::Pages(const Table& table, int rows)
    : table_(table),
      first_(lasting_sql(select_all(table, "", rows))),
      following_(lasting_sql(select_all(table, after_the_key(table), rows))) {}

void Pages::start_after(const Cells& row) { last_ = row; }

std::vector<Cells> Pages::next(Session& session) {
  std::vector<Cells> out;
  size_t bytes = 0;
  auto keep = [&](const Row& row) {
    if (bytes > kPageBytes) return;  // it is read again, with the next page
    bytes += size_of(out.emplace_back(cells_of(table_, row)));
  };
  if (last_.empty())
    session.run(first_, {}, keep);
  else
    session.run(following_, key_of(table_, last_), keep);
  if (!out.empty()) last_ = out.back();
  return out;
}

std::optional<Cells> last_row(Session& session, const Table& table) {
  std::optional<Cells> out;
  auto sql = lasting_sql(fmt::format("SELECT {} FROM {} ORDER BY {} LIMIT 1", column_list(table),
                                     quoted_name(table.name), key_list(table, " DESC")));
  session.run(sql, {}, [&](const Row& row) { out = cells_of(table, row); });
  return out;
}

int64_t count_rows(Session& session, const Table& table) {
  int64_t out = 0;
  session.run(lasting_sql(fmt::format("SELECT COUNT(*) FROM {}", quoted_name(table.name))), {},
              [&](const Row& row) { out = row.i64(0); });
  return out;
}

void rename_history(const Table& table, Cells& cells, std::string_view from, std::string_view to) {
  for (size_t i = 0; i < cells.size(); ++i)
    if (auto text = std::get_if<std::string>(&cells[i]); text && table.columns[i].name == kHistoryColumn)
      if (*text == from) *text = to;
}

TableSum::TableSum(const Table& table, std::string_view own_history) : table_(&table), own_history_(own_history) {}

void TableSum::add(const Cells& cells) {
  std::string bytes = hash_;
  for (size_t i = 0; i < cells.size(); ++i) {
    bytes += static_cast<char>('0' + cells[i].index());
    if (auto number = std::get_if<int64_t>(&cells[i])) append_varint(bytes, static_cast<uint64_t>(*number));
    auto text = std::get_if<std::string>(&cells[i]);
    if (text == nullptr) continue;
    bool is_own = table_->columns[i].name == kHistoryColumn && *text == own_history_;
    append_string(bytes, is_own ? std::string_view() : *text);
  }
  hash_ = sha256(bytes);
  ++rows_;
}

}  // namespace myelin::db
