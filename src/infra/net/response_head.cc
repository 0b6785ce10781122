#include "infra/net/response_head.h"

#include <fmt/chrono.h>

#include "base/log.h"

namespace myelin::net {
namespace {

struct Reason {
  int status;
  std::string_view text;
};
constexpr Reason kReasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {413, "Content Too Large"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

std::string_view reason(int status) {
  const auto* found = std::ranges::find(kReasons, status, &Reason::status);
  return found == std::end(kReasons) ? std::string_view() : found->text;
}

void add_field(std::string& head, std::string_view name, std::string_view value) {
  auto is_control = [](char c) { return (static_cast<unsigned char>(c) < 32 && c != '\t') || c == 127; };
  if (std::ranges::any_of(name, is_control) || std::ranges::any_of(value, is_control) || name.contains(':')) {
    log::error("http: a header field with control characters is not sent");
    return;
  }
  head.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

const std::string& ResponseHeads::date() {
  auto second = clock_.now() / 1000;
  if (second != second_) {
    second_ = second;
    date_ = fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(static_cast<std::time_t>(second)));
  }
  return date_;
}

std::string ResponseHeads::make(const Response& response, bool keep_alive) {
  auto head = fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\n", response.status, reason(response.status), date());
  if (!has_no_body(response.status)) {
    if (!response.content_type.empty()) add_field(head, "Content-Type", response.content_type);
    head += fmt::format("Content-Length: {}\r\n", response.body.size());
  }
  for (const auto& field : response.headers) add_field(head, field.name, field.value);
  if (!keep_alive) head += "Connection: close\r\n";
  return head += "\r\n";
}

}  // namespace myelin::net
