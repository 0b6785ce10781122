// Addresses and URLs as the configuration has them.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace myelin::app {

// "127.0.0.1:8008", "[::1]:8008", "localhost:8008". kInvalidParam.
struct ListenAddress {
  std::string host;  // without brackets
  uint16_t port = 0;
};
Result<ListenAddress> parse_listen(std::string_view);

bool is_ip_address(std::string_view);
bool is_loopback(std::string_view host);  // "localhost", or an address that only this machine reaches

// "10.0.0.1", "10.0.0.0/8", "fd00::/8": an IP address, or all that begin with the same bits.
bool is_ip_range(std::string_view);
class IpRanges {
 public:
  explicit IpRanges(const std::vector<std::string>& ranges);  // each is_ip_range()
  bool contain(std::string_view address) const;               // an IPv4 address also as ::ffff:10.0.0.1

 private:
  struct Range {
    std::array<uint8_t, 16> address{};
    unsigned bits = 0;
  };
  static bool parse(std::string_view text, Range&);
  friend bool is_ip_range(std::string_view);
  std::vector<Range> ranges_;
};
// Who asks, when a trusted proxy says so: the last address in X-Forwarded-For that is no trusted proxy itself.
std::string client_address(std::string peer, std::string_view forwarded_for, const IpRanges& trusted);

// Comma-separated URLs, each with one of the schemes ("nats,tls") and a host.
bool are_urls(std::string_view text, std::string_view schemes);
// An http(s) URL without user, query and fragment: what a client appends a path to.
bool is_base_url(std::string_view);
inline constexpr std::string_view kMask = "***";
// With kMask for its password.
std::string without_password(std::string_view url);
// Of comma-separated URLs; there a user without a password is a token.
std::string without_nats_secrets(std::string_view urls);

}  // namespace myelin::app
