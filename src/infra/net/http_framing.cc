#include "infra/net/http_framing.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace myelin::net {
namespace {

constexpr size_t kMaxFields = 100;
constexpr size_t kMaxChunkLine = 256;  // size and extension
constexpr size_t kMaxChunkDigits = 8;
constexpr int kMaxEmptyLines = 8;

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

bool is_version(std::string_view text) {
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return text.size() == 8 && text.starts_with("HTTP/") && digit(text[5]) && text[6] == '.' && digit(text[7]);
}

std::optional<FramingError> parse_request_line(std::string_view line, Head& out, bool& http_1_0) {
  auto first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return FramingError{400, "malformed request line"};
  auto method = line.substr(0, first), target = line.substr(first + 1, last - first - 1),
       version = line.substr(last + 1);
  if (!is_token(method) || !is_version(version)) return FramingError{400, "malformed request line"};
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return FramingError{505, "only HTTP/1.1 is spoken here"};
  bool printable = std::ranges::all_of(target, [](char c) { return static_cast<unsigned char>(c) > 32 && c != 127; });
  if (!printable) return FramingError{400, "malformed request target"};
  out.request.method = method_of(method);
  out.request.target = target;
  http_1_0 = version == "HTTP/1.0";
  return std::nullopt;
}

struct FramingFields {
  int hosts = 0, lengths = 0, encodings = 0;
  std::string_view host, length, encoding;
  bool close = false;
};

// Calls each(item) for the items of a comma-separated field.
template <class F>
void for_each_item(std::string_view list, F each) {
  while (true) {
    auto comma = list.find(',');
    each(trimmed(list.substr(0, comma)));
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

std::optional<FramingError> note_field(std::string_view name, std::string_view value, Head& out, FramingFields& seen) {
  if (equal_ignoring_case(name, "host")) {
    ++seen.hosts;
    seen.host = value;
  } else if (equal_ignoring_case(name, "content-length")) {
    ++seen.lengths;
    seen.length = value;
  } else if (equal_ignoring_case(name, "transfer-encoding")) {
    ++seen.encodings;
    seen.encoding = value;
  } else if (equal_ignoring_case(name, "connection")) {
    for_each_item(value, [&](std::string_view item) { seen.close = seen.close || equal_ignoring_case(item, "close"); });
  } else if (equal_ignoring_case(name, "expect")) {
    if (!equal_ignoring_case(value, "100-continue")) return FramingError{417, "unknown expectation"};
    out.expects_continue = true;
  }
  return std::nullopt;
}

// RFC 9112, 6.1 and 6.3.
std::optional<FramingError> check_encoding(std::string_view value, Head& out) {
  bool known = true, last_is_chunked = false;
  int chunked = 0;
  for_each_item(value, [&](std::string_view item) {
    last_is_chunked = equal_ignoring_case(item, "chunked");
    chunked += last_is_chunked ? 1 : 0;
    known = known && last_is_chunked;
  });
  if (!last_is_chunked || chunked > 1) return FramingError{400, "chunked is not the last transfer coding"};
  if (!known) return FramingError{501, "only the chunked transfer coding is known"};
  out.chunked = true;
  return std::nullopt;
}

std::optional<FramingError> check_length(std::string_view value, size_t limit, Head& out) {
  bool digits = !value.empty() && std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) return FramingError{400, "malformed Content-Length"};
  auto error = std::from_chars(value.data(), value.data() + value.size(), out.content_length).ec;
  if (error != std::errc() || out.content_length > limit) return FramingError{413, "the body is too large"};
  return std::nullopt;
}

// RFC 9112, 3.2: the origin form, "*", or the absolute form when it names the same host as the Host field.
bool take_target(std::string& target, Method method, const FramingFields& seen) {
  if (target.starts_with('/')) return true;
  if (target == "*") return method == Method::kOptions;
  auto mark = target.find("://");
  if (mark == std::string::npos) return false;
  auto scheme = std::string_view(target).substr(0, mark);
  if (!equal_ignoring_case(scheme, "http") && !equal_ignoring_case(scheme, "https")) return false;
  auto begin = mark + 3, end = std::min(target.find_first_of("/?", begin), target.size());
  auto authority = std::string_view(target).substr(begin, end - begin);
  if (authority.empty() || (seen.hosts > 0 && !equal_ignoring_case(authority, seen.host))) return false;
  target.erase(0, end);
  if (!target.starts_with('/')) target.insert(0, "/");
  return true;
}

bool is_host(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("-._~%!$&'()*+;=:[]").contains(c);
  });
}

std::optional<FramingError> check_framing(const FramingFields& seen, bool http_1_0, const Limits& limits, Head& out) {
  if (seen.hosts > 1 || (seen.hosts == 0 && !http_1_0)) return FramingError{400, "exactly one Host field is needed"};
  if (!is_host(seen.host)) return FramingError{400, "malformed Host"};
  if (!take_target(out.request.target, out.request.method, seen)) return FramingError{400, "malformed request target"};
  if (seen.lengths > 1) return FramingError{400, "more than one Content-Length"};
  if (seen.encodings > 1) return FramingError{400, "more than one Transfer-Encoding"};
  if (seen.lengths > 0 && seen.encodings > 0) return FramingError{400, "both Content-Length and Transfer-Encoding"};
  if (seen.encodings > 0 && http_1_0) return FramingError{400, "Transfer-Encoding in HTTP/1.0"};
  out.keep_alive = !http_1_0 && !seen.close;
  out.expects_continue = out.expects_continue && !http_1_0;
  if (seen.encodings > 0) return check_encoding(seen.encoding, out);
  if (seen.lengths > 0) return check_length(seen.length, limits.body_bytes, out);
  return std::nullopt;
}

}  // namespace

std::optional<FramingError> parse_head(std::string_view text, const Limits& limits, Head& out) {
  if (text.size() > limits.header_bytes) return FramingError{431, "the request's head is too large"};
  bool http_1_0 = false;
  auto line = take_line(text);
  if (!line) return FramingError{400, "lines must end in CRLF"};
  if (auto error = parse_request_line(*line, out, http_1_0)) return error;
  FramingFields seen;
  auto lines = static_cast<size_t>(std::ranges::count(text, '\n'));  // of fields, and the empty one
  out.request.headers.reserve(std::min(lines - std::min<size_t>(lines, 1), kMaxFields));
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

// ---- ChunkDecoder

bool ChunkDecoder::read_size(std::string_view& text, size_t body_size, std::optional<FramingError>& error) {
  auto end = text.find('\n');
  if (end == std::string_view::npos && text.size() <= kMaxChunkLine) return false;
  auto line = text.substr(0, end);
  error = FramingError{400, "malformed chunk size"};
  if (line.size() > kMaxChunkLine || !line.ends_with('\r')) return false;
  line.remove_suffix(1);
  auto digits = line.substr(0, line.find(';'));
  auto [parsed, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), left_, 16);
  bool clean = !digits.empty() && digits.size() <= kMaxChunkDigits && parsed == digits.data() + digits.size() &&
               problem == std::errc() && is_field_value(line);
  if (!clean) return false;
  error = std::nullopt;
  if (left_ > limit_ - body_size) {
    error = FramingError{413, "the body is too large"};
    return false;
  }
  text.remove_prefix(end + 1);
  state_ = left_ == 0 ? State::kLast : State::kData;
  return true;
}

bool ChunkDecoder::read_line_end(std::string_view& text, std::optional<FramingError>& error) {
  std::string_view wanted = "\r\n";
  if (text.substr(0, 2) != wanted.substr(0, text.size())) {
    error = FramingError{400, state_ == State::kLast ? "trailer fields are not taken" : "malformed chunk"};
    return false;
  }
  if (text.size() < 2) return false;
  text.remove_prefix(2);
  state_ = state_ == State::kLast ? State::kDone : State::kSize;
  return true;
}

std::optional<FramingError> ChunkDecoder::feed(std::string& in, std::string& body) {
  std::string_view text = in;
  std::optional<FramingError> error;
  bool more = true;
  while (more && state_ != State::kDone) {
    if (state_ == State::kSize) {
      more = read_size(text, body.size(), error);
    } else if (state_ == State::kData) {
      size_t n = std::min(left_, text.size());
      body.append(text.substr(0, n));
      text.remove_prefix(n);
      left_ -= n;
      more = left_ == 0;
      if (more) state_ = State::kDataEnd;
    } else {
      more = read_line_end(text, error);
    }
  }
  in.erase(0, in.size() - text.size());
  return error;
}

// ---- RequestReader

std::optional<FramingError> RequestReader::skip_empty_lines(std::string& in) {
  while (in.starts_with("\r\n")) {  // RFC 9112, 2.2
    if (++empty_lines_ > kMaxEmptyLines) return FramingError{400, "empty lines instead of a request"};
    in.erase(0, 2);
  }
  has_begun_ = !in.empty() && in != "\r";
  return std::nullopt;
}

// Sets `end` past the head when it is there. Goes over each byte once, however it arrives.
std::optional<FramingError> RequestReader::find_head_end(std::string_view in, size_t& end) {
  while (scanned_ < in.size()) {
    char c = in[scanned_];
    if (c == '\r' && scanned_ + 1 == in.size()) return std::nullopt;
    bool is_end = c == '\r' && in[scanned_ + 1] == '\n';
    if (scanned_ + (is_end ? 2 : 1) > limits_.header_bytes) return FramingError{431, "the request's head is too large"};
    if (!is_end && (c == '\r' || c == '\n')) return FramingError{400, "lines must end in CRLF"};
    bool is_empty_line = is_end && scanned_ == line_start_;
    scanned_ += is_end ? 2 : 1;
    if (is_end) line_start_ = scanned_;
    if (is_empty_line) {
      end = scanned_;
      return std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<FramingError> RequestReader::read_body(std::string& in) {
  auto& body = head_.request.body;
  bool complete = false;
  if (head_.chunked) {
    if (auto error = chunks_.feed(in, body)) return error;
    complete = chunks_.done();
  } else {
    size_t n = std::min(head_.content_length - body.size(), in.size());
    body.append(in, 0, n);
    in.erase(0, n);
    complete = body.size() == head_.content_length;
  }
  if (complete) state_ = State::kComplete;
  return std::nullopt;
}

std::optional<FramingError> RequestReader::feed(std::string& in) {
  if (state_ == State::kHead) {
    if (!has_begun_)
      if (auto error = skip_empty_lines(in)) return error;
    if (!has_begun_) return std::nullopt;
    size_t end = 0;
    if (auto error = find_head_end(in, end)) return error;
    if (end == 0) return std::nullopt;
    if (auto error = parse_head(std::string_view(in).substr(0, end), limits_, head_)) return error;
    in.erase(0, end);
    state_ = State::kBody;
  }
  return state_ == State::kBody ? read_body(in) : std::nullopt;
}

}  // namespace myelin::net
