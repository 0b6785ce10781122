#include "matrix/glob.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ranges>

#include "base/bytes.h"

namespace myelin {
namespace {

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }
bool is_continuation(unsigned char c) { return (c & 0xC0) == 0x80; }  // of a UTF-8 sequence

bool is_boundary(std::string_view text, size_t i) {
  return i == 0 || i == text.size() || !is_word(text[i - 1]) || !is_word(text[i]);
}

bool contains(std::string_view text, std::string_view part) {
  return memmem(text.data(), text.size(), part.data(), part.size()) != nullptr;  // in linear time
}
void add(uint64_t* set, size_t i) { set[i / 64] |= uint64_t{1} << (i % 64); }

// One character for one, so that "?" stands for as much as before: where the full folding is longer ("ß": "ss"), the
// lower case. None becomes one of ASCII (the Kelvin sign a "k"): those are what words are made of.
utf8proc_int32_t fold(utf8proc_int32_t character) {
  std::array<utf8proc_int32_t, 4> full{};
  int boundary_class = 0;
  auto length = utf8proc_decompose_char(character, full.data(), full.size(), UTF8PROC_CASEFOLD, &boundary_class);
  auto folded = length == 1 ? full[0] : utf8proc_tolower(character);
  return folded < 0x80 && character >= 0x80 ? character : folded;
}

}  // namespace

Glob::Glob(std::string_view pattern, Wildcards wildcards) {
  bool has_question = wildcards == Wildcards::kStarAndQuestionMark && pattern.contains('?');
  if (has_question)
    make_automaton(pattern);
  else
    split(pattern, wildcards);
}

void Glob::split(std::string_view pattern, Wildcards wildcards) {
  if (wildcards == Wildcards::kNone) {
    parts_.push_back(part(pattern));
  } else {
    for (auto piece : std::views::split(pattern, '*')) parts_.push_back(part(std::string_view(piece)));
    if (pattern.empty()) parts_.push_back(part(pattern));
  }
  literal_ = std::ranges::max(parts_, {}, [](const Part& each) { return each.text.size(); }).text;
}

Glob::Part Glob::part(std::string_view text) {
  std::vector<uint32_t> borders(text.size() + 1);
  for (size_t length = 2, border = 0; length <= text.size(); ++length) {
    while (border > 0 && text[border] != text[length - 1]) border = borders[border];
    if (text[border] == text[length - 1]) ++border;
    borders[length] = static_cast<uint32_t>(border);
  }
  return {std::string(text), std::move(borders)};
}

// Where the part begins for the first time from `from` on in a place that is accepted; npos. Never goes back in the
// text.
template <class Accept>
size_t Glob::find(const Part& part, std::string_view text, size_t from, Accept accept) {
  if (part.text.empty()) return accept(from) ? from : text.npos;
  size_t matched = 0;
  for (size_t i = from; i < text.size(); ++i) {
    while (matched > 0 && (matched == part.text.size() || part.text[matched] != text[i]))
      matched = part.borders[matched];
    if (part.text[matched] == text[i]) ++matched;
    if (matched == part.text.size() && accept(i + 1 - matched)) return i + 1 - matched;
  }
  return text.npos;
}

bool Glob::matches_parts(std::string_view text) const {
  auto &first = parts_.front().text, &last = parts_.back().text;
  if (parts_.size() == 1) return text == first;
  if (text.size() < first.size() + last.size() || !text.starts_with(first) || !text.ends_with(last)) return false;
  text = text.substr(first.size(), text.size() - first.size() - last.size());
  size_t from = 0;
  for (size_t i = 1; i + 1 < parts_.size(); ++i) {
    from = find(parts_[i], text, from, [](size_t) { return true; });
    if (from == text.npos) return false;
    from += parts_[i].text.size();
  }
  return true;
}

// The first place for each part leaves the most to those behind it.
bool Glob::matches_parts_by_words(std::string_view text) const {
  size_t from = 0;
  for (size_t i = 0; i < parts_.size(); ++i) {
    size_t size = parts_[i].text.size();
    bool first = i == 0, last = i + 1 == parts_.size();
    if (last && !first && size == 0) return true;  // the rest of the text
    from = find(parts_[i], text, from, [&](size_t at) {
      return (!first || is_boundary(text, at)) && (!last || is_boundary(text, at + size));
    });
    if (from == text.npos) return false;
    from += size;
  }
  return true;
}

// State i of the automaton: the first i elements are matched. Bit i of a byte's mask: the byte takes state i - 1 to i.
void Glob::make_automaton(std::string_view pattern) {
  auto is_wildcard = [](char c) { return c == '*' || c == '?'; };
  for (auto from = pattern.begin(); from != pattern.end();) {
    auto to = std::find_if(from, pattern.end(), is_wildcard);
    if (static_cast<size_t>(to - from) > literal_.size()) literal_.assign(from, to);
    from = std::find_if_not(to, pattern.end(), is_wildcard);
  }
  length_ = pattern.size() - static_cast<size_t>(std::ranges::count(pattern, '*'));
  words_ = length_ / 64 + 1;
  class_of_.resize(256);
  stars_.resize(words_);
  questions_.resize(words_);
  size_t rows = 1;
  for (char c : pattern)
    if (auto& row = class_of_[static_cast<unsigned char>(c)]; !is_wildcard(c) && row == 0)
      row = static_cast<uint8_t>(rows++);
  masks_.resize(rows * words_);
  size_t state = 0;
  for (char c : pattern) {
    if (c == '*') {
      add(stars_.data(), state);
      continue;
    }
    ++state;
    if (c == '?')
      add(questions_.data(), state);
    else
      add(&masks_[class_of_[static_cast<unsigned char>(c)] * words_], state);
  }
}

bool Glob::run(std::string_view text, Where where) const {
  std::vector<uint64_t> many;
  uint64_t one = 0;
  uint64_t* states = &one;
  if (words_ > 1) {
    many.resize(words_);
    states = many.data();
  }
  if (where == Where::kWhole) states[0] = 1;
  for (size_t i = 0;; ++i) {
    if (where == Where::kWords && is_boundary(text, i)) {
      states[0] |= 1;
      if (states[length_ / 64] >> (length_ % 64) & 1) return true;
    }
    if (i == text.size()) break;
    auto byte = static_cast<unsigned char>(text[i]);
    const uint64_t* mask = &masks_[class_of_[byte] * words_];
    uint64_t carry = 0, any = 0;
    bool inside = is_continuation(byte);  // "?" takes a whole code point: its first byte, then stays for the others
    for (size_t w = 0; w < words_; ++w) {
      uint64_t moved = states[w] << 1 | carry;
      carry = states[w] >> 63;
      states[w] = (moved & (inside ? mask[w] : mask[w] | questions_[w])) |
                  (states[w] & (inside ? stars_[w] | questions_[w] : stars_[w]));
      any |= states[w];
    }
    if (any == 0 && where == Where::kWhole) return false;
  }
  return where == Where::kWhole && (states[length_ / 64] >> (length_ % 64) & 1);
}

bool Glob::matches(std::string_view text) const {
  if (!parts_.empty()) return matches_parts(text);
  return contains(text, literal_) && run(text, Where::kWhole);
}
bool Glob::matches_words(std::string_view text) const {
  if (!contains(text, literal_)) return false;
  return parts_.empty() ? run(text, Where::kWords) : matches_parts_by_words(text);
}

size_t Glob::memory_bytes() const {
  size_t words = masks_.size() + stars_.size() + questions_.size();
  size_t bytes = literal_.size() + class_of_.size() + words * sizeof(uint64_t);
  for (auto& part : parts_) bytes += sizeof(part) + part.text.size() + part.borders.size() * sizeof(uint32_t);
  return bytes;
}

std::string fold_case(std::string_view text) {
  auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  if (std::ranges::all_of(text, is_ascii)) return ascii_lower(std::string(text));
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    utf8proc_int32_t character = 0;
    auto rest = as_bytes(text.substr(i));
    auto length = utf8proc_iterate(rest.data(), static_cast<utf8proc_ssize_t>(rest.size()), &character);
    if (length <= 0) {  // not UTF-8
      out += text[i++];
      continue;
    }
    std::array<utf8proc_uint8_t, 4> folded{};
    auto folded_length = utf8proc_encode_char(fold(character), folded.data());
    out.append(folded.begin(), folded.begin() + folded_length);
    i += static_cast<size_t>(length);
  }
  return out;
}

}  // namespace myelin
