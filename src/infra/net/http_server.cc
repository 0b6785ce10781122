#include "infra/net/http_server.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <unordered_set>

#include "base/log.h"
#include "base/metrics.h"
#include "infra/net/http_framing.h"
#include "infra/net/response_head.h"

namespace myelin::net {
namespace asio = boost::asio;
using asio::ip::tcp;
using std::chrono::steady_clock;

namespace {

constexpr size_t kReadBytes = 16 * 1024;
constexpr size_t kWriteSlice = 256 * 1024;                // what must go out within one write_timeout
constexpr size_t kDrainedAfterRefusal = 8'388'608;        // what a client may still send before it reads the refusal
constexpr std::chrono::milliseconds kRefusalTime{5'000};  // and how long
constexpr std::chrono::milliseconds kUnwindTime{2'000};

struct Settings {
  Executor loop;
  const Clock& clock;
  Limits limits;
  Handler handler;
  std::function<Response(int, std::string_view)> reject;
  ResponseHeads heads{clock};
  std::array<char, kReadBytes> read_buffer{};  // of all connections: nothing stays in it
};

// One client connection. Its coroutine owns it; the server's sweeper ends what takes too long.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, std::shared_ptr<Settings> settings)
      : socket_(std::move(socket)), settings_(std::move(settings)) {
    boost::system::error_code error;
    socket_.set_option(tcp::no_delay(true), error);
    auto peer = socket_.remote_endpoint(error).address();
    if (peer.is_v6() && peer.to_v6().is_v4_mapped())
      peer = asio::ip::make_address_v4(asio::ip::v4_mapped, peer.to_v6());
    if (!error) peer_ = peer.to_string();
    expect_within(settings_->limits.idle_timeout);
  }

  void end_when_done() {
    last_ = true;
    if (phase_ == Phase::kIdle) close();
  }
  void end_if_late(steady_clock::time_point now) {
    if (now <= deadline_) return;
    if (phase_ != Phase::kReading) return close();
    timed_out_ = true;  // serve() answers 408
    boost::system::error_code ignored;
    socket_.cancel(ignored);
  }
  void close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
    stop_handler_.emit(asio::cancellation_type::terminal);
  }

  Task<> serve() {
    bool more = true;
    while (more && !last_ && socket_.is_open()) more = co_await serve_one();
    boost::system::error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
  }

 private:
  enum class Phase : uint8_t { kIdle, kReading, kHandling, kWriting, kClosing };

  static bool is_read(const Request& request) {
    return request.method == Method::kGet || request.method == Method::kHead;
  }
  void expect_within(std::chrono::milliseconds time) { deadline_ = settings_->clock.steady() + time; }

  // False when the connection ends.
  Task<bool> serve_one() {
    Head head;
    auto problem = co_await read(head);
    if (!socket_.is_open()) co_return false;
    if (problem) {
      co_await refuse(*problem);
      co_return false;
    }
    if (!is_read(head.request) && !take()) {  // long ago, perhaps: its client may have asked elsewhere since
      close();
      co_return false;
    }
    head.request.remote_address = peer_;
    bool only_head = head.request.method == Method::kHead;
    auto response = co_await answer(std::move(head.request));
    if (!response || !socket_.is_open()) co_return false;
    bool keep_alive = head.keep_alive && !last_;
    co_return co_await write(*response, keep_alive, only_head) && keep_alive;
  }

  // Takes what has arrived; false when the client is gone.
  bool take() {
    auto& bytes = settings_->read_buffer;
    boost::system::error_code error;
    size_t n = socket_.read_some(asio::buffer(bytes), error);
    if (error == asio::error::would_block || error == asio::error::try_again) return true;
    input_.append(bytes.data(), n);
    return !error && n > 0;
  }

  Task<bool> read_more() {
    boost::system::error_code error;
    co_await socket_.async_wait(tcp::socket::wait_read, asio::redirect_error(asio::use_awaitable, error));
    co_return !error && take();
  }

  // Reads one request. A client that goes away in between closes the socket.
  Task<std::optional<FramingError>> read(Head& head) {
    RequestReader reader(settings_->limits);
    phase_ = Phase::kIdle;
    expect_within(settings_->limits.idle_timeout);
    bool has_head = false;
    while (true) {
      auto problem = reader.feed(input_);
      if (reader.is_complete()) head = std::move(reader.head());
      if (problem || reader.is_complete()) co_return problem;
      if (phase_ == Phase::kIdle && reader.has_begun()) {
        phase_ = Phase::kReading;
        expect_within(settings_->limits.header_timeout);
      }
      if (reader.has_head() && !has_head) {
        has_head = true;
        expect_within(settings_->limits.body_timeout);
        const auto& begun = reader.head();
        if (begun.expects_continue && begun.request.body.empty() && input_.empty()) co_await invite_body();
      }
      if (co_await read_more()) continue;
      if (timed_out_) co_return FramingError{408, "the request did not arrive in time"};
      close();
      co_return std::nullopt;
    }
  }

  Task<> invite_body() {
    boost::system::error_code error;  // shows again when the body is read
    co_await asio::async_write(socket_, asio::buffer(std::string_view("HTTP/1.1 100 Continue\r\n\r\n")),
                               asio::redirect_error(asio::use_awaitable, error));
  }

  // Runs the handler. A client that goes away ends a GET: only reads are given up half-way.
  Task<std::optional<Response>> answer(Request request) {
    phase_ = Phase::kHandling;
    deadline_ = steady_clock::time_point::max();
    input_.shrink_to_fit();
    watching_ = is_read(request);
    if (watching_) watch_for_end();
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
    boost::system::error_code ignored;
    if (watching_ && socket_.is_open()) socket_.cancel(ignored);
    watching_ = false;
    co_return response;
  }

  // Keeps what the client sends ahead, up to a head's size; past that its end shows only after the answer.
  void watch_for_end() {
    socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](boost::system::error_code error) {
      if (error || !self->watching_) return;
      if (!self->take()) return self->close();
      if (self->input_.size() <= self->settings_->limits.header_bytes) self->watch_for_end();
    });
  }

  Task<bool> write(const Response& response, bool keep_alive, bool only_head) {
    phase_ = Phase::kWriting;
    auto head = settings_->heads.make(response, keep_alive);
    std::string_view body = response.body;
    if (only_head || has_no_body(response.status)) body = {};
    boost::system::error_code error;
    bool first = true;
    while (!error && (first || !body.empty())) {
      auto slice = body.substr(0, kWriteSlice);
      std::array<asio::const_buffer, 2> buffers{asio::buffer(first ? head : std::string_view()), asio::buffer(slice)};
      expect_within(settings_->limits.write_timeout);
      co_await asio::async_write(socket_, buffers, asio::redirect_error(asio::use_awaitable, error));
      body.remove_prefix(slice.size());
      first = false;
    }
    co_return !error;
  }

  // Answers and closes, in a way that lets the client read the answer though it may still be sending.
  Task<> refuse(FramingError problem) {
    if (!co_await write(settings_->reject(problem.status, problem.why), false, false)) co_return;
    boost::system::error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    phase_ = Phase::kClosing;
    expect_within(kRefusalTime);
    for (size_t drained = 0; drained < kDrainedAfterRefusal && co_await read_more(); input_.clear())
      drained += input_.size();
  }

  tcp::socket socket_;
  std::shared_ptr<Settings> settings_;
  std::string input_, peer_;
  steady_clock::time_point deadline_;
  asio::cancellation_signal stop_handler_;
  Phase phase_ = Phase::kIdle;
  bool last_ = false;  // the server drains
  bool timed_out_ = false, watching_ = false;
};

class Server final : public HttpServer {
 public:
  Server(Executor loop, const Clock& clock, Limits limits, Handler handler,
         std::function<Response(int, std::string_view)> reject)
      : settings_(std::make_shared<Settings>(loop, clock, limits, std::move(handler), std::move(reject))),
        tasks_(loop),
        open_(metrics::gauge("myelin_http_connections", "Open client connections")) {
    tasks_.supervise("http: sweeper", [this] { return sweep(); });
  }
  ~Server() override {
    tasks_.cancel();
    for (auto& connection : snapshot()) connection->close();
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
    for (auto& connection : snapshot()) connection->end_when_done();
    while (!connections_.empty() && settings_->clock.steady() < deadline) co_await sleep_for(kPoll);
    for (auto& connection : snapshot()) connection->close();
    // What was cancelled unwinds before the components that it uses stop.
    for (auto left = kUnwindTime; !connections_.empty() && left.count() > 0; left -= kPoll) co_await sleep_for(kPoll);
    tasks_.cancel();
    co_await tasks_.join();
  }

 private:
  static constexpr std::chrono::milliseconds kPoll{10};
  using Connections = std::unordered_set<std::shared_ptr<Connection>>;

  std::vector<std::shared_ptr<Connection>> snapshot() const { return {connections_.begin(), connections_.end()}; }

  Task<> accept(std::shared_ptr<tcp::acceptor> acceptor) {
    std::weak_ptr alive = alive_;
    while (acceptor->is_open()) {
      boost::system::error_code error;
      tcp::socket socket(co_await asio::this_coro::executor);
      co_await acceptor->async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
      if (alive.expired() || error == asio::error::operation_aborted || error == asio::error::bad_descriptor) co_return;
      if (error) {  // out of descriptors: wait for some
        log::warning("http: cannot accept: {}", error.message());
        co_await sleep_for(std::chrono::milliseconds(100));
        if (alive.expired()) co_return;
      } else if (connections_.size() < settings_->limits.connections) {  // else closed at once
        start(std::move(socket));
      }
    }
  }

  void start(tcp::socket socket) {
    boost::system::error_code ignored;
    socket.non_blocking(true, ignored);
    auto connection = std::make_shared<Connection>(std::move(socket), settings_);
    connections_.insert(connection);
    open_.Set(static_cast<double>(connections_.size()));
    asio::co_spawn(settings_->loop, connection->serve(),
                   [this, connection, alive = std::weak_ptr(alive_)](const std::exception_ptr&) {
                     if (alive.expired()) return;
                     connections_.erase(connection);
                     open_.Set(static_cast<double>(connections_.size()));
                   });
  }

  Task<> sweep() {
    const auto& limits = settings_->limits;
    auto shortest = std::min({limits.header_timeout, limits.body_timeout, limits.idle_timeout, limits.write_timeout});
    auto pause = std::clamp(shortest / 4, kPoll, std::chrono::milliseconds(1'000));
    std::weak_ptr alive = alive_;
    while (true) {
      co_await sleep_for(pause);
      if (alive.expired()) co_return;
      auto now = settings_->clock.steady();
      for (auto& connection : snapshot()) connection->end_if_late(now);
    }
  }

  std::shared_ptr<Settings> settings_;
  Connections connections_;
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
