// Addresses and URLs as the configuration has them.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

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

// Comma-separated URLs, each with one of the schemes ("nats,tls") and a host.
bool are_urls(std::string_view text, std::string_view schemes);
// An http(s) URL without user, query and fragment: what a client appends a path to.
bool is_base_url(std::string_view);
// With *** for its password.
std::string without_password(std::string_view url);
// Of comma-separated URLs; there a user without a password is a token.
std::string without_nats_secrets(std::string_view urls);

}  // namespace myelin::app
