#include "app/addresses.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/url.hpp>
#include <charconv>
#include <vector>

namespace myelin::app {
namespace {
namespace urls = boost::urls;

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> out;
  while (true) {
    auto comma = text.find(',');
    out.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return out;
    text.remove_prefix(comma + 1);
  }
}

std::string mask(std::string text, bool user_is_token) {
  constexpr std::string_view kMask = "***";
  auto scheme = text.find("://");
  auto begin = scheme == std::string::npos ? 0 : scheme + 3;
  auto end = text.substr(0, text.find_first_of("?#")).rfind('@');
  if (end != std::string::npos && end >= begin) {
    auto colon = text.find(':', begin);
    bool has_password = colon != std::string::npos && colon < end;
    if (has_password) begin = colon + 1;
    if (has_password || user_is_token) text.replace(begin, end - begin, kMask);
  }
  for (std::string_view parameter : {"?password=", "&password=", "?sslpassword=", "&sslpassword="}) {
    auto at = text.find(parameter);
    if (at == std::string::npos) continue;
    at += parameter.size();
    text.replace(at, std::min(text.find('&', at), text.size()) - at, kMask);
  }
  return text;
}

}  // namespace

Result<ListenAddress> parse_listen(std::string_view text) {
  auto colon = text.rfind(':');
  int port = -1;
  if (colon != std::string_view::npos) {
    auto digits = text.substr(colon + 1);
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc() || end != digits.data() + digits.size()) port = -1;
  }
  auto host = text.substr(0, std::min(colon, text.size()));
  bool in_brackets = host.starts_with('[') && host.ends_with(']');
  if (in_brackets) host = host.substr(1, host.size() - 2);
  bool is_host = host == "localhost" || (is_ip_address(host) && in_brackets == host.contains(':'));
  if (port < 0 || port > 65'535 || !is_host)
    return fail(Code::kInvalidParam, fmt::format("\"{}\" is not ADDRESS:PORT", text));
  return ListenAddress{std::string(host), static_cast<uint16_t>(port)};
}

bool is_ip_address(std::string_view text) {
  boost::system::error_code error;
  boost::asio::ip::make_address(text, error);
  return !error;
}

bool is_loopback(std::string_view host) {
  boost::system::error_code error;
  auto address = boost::asio::ip::make_address(host, error);
  return host == "localhost" || (!error && address.is_loopback());
}

bool are_urls(std::string_view text, std::string_view schemes) {
  auto allowed = split(schemes);
  return std::ranges::all_of(split(text), [&](const std::string& each) {
    auto url = urls::parse_uri(each);
    return url && !url->encoded_host().empty() &&
           std::ranges::find(allowed, std::string(url->scheme())) != allowed.end();
  });
}

bool is_base_url(std::string_view text) {
  auto url = urls::parse_uri(text);
  return url && are_urls(text, "http,https") && !url->has_userinfo() && !url->has_query() && !url->has_fragment();
}

std::string without_password(std::string_view url) { return mask(std::string(url), false); }

std::string without_nats_secrets(std::string_view urls) {
  auto out = split(urls);
  for (auto& each : out) each = mask(std::move(each), true);
  return fmt::format("{}", fmt::join(out, ","));
}

}  // namespace myelin::app
