#include "matrix/testing/literal_server_name.h"

#include <arpa/inet.h>

#include <algorithm>
#include <ranges>

namespace myelin::testing {
namespace {

// "a sequence of four decimal numbers in the range 0 to 255, separated by ."; each has one to three digits.
std::optional<std::string> ipv4(std::string_view host) {
  std::string out;
  int count = 0;
  for (auto part : std::views::split(host, '.')) {
    std::string digits(part.begin(), part.end());
    bool is_number = std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
    if (!is_number || digits.empty() || digits.size() > 3 || std::stoi(digits) > 255) return std::nullopt;
    out += (count++ == 0 ? "" : ".") + std::to_string(std::stoi(digits));
  }
  return count == 4 ? std::optional(out) : std::nullopt;
}

std::string ipv6(const std::string& literal) {
  in6_addr address{};
  char text[INET6_ADDRSTRLEN];
  inet_pton(AF_INET6, literal.c_str(), &address);
  return inet_ntop(AF_INET6, &address, text, sizeof text);
}

}  // namespace

LiteralServerName::LiteralServerName(std::string_view valid) : text(valid) {
  size_t bracket = text.find(']'), colon = text.find(':', bracket == text.npos ? 0 : bracket);
  host = text.substr(0, colon);
  if (colon != text.npos) port = std::stoi(text.substr(colon + 1));
  address = bracket == text.npos ? ipv4(host) : ipv6(host.substr(1, bracket - 1));
}

}  // namespace myelin::testing
