// JSON from the network, with limits; canonical JSON (appendices, Canonical JSON); access to fields. Any thread.
#pragma once
#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace myelin::json {

using Value = boost::json::value;
using Object = boost::json::object;
using Array = boost::json::array;

struct ParseLimits {
  size_t bytes = 1024 * 1024;
  unsigned depth = 100;
};
// Rejects what two parsers could read differently: duplicate keys, lone surrogates, invalid UTF-8, numbers outside the
// grammar, trailing bytes. kNotJson (malformed), kBadJson (duplicates, depth), kTooLarge.
Result<Value> parse(std::string_view text, ParseLimits = {});
Result<Object> parse_object(std::string_view text, ParseLimits = {});  // and kBadJson unless it is an object

enum class CanonicalMode {
  kStrict,  // room versions >= 6: integers in ±(2^53 − 1), nothing else numeric
  kLax,     // room versions < 6: what is found in the wild is kept
};
// kBadJson when a number is not allowed.
Result<std::string> canonical(const Value&, CanonicalMode);
Result<std::string> canonical(const Object&, CanonicalMode);

// Fields by type; nullptr / nullopt when absent or of another type.
const Object* object_at(const Object&, std::string_view key);
const Array* array_at(const Object&, std::string_view key);
std::optional<std::string_view> string_at(const Object&, std::string_view key);
std::optional<int64_t> integer_at(const Object&, std::string_view key);
std::optional<bool> bool_at(const Object&, std::string_view key);

std::string serialize(const Value&);   // for clients: order kept, no spaces
std::string serialize(const Object&);

}  // namespace myelin::json
