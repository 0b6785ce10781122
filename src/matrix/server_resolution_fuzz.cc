// Any server name in any world: the resolution asks what the steps of the specification ask, in their order, and ends
// where they end. Input: lines. The server name; the status, Cache-Control, Expires and body of the well-known answer;
// the SRV records of _matrix-fed and of _matrix; and addresses, each line those of some hosts. "-": the look-up fails.
// Records are priority,weight,port,target.
#include <arpa/inet.h>

#include <charconv>
#include <cstdlib>
#include <map>

#include "matrix/json.h"
#include "matrix/server_resolution.h"
#include "matrix/testing/literal_server_name.h"

namespace {

using namespace myelin;
using testing::LiteralServerName;
using Strings = std::vector<std::string>;

constexpr int64_t kNow = 1'700'000'000'000, kMinute = 60'000, kHour = 60 * kMinute;
constexpr size_t kMaxTargets = 8, kMaxEndpoints = 16;

void require(bool condition) {
  if (!condition) std::abort();
}

class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  std::string_view next(char end = '\n') {
    auto line = rest_.substr(0, rest_.find(end));
    rest_.remove_prefix(std::min(line.size() + 1, rest_.size()));
    return line;
  }
  bool done() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

Result<Strings> words(std::string_view line) {
  if (line == "-") return fail(Code::kUnavailable);
  Strings out;
  for (Lines words(line); !words.done();) out.emplace_back(words.next(' '));
  return out;
}

uint16_t number(std::string_view text) {
  uint16_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// What DNS and the web hold.
class World {
 public:
  explicit World(Lines lines) {
    web_.status = number(lines.next());
    web_.cache_control = lines.next();
    web_.expires = lines.next();
    web_.body = lines.next();
    srv_ = lines.next();
    deprecated_srv_ = lines.next();
    while (!lines.done()) addresses_.push_back(lines.next());
  }

  const WellKnownResponse& web() const { return web_; }
  Result<std::vector<SrvRecord>> records(std::string_view name) const {
    MYELIN_TRY(auto all, words(name.starts_with("_matrix-fed.") ? srv_ : deprecated_srv_));
    std::vector<SrvRecord> out;
    for (auto& word : all) {
      Lines fields(word);
      auto priority = number(fields.next(',')), weight = number(fields.next(',')), port = number(fields.next(','));
      out.push_back({priority, weight, port, std::string(fields.next(','))});
    }
    return out;
  }
  // The first letter says which line.
  Result<Strings> addresses(std::string_view host) const {
    if (addresses_.empty()) return Strings();
    return words(addresses_[static_cast<unsigned char>(host.front()) % addresses_.size()]);
  }

 private:
  WellKnownResponse web_;
  std::string_view srv_, deprecated_srv_;
  std::vector<std::string_view> addresses_;
};

std::optional<LiteralServerName> delegated(const WellKnownResponse& response) {
  if (response.status != 200) return std::nullopt;
  auto body = json::parse_object(response.body);
  auto name = body ? json::string_at(*body, "m.server") : std::nullopt;
  if (!name || !ServerName::parse(*name)) return std::nullopt;
  return LiteralServerName(*name);
}

struct Expected {
  Strings asked;  // before any addresses
  bool fails = false, is_address = false;
  std::string host_header, certificate_name;
  std::vector<SrvRecord> targets;  // to look for addresses of
};

// Server-server API, Resolving server names, with the numbers of its steps.
Expected by_the_steps(const World& world, LiteralServerName name) {
  Expected out;
  if (!name.address && !name.port) {  // 3
    out.asked.push_back("https://" + name.host);
    name = delegated(world.web()).value_or(name);
  }
  out.host_header = name.text;
  out.certificate_name = name.address.value_or(name.host);
  out.is_address = name.address.has_value();
  auto go_to = [&](int port) {
    out.fails = port == 0 || port > 65535;  // where nobody can be
    out.targets.push_back({0, 0, static_cast<uint16_t>(port), name.host});
    return out;
  };
  if (name.address || name.port) return go_to(name.port.value_or(8448));  // 1, 2, 3.1, 3.2
  for (auto service : {"_matrix-fed._tcp.", "_matrix._tcp."}) {           // 3.3, 3.4, 4, 5
    out.asked.push_back(service + name.host);
    auto records = world.records(out.asked.back());
    out.fails = !records;
    if (out.fails) return out;
    for (auto& record : *records) {
      if (record.target.ends_with('.')) record.target.pop_back();  // and nothing is left of ".": no such service
      auto host = record.target;
      std::ranges::replace(host, '_', '-');  // DNS has them, server names have not
      auto target = ServerName::parse(host);
      if (target && !target->port() && record.port != 0) out.targets.push_back(record);
    }
    if (!records->empty()) return out;
  }
  return go_to(8448);  // 3.5, 6
}

std::optional<std::string> canonical(const std::string& address) {
  char text[INET6_ADDRSTRLEN];
  in6_addr bytes{};
  for (int family : {AF_INET, AF_INET6})
    if (!address.contains('\0') && inet_pton(family, address.c_str(), &bytes) == 1)
      return inet_ntop(family, &bytes, text, sizeof text);
  return std::nullopt;
}

// Every place to connect to, with the best priority that leads there.
std::map<std::pair<std::string, uint16_t>, uint16_t> endpoints(const Expected& expected, const World& world) {
  std::map<std::pair<std::string, uint16_t>, uint16_t> out;
  for (auto& target : expected.targets) {
    for (auto& text : world.addresses(target.target).value_or(Strings())) {
      auto address = canonical(text);
      if (!address) continue;
      auto& priority = out.try_emplace({*address, target.port}, target.priority).first->second;
      priority = std::min(priority, target.priority);
    }
  }
  return out;
}

void check(const ServerResolution::Step& end, const Expected& expected, const World& world) {
  auto to = std::get_if<Destination>(&end);
  require(to || std::get<Error>(end).code == Code::kUnavailable);
  if (expected.fails) return require(!to);
  if (!expected.is_address && !to)
    return require(endpoints(expected, world).empty() || expected.targets.size() > kMaxTargets);
  require(to && to->host_header == expected.host_header && to->certificate_name == expected.certificate_name);
  require(to->is_address == expected.is_address);
  if (expected.is_address)
    return require(to->endpoints == std::vector{Endpoint{expected.certificate_name, expected.targets.front().port}});
  auto left = endpoints(expected, world);
  require(!to->endpoints.empty() && to->endpoints.size() <= kMaxEndpoints);
  uint16_t priority = 0;
  for (auto& [address, port] : to->endpoints) {  // each once, the best first
    auto found = left.find({address, port});
    require(found != left.end() && found->second >= priority);
    priority = found->second;
    left.erase(found);
  }
  for (auto& [endpoint, left_out] : left) require(left_out >= priority);
  require(left.empty() || to->endpoints.size() == kMaxEndpoints || expected.targets.size() > kMaxTargets);
}

void check(const WellKnown& known, const WellKnownResponse& response, int failures) {
  auto expected = delegated(response);
  require(expected ? known.delegated && known.delegated->str() == expected->text : !known.delegated);
  require(known.failures == (expected ? 0 : failures + 1));
  auto kept = known.expires_at - kNow;
  require(kept >= 5 * kMinute && kept <= (expected ? 48 : 1) * kHour);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Lines lines({reinterpret_cast<const char*>(data), size});
  auto name = ServerName::parse(lines.next());
  if (!name) return 0;
  World world(lines);
  auto expected = by_the_steps(world, LiteralServerName(name->str()));
  Strings asked, hosts;
  SeededRandom random(size);
  ServerResolution resolution(*name);
  for (;;) {
    if (auto web = std::get_if<FetchWellKnown>(&resolution.step())) {
      asked.push_back("https://" + web->host);
      auto failures = static_cast<int>(size);
      auto known = read_well_known(world.web(), kNow, failures);
      check(known, world.web(), failures);
      resolution.well_known(known.delegated);
    } else if (auto srv = std::get_if<LookUpSrv>(&resolution.step())) {
      asked.push_back(srv->name);
      resolution.srv_records(world.records(srv->name), random);
    } else if (auto wanted = std::get_if<LookUpAddresses>(&resolution.step())) {
      hosts.push_back(wanted->host);
      resolution.addresses(world.addresses(wanted->host));
    } else {
      break;
    }
    require(asked.size() <= 3 && hosts.size() <= kMaxTargets);
  }
  require(asked == expected.asked);
  for (auto& host : hosts)
    require(std::ranges::find(expected.targets, host, &SrvRecord::target) != expected.targets.end());
  require(hosts.empty() || !expected.is_address);
  check(resolution.step(), expected, world);
  return 0;
}
