// JSON from the network, with limits; canonical JSON (appendices, Canonical JSON); access to fields. Any thread.
#pragma once
#include <boost/json.hpp>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace myelin::json {

using Value = boost::json::value;
using Object = boost::json::object;
using Array = boost::json::array;

// How deeply JSON may be nested: what clients send; the PDUs that may be made of it, ours and others'; PDUs in our
// database, whose form earlier releases may have chosen; what is put together of those: transactions, answers.
inline constexpr unsigned kMaxBodyDepth = 100, kMaxPduDepth = 128, kMaxStoredDepth = 256, kMaxTransactionDepth = 1000;
static_assert(kMaxBodyDepth < kMaxPduDepth && kMaxPduDepth < kMaxStoredDepth && kMaxStoredDepth < kMaxTransactionDepth);

struct ParseLimits {
  size_t bytes = 1024 * 1024;
  unsigned depth = kMaxBodyDepth;
  bool integers_only = false;  // kBadJson for any number but a plain integer in ±(2^53 − 1): PDUs of room versions >= 6
  bool except_unsigned = false;  // … save in the `unsigned` of the outermost object: what is infinite there is kept so
};
// Rejects what two parsers could read differently: duplicate keys, lone surrogates, invalid UTF-8, numbers outside the
// grammar, trailing bytes. kNotJson (malformed), kBadJson (duplicates, depth, numbers), kTooLarge. A whole number is an
// int64 or uint64 if it fits, "1e10" too; a larger one, and a number with a fraction, is the nearest double. Values own
// their memory. No choice of keys makes reading, copying or comparing slower than linear: base/boost_json.cc.
Result<Value> parse(std::string_view text, ParseLimits = {});
Result<Object> parse_object(std::string_view text, ParseLimits = {});  // and kBadJson unless it is an object

enum class CanonicalMode {
  kStrict,  // room versions >= 6: integers in ±(2^53 − 1), nothing else numeric
  kLax,     // room versions < 6: what is found in the wild is kept
};
// kBadJson when a number is not allowed.
Result<std::string> canonical(const Value&, CanonicalMode);
Result<std::string> canonical(const Object&, CanonicalMode);
// The same without some of the top-level keys: what is hashed and signed.
Result<std::string> canonical_without(const Object&, std::initializer_list<std::string_view> keys, CanonicalMode);

// The same of JSON text, in which integers keep their digits however many they are: a Value has 64 bits for one. Errors
// as those of parse() too.
Result<std::string> canonical_text(std::string_view text, CanonicalMode, ParseLimits = {});

// Appends; false when a number is not allowed (`out` is then useless).
bool append_canonical(std::string& out, const Value&, CanonicalMode);

// Fields by type; nullptr / nullopt when absent or of another type.
const Object* object_at(const Object&, std::string_view key);
const Array* array_at(const Object&, std::string_view key);
std::optional<std::string_view> string_at(const Object&, std::string_view key);
std::optional<int64_t> integer_at(const Object&, std::string_view key);
std::optional<bool> bool_at(const Object&, std::string_view key);

std::string serialize(const Value&);  // for clients: order kept, no spaces
std::string serialize(const Object&);

bool is_deeper_than(unsigned depth, const Value&);  // is nested more deeply than that
bool is_deeper_than(unsigned depth, const Object&);

// Pieces for those that build JSON text themselves. Appends `text` as a JSON string, quotes included.
void append_quoted(std::string& out, std::string_view text);

}  // namespace myelin::json
