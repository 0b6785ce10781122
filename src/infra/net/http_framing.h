// The framing of HTTP/1.1 requests, checked strictly (RFC 9112): what two parsers could read differently is refused, so
// that nothing can be smuggled past a proxy in front. Pure; any thread.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "infra/net/http_server.h"

namespace myelin::net {

struct FramingError {
  int status = 400;      // 400, 413, 431, 501, 505
  std::string_view why;  // static text
};

struct Head {
  Request request;  // without body
  bool keep_alive = true, chunked = false, expects_continue = false;
  size_t content_length = 0;
};

// `text`: from the first byte of the request line to the end of the empty line, inclusive.
std::optional<FramingError> parse_head(std::string_view text, const Limits&, Head& out);

// Decodes a chunked body fed in pieces. Chunk extensions are skipped, trailer fields refused.
class ChunkDecoder {
 public:
  explicit ChunkDecoder(size_t limit) : limit_(limit) {}
  // Takes what it can from the front of `in`, appends data to `body`. An error is final.
  std::optional<FramingError> feed(std::string& in, std::string& body);
  bool done() const { return state_ == State::kDone; }

 private:
  enum class State : uint8_t { kSize, kData, kDataEnd, kLast, kDone };
  State state_ = State::kSize;
  size_t limit_, left_ = 0;
};

}  // namespace myelin::net
