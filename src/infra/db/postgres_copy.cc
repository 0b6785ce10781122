// Many rows at once into a PostgreSQL table: COPY in its binary format.
#include "infra/db/catalogue.h"
#include "infra/db/postgres.h"

namespace myelin::db {
namespace {

template <class Number>
void append_big_endian(std::string& out, Number number) {
  for (int shift = 8 * (sizeof(Number) - 1); shift >= 0; shift -= 8) out += static_cast<char>(number >> shift);
}

void append_cell(std::string& out, const Cell& cell) {
  if (auto number = std::get_if<int64_t>(&cell)) {
    append_big_endian(out, uint32_t{8});
    append_big_endian(out, static_cast<uint64_t>(*number));
  } else if (auto text = std::get_if<std::string>(&cell)) {
    append_big_endian(out, static_cast<uint32_t>(text->size()));
    out += *text;
  } else {
    append_big_endian(out, ~uint32_t{0});  // NULL
  }
}

std::string copy_data(std::span<const Cells> rows) {
  constexpr std::string_view kSignature("PGCOPY\n\377\r\n\0", 11);
  std::string out(kSignature);
  append_big_endian(out, uint32_t{0});  // flags
  append_big_endian(out, uint32_t{0});  // the header's extension
  for (const auto& cells : rows) {
    append_big_endian(out, static_cast<uint16_t>(cells.size()));
    for (const auto& cell : cells) append_cell(out, cell);
  }
  append_big_endian(out, uint16_t{0xffff});  // the end
  return out;
}

}  // namespace

void PostgresSession::insert_rows(const Table& table, std::span<const Cells> rows) {
  auto data = copy_data(rows);
  settle();
  PQexitPipelineMode(connection_.get());
  copy_in(fmt::format("COPY {} ({}) FROM STDIN (FORMAT binary)", quoted_name(table.name), column_list(table)), data);
  if (connection_) PQenterPipelineMode(connection_.get());
  if (trouble_) throw_trouble();
}

void PostgresSession::copy_in(const std::string& statement, const std::string& data) {
  auto* connection = connection_.get();
  PgResult begun(PQexec(connection, statement.c_str()));
  if (PQresultStatus(begun.get()) != PGRES_COPY_IN) return note_trouble(begun.get(), next_ticket_);
  constexpr size_t kPiece = 1 << 20;
  for (size_t at = 0; at < data.size(); at += kPiece)
    if (PQputCopyData(connection, data.data() + at, static_cast<int>(std::min(kPiece, data.size() - at))) != 1)
      return lose_connection(next_ticket_);
  if (PQputCopyEnd(connection, nullptr) != 1) return lose_connection(next_ticket_);
  for (;;) {
    PgResult result(PQgetResult(connection));
    if (!result) return;
    if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) note_trouble(result.get(), next_ticket_);
    if (PQstatus(connection) != CONNECTION_OK) return lose_connection(next_ticket_);
  }
}

}  // namespace myelin::db
