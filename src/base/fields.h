// Fields of a record, one after the other, as messages and small rows hold them. A form is extended by fields at its
// end: who does not know them does not read them (docs/upgrades.md).
#pragma once
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace myelin {

inline void append_signed(std::string& out, int64_t value) {  // zigzag
  append_varint(out, static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63));
}

// After the first field that is cut short everything reads as empty, and ok() is false.
class FieldReader {
 public:
  explicit FieldReader(std::string_view in) : in_(in) {}
  bool ok() const { return ok_; }
  bool at_end() const { return in_.empty(); }
  uint64_t number() {
    auto value = ok_ ? read_varint(in_) : std::nullopt;
    ok_ = value.has_value();
    return value.value_or(0);
  }
  int64_t signed_number() {
    auto value = number();
    return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
  }
  std::string text() {
    auto value = ok_ ? read_string(in_) : std::nullopt;
    ok_ = value.has_value();
    return std::string(value.value_or(""));
  }

 private:
  std::string_view in_;
  bool ok_ = true;
};

}  // namespace myelin
