#include "matrix/server_resolution.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <limits>

#include "base/bytes.h"
#include "matrix/json.h"

namespace myelin {
namespace {

constexpr int64_t kMinute = 60'000, kHour = 60 * kMinute;
constexpr int64_t kShortestCache = 5 * kMinute, kDefaultCache = 24 * kHour, kLongestCache = 48 * kHour;
constexpr uint16_t kDefaultPort = 8448;
constexpr size_t kMaxSrvRecords = 256, kMaxTargets = 8, kMaxEndpoints = 16;
constexpr std::string_view kSrvService = "_matrix-fed._tcp.", kDeprecatedSrvService = "_matrix._tcp.";

// ---- cache headers

bool take(std::string_view& in, std::string_view text) {
  if (!in.starts_with(text)) return false;
  in.remove_prefix(text.size());
  return true;
}

std::optional<int64_t> number(std::string_view text) {
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size() || text.empty() || text.starts_with('-')) return std::nullopt;
  return error == std::errc::result_out_of_range ? std::numeric_limits<int64_t>::max() : value;
}

// RFC 9111, Cache-Control: for how long an answer may be kept; nullopt: it does not say.
std::optional<int64_t> lifetime_in(std::string_view header) {
  std::optional<int64_t> lifetime;
  std::string lower = ascii_lower(std::string(header));
  std::string_view rest = lower;
  while (!rest.empty()) {
    auto directive = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(directive.size() + 1, rest.size()));
    while (!directive.empty() && (directive.front() == ' ' || directive.front() == '\t')) directive.remove_prefix(1);
    while (!directive.empty() && (directive.back() == ' ' || directive.back() == '\t')) directive.remove_suffix(1);
    if (directive == "no-store" || directive == "no-cache") return 0;
    if (!take(directive, "max-age=")) continue;
    bool quoted = directive.size() >= 2 && directive.starts_with('"') && directive.ends_with('"');
    if (quoted) directive = directive.substr(1, directive.size() - 2);  // RFC 9111, 5.2: "either form"
    if (auto seconds = number(directive)) lifetime = std::min(*seconds, kLongestCache / 1000) * 1000;
  }
  return lifetime;
}

// RFC 9110, IMF-fixdate: "Sun, 06 Nov 1994 08:49:37 GMT", as milliseconds since the epoch.
std::optional<int64_t> moment_in(std::string_view header) {
  static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (header.size() != 29 || header.substr(3, 2) != ", " || header.substr(25) != " GMT") return std::nullopt;
  auto day = number(header.substr(5, 2)), year = number(header.substr(12, 4)), hour = number(header.substr(17, 2)),
       minute = number(header.substr(20, 2)), second = number(header.substr(23, 2));
  size_t month = kMonths.find(header.substr(8, 3));
  if (!day || !year || !hour || !minute || !second || month == kMonths.npos || month % 3 != 0) return std::nullopt;
  std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                   std::chrono::month(static_cast<unsigned>(month / 3 + 1)),
                                   std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return (((days * 24 + *hour) * 60 + *minute) * 60 + *second) * 1000;
}

std::optional<ServerName> delegated_in(const WellKnownResponse& response) {
  if (response.status != 200) return std::nullopt;
  auto body = json::parse_object(response.body, {.bytes = kMaxWellKnownBytes});
  auto name = body ? json::string_at(*body, "m.server") : std::nullopt;
  auto server = name ? ServerName::parse(*name) : fail(Code::kBadJson);
  if (!server) return std::nullopt;
  return *std::move(server);
}

// ---- names and addresses

std::optional<std::string> canonical_address(std::string_view text) {
  char buffer[INET6_ADDRSTRLEN];
  in6_addr v6;
  in_addr v4;
  std::string copy(text);
  if (copy.contains('\0')) return std::nullopt;
  if (inet_pton(AF_INET, copy.c_str(), &v4) == 1) return inet_ntop(AF_INET, &v4, buffer, sizeof buffer);
  if (inet_pton(AF_INET6, copy.c_str(), &v6) == 1) return inet_ntop(AF_INET6, &v6, buffer, sizeof buffer);
  return std::nullopt;
}

// The address in a server name that is an IP literal. Leading zeros are decimal, as in the grammar.
std::string literal_address(const ServerName& name) {
  auto host = name.host();
  if (host.starts_with('[')) return *canonical_address(host.substr(1, host.size() - 2));
  std::string out;
  while (!host.empty()) {
    auto part = host.substr(0, host.find('.'));
    host.remove_prefix(std::min(part.size() + 1, host.size()));
    out += fmt::format("{}{}", out.empty() ? "" : ".", *number(part));
  }
  return out;
}

// A name that can be looked up. Host names of the grammar, and the underscores that DNS has besides.
bool is_domain_name(std::string name) {
  std::ranges::replace(name, '_', '-');
  auto parsed = ServerName::parse(name);
  return parsed && !parsed->port();
}

// RFC 2782: by priority; within one, at random by weight. Takes time with the square of their number.
std::vector<SrvRecord> in_order(std::vector<SrvRecord> records, Random& random) {
  // "place those with weight 0 at the beginning of the list"
  std::ranges::sort(records, {}, [](const SrvRecord& r) { return std::pair(r.priority, r.weight != 0); });
  for (auto begin = records.begin(); begin != records.end(); ++begin) {
    uint64_t sum = 0;
    for (auto it = begin; it != records.end() && it->priority == begin->priority; ++it) sum += it->weight;
    uint64_t chosen = random.next() % (sum + 1), running = 0;
    auto it = begin;
    while ((running += it->weight) < chosen) ++it;
    std::rotate(begin, it, it + 1);
  }
  return records;
}

}  // namespace

WellKnown read_well_known(const WellKnownResponse& response, int64_t now_ms, int failures) {
  WellKnown out;
  out.delegated = delegated_in(response);
  int64_t lifetime = kDefaultCache;
  if (!out.delegated) {
    out.failures = std::max(failures, 0) + 1;
    lifetime = std::min(kShortestCache << std::min(out.failures - 1, 8), kHour);
  } else if (auto given = lifetime_in(response.cache_control)) {
    lifetime = *given;
  } else if (!response.expires.empty()) {
    lifetime = moment_in(response.expires).value_or(now_ms) - now_ms;  // what is no date is in the past
  }
  out.expires_at = now_ms + std::clamp(lifetime, kShortestCache, kLongestCache);
  return out;
}

ServerResolution::ServerResolution(const ServerName& name)
    : name_(name), step_(FetchWellKnown{std::string(name.host())}) {
  go_to_literal_or_port();
}

void ServerResolution::fail_with(std::string message) { step_ = Error{Code::kUnavailable, std::move(message)}; }

// "If the hostname is an IP literal, then that IP address should be used, together with the given port number, or 8448
// if no port is given." "If the hostname is not an IP literal, and the server name includes an explicit port, resolve
// the hostname to an IP address using CNAME, AAAA or A records."
void ServerResolution::go_to_literal_or_port() {
  auto port = name_.port();
  if (port == 0) return fail_with("the port of " + name_.str() + " leads nowhere");
  if (name_.is_ip_literal()) {
    auto address = literal_address(name_);
    step_ = Destination{{{address, port.value_or(kDefaultPort)}}, address, true, name_.str()};
  } else if (port) {
    look_up({{std::string(name_.host()), *port}});
  }
}

// "If the response is valid, the m.server property is parsed as <delegated_hostname>[:<delegated_port>]"; else on to
// the SRV records of the hostname.
void ServerResolution::well_known(const std::optional<ServerName>& delegated) {
  if (!std::holds_alternative<FetchWellKnown>(step_)) {
    step_ = Error{Code::kInternal, "a well-known answer that was not asked for"};
    return;
  }
  if (delegated) name_ = *delegated;
  step_ = LookUpSrv{std::string(kSrvService) + std::string(name_.host())};
  if (delegated) go_to_literal_or_port();
}

void ServerResolution::srv_records(Result<std::vector<SrvRecord>> records, Random& random) {
  auto asked = std::get_if<LookUpSrv>(&step_);
  if (!asked) {
    step_ = Error{Code::kInternal, "SRV records that were not asked for"};
    return;
  }
  if (!records) return fail_with("SRV records of " + name_.str() + ": " + records.error().message);
  if (records->empty()) {
    std::string host(name_.host());
    if (asked->name.starts_with(kSrvService))
      step_ = LookUpSrv{std::string(kDeprecatedSrvService) + host};
    else
      look_up({{host, kDefaultPort}});  // "If no SRV record is found … a port of 8448"
    return;
  }
  std::vector<Target> targets;
  if (records->size() > kMaxSrvRecords) records->resize(kMaxSrvRecords);
  for (auto& record : in_order(*std::move(records), random)) {
    if (record.target == ".") continue;  // RFC 2782: there is no such service
    if (record.target.ends_with('.')) record.target.pop_back();
    if (is_domain_name(record.target) && record.port != 0 && targets.size() < kMaxTargets)
      targets.push_back({record.target, record.port});
  }
  look_up(std::move(targets));
}

void ServerResolution::look_up(std::vector<Target> targets) {
  targets_ = std::move(targets);
  look_up_next();
}

// Asks for the addresses of the next target, or ends when there is none left.
void ServerResolution::look_up_next() {
  if (next_target_ < targets_.size() && endpoints_.size() < kMaxEndpoints) {
    step_ = LookUpAddresses{targets_[next_target_].host};
  } else if (endpoints_.empty()) {
    fail_with("no address of " + name_.str() + " is known");
  } else {
    step_ = Destination{std::move(endpoints_), std::string(name_.host()), false, name_.str()};
  }
}

void ServerResolution::addresses(Result<std::vector<std::string>> found) {
  if (!std::holds_alternative<LookUpAddresses>(step_)) {
    step_ = Error{Code::kInternal, "addresses that were not asked for"};
    return;
  }
  auto port = targets_[next_target_++].port;
  if (found) {
    for (auto& text : *found) {
      auto address = canonical_address(text);
      if (!address || endpoints_.size() == kMaxEndpoints) continue;
      Endpoint endpoint{*std::move(address), port};
      if (std::ranges::find(endpoints_, endpoint) == endpoints_.end()) endpoints_.push_back(std::move(endpoint));
    }
  }
  look_up_next();
}

}  // namespace myelin
