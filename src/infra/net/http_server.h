// An HTTP/1.1 server: keep-alive, pipelining, thousands of parked requests, framing checked by us. Thread: the loop.
#pragma once
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/task.h"

namespace myelin::net {

enum class Method : uint8_t { kGet, kHead, kPost, kPut, kDelete, kOptions, kPatch, kOther };
std::string_view to_string(Method);

struct Header {
  std::string name, value;  // name as received; compared without case
};

struct Request {
  Method method = Method::kGet;
  std::string target;  // as received: "/path?query"
  std::vector<Header> headers;
  std::string body;
  std::string remote_address;                            // the peer's IP, or what a trusted proxy says
  std::string_view path() const;                         // target up to '?', still percent-encoded
  std::string_view query() const;                        // after '?', still percent-encoded
  std::string_view header(std::string_view name) const;  // "" when absent
};

struct Response {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::vector<Header> headers;
};

using Handler = std::function<Task<Response>(Request)>;

struct Limits {
  size_t header_bytes = 16 * 1024;
  size_t body_bytes = 1024 * 1024;  // beyond: 413
  size_t connections = 20'000;
  std::chrono::milliseconds header_timeout{15'000};  // from the first byte of a request to the end of its head
  std::chrono::milliseconds body_timeout{60'000};
  std::chrono::milliseconds idle_timeout{120'000};  // between requests
  std::chrono::milliseconds write_timeout{60'000};  // for each 256 KiB of an answer
};

class HttpServer {
 public:
  virtual ~HttpServer() = default;
  // `reject` makes the body of an answer that the server gives by itself (400, 408, 413, 417, 431, 500, 501, 505): a
  // Matrix error object.
  static std::unique_ptr<HttpServer> make(Executor loop, const Clock&, Limits, Handler,
                                          std::function<Response(int status, std::string_view why)> reject);
  // kUnavailable with the reason when it cannot bind. Port 0 picks one.
  virtual Result<uint16_t> listen(const std::string& address, uint16_t port) = 0;
  // Stops accepting, ends idle connections, lets running requests finish until the deadline, then closes them all.
  virtual Task<> drain(std::chrono::steady_clock::time_point deadline) = 0;
};

std::string percent_decode(std::string_view text);  // malformed escapes stay as they are
std::string percent_encode(std::string_view text);

}  // namespace myelin::net
