#include "infra/net/http_framing.h"

#include <algorithm>
#include <charconv>

namespace myelin::net {
namespace {

constexpr size_t kMaxFields = 100;
constexpr size_t kMaxChunkLine = 256;  // size and extension
constexpr size_t kMaxChunkDigits = 8;

bool is_token_character(char c) {  // RFC 9110, 5.6.2
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$%&'*+-.^_`|~").contains(c);
}
bool is_token(std::string_view text) { return !text.empty() && std::ranges::all_of(text, is_token_character); }
bool is_field_value(std::string_view text) {
  return std::ranges::all_of(text,
                             [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 32 && c != 127); });
}
bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](char x, char y) { return (x | 32) == (y | 32) && (x == y || ((x | 32) >= 'a' && (x | 32) <= 'z')); });
}
std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

Method method_of(std::string_view name) {
  for (auto method :
       {Method::kGet, Method::kHead, Method::kPost, Method::kPut, Method::kDelete, Method::kOptions, Method::kPatch})
    if (name == to_string(method)) return method;
  return Method::kOther;
}

// Takes the next line, which must end in CRLF.
std::optional<std::string_view> take_line(std::string_view& text) {
  auto end = text.find_first_of("\r\n");
  if (end == std::string_view::npos || text.substr(end, 2) != "\r\n") return std::nullopt;
  auto line = text.substr(0, end);
  text.remove_prefix(end + 2);
  return line;
}

std::optional<FramingError> parse_request_line(std::string_view line, Head& out, bool& http_1_0) {
  auto first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return FramingError{400, "malformed request line"};
  auto method = line.substr(0, first), target = line.substr(first + 1, last - first - 1),
       version = line.substr(last + 1);
  if (!is_token(method)) return FramingError{400, "malformed method"};
  if (version != "HTTP/1.1" && version != "HTTP/1.0")
    return version.starts_with("HTTP/") ? FramingError{505, "only HTTP/1.1 is spoken here"}
                                        : FramingError{400, "malformed request line"};
  bool printable = std::ranges::all_of(target, [](char c) { return static_cast<unsigned char>(c) > 32 && c != 127; });
  if (!printable || !(target.starts_with('/') || (target == "*" && method == "OPTIONS")))
    return FramingError{400, "malformed request target"};
  out.request.method = method_of(method);
  out.request.target = target;
  http_1_0 = version == "HTTP/1.0";
  return std::nullopt;
}

struct FramingFields {
  int hosts = 0, lengths = 0, encodings = 0;
  std::string_view length, encoding;
};

std::optional<FramingError> note_field(std::string_view name, std::string_view value, Head& out, FramingFields& seen) {
  if (equal_ignoring_case(name, "host")) ++seen.hosts;
  if (equal_ignoring_case(name, "content-length")) {
    ++seen.lengths;
    seen.length = value;
  }
  if (equal_ignoring_case(name, "transfer-encoding")) {
    ++seen.encodings;
    seen.encoding = value;
  }
  if (equal_ignoring_case(name, "connection")) {
    if (equal_ignoring_case(value, "close")) out.keep_alive = false;
    if (equal_ignoring_case(value, "keep-alive")) out.keep_alive = true;
  }
  if (equal_ignoring_case(name, "expect")) {
    if (!equal_ignoring_case(value, "100-continue")) return FramingError{400, "unknown expectation"};
    out.expects_continue = true;
  }
  return std::nullopt;
}

std::optional<FramingError> check_framing(const FramingFields& seen, bool http_1_0, const Limits& limits, Head& out) {
  if (seen.hosts > 1 || (seen.hosts == 0 && !http_1_0)) return FramingError{400, "exactly one Host field is needed"};
  if (seen.lengths > 1) return FramingError{400, "more than one Content-Length"};
  if (seen.encodings > 1) return FramingError{400, "more than one Transfer-Encoding"};
  if (seen.lengths > 0 && seen.encodings > 0) return FramingError{400, "both Content-Length and Transfer-Encoding"};
  if (seen.encodings > 0) {
    if (http_1_0) return FramingError{400, "Transfer-Encoding in HTTP/1.0"};
    if (!equal_ignoring_case(seen.encoding, "chunked"))
      return FramingError{501, "only the chunked transfer coding is known"};
    out.chunked = true;
  }
  if (seen.lengths > 0) {
    const char* end = seen.length.data() + seen.length.size();
    auto [parsed, error] = std::from_chars(seen.length.data(), end, out.content_length);
    bool digits = !seen.length.empty() && std::ranges::all_of(seen.length, [](char c) { return c >= '0' && c <= '9'; });
    if (!digits) return FramingError{400, "malformed Content-Length"};
    if (error != std::errc() || parsed != end || out.content_length > limits.body_bytes)
      return FramingError{413, "the body is too large"};
  }
  return std::nullopt;
}

}  // namespace

std::optional<FramingError> parse_head(std::string_view text, const Limits& limits, Head& out) {
  if (text.size() > limits.header_bytes) return FramingError{431, "the request's head is too large"};
  bool http_1_0 = false;
  auto line = take_line(text);
  if (!line) return FramingError{400, "lines must end in CRLF"};
  if (auto error = parse_request_line(*line, out, http_1_0)) return error;
  out.keep_alive = !http_1_0;
  FramingFields seen;
  while (true) {
    line = take_line(text);
    if (!line) return FramingError{400, "lines must end in CRLF"};
    if (line->empty()) break;
    if (line->starts_with(' ') || line->starts_with('\t')) return FramingError{400, "obsolete line folding"};
    auto colon = line->find(':');
    if (colon == std::string_view::npos || !is_token(line->substr(0, colon)))
      return FramingError{400, "malformed field name"};
    auto name = line->substr(0, colon), value = trimmed(line->substr(colon + 1));
    if (!is_field_value(value)) return FramingError{400, "malformed field value"};
    if (out.request.headers.size() == kMaxFields) return FramingError{431, "too many fields"};
    if (auto error = note_field(name, value, out, seen)) return error;
    out.request.headers.push_back({std::string(name), std::string(value)});
  }
  return check_framing(seen, http_1_0, limits, out);
}

std::optional<FramingError> ChunkDecoder::feed(std::string& in, std::string& body) {
  size_t used = 0;
  auto rest = [&] { return std::string_view(in).substr(used); };
  std::optional<FramingError> error;
  while (state_ != State::kDone && !error) {
    auto text = rest();
    if (state_ == State::kData) {
      size_t n = std::min(left_, text.size());
      body.append(text.substr(0, n));
      used += n;
      left_ -= n;
      if (left_ > 0) break;
      state_ = State::kDataEnd;
    } else if (state_ == State::kDataEnd || state_ == State::kLast) {
      if (text.size() < 2) {
        if (!text.empty() && text[0] != '\r') error = FramingError{400, "malformed chunk"};
        break;
      }
      if (!text.starts_with("\r\n")) {
        error = FramingError{400, state_ == State::kLast ? "trailer fields are not taken" : "malformed chunk"};
        break;
      }
      used += 2;
      state_ = state_ == State::kLast ? State::kDone : State::kSize;
    } else {
      auto end = text.find('\n');
      if (end == std::string_view::npos) {
        if (text.size() > kMaxChunkLine) error = FramingError{400, "malformed chunk size"};
        break;
      }
      auto line = text.substr(0, end);
      if (line.size() > kMaxChunkLine || !line.ends_with('\r')) {
        error = FramingError{400, "malformed chunk size"};
        break;
      }
      line.remove_suffix(1);
      auto digits = line.substr(0, line.find(';'));
      auto [parsed, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), left_, 16);
      bool clean = !digits.empty() && digits.size() <= kMaxChunkDigits && parsed == digits.data() + digits.size() &&
                   problem == std::errc() && is_field_value(line);
      if (!clean) {
        error = FramingError{400, "malformed chunk size"};
        break;
      }
      if (body.size() + left_ > limit_) {
        error = FramingError{413, "the body is too large"};
        break;
      }
      used += end + 1;
      state_ = left_ == 0 ? State::kLast : State::kData;
    }
  }
  in.erase(0, used);
  return error;
}

}  // namespace myelin::net
