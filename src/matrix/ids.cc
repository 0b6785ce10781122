#include "matrix/ids.h"

#include <arpa/inet.h>

#include <algorithm>

namespace myelin {
namespace {

constexpr size_t kMaxIdBytes = 255;
constexpr std::string_view kMxc = "mxc://", kEd25519 = "ed25519:";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alphanumeric(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_opaque(char c) { return is_alphanumeric(c) || std::string_view("-._~").contains(c); }
bool is_url_safe_base64(char c) { return is_alphanumeric(c) || c == '-' || c == '_'; }

// Four decimal numbers in the range 0 to 255.
bool is_ipv4(std::string_view host) {
  for (int part = 0; part < 4; ++part) {
    if (part > 0) {
      if (!host.starts_with('.')) return false;
      host.remove_prefix(1);
    }
    int value = 0;
    size_t digits = 0;
    for (; digits < host.size() && digits < 3 && is_digit(host[digits]); ++digits)
      value = value * 10 + (host[digits] - '0');
    if (digits == 0 || value > 255) return false;
    host.remove_prefix(digits);
  }
  return host.empty();
}

// "[...]"
bool is_ipv6(std::string_view host) {
  if (host.size() < 4 || !host.starts_with('[') || !host.ends_with(']')) return false;
  in6_addr address;
  std::string literal(host.substr(1, host.size() - 2));  // a name with a zone or a NUL fails the character check
  auto allowed = [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
  };
  return std::ranges::all_of(literal, allowed) && inet_pton(AF_INET6, literal.c_str(), &address) == 1;
}

size_t host_length(std::string_view name) {
  size_t end = name.starts_with('[') ? name.find(']') : name.find(':');
  if (end == name.npos) return name.size();
  return name[end] == ']' ? end + 1 : end;
}

bool is_server_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxIdBytes) return false;
  std::string_view host = name.substr(0, host_length(name)), rest = name.substr(host.size());
  if (!rest.empty()) {
    rest.remove_prefix(1);
    if (name[host.size()] != ':' || rest.empty() || rest.size() > 5 || !std::ranges::all_of(rest, is_digit))
      return false;
  }
  if (host.starts_with('[')) return is_ipv6(host);
  return !host.empty() && std::ranges::all_of(host, [](char c) { return is_alphanumeric(c) || c == '-' || c == '.'; });
}

// sigil, a localpart of any code points but ":" and NUL (maybe none), ":", a server name.
bool is_localpart_and_server(std::string_view id, char sigil) {
  if (id.size() > kMaxIdBytes || !id.starts_with(sigil)) return false;
  size_t colon = id.find(':');
  return colon != id.npos && id.find('\0') == id.npos && is_valid_utf8(id.substr(0, colon)) &&
         is_server_name(id.substr(colon + 1));
}

std::string_view localpart_of(const std::string& id) {
  return id.empty() ? std::string_view() : std::string_view(id).substr(1, id.find(':') - 1);
}
std::string_view server_of(const std::string& id) {
  size_t colon = id.find(':');
  return colon == id.npos ? std::string_view() : std::string_view(id).substr(colon + 1);
}

template <class Kind>
Result<Kind> make(bool valid, std::string_view text, const char* what) {
  if (!valid) return fail(Code::kInvalidParam, std::string("not a valid ") + what);
  return Kind::trusted(std::string(text));
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  for (size_t i = 0; i < text.size();) {
    unsigned char lead = byte(i);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    size_t more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    if (lead < 0xC2 || lead > 0xF4 || text.size() - i <= more) return false;
    unsigned char second = byte(i + 1);
    unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;   // not overlong
    unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;  // no surrogate, not beyond U+10FFFF
    if (second < low || second > high) return false;
    for (size_t k = 2; k <= more; ++k)
      if ((byte(i + k) & 0xC0) != 0x80) return false;
    i += more + 1;
  }
  return true;
}

template <>
Result<ServerName> Id<ServerName>::parse(std::string_view text) {
  return make<ServerName>(is_server_name(text), text, "server name");
}
template <>
Result<UserId> Id<UserId>::parse(std::string_view text) {
  return make<UserId>(is_localpart_and_server(text, '@'), text, "user ID");
}
template <>
Result<RoomAlias> Id<RoomAlias>::parse(std::string_view text) {
  return make<RoomAlias>(is_localpart_and_server(text, '#'), text, "room alias");
}
template <>
Result<RoomId> Id<RoomId>::parse(std::string_view text) {
  bool hash = text.size() == 44 && text.starts_with('!') && std::ranges::all_of(text.substr(1), is_url_safe_base64);
  return make<RoomId>(hash || is_localpart_and_server(text, '!'), text, "room ID");
}
template <>
Result<EventId> Id<EventId>::parse(std::string_view text) {
  bool valid = text.size() >= 2 && text.size() <= kMaxIdBytes && text.starts_with('$') &&
               text.find('\0') == text.npos && is_valid_utf8(text);
  return make<EventId>(valid, text, "event ID");
}
template <>
Result<DeviceId> Id<DeviceId>::parse(std::string_view text) {
  bool valid = !text.empty() && text.size() <= kMaxIdBytes && text.find('\0') == text.npos && is_valid_utf8(text);
  return make<DeviceId>(valid, text, "device ID");
}

template <>
Result<MxcUri> Id<MxcUri>::parse(std::string_view text) {
  constexpr size_t kStart = kMxc.size();
  size_t slash = text.find('/', std::min(kStart, text.size()));
  bool valid = text.starts_with(kMxc) && slash != text.npos && is_server_name(text.substr(kStart, slash - kStart)) &&
               text.size() - slash - 1 <= kMaxIdBytes && slash + 1 < text.size() &&
               std::ranges::all_of(text.substr(slash + 1), is_url_safe_base64);
  return make<MxcUri>(valid, text, "mxc:// URI");
}
template <>
Result<SigningKeyId> Id<SigningKeyId>::parse(std::string_view text) {
  bool valid = text.size() <= kMaxIdBytes && text.starts_with(kEd25519) && text.size() > kEd25519.size() &&
               std::ranges::all_of(text.substr(kEd25519.size()), [](char c) { return is_alphanumeric(c) || c == '_'; });
  return make<SigningKeyId>(valid, text, "signing key ID");
}
template <>
Result<NamespacedId> Id<NamespacedId>::parse(std::string_view text) {
  auto is_small = [](char c) { return c >= 'a' && c <= 'z'; };
  auto allowed = [&](char c) { return is_small(c) || is_digit(c) || c == '-' || c == '_' || c == '.'; };
  bool valid =
      !text.empty() && text.size() <= kMaxIdBytes && is_small(text.front()) && std::ranges::all_of(text, allowed);
  return make<NamespacedId>(valid, text, "namespaced identifier");
}

std::string_view ServerName::host() const { return std::string_view(text_).substr(0, host_length(text_)); }
std::optional<uint16_t> ServerName::port() const {
  if (host().size() == text_.size()) return std::nullopt;
  int port = std::stoi(text_.substr(host().size() + 1));
  return static_cast<uint16_t>(port > 65535 ? 0 : port);
}
bool ServerName::is_ip_literal() const { return text_.starts_with('[') || is_ipv4(host()); }

Result<UserId> UserId::make(std::string_view localpart, const ServerName& server) {
  auto allowed = [](char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || std::string_view("._=-/+").contains(c); };
  if (localpart.empty() || !std::ranges::all_of(localpart, allowed))
    return fail(Code::kInvalidUsername, "a user name has only the characters a-z 0-9 . _ = - / +");
  if (localpart.size() + server.str().size() + 2 > kMaxIdBytes)
    return fail(Code::kInvalidUsername, "the user name is too long");
  return trusted("@" + std::string(localpart) + ":" + server.str());
}
std::string_view UserId::localpart() const { return localpart_of(text_); }
std::string_view UserId::server() const { return server_of(text_); }

Result<RoomId> RoomId::make(std::string_view opaque, const ServerName& server) {
  if (opaque.empty() || !std::ranges::all_of(opaque, is_alphanumeric))
    return fail(Code::kInvalidParam, "not a valid room ID");
  return parse("!" + std::string(opaque) + ":" + server.str());
}
Result<EventId> EventId::make(std::string_view opaque, const ServerName& server) {
  if (opaque.empty() || !std::ranges::all_of(opaque, is_opaque))
    return fail(Code::kInvalidParam, "not a valid event ID");
  return parse("$" + std::string(opaque) + ":" + server.str());
}
Result<DeviceId> DeviceId::make(std::string_view text) {
  if (!std::ranges::all_of(text, is_opaque)) return fail(Code::kInvalidParam, "not a valid device ID");
  return parse(text);
}

Result<RoomAlias> RoomAlias::make(std::string_view localpart, const ServerName& server) {
  if (localpart.empty() || localpart.contains(':')) return fail(Code::kInvalidParam, "not a valid alias name");
  return parse("#" + std::string(localpart) + ":" + server.str());
}
std::string_view RoomAlias::localpart() const { return localpart_of(text_); }
std::string_view RoomAlias::server() const { return server_of(text_); }

Result<MxcUri> MxcUri::make(const ServerName& server, std::string_view media_id) {
  return parse(std::string(kMxc) + server.str() + "/" + std::string(media_id));
}
std::string_view MxcUri::server() const {
  return std::string_view(text_).substr(kMxc.size(), text_.rfind('/') - kMxc.size());
}
std::string_view MxcUri::media_id() const { return std::string_view(text_).substr(text_.rfind('/') + 1); }

Result<SigningKeyId> SigningKeyId::make(std::string_view version) {
  return parse(std::string(kEd25519) + std::string(version));
}
std::string_view SigningKeyId::version() const { return std::string_view(text_).substr(kEd25519.size()); }

}  // namespace myelin
