#include "api/router.h"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <map>

#include "base/log.h"
#include "base/metrics.h"

namespace myelin::api {
namespace {

std::string decoded_query(std::string_view text) {
  std::string spaces(text);
  std::ranges::replace(spaces, '+', ' ');
  return net::percent_decode(spaces);
}

std::vector<std::pair<std::string, std::string>> parse_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> out;
  while (!query.empty()) {
    auto item = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), item.size() + 1));
    auto equals = item.find('=');
    if (item.empty()) continue;
    out.emplace_back(decoded_query(item.substr(0, equals)),
                     equals == std::string_view::npos ? std::string() : decoded_query(item.substr(equals + 1)));
  }
  return out;
}

struct Target {
  std::string pattern;
  Auth auth = Auth::kNone;
  Endpoint endpoint;  // or
  std::function<Task<net::Response>(Call)> raw;
  prometheus::Histogram* seconds = nullptr;
};

}  // namespace

struct Call::State {
  net::Request request;
  std::map<std::string, std::string, std::less<>> path;
  std::vector<std::pair<std::string, std::string>> query;
  accounts::Session session;
};

// One segment of the patterns' tree.
struct Router::Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> literal;
  std::unique_ptr<Node> parameter;
  std::map<net::Method, Target> targets;
  std::map<net::Method, std::vector<std::string>> names;  // of the parameters on the way, per method
};

// ---- Call

const net::Request& Call::request() const { return state_->request; }
const std::string& Call::path(std::string_view name) const {
  static const std::string kNone;
  auto it = state_->path.find(name);
  return it == state_->path.end() ? kNone : it->second;
}
std::optional<std::string> Call::query(std::string_view name) const {
  for (const auto& [key, value] : state_->query)
    if (key == name) return value;
  return std::nullopt;
}
std::vector<std::string> Call::queries(std::string_view name) const {
  std::vector<std::string> out;
  for (const auto& [key, value] : state_->query)
    if (key == name) out.push_back(value);
  return out;
}
Result<json::Object> Call::body() const { return json::parse_object(state_->request.body); }
Result<json::Object> Call::body_or_empty() const {
  if (state_->request.body.empty()) return json::Object{};
  return body();
}
const accounts::Session& Call::session() const { return state_->session; }
const std::string& Call::remote_address() const { return state_->request.remote_address; }
std::string Call::access_token() const {
  auto field = state_->request.header("Authorization");
  constexpr std::string_view kBearer = "bearer ";
  bool bearer = field.size() > kBearer.size() &&
                std::ranges::equal(field.substr(0, kBearer.size()), kBearer,
                                   [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
  if (bearer) return std::string(field.substr(kBearer.size()));
  return query("access_token").value_or("");
}

// ---- answers

void add_cors(net::Response& response) {
  response.headers.push_back({"Access-Control-Allow-Origin", "*"});
  response.headers.push_back({"Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, PATCH, OPTIONS"});
  response.headers.push_back({"Access-Control-Allow-Headers", "X-Requested-With, Content-Type, Authorization"});
}

net::Response error_response(const Error& error) {
  net::Response response;
  response.status = http_status(error.code);
  json::Object body;
  if (error.code != Code::kUiaIncomplete) body = {{"errcode", errcode(error.code)}, {"error", error.message}};
  if (error.fields)
    for (const auto& [key, value] : *error.fields) body[key] = value;
  if (const auto* wait = body.if_contains("retry_after_ms"); wait != nullptr && wait->is_int64())
    response.headers.push_back({"Retry-After", std::to_string((wait->as_int64() + 999) / 1000)});
  response.body = json::serialize(body);
  return response;
}

// ---- Router

Router::Router(accounts::Accounts& accounts) : root_(std::make_unique<Node>()), accounts_(accounts) {
  for (size_t digit = 0; digit < answers_.size(); ++digit)
    answers_[digit] = &metrics::counter("myelin_http_responses_total", "Answers by class of their status",
                                        {{"status", std::to_string(digit) + "xx"}});
}
Router::~Router() = default;

namespace {
// What no table and no answer can hold.
bool is_text(std::string_view value) { return value.find('\0') == value.npos && is_valid_utf8(value); }

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> out;
  path.remove_prefix(std::min<size_t>(path.size(), 1));
  while (true) {
    auto slash = path.find('/');
    out.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return out;
    path.remove_prefix(slash + 1);
  }
}
}  // namespace

void Router::add(net::Method method, std::string pattern, Auth auth, Endpoint endpoint) {
  insert(method, pattern, {pattern, auth, std::move(endpoint), {}});
}

void Router::add_raw(net::Method method, std::string pattern, std::function<Task<net::Response>(Call)> raw) {
  insert(method, pattern, {pattern, Auth::kNone, {}, std::move(raw)});
}

void Router::insert(net::Method method, const std::string& pattern, RouteTarget given) {
  Target target{given.pattern, given.auth, std::move(given.endpoint), std::move(given.raw), nullptr};
  target.seconds = &metrics::histogram("myelin_http_request_seconds", "Time to answer a request",
                                       {{"method", std::string(net::to_string(method))}, {"route", pattern}});
  auto place = [&](std::string_view path) {
    auto* node = root_.get();
    std::vector<std::string> names;
    for (auto segment : split(path)) {
      bool is_parameter = segment.starts_with('{');
      if (is_parameter) names.emplace_back(segment.substr(1, segment.size() - 2));
      auto& next = is_parameter ? node->parameter : node->literal[std::string(segment)];
      if (!next) next = std::make_unique<Node>();
      node = next.get();
    }
    node->targets[method] = target;
    node->names[method] = std::move(names);
  };
  place(pattern);
  constexpr std::string_view kV3 = "/_matrix/client/v3/";
  if (pattern.starts_with(kV3)) place("/_matrix/client/r0/" + pattern.substr(kV3.size()));
}

std::vector<Router::RouteInfo> Router::routes() const {
  std::vector<RouteInfo> out;
  std::vector<const Node*> todo{root_.get()};
  while (!todo.empty()) {
    const auto* node = todo.back();
    todo.pop_back();
    for (const auto& [method, target] : node->targets)
      if (std::ranges::none_of(out,
                               [&](const RouteInfo& r) { return r.method == method && r.pattern == target.pattern; }))
        out.push_back({method, target.pattern, target.auth});
    for (const auto& [name, child] : node->literal) todo.push_back(child.get());
    if (node->parameter) todo.push_back(node->parameter.get());
  }
  return out;
}

Task<net::Response> Router::handle(net::Request request) const {
  auto response = co_await dispatch(std::move(request));
  answers_.at(static_cast<size_t>(response.status) / 100 % answers_.size())->Increment();
  add_cors(response);
  co_return response;
}

Task<net::Response> Router::dispatch(net::Request request) const {
  std::string path(request.path());
  const auto* node = root_.get();
  std::vector<std::string> values;
  for (auto segment : split(path)) {
    if (auto it = node->literal.find(segment); it != node->literal.end()) {
      node = it->second.get();
    } else if (node->parameter) {
      node = node->parameter.get();
      values.push_back(net::percent_decode(segment));
    } else {
      node = nullptr;
      break;
    }
  }
  if (request.method == net::Method::kOptions) co_return net::Response{};
  if (node == nullptr || node->targets.empty())
    co_return error_response({Code::kUnrecognized, "there is no such endpoint here"});
  auto method = request.method == net::Method::kHead ? net::Method::kGet : request.method;
  auto it = node->targets.find(method);
  if (it == node->targets.end())
    co_return error_response({Code::kMethodNotAllowed, "this endpoint does not take that method"});
  const auto& target = it->second;
  auto state = std::make_shared<Call::State>();
  state->query = parse_query(request.query());
  if (!std::ranges::all_of(values, is_text) ||
      !std::ranges::all_of(state->query, [](const auto& item) { return is_text(item.second); }))
    co_return error_response({Code::kInvalidParam, "a parameter is not UTF-8 text"});
  state->request = std::move(request);
  const auto& names = node->names.at(method);
  for (size_t i = 0; i < names.size(); ++i) state->path[names[i]] = std::move(values[i]);
  auto begin = std::chrono::steady_clock::now();
  auto response = co_await answer(target.auth, target.endpoint, target.raw, Call(state));
  target.seconds->Observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  log::debug("{} {} {}", net::to_string(state->request.method), state->request.target, response.status);
  co_return response;
}

// The request boundary: whatever an endpoint throws ends here.
Task<net::Response> Router::answer(Auth auth, const Endpoint& endpoint,
                                   const std::function<Task<net::Response>(Call)>& raw, Call call) const {
  try {
    if (raw) co_return co_await raw(call);
    if (auth == Auth::kToken) {
      auto session = co_await accounts_.authenticate(call.access_token(), call.remote_address());
      if (!session) co_return error_response(session.error());
      call.state_->session = std::move(*session);
    }
    auto text = co_await endpoint(call);
    if (!text) {
      if (http_status(text.error().code) >= 500)
        log::warning("{} {}: {}", net::to_string(call.request().method), call.request().path(), text.error().message);
      co_return error_response(text.error());
    }
    net::Response response;
    response.body = std::move(*text);
    co_return response;
  } catch (const boost::system::system_error& e) {
    if (e.code() == boost::asio::error::operation_aborted) throw;  // the client went away, or the server stops
    log::error("{} {} threw: {}", net::to_string(call.request().method), call.request().path(), e.what());
  } catch (const std::exception& e) {
    log::error("{} {} threw: {}", net::to_string(call.request().method), call.request().path(), e.what());
  }
  co_return error_response({Code::kInternal, "internal error"});
}

}  // namespace myelin::api
