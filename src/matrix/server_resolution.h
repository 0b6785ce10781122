// Where a server is (server-server API, Resolving server names), as a state machine without I/O: it says what to look
// up, is told what came of it, and ends with where to connect. Values; any thread.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "matrix/ids.h"

namespace myelin {

// ---- https://<hostname>/.well-known/matrix/server

inline constexpr size_t kMaxWellKnownBytes = 64 * 1024;

struct WellKnownResponse {  // the last one, redirects followed
  int status = 0;           // 0: none (no connection, a wrong certificate, a redirect loop, too slow, too large)
  std::string_view body{};  //
  std::string_view cache_control{};  // values of these headers, "" without
  std::string_view expires{};
};

// What is kept of it: an answer or a failure, and until when.
struct WellKnown {
  std::optional<ServerName> delegated{};  // m.server; nullopt: there is no valid answer
  int64_t expires_at = 0;                 // 5 minutes to 48 hours from now; failures an hour at most
  int failures = 0;                       // in a row, this one included
};
// `failures`: in a row before this one. They are kept longer each time.
WellKnown read_well_known(const WellKnownResponse&, int64_t now_ms, int failures = 0);

// ---- the way to a server

struct SrvRecord {
  uint16_t priority = 0, weight = 0, port = 0;
  std::string target;
};

struct Endpoint {
  std::string address;  // an IPv4 or IPv6 address, without brackets
  uint16_t port = 0;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct Destination {
  std::vector<Endpoint> endpoints;  // in the order to try them, at least one
  std::string certificate_name;     // what the certificate must be valid for
  bool is_address = false;          // certificate_name is an IP address: no SNI
  std::string host_header;
};

// What the caller is to do next.
struct FetchWellKnown {
  std::string host;
};
struct LookUpSrv {
  std::string name;  // "_matrix-fed._tcp.example.org"
};
struct LookUpAddresses {
  std::string host;  // AAAA and A records, CNAMEs followed
};

class ServerResolution {
 public:
  explicit ServerResolution(const ServerName&);

  // The last two end it. Error: kUnavailable.
  using Step = std::variant<FetchWellKnown, LookUpSrv, LookUpAddresses, Destination, Error>;
  const Step& step() const { return step_; }

  // The answer to each step; the next one is then in step(). An answer to another step than the one asked is a bug:
  // the resolution ends with kInternal. Empty: there are no such records. An error: the look-up failed, which for SRV
  // records ends the resolution, for to go on would lead to another place than when it works.
  void well_known(const std::optional<ServerName>& delegated);
  void srv_records(Result<std::vector<SrvRecord>>, Random&);
  void addresses(Result<std::vector<std::string>>);

 private:
  struct Target {
    std::string host;
    uint16_t port;
  };
  void go_to_literal_or_port();  // steps 1 and 2, 3.1 and 3.2: what needs no SRV record
  void look_up(std::vector<Target>);
  void look_up_next();
  void fail_with(std::string message);

  ServerName name_;  // the server's, or the delegated one
  std::vector<Target> targets_;
  size_t next_target_ = 0;
  std::vector<Endpoint> endpoints_;
  Step step_;
};

}  // namespace myelin
