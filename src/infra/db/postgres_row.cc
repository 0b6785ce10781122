#include "infra/db/postgres_row.h"

namespace myelin::db {
namespace {

constexpr Oid kBool = 16, kInt8 = 20, kInt2 = 21, kInt4 = 23, kNumeric = 1700;

uint64_t big_endian(std::string_view bytes) {
  uint64_t number = 0;
  for (char c : bytes) number = number << 8 | static_cast<unsigned char>(c);
  return number;
}
int16_t int16_at(std::string_view bytes, size_t at) { return static_cast<int16_t>(big_endian(bytes.substr(at, 2))); }

// SUM() of BIGINT is a numeric: digits of base 10 000, the first one worth 10 000^weight.
int64_t numeric_to_int(std::string_view bytes) {
  int digits = int16_at(bytes, 0), weight = int16_at(bytes, 2);
  bool negative = big_endian(bytes.substr(4, 2)) == 0x4000;
  int64_t number = 0;
  for (int i = 0; i <= weight; ++i) {
    int64_t digit = i < digits ? int16_at(bytes, static_cast<size_t>(8 + 2 * i)) : 0;
    if (__builtin_mul_overflow(number, 10'000, &number) || __builtin_add_overflow(number, digit, &number)) {
      throw Failure({Code::kInternal, "a number beyond 64 bits"});
    }
  }
  return negative ? -number : number;
}

}  // namespace

int64_t PostgresRow::i64(int column) const {
  auto bytes = text(column);
  if (null(column)) return 0;
  switch (auto type = PQftype(result_, column)) {
    case kBool:
      return bytes[0] != 0;
    case kInt8:
      return static_cast<int64_t>(big_endian(bytes));
    case kInt4:
      return static_cast<int32_t>(big_endian(bytes));
    case kInt2:
      return static_cast<int16_t>(big_endian(bytes));
    case kNumeric:
      return numeric_to_int(bytes);
    default:
      throw Failure({Code::kInternal, fmt::format("column {} is no number (type {})", column, type)});
  }
}

std::string_view PostgresRow::text(int column) const {
  return {PQgetvalue(result_, row_, column), static_cast<size_t>(PQgetlength(result_, row_, column))};
}

}  // namespace myelin::db
