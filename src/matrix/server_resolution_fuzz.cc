// Any server name, well-known answer and DNS records: the resolution ends, with somewhere to connect to or an error.
// Input: lines. The server name, Cache-Control, Expires, the well-known body; then in turn what DNS answers: "-" a
// failure, else words that are addresses, or SRV records as priority,weight,port,target.
#include <charconv>
#include <cstdlib>

#include "matrix/server_resolution.h"

namespace {

using namespace myelin;

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

Result<std::vector<std::string>> words(std::string_view line) {
  if (line == "-") return fail(Code::kUnavailable);
  std::vector<std::string> out;
  for (Lines words(line); !words.done();) out.emplace_back(words.next(' '));
  return out;
}

uint16_t number(std::string_view text) {
  uint16_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Result<std::vector<SrvRecord>> records(std::string_view line) {
  MYELIN_TRY(auto all, words(line));
  std::vector<SrvRecord> out;
  for (auto& word : all) {
    Lines fields(word);
    auto priority = number(fields.next(',')), weight = number(fields.next(',')), port = number(fields.next(','));
    out.push_back({priority, weight, port, std::string(fields.next(','))});
  }
  return out;
}

void check(const Destination& to) {
  if (to.endpoints.empty() || to.endpoints.size() > 16 || to.certificate_name.empty()) std::abort();
  if (!ServerName::parse(to.host_header)) std::abort();
  for (auto& [address, port] : to.endpoints)
    if (address.empty() || address.contains('[') || port == 0) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Lines lines({reinterpret_cast<const char*>(data), size});
  auto name = ServerName::parse(lines.next());
  if (!name) return 0;
  SeededRandom random(1);
  ServerResolution resolution(*name);
  for (int i = 0; i < 20; ++i) {
    if (std::holds_alternative<FetchWellKnown>(resolution.step())) {
      auto cache_control = lines.next(), expires = lines.next(), body = lines.next();
      auto known = read_well_known({200, body, cache_control, expires}, 1'700'000'000'000, static_cast<int>(size));
      if (known.expires_at < 1'700'000'300'000 || known.expires_at > 1'700'172'800'000) std::abort();
      resolution.well_known(known.delegated);
    } else if (std::holds_alternative<LookUpSrv>(resolution.step())) {
      resolution.srv_records(records(lines.next()), random);
    } else if (std::holds_alternative<LookUpAddresses>(resolution.step())) {
      resolution.addresses(words(lines.next()));
    } else {
      if (auto to = std::get_if<Destination>(&resolution.step())) check(*to);
      return 0;
    }
  }
  std::abort();
}
