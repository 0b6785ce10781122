#include "matrix/json.h"

#include <algorithm>
#include <bit>
#include <boost/json/basic_parser_impl.hpp>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace myelin::json {
namespace {

constexpr int64_t kMaxInteger = (int64_t{1} << 53) - 1;  // appendices, Canonical JSON

// "12e3" as an integer: a whole number written with an exponent. nullopt: it has a fraction, or is so large that the
// float is written with an exponent too (append_double) and must be read back as one.
std::optional<int64_t> whole_number(std::string_view text) {
  size_t e = text.find_first_of(".eE");
  if (e == text.npos || text[e] == '.') return std::nullopt;
  int64_t value = 0;
  if (std::from_chars(text.data(), text.data() + e, value).ec != std::errc()) return std::nullopt;
  std::string_view exponent_text = text.substr(e + 1);
  if (exponent_text.starts_with('+')) exponent_text.remove_prefix(1);
  unsigned exponent = 0;
  auto end = exponent_text.data() + exponent_text.size();
  auto [stop, error] = std::from_chars(exponent_text.data(), end, exponent);
  if (error != std::errc() || stop != end) return std::nullopt;
  if (value == 0) return 0;
  constexpr int64_t kLimit = 10'000'000'000'000'000;
  for (; exponent > 0 && value < kLimit && value > -kLimit; --exponent) value *= 10;
  if (exponent > 0 || value >= kLimit || value <= -kLimit) return std::nullopt;
  return value;
}

// Integers of more than 64 bits, by their digits. In the value stands a NaN with the place in this list, which no text
// can make.
using WideIntegers = std::vector<std::string>;
constexpr uint64_t kWideInteger = 0x7FF8'0000'0000'0000;

bool is_integer(std::string_view number) { return number.find_first_of(".eE") == number.npos; }

// Builds the value, and reads numbers itself: Boost's doubles are not correctly rounded.
struct Handler {
  static constexpr size_t max_object_size = size_t(-1), max_array_size = size_t(-1), max_key_size = size_t(-1),
                          max_string_size = size_t(-1);
  using error_code = boost::system::error_code;
  using text = boost::json::string_view;

  bool integers_only, except_unsigned;
  WideIntegers* wide;  // null: integers of more than 64 bits become doubles
  alignas(Value) unsigned char buffer[4096];
  boost::json::value_stack stack{{}, buffer, sizeof buffer};
  size_t keys = 0;            // in the text
  size_t depth = 0;           // of what is being read
  bool in_unsigned = false;   // in the `unsigned` of the outermost object
  const char* bad = nullptr;  // why we, not Boost, refused
  std::string number, key;    // the start of one that Boost handed over in parts

  Handler(const ParseLimits& limits, WideIntegers* kept)
      : integers_only(limits.integers_only), except_unsigned(limits.except_unsigned), wide(kept) {
    stack.reset();
  }

  bool refuse(const char* why, error_code& error) {
    bad = why;
    error = boost::json::error::syntax;
    return false;
  }
  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) { return ++depth, true; }
  bool on_object_end(size_t n, error_code&) { return --depth, keys += n, stack.push_object(n), true; }
  bool on_array_begin(error_code&) { return ++depth, true; }
  bool on_array_end(size_t n, error_code&) { return --depth, stack.push_array(n), true; }
  bool on_key_part(text s, size_t, error_code&) {
    if (except_unsigned && depth == 1) key.append(s.data(), s.size());
    return stack.push_chars(s), true;
  }
  bool on_key(text s, size_t, error_code&) {
    if (except_unsigned && depth == 1) {
      in_unsigned = key.append(s.data(), s.size()) == "unsigned";
      key.clear();
    }
    return stack.push_key(s), true;
  }
  bool on_string_part(text s, size_t, error_code&) { return stack.push_chars(s), true; }
  bool on_string(text s, size_t, error_code&) { return stack.push_string(s), true; }
  bool on_number_part(text s, error_code&) { return number.append(s.data(), s.size()), true; }
  bool on_int64(int64_t, text s, error_code& error) { return on_number(s, error); }
  bool on_uint64(uint64_t, text s, error_code& error) { return on_number(s, error); }
  bool on_double(double, text s, error_code& error) { return on_number(s, error); }
  bool on_bool(bool b, error_code&) { return stack.push_bool(b), true; }
  bool on_null(error_code&) { return stack.push_null(), true; }
  bool on_comment_part(text, error_code&) { return true; }
  bool on_comment(text, error_code&) { return true; }

  bool on_number(text last_part, error_code& error) {
    std::string_view s(last_part.data(), last_part.size());
    if (!number.empty()) s = number.append(s);
    bool ok = push_number(s, error);
    number.clear();
    return ok;
  }
  bool push_number(std::string_view s, error_code& error) {
    const char* end = s.data() + s.size();
    bool is_free = except_unsigned && in_unsigned, integers = integers_only && !is_free;
    int64_t integer = 0;
    if (auto [stop, failed] = std::from_chars(s.data(), end, integer); stop == end && failed == std::errc()) {
      if (integers && (integer > kMaxInteger || integer < -kMaxInteger))
        return refuse("a number is out of range", error);
      return stack.push_int64(integer), true;
    }
    if (integers) return refuse("a number is not an integer in range", error);
    uint64_t natural = 0;
    if (auto [stop, failed] = std::from_chars(s.data(), end, natural); stop == end && failed == std::errc())
      return stack.push_uint64(natural), true;
    if (wide && is_integer(s)) {
      stack.push_double(std::bit_cast<double>(kWideInteger + wide->size()));
      wide->emplace_back(s);
      return true;
    }
    if (auto whole = whole_number(s)) return stack.push_int64(*whole), true;
    double real = 0;
    auto [stop, failed] = std::from_chars(s.data(), end, real);
    bool out_of_range = failed == std::errc::result_out_of_range;
    if (out_of_range) real = std::strtod(std::string(s).c_str(), nullptr);  // zero where it is too small
    if (std::isinf(real) && is_integer(s)) real = std::copysign(std::numeric_limits<double>::max(), real);
    if (stop != end || (failed != std::errc() && !out_of_range) || (std::isinf(real) && !is_free))
      return refuse("a number is out of range", error);
    return stack.push_double(real), true;
  }
};

size_t count_keys(const Value& value) {
  size_t count = 0;
  if (auto object = value.if_object()) {
    count = object->size();
    for (auto& member : *object)
      if (member.value().is_structured()) count += count_keys(member.value());
  } else if (auto array = value.if_array()) {
    for (auto& element : *array)
      if (element.is_structured()) count += count_keys(element);
  }
  return count;
}

// The first byte from `i` that JSON must escape, or text.size(). Eight bytes at a time.
size_t next_to_escape(std::string_view text, size_t i) {
  constexpr uint64_t kOnes = 0x0101010101010101, kHighs = 0x8080808080808080;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    uint64_t quote = word ^ (kOnes * '"'), backslash = word ^ (kOnes * '\\');
    uint64_t hit = ((word - kOnes * 0x20) & ~word) | ((quote - kOnes) & ~quote) | ((backslash - kOnes) & ~backslash);
    if (hit & kHighs) break;
  }
  for (; i < text.size(); ++i) {
    unsigned char c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c == '"' || c == '\\') break;
  }
  return i;
}

void append_escaped(std::string& out, char c) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '\\';
  switch (c) {
    case '"':
    case '\\':
      out += c;
      break;
    case '\b':
      out += 'b';
      break;
    case '\t':
      out += 't';
      break;
    case '\n':
      out += 'n';
      break;
    case '\f':
      out += 'f';
      break;
    case '\r':
      out += 'r';
      break;
    default:
      out += "u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
  }
}

// The shortest text that reads back as the same double; a fraction or exponent always shows, so that a float stays one.
void append_double(std::string& out, double value) {
  char buffer[32];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  std::string_view text(buffer, static_cast<size_t>(end - buffer));
  if (text.starts_with('-')) {
    out += '-';
    text.remove_prefix(1);
  }
  size_t e = text.find('e');
  int exponent = 0;
  std::from_chars(text.data() + e + (text[e + 1] == '+' ? 2 : 1), end, exponent);
  std::string digits(1, text[0]);
  if (e > 1) digits += text.substr(2, e - 2);
  int count = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    out += digits[0];
    if (count > 1) out.append(1, '.').append(digits, 1);
    out += text.substr(e);  // to_chars writes the sign and at least two digits
  } else if (exponent < 0) {
    out.append("0.").append(static_cast<size_t>(-exponent - 1), '0').append(digits);
  } else if (count <= exponent + 1) {
    out.append(digits).append(static_cast<size_t>(exponent + 1 - count), '0').append(".0");
  } else {
    size_t whole = static_cast<size_t>(exponent) + 1;
    out.append(digits, 0, whole).append(1, '.').append(digits, whole);
  }
}

enum class Order : bool { kKept, kSorted };

template <Order kOrder, bool kStrict>
class Writer {
 public:
  explicit Writer(std::string& out, const WideIntegers* wide = nullptr) : out_(out), wide_(wide) {}
  bool ok() const { return ok_; }

  void value(const Value& v) {
    switch (v.kind()) {
      case boost::json::kind::null:
        out_ += "null";
        break;
      case boost::json::kind::bool_:
        out_ += v.get_bool() ? "true" : "false";
        break;
      case boost::json::kind::int64:
        integer(v.get_int64());
        break;
      case boost::json::kind::uint64:
        if (kStrict && v.get_uint64() > uint64_t{kMaxInteger}) ok_ = false;
        number(v.get_uint64());
        break;
      case boost::json::kind::double_:
        if (!kStrict && wide_ && std::isnan(v.get_double())) {
          out_ += (*wide_)[std::bit_cast<uint64_t>(v.get_double()) - kWideInteger];
        } else if (kStrict || !std::isfinite(v.get_double())) {
          ok_ = false;
          out_ += "null";
        } else {
          append_double(out_, v.get_double());
        }
        break;
      case boost::json::kind::string:
        append_quoted(out_, v.get_string());
        break;
      case boost::json::kind::array:
        array(v.get_array());
        break;
      case boost::json::kind::object:
        object(v.get_object(), {});
        break;
    }
  }
  void object(const Object& o, std::initializer_list<std::string_view> skipped) {
    constexpr size_t kFew = 32;
    const boost::json::key_value_pair* few[kFew];
    std::vector<const boost::json::key_value_pair*> many;
    auto members = few;
    if (o.size() > kFew) {
      many.resize(o.size());
      members = many.data();
    }
    size_t count = 0;
    bool sorted = true;
    for (auto& member : o) {
      if (skipped.size() != 0 && std::ranges::find(skipped, std::string_view(member.key())) != skipped.end()) continue;
      if (kOrder == Order::kSorted && count > 0 && sorted) sorted = members[count - 1]->key() < member.key();
      members[count++] = &member;
    }
    if (!sorted) std::sort(members, members + count, [](auto a, auto b) { return a->key() < b->key(); });
    out_ += '{';
    for (size_t i = 0; i < count; ++i) {
      if (i > 0) out_ += ',';
      append_quoted(out_, members[i]->key());
      out_ += ':';
      value(members[i]->value());
    }
    out_ += '}';
  }

 private:
  void array(const Array& a) {
    out_ += '[';
    bool first = true;
    for (auto& element : a) {
      if (!std::exchange(first, false)) out_ += ',';
      value(element);
    }
    out_ += ']';
  }
  void integer(int64_t i) {
    if (kStrict && (i > kMaxInteger || i < -kMaxInteger)) ok_ = false;
    number(i);
  }
  template <class Integer>
  void number(Integer i) {
    char buffer[24];
    out_.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, i).ptr);
  }

  std::string& out_;
  const WideIntegers* wide_;
  bool ok_ = true;
};

template <class Write>
Result<std::string> canonical_with(CanonicalMode mode, Write write, const WideIntegers* wide = nullptr) {
  std::string out;
  out.reserve(1024);
  bool ok = false;
  if (mode == CanonicalMode::kStrict) {
    Writer<Order::kSorted, true> writer(out, wide);
    write(writer);
    ok = writer.ok();
  } else {
    Writer<Order::kSorted, false> writer(out, wide);
    write(writer);
    ok = writer.ok();
  }
  if (!ok) return fail(Code::kBadJson, "a number is not an integer in the range that canonical JSON allows");
  return out;
}

Result<Value> parse_keeping(std::string_view text, ParseLimits limits, WideIntegers* wide) {
  if (text.size() > limits.bytes) return fail(Code::kTooLarge, "the JSON is too large");
  boost::json::parse_options options;
  options.max_depth = limits.depth;
  boost::json::basic_parser<Handler> parser(options, limits, wide);
  boost::system::error_code error;
  size_t read = parser.write_some(false, text.data(), text.size(), error);
  Handler& handler = parser.handler();
  if (handler.bad) return fail(Code::kBadJson, handler.bad);
  if (error == boost::json::error::too_deep) return fail(Code::kBadJson, "the JSON is nested too deeply");
  if (error) return fail(Code::kNotJson, "the text is not JSON: " + error.message());
  if (text.find_first_not_of(" \t\r\n", read) != text.npos) return fail(Code::kNotJson, "bytes after the JSON");
  Value value = handler.stack.release();
  if (count_keys(value) != handler.keys) return fail(Code::kBadJson, "a key appears twice in a JSON object");
  return value;
}

}  // namespace

Result<Value> parse(std::string_view text, ParseLimits limits) { return parse_keeping(text, limits, nullptr); }

Result<Object> parse_object(std::string_view text, ParseLimits limits) {
  MYELIN_TRY(Value value, parse(text, limits));
  if (!value.is_object()) return fail(Code::kBadJson, "not a JSON object");
  return std::move(value.get_object());
}

Result<std::string> canonical(const Value& value, CanonicalMode mode) {
  return canonical_with(mode, [&](auto& writer) { writer.value(value); });
}
Result<std::string> canonical(const Object& object, CanonicalMode mode) {
  return canonical_with(mode, [&](auto& writer) { writer.object(object, {}); });
}
Result<std::string> canonical_text(std::string_view text, CanonicalMode mode, ParseLimits limits) {
  WideIntegers wide;
  MYELIN_TRY(Value value, parse_keeping(text, limits, &wide));
  return canonical_with(mode, [&](auto& writer) { writer.value(value); }, &wide);
}
Result<std::string> canonical_without(const Object& object, std::initializer_list<std::string_view> keys,
                                      CanonicalMode mode) {
  return canonical_with(mode, [&](auto& writer) { writer.object(object, keys); });
}

bool append_canonical(std::string& out, const Value& value, CanonicalMode mode) {
  if (mode == CanonicalMode::kStrict) {
    Writer<Order::kSorted, true> writer(out);
    writer.value(value);
    return writer.ok();
  }
  Writer<Order::kSorted, false> writer(out);
  writer.value(value);
  return writer.ok();
}

std::string serialize(const Value& value) {
  std::string out;
  Writer<Order::kKept, false>(out).value(value);
  return out;
}
std::string serialize(const Object& object) {
  std::string out;
  Writer<Order::kKept, false>(out).object(object, {});
  return out;
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (size_t from = 0;;) {
    size_t to = next_to_escape(text, from);
    out.append(text, from, to - from);
    if (to == text.size()) break;
    append_escaped(out, text[to]);
    from = to + 1;
  }
  out += '"';
}

bool is_deeper_than(unsigned depth, const Value& value) {
  if (auto object = value.if_object()) return is_deeper_than(depth, *object);
  auto array = value.if_array();
  if (!array) return false;
  return depth == 0 || std::ranges::any_of(*array, [&](auto& each) { return is_deeper_than(depth - 1, each); });
}
bool is_deeper_than(unsigned depth, const Object& object) {
  return depth == 0 ||
         std::ranges::any_of(object, [&](auto& member) { return is_deeper_than(depth - 1, member.value()); });
}

const Object* object_at(const Object& object, std::string_view key) {
  auto value = object.if_contains(key);
  return value ? value->if_object() : nullptr;
}
const Array* array_at(const Object& object, std::string_view key) {
  auto value = object.if_contains(key);
  return value ? value->if_array() : nullptr;
}
std::optional<std::string_view> string_at(const Object& object, std::string_view key) {
  auto value = object.if_contains(key);
  if (!value || !value->is_string()) return std::nullopt;
  return std::string_view(value->get_string());
}
std::optional<int64_t> integer_at(const Object& object, std::string_view key) {
  auto value = object.if_contains(key);
  if (!value || !value->is_int64()) return std::nullopt;
  return value->get_int64();
}
std::optional<bool> bool_at(const Object& object, std::string_view key) {
  auto value = object.if_contains(key);
  if (!value || !value->is_bool()) return std::nullopt;
  return value->get_bool();
}

}  // namespace myelin::json
