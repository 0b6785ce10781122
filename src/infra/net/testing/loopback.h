// A real server on a loopback port with a handler for tests, on a thread of its own, and a blocking client that sends
// any bytes.
#pragma once
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <cstring>
#include <future>
#include <semaphore>
#include <thread>

#include "infra/net/http_server.h"

namespace myelin::net::testing {

namespace asio = boost::asio;
using std::chrono::steady_clock;

// Runs a loop on a thread.
class LoopThread {
 public:
  LoopThread() : work_(asio::make_work_guard(io_)), thread_([this] { io_.run(); }) {}
  ~LoopThread() { stop(); }
  Executor executor() { return io_.get_executor(); }
  template <class F>
  auto call(F f) {  // f() on the loop
    std::packaged_task<decltype(f())()> task(std::move(f));
    auto result = task.get_future();
    asio::post(io_, [&task] { task(); });
    return result.get();
  }
  template <class T>
  std::future<T> start(Task<T> task) {
    return asio::co_spawn(io_, std::move(task), asio::use_future);
  }
  void stop() {
    work_.reset();
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }

 private:
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::thread thread_;
};

// What the handler below has seen and what it waits for.
struct Seen {
  explicit Seen(Executor loop) : bell(std::move(loop)) {}
  std::atomic<int> runs = 0, finished = 0;
  std::counting_semaphore<> started{0}, cancelled{0}, ended{0};
  Doorbell bell;  // ends /wait
};

// GET /wait answers when the bell rings, /fail throws, /big?N has N bytes, /status?N that status, /echo everything
// else.
inline Task<Response> handle(std::shared_ptr<Seen> seen, Request request) {
  ++seen->runs;
  Response response;
  if (request.path() == "/wait") {
    auto generation = seen->bell.generation();
    seen->started.release();
    try {
      co_await seen->bell.wait(generation, steady_clock::time_point::max());
    } catch (...) {
      seen->cancelled.release();
      throw;
    }
  }
  if (request.path() == "/fail") throw std::runtime_error("on purpose");
  if (request.path() == "/status") response.status = std::stoi(std::string(request.query()));
  if (request.path() == "/big")
    response.body = std::string(std::stoul(std::string(request.query())), 'x');
  else
    response.body = fmt::format("{} {} {}", to_string(request.method), request.target, request.body);
  response.content_type = "text/plain";
  ++seen->finished;
  seen->ended.release();
  co_return response;
}

class LoopbackServer {
 public:
  explicit LoopbackServer(Limits limits = {}) {
    loop_.call([&] {
      seen = std::make_shared<Seen>(loop_.executor());
      auto reject = [](int status, std::string_view why) {
        return Response{.status = status, .body = fmt::format("rejected: {}", why)};
      };
      server_ = HttpServer::make(
          loop_.executor(), clock_, limits, [seen = seen](Request request) { return handle(seen, std::move(request)); },
          reject);
      port = server_->listen("127.0.0.1", 0).value();
    });
  }
  ~LoopbackServer() {
    loop_.call([&] { server_.reset(); });
    loop_.stop();
  }
  void ring() {
    loop_.call([&] { seen->bell.ring(); });
  }
  // What happens meanwhile the server sees at once.
  void stand_still_while(std::function<void()> happens) { loop_.call(std::move(happens)); }
  // The server's clock stands still but for this.
  void advance(std::chrono::milliseconds time) {
    loop_.call([&] { clock_.advance(time.count()); });
  }
  std::future<void> drain(std::chrono::milliseconds within) {
    return loop_.start(server_->drain(clock_.steady() + within));
  }
  std::string url(const std::string& target) const { return fmt::format("http://127.0.0.1:{}{}", port, target); }

  std::shared_ptr<Seen> seen;
  uint16_t port = 0;

 private:
  ManualClock clock_;
  LoopThread loop_;
  std::unique_ptr<HttpServer> server_;
};

struct Answer {
  int status = 0;  // 0: none came
  std::string head, body;
};

class RawClient {
 public:
  explicit RawClient(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    timeval patience{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in to{.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_connected = ::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;

  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }
  RawClient& send(std::string_view bytes) {
    while (!bytes.empty()) {
      auto n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) break;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return *this;
  }
  Answer read(bool has_body = true) {
    Answer answer;
    while (!in_.contains("\r\n\r\n"))
      if (!read_some()) return answer;
    answer.head = take(in_.find("\r\n\r\n") + 4);
    answer.status = std::stoi(answer.head.substr(9, 3));
    auto length = answer.head.find("Content-Length: ");
    if (!has_body || length == std::string::npos) return answer;
    auto size = std::stoul(answer.head.substr(length + 16));
    while (in_.size() < size)
      if (!read_some()) return {};
    answer.body = take(size);
    return answer;
  }
  // Everything until the server closes; "timeout" when it does not.
  std::string rest() {
    while (read_some()) {
    }
    return is_closed_ ? take(in_.size()) : "timeout";
  }

  bool is_connected = false;

 private:
  bool read_some() {
    char bytes[4096];
    auto n = ::recv(socket_, bytes, sizeof bytes, 0);
    if (n > 0) in_.append(bytes, static_cast<size_t>(n));
    is_closed_ = n == 0 || (n < 0 && errno == ECONNRESET);
    return n > 0;
  }
  std::string take(size_t n) {
    auto out = in_.substr(0, n);
    in_.erase(0, n);
    return out;
  }

  int socket_;
  std::string in_;
  bool is_closed_ = false;
};

}  // namespace myelin::net::testing
