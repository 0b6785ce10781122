// A small HTTP/1.1 client for measuring: one connection, requests one after the other. Thread: its executor's.
#pragma once
#include <boost/asio.hpp>
#include <boost/json.hpp>
#include <charconv>
#include <stdexcept>
#include <string>
#include <string_view>

namespace myelin::bench {

namespace asio = boost::asio;
using asio::ip::tcp;
template <class T = void>
using Task = asio::awaitable<T>;

struct Answer {
  int status = 0;
  std::string body;
};

class Client {
 public:
  Client(asio::any_io_executor executor, uint16_t port, std::string token = {})
      : socket_(executor), port_(port), token_(std::move(token)) {}

  Task<Answer> call(std::string method, std::string target, std::string body = {}) {
    if (!socket_.is_open()) {
      co_await socket_.async_connect({asio::ip::address_v4::loopback(), port_}, asio::use_awaitable);
      socket_.set_option(tcp::no_delay(true));
    }
    std::string request = method + ' ' + target + " HTTP/1.1\r\nHost: localhost\r\n";
    if (!token_.empty()) request += "Authorization: Bearer " + token_ + "\r\n";
    if (!body.empty() || method != "GET")
      request += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    request += "\r\n" + body;
    co_await asio::async_write(socket_, asio::buffer(request), asio::use_awaitable);
    co_return co_await read();
  }

  // As call(), but anything else than 200 throws; the body parsed.
  Task<boost::json::object> ok(std::string method, std::string target, std::string body = {}) {
    auto answer = co_await call(method, target, std::move(body));
    if (answer.status != 200)
      throw std::runtime_error(method + ' ' + target + ": " + std::to_string(answer.status) + ' ' + answer.body);
    co_return boost::json::parse(answer.body).as_object();
  }

  void set_token(std::string token) { token_ = std::move(token); }

 private:
  Task<Answer> read() {
    size_t head =
        co_await asio::async_read_until(socket_, asio::dynamic_buffer(buffer_), "\r\n\r\n", asio::use_awaitable);
    std::string_view text(buffer_.data(), head);
    Answer answer;
    std::from_chars(text.data() + 9, text.data() + 12, answer.status);
    size_t length = 0;
    for (size_t line = text.find("\r\n"); line != std::string_view::npos && line + 2 < text.size();
         line = text.find("\r\n", line + 2)) {
      constexpr std::string_view kName = "content-length:";
      auto field = text.substr(line + 2, kName.size());
      if (field.size() == kName.size() && std::equal(field.begin(), field.end(), kName.begin(), [](char a, char b) {
            return std::tolower(static_cast<unsigned char>(a)) == b;
          })) {
        auto digits = text.substr(line + 2 + kName.size());
        digits.remove_prefix(std::min(digits.find_first_not_of(' '), digits.size()));
        std::from_chars(digits.data(), digits.data() + digits.size(), length);
      }
    }
    while (buffer_.size() < head + length) {
      char chunk[16384];
      size_t n = co_await socket_.async_read_some(asio::buffer(chunk), asio::use_awaitable);
      buffer_.append(chunk, n);
    }
    answer.body = buffer_.substr(head, length);
    buffer_.erase(0, head + length);
    co_return answer;
  }

  tcp::socket socket_;
  uint16_t port_;
  std::string token_, buffer_;
};

}  // namespace myelin::bench
