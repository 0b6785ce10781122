#include "base/bytes.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <sodium.h>

#include <array>

namespace myelin {
namespace {
std::string encode64(std::string_view in, const char* alphabet) {
  std::string out;
  out.reserve((in.size() * 4 + 2) / 3);
  uint32_t bits = 0;
  int have = 0;
  for (unsigned char byte : in) {
    bits = bits << 8 | byte;
    for (have += 8; have >= 6; have -= 6) out += alphabet[bits >> (have - 6) & 63];
  }
  if (have > 0) out += alphabet[bits << (6 - have) & 63];
  return out;
}

int value64(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return -1;
}
}  // namespace

std::string base64(std::string_view bytes) {
  return encode64(bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
}
std::string base64url(std::string_view bytes) {
  return encode64(bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
}

std::optional<std::string> from_base64(std::string_view text) {
  for (int i = 0; i < 2 && !text.empty() && text.back() == '='; ++i) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  out.reserve(text.size() * 3 / 4);
  uint32_t bits = 0;
  int have = 0;
  for (char c : text) {
    int value = value64(c);
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(value);
    if ((have += 6) >= 8) out += static_cast<char>(bits >> (have -= 8) & 255);
  }
  return out;
}

std::optional<std::string> from_loose_base64(std::string_view text) {
  if (auto strict = from_base64(text)) return strict;
  std::string group, out, padded(text);
  padded.append((4 - text.size() % 4) % 4, '=');
  size_t pads = 0;
  bool is_ended = false;
  for (char c : text)
    if (static_cast<unsigned char>(c) >= 0x80) return std::nullopt;
  for (char c : padded) {
    is_ended = c == '=' && group.size() >= 2 && group.size() + ++pads >= 4;
    if (is_ended) break;
    if (value64(c) < 0) continue;
    pads = 0;
    group += c;
    if (group.size() < 4) continue;
    out += *from_base64(group);
    group.clear();
  }
  if (!group.empty() && !is_ended) return std::nullopt;
  return out + *from_base64(group);
}

std::string hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (unsigned char byte : bytes) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

std::string sha256(std::string_view bytes) {
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);  // SHA256() looks it up at every call
  std::string out(SHA256_DIGEST_LENGTH, '\0');
  EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(out.data()), nullptr, algorithm, nullptr);
  return out;
}

std::string ascii_lower(std::string text) {
  for (auto& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

void append_varint(std::string& out, uint64_t value) {
  for (; value >= 128; value >>= 7) out += static_cast<char>(value | 128);
  out += static_cast<char>(value);
}

std::optional<uint64_t> read_varint(std::string_view& in) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !in.empty(); shift += 7) {
    auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    if (shift == 63 && byte > 1) return std::nullopt;
    value |= static_cast<uint64_t>(byte & 127) << shift;
    if (byte < 128) return value;
  }
  return std::nullopt;
}

void append_string(std::string& out, std::string_view text) {
  append_varint(out, text.size());
  out += text;
}

std::optional<std::string_view> read_string(std::string_view& in) {
  auto size = read_varint(in);
  if (!size || *size > in.size()) return std::nullopt;
  auto text = in.substr(0, *size);
  in.remove_prefix(*size);
  return text;
}

}  // namespace myelin
