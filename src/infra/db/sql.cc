#include "infra/db/sql.h"

#include "infra/db/db.h"

namespace myelin::db {
namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// Copies a quoted literal or identifier, quotes included; returns the index after it.
size_t copy_quoted(std::string_view text, size_t at, std::string& out) {
  char quote = text[at];
  size_t end = at + 1;
  while (end < text.size() && text[end] != quote) ++end;
  end = std::min(end + 1, text.size());
  out.append(text.substr(at, end - at));
  return end;
}

bool strip_suffix(std::string& out, std::string_view suffix) {
  auto end = out.find_last_not_of(' ');
  auto size = end == std::string::npos ? 0 : end + 1;
  if (!std::string_view(out).substr(0, size).ends_with(suffix)) return false;
  auto before = size - suffix.size();
  if (before > 0 && is_word(out[before - 1])) return false;
  out.resize(before);
  return true;
}

void append_set(std::string_view kind, std::string_view parameter, Dialect dialect, std::string& out) {
  if (dialect == Dialect::kSqlite) {
    out += fmt::format("(SELECT value FROM json_each(?{}))", parameter.substr(1));
    return;
  }
  auto rows = fmt::format("SELECT value{} AS value FROM json_array_elements_text({}::json)",
                          kind == "ints" ? "::bigint" : "", parameter);
  if (!strip_suffix(out, "IN")) {
    out += "(" + rows + ")";
  } else if (strip_suffix(out, "NOT")) {
    out += "<> ALL(ARRAY(" + rows + "))";
  } else {
    out += "= ANY(ARRAY(" + rows + "))";
  }
}

void append_token(std::string_view token, Dialect dialect, std::string& out) {
  bool sqlite = dialect == Dialect::kSqlite;
  if (token == "for_update") {
    if (!sqlite) out += "FOR UPDATE";
  } else if (token == "skip_locked") {
    if (!sqlite) {
      if (strip_suffix(out, "FOR UPDATE")) out += ' ';
      out += "FOR UPDATE SKIP LOCKED";
    }
  } else if (token == "max") {
    out += sqlite ? "MAX" : "GREATEST";
  } else if (token == "min") {
    out += sqlite ? "MIN" : "LEAST";
  } else if (token.starts_with("clock $")) {
    if (sqlite)
      out += fmt::format("?{}", token.substr(token.find('$') + 1));
    else
      out += "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
  } else if (token.starts_with("ints $") || token.starts_with("texts $")) {
    auto space = token.find(' ');
    append_set(token.substr(0, space), token.substr(space + 1), dialect, out);
  } else {
    throw Failure({Code::kInternal, fmt::format("unknown token {{{}}} in a statement", token)});
  }
}

}  // namespace

std::string translate_statement(std::string_view text, Dialect dialect) {
  std::string out;
  out.reserve(text.size() + 64);
  for (size_t i = 0; i < text.size();) {
    char c = text[i];
    if (c == '\'' || c == '"') {
      i = copy_quoted(text, i, out);
    } else if (c == '{') {
      auto end = text.find('}', i);
      if (end == std::string_view::npos) throw Failure({Code::kInternal, "an unclosed token in a statement"});
      append_token(text.substr(i + 1, end - i - 1), dialect, out);
      i = end + 1;
    } else {
      out += c == '$' && dialect == Dialect::kSqlite ? '?' : c;
      ++i;
    }
  }
  return out;
}

namespace {

// A migration's words, quoted texts and single other characters, without comments.
struct Word {
  std::string text;
  bool apart = false;  // from what stands before it
};

std::vector<Word> words_of(std::string_view text) {
  std::vector<Word> words;
  bool apart = false;
  for (size_t i = 0; i < text.size();) {
    char c = text[i];
    if (c == '-' && text.substr(i, 2) == "--") {
      i = std::min(text.find('\n', i), text.size());
      continue;
    }
    if (std::isspace(static_cast<unsigned char>(c)) != 0) {
      apart = true;
      ++i;
      continue;
    }
    Word word{"", apart};
    if (c == '\'' || c == '"') {
      i = copy_quoted(text, i, word.text);
    } else if (is_word(c)) {
      while (i < text.size() && is_word(text[i])) word.text += text[i++];
    } else {
      word.text = text[i++];
    }
    words.push_back(std::move(word));
    apart = false;
  }
  return words;
}

std::string_view type_name(std::string_view word, Dialect dialect) {
  if (dialect == Dialect::kPostgres) return word == "TEXT" ? "TEXT COLLATE \"C\"" : word;
  if (word == "BYTEA") return "BLOB";
  return word == "BIGINT" ? "INTEGER" : word;
}

}  // namespace

std::string translate_migration(std::string_view text, Dialect dialect) {
  auto words = words_of(text);
  bool sqlite = dialect == Dialect::kSqlite;
  bool table = false, rowid = true;
  std::string out;
  for (size_t i = 0; i < words.size(); ++i) {
    const auto& word = words[i].text;
    auto next = i + 1 < words.size() ? std::string_view(words[i + 1].text) : std::string_view();
    if (word == "WITHOUT" && next == "ROWID") {
      rowid = false;
      ++i;
      if (sqlite) out += " WITHOUT ROWID";
      continue;
    }
    if (word == "CREATE") table = next == "TABLE";
    if (word == ";") {
      if (sqlite && table) out += rowid ? " STRICT" : ", STRICT";  // so that types are as strict as on PostgreSQL
      table = false;
      rowid = true;
    }
    if (words[i].apart && !out.empty()) out += ' ';
    out += type_name(word, dialect);
  }
  return out;
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out += c;
    }
  }
  out += '"';
}

}  // namespace myelin::db
