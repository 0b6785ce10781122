// A row of a binary PostgreSQL result.
#pragma once
#include <libpq-fe.h>

#include "infra/db/db.h"

namespace myelin::db {

class PostgresRow final : public Row {
 public:
  explicit PostgresRow(const PGresult* result) : result_(result) {}
  void move_to(int row) { row_ = row; }
  bool null(int column) const override { return PQgetisnull(result_, row_, column) != 0; }
  int64_t i64(int column) const override;
  std::string_view text(int column) const override;
  std::string_view blob(int column) const override { return text(column); }

 private:
  const PGresult* result_;
  int row_ = 0;
};

}  // namespace myelin::db
