// Routes and what every endpoint shares: path parameters, JSON bodies, the caller's session, error objects, CORS.
// Thread: the loop.
#pragma once
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.h"
#include "base/task.h"
#include "components/accounts/accounts.h"
#include "infra/net/http_server.h"
#include "matrix/json.h"

namespace myelin::api {

// One request on its way through an endpoint.
class Call {
 public:
  const net::Request& request() const;
  const std::string& path(std::string_view name) const;           // a path parameter, percent-decoded
  std::optional<std::string> query(std::string_view name) const;  // the first of that name, decoded
  std::vector<std::string> queries(std::string_view name) const;
  Result<json::Object> body() const;           // kNotJson, kBadJson; an empty body is kNotJson
  Result<json::Object> body_or_empty() const;  // an empty body is {}
  const accounts::Session& session() const;    // of an authenticated route
  const std::string& remote_address() const;
  std::string access_token() const;

  struct State;
  explicit Call(std::shared_ptr<State> state) : state_(std::move(state)) {}

 private:
  friend class Router;
  std::shared_ptr<State> state_;
};

// A JSON text (200) or an Error (its status and Matrix error object).
using Endpoint = std::function<Task<Result<std::string>>(Call)>;

enum class Auth : uint8_t { kNone, kToken };

class Router {
 public:
  explicit Router(accounts::Accounts&);
  ~Router();
  // Pattern: "/_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}". /r0/ is served for every /v3/ pattern.
  void add(net::Method, std::string pattern, Auth, Endpoint);
  // For what is not JSON (metrics).
  void add_raw(net::Method, std::string pattern, std::function<Task<net::Response>(Call)>);
  Task<net::Response> handle(net::Request) const;  // 404 and 405 M_UNRECOGNIZED, OPTIONS, CORS
  struct RouteInfo {
    net::Method method;
    std::string pattern;
    Auth auth;
  };
  std::vector<RouteInfo> routes() const;  // for contract tests and fuzzing

 private:
  struct Node;
  struct RouteTarget {
    std::string pattern;
    Auth auth;
    Endpoint endpoint;
    std::function<Task<net::Response>(Call)> raw;
  };
  void insert(net::Method, const std::string& pattern, RouteTarget);
  Task<net::Response> dispatch(net::Request) const;
  Task<net::Response> answer(Auth, const Endpoint&, const std::function<Task<net::Response>(Call)>& raw, Call) const;
  std::unique_ptr<Node> root_;
  accounts::Accounts& accounts_;
  std::array<prometheus::Counter*, 6> answers_;  // by the status's first digit
};

net::Response error_response(const Error&);
void add_cors(net::Response&);  // Web Browser Clients: every answer carries these
inline std::string ok() { return "{}"; }

}  // namespace myelin::api
