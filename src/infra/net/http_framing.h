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
  int status = 400;      // 400, 408, 413, 417, 431, 501, 505
  std::string_view why;  // static text
  bool operator==(const FramingError&) const = default;
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
  // Each works on the front of `text` and takes what it used; false when more input is needed.
  bool read_size(std::string_view& text, size_t body_size, std::optional<FramingError>& error);
  bool read_line_end(std::string_view& text, std::optional<FramingError>& error);

  State state_ = State::kSize;
  size_t limit_, left_ = 0;
};

// Reads one request from bytes that arrive in pieces; where the pieces end makes no difference.
class RequestReader {
 public:
  explicit RequestReader(const Limits& limits) : limits_(limits), chunks_(limits.body_bytes) {}
  // Takes what it can from the front of `in`, and nothing past the request's end. An error is final.
  std::optional<FramingError> feed(std::string& in);
  bool has_begun() const { return has_begun_; }  // something other than an empty line has arrived
  bool has_head() const { return state_ != State::kHead; }
  bool is_complete() const { return state_ == State::kComplete; }
  Head& head() { return head_; }

 private:
  enum class State : uint8_t { kHead, kBody, kComplete };
  std::optional<FramingError> skip_empty_lines(std::string& in);
  std::optional<FramingError> find_head_end(std::string_view in, size_t& end);
  std::optional<FramingError> read_body(std::string& in);

  const Limits& limits_;
  State state_ = State::kHead;
  bool has_begun_ = false;
  int empty_lines_ = 0;
  size_t scanned_ = 0, line_start_ = 0;  // of the head
  Head head_;
  ChunkDecoder chunks_;
};

}  // namespace myelin::net
