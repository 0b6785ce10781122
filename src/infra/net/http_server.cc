#include "infra/net/http_server.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <list>
#include <unordered_set>

#include "base/log.h"
#include "base/metrics.h"
#include "infra/net/http_framing.h"

namespace myelin::net {
namespace asio = boost::asio;
using asio::ip::tcp;
using std::chrono::steady_clock;

namespace {

std::string_view reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Answer";
  }
}

std::string head_of(const Response& response, bool keep_alive) {
  auto head = fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n", response.status,
                          reason(response.status), response.content_type, response.body.size());
  for (const auto& field : response.headers) head += fmt::format("{}: {}\r\n", field.name, field.value);
  if (!keep_alive) head += "Connection: close\r\n";
  return head += "\r\n";
}

struct Settings {
  Executor loop;
  const Clock& clock;
  Limits limits;
  Handler handler;
  std::function<Response(int, std::string_view)> reject;
};

// One client connection. Its coroutine owns it; the server's sweeper closes it when a deadline passes.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, std::shared_ptr<const Settings> settings)
      : socket_(std::move(socket)), settings_(std::move(settings)) {
    boost::system::error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    auto peer = socket_.remote_endpoint(ignored);
    if (!ignored) peer_ = peer.address().to_string();
    expect_within(settings_->limits.idle_timeout);
  }

  bool is_idle() const { return idle_; }
  bool is_late(steady_clock::time_point now) const { return now > deadline_; }
  void end_after_this() { last_ = true; }
  void close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
    stop_handler_.emit(asio::cancellation_type::terminal);
  }

  Task<> serve() {
    while (socket_.is_open()) {
      idle_ = input_.empty();
      if (last_ && idle_) break;
      expect_within(idle_ ? settings_->limits.idle_timeout : settings_->limits.header_timeout);
      Head head;
      auto problem = co_await read_head(head);
      if (!socket_.is_open()) co_return;
      if (!problem) problem = co_await read_body(head);
      if (!socket_.is_open()) co_return;
      if (problem) {
        co_await refuse(*problem);
        break;
      }
      bool keep_alive = head.keep_alive, is_head = head.request.method == Method::kHead;
      head.request.remote_address = peer_;
      auto response = co_await answer(std::move(head.request));
      if (!response || !socket_.is_open()) co_return;
      keep_alive = keep_alive && !last_;
      if (!co_await write(*response, keep_alive, is_head) || !keep_alive) break;
    }
    boost::system::error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
  }

 private:
  void expect_within(std::chrono::seconds time) { deadline_ = settings_->clock.steady() + time; }

  // Appends what has arrived; false when the client is gone.
  Task<bool> read_more() {
    boost::system::error_code error;
    co_await socket_.async_wait(tcp::socket::wait_read, asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return false;
    char chunk[16 * 1024];  // not kept over a wait: nothing of it stays in the frame while parked
    size_t n = socket_.read_some(asio::buffer(chunk), error);
    if (error == asio::error::would_block || error == asio::error::try_again) co_return true;
    if (error || n == 0) co_return false;
    input_.append(chunk, n);
    co_return true;
  }

  Task<std::optional<FramingError>> read_head(Head& head) {
    while (true) {
      while (input_.starts_with("\r\n")) input_.erase(0, 2);  // RFC 9112, 2.2: empty lines before a request
      auto end = input_.find("\r\n\r\n");
      auto lone = input_.find("\n\n");
      if (lone != std::string::npos && (end == std::string::npos || lone < end))
        co_return FramingError{400, "lines must end in CRLF"};
      if (end != std::string::npos) {
        auto problem = parse_head(std::string_view(input_).substr(0, end + 4), settings_->limits, head);
        input_.erase(0, end + 4);
        co_return problem;
      }
      if (input_.size() > settings_->limits.header_bytes)
        co_return FramingError{431, "the request's head is too large"};
      bool was_empty = input_.empty();
      if (!co_await read_more()) {
        close();
        co_return std::nullopt;
      }
      if (was_empty) {
        idle_ = false;
        expect_within(settings_->limits.header_timeout);
      }
    }
  }

  Task<std::optional<FramingError>> read_body(Head& head) {
    if (!head.chunked && head.content_length == 0) co_return std::nullopt;
    expect_within(settings_->limits.body_timeout);
    if (head.expects_continue && input_.empty()) {
      boost::system::error_code error;
      co_await asio::async_write(socket_, asio::buffer(std::string_view("HTTP/1.1 100 Continue\r\n\r\n")),
                                 asio::redirect_error(asio::use_awaitable, error));
    }
    auto& body = head.request.body;
    ChunkDecoder chunks(settings_->limits.body_bytes);
    while (true) {
      if (head.chunked) {
        if (auto problem = chunks.feed(input_, body)) co_return problem;
        if (chunks.done()) co_return std::nullopt;
      } else if (input_.size() >= head.content_length) {
        body = input_.substr(0, head.content_length);
        input_.erase(0, head.content_length);
        co_return std::nullopt;
      }
      if (!co_await read_more()) {
        close();
        co_return std::nullopt;
      }
    }
  }

  // Runs the handler. A client that goes away ends a GET: only reads are given up half-way.
  Task<std::optional<Response>> answer(Request request) {
    input_.shrink_to_fit();
    deadline_ = steady_clock::time_point::max();
    bool watch = request.method == Method::kGet;
    if (watch) watch_for_end();
    std::optional<Response> response;
    try {
      response = co_await asio::co_spawn(settings_->loop, settings_->handler(std::move(request)),
                                         asio::bind_cancellation_slot(stop_handler_.slot(), asio::use_awaitable));
    } catch (const std::exception& e) {
      if (socket_.is_open()) {
        log::error("a request handler failed: {}", e.what());
        response = settings_->reject(500, "internal error");
      }
    }
    watching_ = false;
    boost::system::error_code ignored;
    if (watch && socket_.is_open()) socket_.cancel(ignored);
    co_return response;
  }

  void watch_for_end() {
    watching_ = true;
    socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](boost::system::error_code error) {
      if (error || !self->watching_) return;
      char byte;
      auto n = ::recv(self->socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
      if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)) self->close();
    });
  }

  Task<bool> write(const Response& response, bool keep_alive, bool only_head) {
    expect_within(settings_->limits.write_timeout);
    auto head = head_of(response, keep_alive);
    std::array<asio::const_buffer, 2> both{asio::buffer(head), asio::buffer(response.body)};
    if (only_head) both[1] = {};
    boost::system::error_code error;
    co_await asio::async_write(socket_, both, asio::redirect_error(asio::use_awaitable, error));
    co_return !error;
  }

  // Answers and closes, in a way that lets the client read the answer though it may still be sending.
  Task<> refuse(FramingError problem) {
    co_await write(settings_->reject(problem.status, problem.why), false, false);
    boost::system::error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    expect_within(std::chrono::seconds(2));
    for (size_t drained = 0; drained < 64 * 1024 && co_await read_more(); input_.clear()) drained += input_.size();
  }

  tcp::socket socket_;
  std::shared_ptr<const Settings> settings_;
  std::string input_, peer_;
  steady_clock::time_point deadline_;
  asio::cancellation_signal stop_handler_;
  bool idle_ = true, last_ = false, watching_ = false;
};

class Server final : public HttpServer {
 public:
  Server(Executor loop, const Clock& clock, Limits limits, Handler handler,
         std::function<Response(int, std::string_view)> reject)
      : settings_(std::make_shared<Settings>(Settings{loop, clock, limits, std::move(handler), std::move(reject)})),
        tasks_(loop),
        open_(metrics::gauge("myelin_http_connections", "Open client connections")) {
    tasks_.supervise("http: sweeper", [this] { return sweep(); });
  }
  ~Server() override {
    tasks_.cancel();
    for (auto& connection : std::vector(connections_.begin(), connections_.end())) connection->close();
  }

  Result<uint16_t> listen(const std::string& address, uint16_t port) override {
    auto trouble = [&](const boost::system::error_code& e) {
      return fail(Code::kUnavailable, fmt::format("cannot listen on {}:{}: {}", address, port, e.message()));
    };
    boost::system::error_code error;
    auto host = address.starts_with('[') && address.ends_with(']') ? address.substr(1, address.size() - 2) : address;
    auto ip = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, error);
    if (error) return fail(Code::kInvalidParam, fmt::format("{} is not an IP address to listen on", address));
    tcp::acceptor acceptor(settings_->loop);
    tcp::endpoint endpoint(ip, port);
    acceptor.open(endpoint.protocol(), error);
    if (error) return trouble(error);
    acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    acceptor.bind(endpoint, error);
    if (error) return trouble(error);
    acceptor.listen(4096, error);
    if (error) return trouble(error);
    auto bound = acceptor.local_endpoint().port();
    acceptors_.push_back(std::make_shared<tcp::acceptor>(std::move(acceptor)));
    tasks_.spawn("http: accept", accept(acceptors_.back()));
    return bound;
  }

  Task<> drain(steady_clock::time_point deadline) override {
    boost::system::error_code ignored;
    for (auto& acceptor : acceptors_) acceptor->close(ignored);
    for (auto& connection : std::vector(connections_.begin(), connections_.end())) {
      connection->end_after_this();
      if (connection->is_idle()) connection->close();
    }
    while (!connections_.empty() && settings_->clock.steady() < deadline)
      co_await sleep_for(std::chrono::milliseconds(10));
    for (auto& connection : std::vector(connections_.begin(), connections_.end())) connection->close();
    tasks_.cancel();
    co_await tasks_.join();
  }

 private:
  Task<> accept(std::shared_ptr<tcp::acceptor> acceptor) {
    while (acceptor->is_open()) {
      boost::system::error_code error;
      tcp::socket socket(settings_->loop);
      co_await acceptor->async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
      if (error == asio::error::operation_aborted || error == asio::error::bad_descriptor) co_return;
      if (error) {  // out of descriptors: wait for some
        log::warning("http: cannot accept: {}", error.message());
        co_await sleep_for(std::chrono::milliseconds(100));
        continue;
      }
      if (connections_.size() >= settings_->limits.connections) continue;  // closed at once
      socket.non_blocking(true, error);
      auto connection = std::make_shared<Connection>(std::move(socket), settings_);
      connections_.insert(connection);
      open_.Set(static_cast<double>(connections_.size()));
      asio::co_spawn(settings_->loop, connection->serve(),
                     [this, connection, alive = std::weak_ptr(alive_)](std::exception_ptr) {
                       if (alive.expired()) return;
                       connections_.erase(connection);
                       open_.Set(static_cast<double>(connections_.size()));
                     });
    }
  }

  Task<> sweep() {
    while (true) {
      co_await sleep_for(std::chrono::seconds(1));
      auto now = settings_->clock.steady();
      std::vector<std::shared_ptr<Connection>> late;
      for (const auto& connection : connections_)
        if (connection->is_late(now)) late.push_back(connection);
      for (auto& connection : late) connection->close();
    }
  }

  std::shared_ptr<const Settings> settings_;
  std::unordered_set<std::shared_ptr<Connection>> connections_;
  std::vector<std::shared_ptr<tcp::acceptor>> acceptors_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  TaskSet tasks_;
  prometheus::Gauge& open_;
};

}  // namespace

std::unique_ptr<HttpServer> HttpServer::make(Executor loop, const Clock& clock, Limits limits, Handler handler,
                                             std::function<Response(int, std::string_view)> reject) {
  return std::make_unique<Server>(loop, clock, limits, std::move(handler), std::move(reject));
}

}  // namespace myelin::net
