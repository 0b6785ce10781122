// Bytes and their text forms. A std::string holds bytes.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace myelin {

std::string base64(std::string_view bytes);     // unpadded (appendices, Unpadded Base64)
std::string base64url(std::string_view bytes);  // unpadded, - and _
std::optional<std::string> from_base64(
    std::string_view text);  // either alphabet, padding optional; nullopt if malformed
// As Python's decoder reads it, and with it Synapse: other characters of ASCII are skipped, and
// padding that completes a group ends it. nullopt: another character, or an incomplete group.
std::optional<std::string> from_loose_base64(std::string_view text);
std::string hex(std::string_view bytes);
std::string sha256(std::string_view bytes);  // 32 bytes
std::string ascii_lower(std::string text);   // A-Z only
bool equal_constant_time(std::string_view a, std::string_view b);

inline std::span<const uint8_t> as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// Unsigned LEB128. read_varint moves `in` past the number; nullopt if cut short or over 64 bits.
void append_varint(std::string& out, uint64_t value);
std::optional<uint64_t> read_varint(std::string_view& in);
void append_string(std::string& out, std::string_view text);  // length, then bytes
std::optional<std::string_view> read_string(std::string_view& in);

}  // namespace myelin
