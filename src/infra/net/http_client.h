// Outbound HTTP(S) on libcurl, for push gateways and (later) other servers. One connector checks the connected address
// against the deny list (attack 31). Thread: the loop; transfers run on one thread of their own.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/task.h"
#include "infra/net/http_server.h"

namespace myelin::net {

struct ClientOptions {
  bool allow_private_addresses = false;  // loopback, RFC 1918, link-local, …: off outside tests
  std::string user_agent = "Myelin";
};

struct OutboundRequest {
  Method method = Method::kGet;
  std::string url;
  std::vector<Header> headers{};
  std::string body{};
  std::chrono::milliseconds deadline{30'000};  // for the whole exchange
  size_t max_body_bytes = 1024 * 1024;
};

class HttpClient {
 public:
  virtual ~HttpClient() = default;
  static std::unique_ptr<HttpClient> make(Executor loop, ClientOptions);
  // Any status is a Response; kUnavailable, kTimeout, kTooLarge or kForbidden (address denied) otherwise. No redirects.
  virtual Task<Result<Response>> send(OutboundRequest) = 0;
};

}  // namespace myelin::net
