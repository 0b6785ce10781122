#include "infra/net/address_policy.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace myelin::net {
namespace {

struct Range4 {
  uint32_t network;
  int bits;
};
constexpr uint32_t ip4(uint32_t a, uint32_t b, uint32_t c, uint32_t d) { return a << 24 | b << 16 | c << 8 | d; }
constexpr Range4 kNotPublic4[] = {
    {ip4(0, 0, 0, 0), 8},      {ip4(10, 0, 0, 0), 8},     {ip4(100, 64, 0, 0), 10}, {ip4(127, 0, 0, 0), 8},
    {ip4(169, 254, 0, 0), 16}, {ip4(172, 16, 0, 0), 12},  {ip4(192, 0, 0, 0), 24},  {ip4(192, 0, 2, 0), 24},
    {ip4(192, 88, 99, 0), 24}, {ip4(192, 168, 0, 0), 16}, {ip4(198, 18, 0, 0), 15}, {ip4(198, 51, 100, 0), 24},
    {ip4(203, 0, 113, 0), 24}, {ip4(224, 0, 0, 0), 4},    {ip4(240, 0, 0, 0), 4},
};

bool is_public4(uint32_t address) {
  return std::ranges::none_of(kNotPublic4,
                              [&](Range4 range) { return (address ^ range.network) >> (32 - range.bits) == 0; });
}

using Bytes6 = std::array<uint8_t, 16>;
uint32_t embedded4(const Bytes6& bytes, size_t at) {
  return ip4(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
}

bool is_public6(const Bytes6& b) {
  auto starts_with = [&](std::initializer_list<uint8_t> prefix) {
    return std::equal(prefix.begin(), prefix.end(), b.begin());
  };
  bool high_zero = std::all_of(b.begin(), b.begin() + 10, [](uint8_t byte) { return byte == 0; });
  if (high_zero && b[10] == 0xff && b[11] == 0xff) return is_public4(embedded4(b, 12));  // ::ffff:a.b.c.d
  if (starts_with({0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0})) return is_public4(embedded4(b, 12));  // 64:ff9b::/96
  if (starts_with({0x20, 0x02})) return is_public4(embedded4(b, 2));                                    // 6to4
  if ((b[0] & 0xe0) != 0x20) return false;                     // all that is global unicast is in 2000::/3
  if (starts_with({0x20, 0x01, 0x0d, 0xb8})) return false;     // documentation
  if (starts_with({0x3f, 0xff}) && b[2] < 0x10) return false;  // 3fff::/20, documentation
  return !(starts_with({0x20, 0x01}) && b[2] < 2);             // 2001::/23: Teredo and other protocol assignments
}

}  // namespace

bool is_public_address(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &address, sizeof in);
    return is_public4(ntohl(in.sin_addr.s_addr));
  }
  if (address.sa_family != AF_INET6) return false;
  sockaddr_in6 in{};
  std::memcpy(&in, &address, sizeof in);
  Bytes6 bytes;
  std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
  return is_public6(bytes);
}

}  // namespace myelin::net
