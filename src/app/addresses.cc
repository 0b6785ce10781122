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

bool IpRanges::parse(std::string_view text, Range& out) {
  auto slash = text.find('/');
  boost::system::error_code error;
  auto address = boost::asio::ip::make_address(text.substr(0, slash), error);
  if (error || (address.is_v6() && address.to_v6().scope_id() != 0)) return false;
  constexpr unsigned kAll = 128, kBefore = 96;  // bits; those before an IPv4 address
  auto first = address.is_v4() ? kBefore : 0;
  out.address =
      (address.is_v4() ? make_address_v6(boost::asio::ip::v4_mapped, address.to_v4()) : address.to_v6()).to_bytes();
  out.bits = kAll;
  if (slash == std::string_view::npos) return true;
  auto digits = text.substr(slash + 1);
  auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), out.bits);
  out.bits += first;
  return wrong == std::errc() && end == digits.data() + digits.size() && out.bits >= first && out.bits <= kAll;
}

bool is_ip_range(std::string_view text) {
  IpRanges::Range ignored;
  return IpRanges::parse(text, ignored);
}

IpRanges::IpRanges(const std::vector<std::string>& ranges) {
  for (const auto& text : ranges)
    if (Range range; parse(text, range)) ranges_.push_back(range);
}

bool IpRanges::contain(std::string_view address) const {
  Range one;
  if (address.contains('/') || !parse(address, one)) return false;
  return std::ranges::any_of(ranges_, [&](const Range& range) {
    auto whole = range.bits / 8, rest = range.bits % 8;
    return std::equal(one.address.begin(), one.address.begin() + whole, range.address.begin()) &&
           (rest == 0 || (one.address.at(whole) ^ range.address.at(whole)) >> (8 - rest) == 0);
  });
}

std::string client_address(std::string peer, std::string_view forwarded_for, const IpRanges& trusted) {
  auto list = forwarded_for;
  while (!list.empty() && trusted.contain(peer)) {
    auto comma = list.rfind(',');
    auto last = list.substr(comma == std::string_view::npos ? 0 : comma + 1);
    list = list.substr(0, comma == std::string_view::npos ? 0 : comma);
    while (last.starts_with(' ')) last.remove_prefix(1);
    while (last.ends_with(' ')) last.remove_suffix(1);
    if (last.empty()) break;
    peer = last;
  }
  return peer;
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
