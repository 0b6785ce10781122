#include "matrix/x_matrix.h"

#include <algorithm>

#include "base/bytes.h"

namespace myelin {
namespace {

constexpr size_t kMaxHeaderBytes = 4096;
constexpr size_t kMaxSignedBody = 64 * 1024 * 1024;  // whoever reads requests has lower limits

std::unexpected<Error> malformed() { return fail(Code::kUnauthorized, "malformed X-Matrix authorization header"); }

bool is_space(char c) { return c == ' ' || c == '\t'; }
// RFC 9110, section 5.6.2.
bool is_token(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$%&'*+-.^_`|~").contains(c);
}
bool is_value(char c) { return is_token(c) || c == ':'; }  // older servers leave a colon unquoted

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}
  bool done() const { return rest_.empty(); }
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  size_t skip_spaces() {
    size_t before = rest_.size();
    while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
    return before - rest_.size();
  }
  std::string_view word(bool (*allowed)(char)) {
    auto end = std::ranges::find_if_not(rest_, allowed);
    auto found = rest_.substr(0, static_cast<size_t>(end - rest_.begin()));
    rest_.remove_prefix(found.size());
    return found;
  }
  std::optional<std::string> value() {
    if (!take('"')) {
      auto text = word(is_value);
      if (text.empty()) return std::nullopt;
      return std::string(text);
    }
    std::string out;
    while (!take('"')) {
      take('\\');  // the character after it stands for itself
      if (rest_.empty()) return std::nullopt;
      out += rest_.front();
      rest_.remove_prefix(1);
    }
    return out;
  }

 private:
  std::string_view rest_;
};

struct Parameters {
  std::optional<std::string> origin, destination, key, sig;
  std::optional<std::string>* named(std::string_view name) {
    return name == "origin"        ? &origin
           : name == "destination" ? &destination
           : name == "key"         ? &key
           : name == "sig"         ? &sig
                                   : nullptr;
  }
};

Result<Parameters> read_parameters(Reader in) {
  Parameters out;
  if (ascii_lower(std::string(in.word(is_token))) != "x-matrix" || in.skip_spaces() == 0) return malformed();
  // A list (RFC 9110, sections 5.6.1.2 and 11.4): "A recipient MUST parse and ignore a reasonable number of empty list
  // elements". Around "=" there may be bad whitespace, which "MUST be parsed".
  for (in.skip_spaces(); !in.done(); in.skip_spaces()) {
    if (in.take(',')) continue;
    auto name = ascii_lower(std::string(in.word(is_token)));
    in.skip_spaces();
    if (name.empty() || !in.take('=')) return malformed();
    in.skip_spaces();
    auto value = in.value();
    if (!value) return malformed();
    if (auto known = out.named(name)) {
      if (*known) return malformed();  // twice
      *known = std::move(value);
    }
    in.skip_spaces();
    if (!in.done() && !in.take(',')) return malformed();
  }
  return out;
}

constexpr json::ParseLimits kBody{.bytes = kMaxSignedBody, .depth = json::kMaxTransactionDepth};

// The canonical JSON of "content", "destination", "method", "origin" and "uri": bodies carry events of old room
// versions too, so numbers are not restricted.
Result<std::string> signed_bytes(const SignedRequest& request, const ServerName& origin,
                                 const ServerName& destination) {
  std::string out = "{";
  auto add = [&](std::string_view key, std::string_view value) {
    out.append(out.size() > 1 ? ",\"" : "\"").append(key).append("\":");
    json::append_quoted(out, value);
  };
  if (request.body) {
    MYELIN_TRY(std::string content, json::canonical_text(*request.body, json::CanonicalMode::kLax, kBody));
    out.append("\"content\":").append(content);
  }
  add("destination", destination.str());
  add("method", request.method);
  add("origin", origin.str());
  add("uri", request.uri);
  return out + '}';
}

void append_parameter(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append("=\"");
  for (char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

}  // namespace

Result<XMatrix> XMatrix::parse(std::string_view header) {
  if (header.size() > kMaxHeaderBytes) return malformed();
  MYELIN_TRY(Parameters read, read_parameters(Reader(header)));
  if (!read.origin || !read.key || !read.sig) return malformed();
  auto origin = ServerName::parse(*read.origin);
  auto key_id = SigningKeyId::parse(*read.key);
  if (!origin || !key_id) return malformed();
  XMatrix out{*std::move(origin), std::nullopt, *std::move(key_id), *std::move(read.sig)};
  if (read.destination) {
    auto destination = ServerName::parse(*read.destination);
    if (!destination) return malformed();
    out.destination = *std::move(destination);
  }
  return out;
}

std::string XMatrix::header() const {
  std::string out = "X-Matrix ";
  append_parameter(out, "origin", origin.str());
  if (destination) append_parameter(out += ',', "destination", destination->str());
  append_parameter(out += ',', "key", key_id.str());
  append_parameter(out += ',', "sig", signature);
  return out;
}

Result<XMatrix> sign_request(const SignedRequest& request, const ServerName& origin, const ServerName& destination,
                             const SigningKey& key) {
  MYELIN_TRY(std::string message, signed_bytes(request, origin, destination));
  return XMatrix{origin, destination, SigningKeyId::trusted(key.key_id()), base64(key.sign(message))};
}

Result<void> verify_request(const SignedRequest& request, const XMatrix& authorization, const ServerName& own_name,
                            std::string_view public_key, const BannedKeys& banned) {
  if (authorization.destination && *authorization.destination != own_name)
    return fail(Code::kUnauthorized, "the request is signed for another server");
  if (banned.contains(public_key)) return fail(Code::kUnauthorized, "the secret of the key is public");
  auto signature = from_base64(authorization.signature);
  // Servers that leave it out of the header have signed it nevertheless.
  MYELIN_TRY(std::string message, signed_bytes(request, authorization.origin, own_name));
  if (!signature || !verify_signature(public_key, message, *signature))
    return fail(Code::kUnauthorized, "the signature of the request is wrong");
  return {};
}

}  // namespace myelin
