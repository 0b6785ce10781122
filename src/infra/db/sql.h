// One text per statement, two dialects. What a statement may hold beside plain SQL:
//   $1, $2 …         parameters
//   IN {ints $1}     the integers of a JSON array text: int_set()
//   IN {texts $1}    the strings of a JSON array text: text_set()
//   {for_update}     at the end of a SELECT: locks its rows
//   {skip_locked}    the same, passing over rows that another transaction holds
//   {clock $1}       milliseconds since the epoch: by the server's clock where there is one, at this moment; on SQLite
//   $1 {max}(a, b)      the greater of two values that are not null; {min} the lesser
// Elsewhere than after IN, {ints $1} and {texts $1} are subqueries with one column, `value`.
#pragma once
#include <string>
#include <string_view>

namespace myelin::db {

enum class Dialect { kSqlite, kPostgres };

std::string translate_statement(std::string_view text, Dialect);  // throws Failure on an unknown token
// BIGINT, TEXT, BYTEA and WITHOUT ROWID become what each dialect calls them. Text is compared by its bytes on both, and
// SQLite's tables are STRICT: a text is not stored in a BYTEA column, nor a Blob in a TEXT column, on either.
std::string translate_migration(std::string_view text, Dialect);

template <class Numbers>
std::string int_set(const Numbers& numbers) {
  std::string out = "[";
  for (auto number : numbers) {
    if (out.size() > 1) out += ',';
    out += std::to_string(number);
  }
  return out += ']';
}
void append_json_string(std::string& out, std::string_view text);
// Without texts that hold a NUL: no column does.
template <class Texts>
std::string text_set(const Texts& texts) {
  std::string out = "[";
  for (const auto& text : texts) {
    if (std::string_view(text).find('\0') != std::string_view::npos) continue;
    if (out.size() > 1) out += ',';
    append_json_string(out, text);
  }
  return out += ']';
}

}  // namespace myelin::db
