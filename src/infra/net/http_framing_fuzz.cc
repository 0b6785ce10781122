// A request means the same however the network splits it, and what is read keeps its limits. The first byte seeds the
// splits; the rest is what a client sends.
#include <cstdlib>
#include <random>
#include <vector>

#include "infra/net/http_framing.h"

namespace {
using namespace myelin::net;

constexpr Limits kLimits{.header_bytes = 512, .body_bytes = 1024};

struct Outcome {
  std::vector<Head> requests;
  std::optional<FramingError> error;
  std::string rest;  // of what was fed: not part of a whole request
  bool has_begun = false, has_head = false;
};

void require(bool holds) {
  if (!holds) std::abort();
}

// Feeds `input` in pieces that `next_size` chooses, as a connection does.
template <class F>
Outcome read_all(std::string_view input, F next_size) {
  Outcome out;
  std::optional<RequestReader> reader(std::in_place, kLimits);
  std::string buffer;
  while (!out.error) {
    out.error = reader->feed(buffer);
    if (!out.error && reader->is_complete()) {
      out.requests.push_back(reader->head());
      reader.emplace(kLimits);
      continue;
    }
    if (input.empty()) break;
    auto piece = input.substr(0, next_size());
    buffer.append(piece);
    input.remove_prefix(piece.size());
  }
  out.has_begun = reader->has_begun();
  out.has_head = reader->has_head();
  out.rest = buffer;
  return out;
}

bool same(const Request& a, const Request& b) {
  auto same_field = [](const Header& x, const Header& y) { return x.name == y.name && x.value == y.value; };
  return a.method == b.method && a.target == b.target && a.body == b.body &&
         std::ranges::equal(a.headers, b.headers, same_field);
}

void check(const Head& head) {
  const auto& request = head.request;
  require(request.body.size() <= kLimits.body_bytes && (head.chunked || request.body.size() == head.content_length));
  require(!head.chunked || head.content_length == 0);
  require(request.target.starts_with('/') || request.target == "*");
  size_t bytes = request.target.size();
  for (const auto& [name, value] : request.headers) {
    bytes += name.size() + value.size();
    require(!name.empty() && name.find_first_of(std::string_view(": \t\r\n\0", 6)) == std::string::npos);
    require(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
  }
  require(bytes <= kLimits.header_bytes);
  require(head.chunked == !request.header("transfer-encoding").empty());
  require(!head.chunked || request.header("content-length").empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::minstd_rand random(data[0] + 1U);
  auto whole = read_all(input, [&] { return input.size(); });
  auto bytes = read_all(input, [] { return size_t{1}; });
  auto split = read_all(input, [&] { return size_t{1} + random() % 64; });
  for (const auto& other : {bytes, split}) {
    require(whole.error == other.error && whole.requests.size() == other.requests.size());
    for (size_t i = 0; i < whole.requests.size(); ++i) {
      const auto &a = whole.requests[i], &b = other.requests[i];
      require(same(a.request, b.request) && a.keep_alive == b.keep_alive && a.chunked == b.chunked);
    }
    if (!whole.error)
      require(whole.rest == other.rest && whole.has_begun == other.has_begun && whole.has_head == other.has_head);
  }
  for (const auto& head : whole.requests) check(head);
  return 0;
}
